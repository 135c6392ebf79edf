/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-properties.c - what a compression session is told: what it must take, and what it may refuse.
 *
 * On the session's own thread (vt-session.c).
 */
#include "vt-session.h"

#define NO_KEYFRAMES G_MAXINT32

/* A session being told, and what it did not take. */
typedef struct Telling {
    VTCompressionSessionRef vt;
    guint *refused;
} Telling;

static OSStatus set_number(const Telling *telling, CFStringRef key, gint32 value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &value);
    OSStatus status = VTSessionSetProperty(telling->vt, key, number);

    CFRelease(number);
    return status;
}

static OSStatus set_double(const Telling *telling, CFStringRef key, double value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberDoubleType, &value);
    OSStatus status = VTSessionSetProperty(telling->vt, key, number);

    CFRelease(number);
    return status;
}

/* For what it can do without; a lost session is passed on. */
static OSStatus optional(const Telling *telling, OSStatus status, const char *what)
{
    if (status == 0 || helix_vt_session_lost(status)) {
        return status;
    }
    ++*telling->refused;
    g_info("VideoToolbox does not take %s (%d)", what, (int)status);
    return 0;
}

static OSStatus set_optional(const Telling *telling, CFStringRef key, CFTypeRef value, const char *what)
{
    return optional(telling, VTSessionSetProperty(telling->vt, key, value), what);
}

static CFStringRef profile_level(guint8 profile)
{
    switch (profile) {
    case 66:
        return kVTProfileLevel_H264_Baseline_AutoLevel;
    case 77:
        return kVTProfileLevel_H264_Main_AutoLevel;
    default:
        return kVTProfileLevel_H264_High_AutoLevel;
    }
}

HelixVtColour helix_vt_colour(const HelixVui *vui)
{
    const HelixVui resolved = helix_h264_vui_resolve(*vui);

    return (HelixVtColour){
        .primaries = CVColorPrimariesGetStringForIntegerCodePoint(resolved.primaries),
        .transfer = CVTransferFunctionGetStringForIntegerCodePoint(resolved.transfer),
        .matrix = CVYCbCrMatrixGetStringForIntegerCodePoint(resolved.matrix),
    };
}

static OSStatus set_colour(const Telling *telling, const HelixVui *vui)
{
    const HelixVtColour colour = helix_vt_colour(vui);
    OSStatus status = 0;

    if (colour.primaries) {
        status = set_optional(telling, kVTCompressionPropertyKey_ColorPrimaries, colour.primaries, "ColorPrimaries");
    }
    if (status == 0 && colour.transfer) {
        status = set_optional(telling, kVTCompressionPropertyKey_TransferFunction, colour.transfer, "TransferFunction");
    }
    if (status == 0 && colour.matrix) {
        status = set_optional(telling, kVTCompressionPropertyKey_YCbCrMatrix, colour.matrix, "YCbCrMatrix");
    }
    return status;
}

/* Once a session. */
static OSStatus set_fixed(const Telling *telling, const HelixEncoderConfig *config)
{
    OSStatus status;

    /* Without this a decoder would get pictures in another order than they were asked for: never do without. */
    status = VTSessionSetProperty(telling->vt, kVTCompressionPropertyKey_AllowFrameReordering, kCFBooleanFalse);
    if (status == 0) {
        status = VTSessionSetProperty(telling->vt, kVTCompressionPropertyKey_ProfileLevel,
                                      profile_level(config->profile));
        if (config->profile == 100) {
            status = optional(telling, status, "High profile"); /* then it is the one it would choose itself */
        }
    }
    if (status == 0) {
        status = set_optional(telling, kVTCompressionPropertyKey_RealTime,
                              config->realtime ? kCFBooleanTrue : kCFBooleanFalse, "RealTime");
    }
    IF_MACOS (11.0) {
        if (status == 0) {
            status = set_optional(telling, kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality, kCFBooleanTrue,
                                  "PrioritizeEncodingSpeedOverQuality");
        }
    }
    if (status == 0) {
        status = optional(telling, set_number(telling, kVTCompressionPropertyKey_MaxFrameDelayCount, 0),
                          "MaxFrameDelayCount");
    }
    return status ? status : set_colour(telling, &config->vui);
}

static OSStatus set_quantisers(const Telling *telling, const HelixEncoderConfig *config,
                               const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    if (config->max_qp != (before ? before->max_qp : 0)) {
        IF_MACOS (12.0) {
            status = optional(
                telling,
                set_number(telling, kVTCompressionPropertyKey_MaxAllowedFrameQP, config->max_qp ? config->max_qp : 51),
                "MaxAllowedFrameQP");
        }
    }
    if (status == 0 && config->min_qp != (before ? before->min_qp : 0)) {
        IF_MACOS (13.0) {
            status = optional(telling, set_number(telling, kVTCompressionPropertyKey_MinAllowedFrameQP, config->min_qp),
                              "MinAllowedFrameQP");
        }
    }
    return status;
}

/* What changes while a session lives. */
static OSStatus set_rates(const Telling *telling, const HelixEncoderConfig *config, const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    /* Some encoders put nothing out at all without a bit rate and a frame rate; once they have one, an old one will do.
     */
    if (!before || config->bitrate != before->bitrate) {
        status = set_number(telling, kVTCompressionPropertyKey_AverageBitRate,
                            (gint32)MIN(config->bitrate, G_MAXINT32));
    }
    if (status == 0 && (!before || config->fps_num != before->fps_num || config->fps_den != before->fps_den)) {
        status = set_double(telling, kVTCompressionPropertyKey_ExpectedFrameRate,
                            (double)config->fps_num / config->fps_den);
        if (before) {
            status = optional(telling, status, "ExpectedFrameRate");
        }
    }
    if (status == 0 && (!before || config->key_int_max != before->key_int_max)) {
        /* 0 would leave key frames to the encoder's taste */
        gint32 interval = config->key_int_max ? (gint32)MIN(config->key_int_max, G_MAXINT32) : NO_KEYFRAMES;

        status = optional(telling, set_number(telling, kVTCompressionPropertyKey_MaxKeyFrameInterval, interval),
                          "MaxKeyFrameInterval");
    }
    return status ? status : set_quantisers(telling, config, before);
}

OSStatus helix_vt_set_properties(VTCompressionSessionRef vt, const HelixEncoderConfig *config,
                                 const HelixEncoderConfig *before, guint *refused)
{
    const Telling telling = { vt, refused };
    OSStatus status = before ? 0 : set_fixed(&telling, config);

    return status ? status : set_rates(&telling, config, before);
}
