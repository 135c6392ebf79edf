/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of CoreVideo that the product uses; see CoreFoundation.h for where declarations come from. */
#ifndef DOUBLE_CORE_VIDEO_H
#define DOUBLE_CORE_VIDEO_H

#include <CoreFoundation/CoreFoundation.h>
#include <IOSurface/IOSurface.h>

/* from: CoreVideo/CVReturn.rs */
typedef int32_t CVReturn;
#define kCVReturnSuccess 0
#define kCVReturnInvalidArgument (-6661)
#define kCVReturnAllocationFailed (-6662)
#define kCVReturnInvalidPixelFormat (-6680)

/* from: CoreVideo/CVBase.rs */
typedef uint64_t CVOptionFlags;

/* from: CoreVideo/CVBuffer.rs */
typedef struct __CVBuffer *CVBufferRef;
typedef CVBufferRef CVImageBufferRef;
typedef CVBufferRef CVPixelBufferRef;
typedef uint32_t CVAttachmentMode;
#define kCVAttachmentMode_ShouldPropagate 1
void CVBufferSetAttachment(CVBufferRef buffer, CFStringRef key, CFTypeRef value, CVAttachmentMode attachment_mode);

/* from: CoreVideo/CVImageBuffer.rs */
extern const CFStringRef kCVImageBufferColorPrimariesKey;
extern const CFStringRef kCVImageBufferColorPrimaries_ITU_R_709_2;
extern const CFStringRef kCVImageBufferTransferFunctionKey;
extern const CFStringRef kCVImageBufferTransferFunction_ITU_R_709_2;
extern const CFStringRef kCVImageBufferYCbCrMatrixKey;
extern const CFStringRef kCVImageBufferYCbCrMatrix_ITU_R_709_2;
extern const CFStringRef kCVImageBufferColorPrimaries_EBU_3213;
extern const CFStringRef kCVImageBufferColorPrimaries_SMPTE_C;
extern const CFStringRef kCVImageBufferColorPrimaries_ITU_R_2020;
extern const CFStringRef kCVImageBufferTransferFunction_ITU_R_2020;
extern const CFStringRef kCVImageBufferYCbCrMatrix_ITU_R_601_4;
extern const CFStringRef kCVImageBufferYCbCrMatrix_ITU_R_2020;
CFStringRef CVColorPrimariesGetStringForIntegerCodePoint(int color_primaries_code_point);
CFStringRef CVTransferFunctionGetStringForIntegerCodePoint(int transfer_function_code_point);
CFStringRef CVYCbCrMatrixGetStringForIntegerCodePoint(int y_cb_cr_matrix_code_point);

/* from: CoreVideo/CVPixelBuffer.rs */
#define kCVPixelFormatType_32BGRA 0x42475241
#define kCVPixelFormatType_32RGBA 0x52474241
#define kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange 0x34323076
typedef CVOptionFlags CVPixelBufferLockFlags;
extern const CFStringRef kCVPixelBufferPixelFormatTypeKey;
extern const CFStringRef kCVPixelBufferWidthKey;
extern const CFStringRef kCVPixelBufferHeightKey;
extern const CFStringRef kCVPixelBufferIOSurfacePropertiesKey;
typedef void (*CVPixelBufferReleaseBytesCallback)(void *release_ref_con, const void *base_address);
typedef void (*CVPixelBufferReleasePlanarBytesCallback)(void *release_ref_con, const void *data_ptr, size_t data_size,
                                                        size_t number_of_planes, const void **plane_addresses);
CVReturn CVPixelBufferCreateWithBytes(CFAllocatorRef allocator, size_t width, size_t height, OSType pixel_format_type,
                                      void *base_address, size_t bytes_per_row,
                                      CVPixelBufferReleaseBytesCallback release_callback, void *release_ref_con,
                                      CFDictionaryRef pixel_buffer_attributes, CVPixelBufferRef *pixel_buffer_out);
CVReturn CVPixelBufferCreateWithPlanarBytes(CFAllocatorRef allocator, size_t width, size_t height,
                                            OSType pixel_format_type, void *data_ptr, size_t data_size,
                                            size_t number_of_planes, void **plane_base_address, size_t *plane_width,
                                            size_t *plane_height, size_t *plane_bytes_per_row,
                                            CVPixelBufferReleasePlanarBytesCallback release_callback,
                                            void *release_ref_con, CFDictionaryRef pixel_buffer_attributes,
                                            CVPixelBufferRef *pixel_buffer_out);
CVReturn CVPixelBufferLockBaseAddress(CVPixelBufferRef pixel_buffer, CVPixelBufferLockFlags lock_flags);
CVReturn CVPixelBufferUnlockBaseAddress(CVPixelBufferRef pixel_buffer, CVPixelBufferLockFlags unlock_flags);
void *CVPixelBufferGetBaseAddress(CVPixelBufferRef pixel_buffer);
size_t CVPixelBufferGetBytesPerRow(CVPixelBufferRef pixel_buffer);
void *CVPixelBufferGetBaseAddressOfPlane(CVPixelBufferRef pixel_buffer, size_t plane_index);
size_t CVPixelBufferGetBytesPerRowOfPlane(CVPixelBufferRef pixel_buffer, size_t plane_index);
size_t CVPixelBufferGetWidth(CVPixelBufferRef pixel_buffer);
size_t CVPixelBufferGetHeight(CVPixelBufferRef pixel_buffer);

/* from: CoreVideo/CVPixelBufferIOSurface.rs */
CVReturn CVPixelBufferCreateWithIOSurface(CFAllocatorRef allocator, IOSurfaceRef surface,
                                          CFDictionaryRef pixel_buffer_attributes, CVPixelBufferRef *pixel_buffer_out);

/* from: CoreVideo/CVPixelBufferPool.rs */
typedef struct __CVPixelBufferPool *CVPixelBufferPoolRef;
CVReturn CVPixelBufferPoolCreate(CFAllocatorRef allocator, CFDictionaryRef pool_attributes,
                                 CFDictionaryRef pixel_buffer_attributes, CVPixelBufferPoolRef *pool_out);
CVReturn CVPixelBufferPoolCreatePixelBuffer(CFAllocatorRef allocator, CVPixelBufferPoolRef pixel_buffer_pool,
                                            CVPixelBufferRef *pixel_buffer_out);

#endif
