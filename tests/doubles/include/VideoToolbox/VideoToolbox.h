/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of VideoToolbox that the product uses; see CoreFoundation.h for where declarations come from. The bindings
 * do not say which macOS a name came with: API_AVAILABLE here is from Apple's headers, or from Apple's documentation of
 * the name.
 */
#ifndef DOUBLE_VIDEO_TOOLBOX_H
#define DOUBLE_VIDEO_TOOLBOX_H

#include <CoreFoundation/CoreFoundation.h>
#include <CoreMedia/CoreMedia.h>
#include <CoreVideo/CoreVideo.h>

/* from: VideoToolbox/VTErrors.rs */
#define kVTPropertyNotSupportedErr (-12900)
#define kVTParameterErr (-12902)
#define kVTInvalidSessionErr (-12903)
#define kVTAllocationFailedErr (-12904)
#define kVTCouldNotCreateInstanceErr (-12907)
#define kVTCouldNotFindVideoEncoderErr (-12908)
#define kVTVideoEncoderMalfunctionErr (-12912)
#define kVTVideoEncoderNotAvailableNowErr (-12915)
#define kVTSessionMalfunctionErr (-17691)
typedef uint32_t VTEncodeInfoFlags;
#define kVTEncodeInfo_Asynchronous (1u << 0)
#define kVTEncodeInfo_FrameDropped (1u << 1)

/* from: VideoToolbox/VTSession.rs */
typedef CFTypeRef VTSessionRef;
OSStatus VTSessionSetProperty(VTSessionRef session, CFStringRef property_key, CFTypeRef property_value);
OSStatus VTSessionCopyProperty(VTSessionRef session, CFStringRef property_key, CFAllocatorRef allocator,
                               void *property_value_out);

/* from: VideoToolbox/VTCompressionProperties.rs */
extern const CFStringRef kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder;
extern const CFStringRef kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder;
extern const CFStringRef kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder;
extern const CFStringRef kVTCompressionPropertyKey_RealTime;
extern const CFStringRef kVTCompressionPropertyKey_AllowFrameReordering;
extern const CFStringRef kVTCompressionPropertyKey_AverageBitRate;
extern const CFStringRef kVTCompressionPropertyKey_ExpectedFrameRate;
extern const CFStringRef kVTCompressionPropertyKey_MaxKeyFrameInterval;
extern const CFStringRef kVTCompressionPropertyKey_MaxFrameDelayCount;
extern const CFStringRef kVTCompressionPropertyKey_ProfileLevel;
extern const CFStringRef kVTCompressionPropertyKey_ColorPrimaries;
extern const CFStringRef kVTCompressionPropertyKey_TransferFunction;
extern const CFStringRef kVTCompressionPropertyKey_YCbCrMatrix;
extern const CFStringRef kVTProfileLevel_H264_Baseline_AutoLevel;
extern const CFStringRef kVTProfileLevel_H264_Main_AutoLevel;
extern const CFStringRef kVTProfileLevel_H264_High_AutoLevel;
extern const CFStringRef kVTEncodeFrameOptionKey_ForceKeyFrame;

/* from: VideoToolbox/VTCompressionProperties.rs */
extern const CFStringRef kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality API_AVAILABLE(macos(11.0));
extern const CFStringRef kVTVideoEncoderSpecification_EnableLowLatencyRateControl API_AVAILABLE(macos(11.3));
extern const CFStringRef kVTCompressionPropertyKey_MaxAllowedFrameQP API_AVAILABLE(macos(12.0));
extern const CFStringRef kVTCompressionPropertyKey_MinAllowedFrameQP API_AVAILABLE(macos(13.0));

/* from: VideoToolbox/VTCompressionSession.rs */
typedef struct OpaqueVTCompressionSession *VTCompressionSessionRef;
typedef void (*VTCompressionOutputCallback)(void *output_callback_ref_con, void *source_frame_ref_con, OSStatus status,
                                            VTEncodeInfoFlags info_flags, CMSampleBufferRef sample_buffer);
OSStatus VTCompressionSessionCreate(CFAllocatorRef allocator, int32_t width, int32_t height,
                                    CMVideoCodecType codec_type, CFDictionaryRef encoder_specification,
                                    CFDictionaryRef source_image_buffer_attributes,
                                    CFAllocatorRef compressed_data_allocator,
                                    VTCompressionOutputCallback output_callback, void *output_callback_ref_con,
                                    VTCompressionSessionRef *compression_session_out);
void VTCompressionSessionInvalidate(VTCompressionSessionRef session);
OSStatus VTCompressionSessionPrepareToEncodeFrames(VTCompressionSessionRef session);
OSStatus VTCompressionSessionEncodeFrame(VTCompressionSessionRef session, CVImageBufferRef image_buffer,
                                         CMTime presentation_time_stamp, CMTime duration,
                                         CFDictionaryRef frame_properties, void *source_frame_refcon,
                                         VTEncodeInfoFlags *info_flags_out);
OSStatus VTCompressionSessionCompleteFrames(VTCompressionSessionRef session,
                                            CMTime complete_until_presentation_time_stamp);

/* from: VideoToolbox/VTPixelTransferSession.rs */
typedef struct OpaqueVTPixelTransferSession *VTPixelTransferSessionRef;
OSStatus VTPixelTransferSessionCreate(CFAllocatorRef allocator, VTPixelTransferSessionRef *pixel_transfer_session_out);
void VTPixelTransferSessionInvalidate(VTPixelTransferSessionRef session);
OSStatus VTPixelTransferSessionTransferImage(VTPixelTransferSessionRef session, CVPixelBufferRef source_buffer,
                                             CVPixelBufferRef destination_buffer);

#endif
