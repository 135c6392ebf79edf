/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-properties.c - the properties of a compression session: required ones, and optional ones that it may refuse.
 *
 * On the session's own thread (vt-session.c).
 */
#include "vt-session.h"

#define NO_KEYFRAMES G_MAXINT32

/* A session being configured, and its number of refused properties. */
typedef struct Properties {
    VTCompressionSessionRef vt;
    guint *refused;
} Properties;

static OSStatus set_number(const Properties *properties, CFStringRef key, gint32 value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &value);
    OSStatus status = VTSessionSetProperty(properties->vt, key, number);

    CFRelease(number);
    return status;
}

static OSStatus set_double(const Properties *properties, CFStringRef key, double value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberDoubleType, &value);
    OSStatus status = VTSessionSetProperty(properties->vt, key, number);

    CFRelease(number);
    return status;
}

/* An optional property: a refusal is counted and ignored, unless the session is lost. */
static OSStatus optional(const Properties *properties, OSStatus status, const char *what)
{
    if (status == 0 || helix_vt_session_lost(status)) {
        return status;
    }
    ++*properties->refused;
    g_info("VideoToolbox does not take %s (%d)", what, (int)status);
    return 0;
}

static OSStatus set_optional(const Properties *properties, CFStringRef key, CFTypeRef value, const char *what)
{
    return optional(properties, VTSessionSetProperty(properties->vt, key, value), what);
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

static OSStatus set_colour(const Properties *properties, const HelixVui *vui)
{
    const HelixVtColour colour = helix_vt_colour(vui);
    OSStatus status = 0;

    if (colour.primaries) {
        status = set_optional(properties, kVTCompressionPropertyKey_ColorPrimaries, colour.primaries, "ColorPrimaries");
    }
    if (status == 0 && colour.transfer) {
        status = set_optional(properties, kVTCompressionPropertyKey_TransferFunction, colour.transfer,
                              "TransferFunction");
    }
    if (status == 0 && colour.matrix) {
        status = set_optional(properties, kVTCompressionPropertyKey_YCbCrMatrix, colour.matrix, "YCbCrMatrix");
    }
    return status;
}

/* Set once per session. */
static OSStatus set_fixed(const Properties *properties, const HelixEncoderConfig *config)
{
    OSStatus status;

    /* Required: with reordering a decoder would show pictures late and out of order. */
    status = VTSessionSetProperty(properties->vt, kVTCompressionPropertyKey_AllowFrameReordering, kCFBooleanFalse);
    if (status == 0) {
        status = VTSessionSetProperty(properties->vt, kVTCompressionPropertyKey_ProfileLevel,
                                      profile_level(config->profile));
        if (config->profile == 100) {
            status = optional(properties, status, "High profile"); /* High is the encoder's default */
        }
    }
    if (status == 0) {
        status = set_optional(properties, kVTCompressionPropertyKey_RealTime,
                              config->realtime ? kCFBooleanTrue : kCFBooleanFalse, "RealTime");
    }
    IF_MACOS (11.0) {
        if (status == 0) {
            status = set_optional(properties, kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality,
                                  kCFBooleanTrue, "PrioritizeEncodingSpeedOverQuality");
        }
    }
    if (status == 0) {
        status = optional(properties, set_number(properties, kVTCompressionPropertyKey_MaxFrameDelayCount, 0),
                          "MaxFrameDelayCount");
    }
    return status ? status : set_colour(properties, &config->vui);
}

static OSStatus set_quantisers(const Properties *properties, const HelixEncoderConfig *config,
                               const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    if (config->max_qp != (before ? before->max_qp : 0)) {
        IF_MACOS (12.0) {
            status = optional(properties,
                              set_number(properties, kVTCompressionPropertyKey_MaxAllowedFrameQP,
                                         config->max_qp ? config->max_qp : 51),
                              "MaxAllowedFrameQP");
        }
    }
    if (status == 0 && config->min_qp != (before ? before->min_qp : 0)) {
        IF_MACOS (13.0) {
            status = optional(properties,
                              set_number(properties, kVTCompressionPropertyKey_MinAllowedFrameQP, config->min_qp),
                              "MinAllowedFrameQP");
        }
    }
    return status;
}

/* Properties that may change while the session is open. */
static OSStatus set_rates(const Properties *properties, const HelixEncoderConfig *config,
                          const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    /*
     * Some encoders output nothing at all without a bit rate and a frame rate; once the session has one, the old frame
     * rate will do.
     */
    if (!before || config->bitrate != before->bitrate) {
        status = set_number(properties, kVTCompressionPropertyKey_AverageBitRate,
                            (gint32)MIN(config->bitrate, G_MAXINT32));
    }
    if (status == 0 && (!before || config->fps_num != before->fps_num || config->fps_den != before->fps_den)) {
        status = set_double(properties, kVTCompressionPropertyKey_ExpectedFrameRate,
                            (double)config->fps_num / config->fps_den);
        if (before) {
            status = optional(properties, status, "ExpectedFrameRate");
        }
    }
    if (status == 0 && (!before || config->key_int_max != before->key_int_max)) {
        /* 0 would let the encoder choose */
        gint32 interval = config->key_int_max ? (gint32)MIN(config->key_int_max, G_MAXINT32) : NO_KEYFRAMES;

        status = optional(properties, set_number(properties, kVTCompressionPropertyKey_MaxKeyFrameInterval, interval),
                          "MaxKeyFrameInterval");
    }
    return status ? status : set_quantisers(properties, config, before);
}

OSStatus helix_vt_set_properties(VTCompressionSessionRef vt, const HelixEncoderConfig *config,
                                 const HelixEncoderConfig *before, guint *refused)
{
    const Properties properties = { vt, refused };
    OSStatus status = before ? 0 : set_fixed(&properties, config);

    return status ? status : set_rates(&properties, config, before);
}
