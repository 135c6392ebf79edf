/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of CoreMedia that the product uses; see CoreFoundation.h for where declarations come from. */
#ifndef DOUBLE_CORE_MEDIA_H
#define DOUBLE_CORE_MEDIA_H

#include <CoreFoundation/CoreFoundation.h>

/* from: CoreMedia/CMTime.rs */
#pragma pack(push, 4)
typedef struct {
    int64_t value;
    int32_t timescale;
    uint32_t flags;
    int64_t epoch;
} CMTime;
#pragma pack(pop)
#define kCMTimeFlags_Valid (1u << 0)
extern const CMTime kCMTimeInvalid;
CMTime CMTimeMake(int64_t value, int32_t timescale);

/* from: CoreMedia/CMBlockBuffer.rs */
typedef struct OpaqueCMBlockBuffer *CMBlockBufferRef;
#define kCMBlockBufferNoErr 0
#define kCMBlockBufferBadOffsetParameterErr (-12703)
size_t CMBlockBufferGetDataLength(CMBlockBufferRef the_buffer);
OSStatus CMBlockBufferGetDataPointer(CMBlockBufferRef the_buffer, size_t offset, size_t *length_at_offset_out,
                                     size_t *total_length_out, char **data_pointer_out);

/* from: CoreMedia/CMFormatDescription.rs */
typedef const struct opaqueCMFormatDescription *CMFormatDescriptionRef;
typedef uint32_t CMVideoCodecType;
#define kCMVideoCodecType_H264 0x61766331
OSStatus CMVideoFormatDescriptionGetH264ParameterSetAtIndex(
    CMFormatDescriptionRef video_desc, size_t parameter_set_index, const uint8_t **parameter_set_pointer_out,
    size_t *parameter_set_size_out, size_t *parameter_set_count_out, int *nal_unit_header_length_out);

/* from: CoreMedia/CMSampleBuffer.rs */
typedef struct opaqueCMSampleBuffer *CMSampleBufferRef;
extern const CFStringRef kCMSampleAttachmentKey_NotSync;
CMBlockBufferRef CMSampleBufferGetDataBuffer(CMSampleBufferRef sbuf);
CMFormatDescriptionRef CMSampleBufferGetFormatDescription(CMSampleBufferRef sbuf);
CFArrayRef CMSampleBufferGetSampleAttachmentsArray(CMSampleBufferRef sbuf, Boolean create_if_necessary);

#endif
