/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-properties.c - the properties of a compression session: required ones, and optional ones that it may refuse.
 *
 * On the session's own thread (vt-session.c).
 */
#include "vt-session.h"

#define NO_KEYFRAMES G_MAXINT32

/* Macroblocks a second at level 5.2, the highest (H.264, Table A-1). Beyond it VideoToolbox drops frames. */
#define MOST_MACROBLOCKS 2073600u

HelixVtRate helix_vt_rate(const HelixEncoderConfig *config)
{
    const gint64 macroblocks = (gint64)((config->width + 15) / 16) * ((config->height + 15) / 16);

    return macroblocks * config->fps_num > (gint64)MOST_MACROBLOCKS * config->fps_den
        ? (HelixVtRate){ MOST_MACROBLOCKS, macroblocks }
        : (HelixVtRate){ config->fps_num, config->fps_den };
}

static OSStatus set_number(const HelixVtMade *made, CFStringRef key, gint32 value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &value);
    OSStatus status = VTSessionSetProperty(made->vt, key, number);

    CFRelease(number);
    return status;
}

static OSStatus set_double(const HelixVtMade *made, CFStringRef key, double value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberDoubleType, &value);
    OSStatus status = VTSessionSetProperty(made->vt, key, number);

    CFRelease(number);
    return status;
}

/* A refusal is counted and ignored, unless the session is lost. */
static OSStatus tolerate(HelixVtMade *made, OSStatus status, const char *what)
{
    if (status == 0 || helix_vt_session_lost(status)) {
        return status;
    }
    made->refused++;
    g_info("VideoToolbox does not take %s (%d)", what, (int)status);
    return 0;
}

static OSStatus set_optional(HelixVtMade *made, CFStringRef key, CFTypeRef value, const char *what)
{
    return made->plain ? 0 : tolerate(made, VTSessionSetProperty(made->vt, key, value), what);
}

static OSStatus set_optional_number(HelixVtMade *made, CFStringRef key, gint32 value, const char *what)
{
    return made->plain ? 0 : tolerate(made, set_number(made, key, value), what);
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

static OSStatus set_colour(HelixVtMade *made, const HelixVui *vui)
{
    const HelixVtColour colour = helix_vt_colour(vui);
    OSStatus status = 0;

    if (colour.primaries) {
        status = set_optional(made, kVTCompressionPropertyKey_ColorPrimaries, colour.primaries, "ColorPrimaries");
    }
    if (status == 0 && colour.transfer) {
        status = set_optional(made, kVTCompressionPropertyKey_TransferFunction, colour.transfer, "TransferFunction");
    }
    if (status == 0 && colour.matrix) {
        status = set_optional(made, kVTCompressionPropertyKey_YCbCrMatrix, colour.matrix, "YCbCrMatrix");
    }
    return status;
}

static OSStatus set_profile(HelixVtMade *made, guint8 profile)
{
    CFStringRef value = profile_level(profile);

    /* High is the encoder's default. */
    return profile == 100 ? set_optional(made, kVTCompressionPropertyKey_ProfileLevel, value, "High profile")
                          : VTSessionSetProperty(made->vt, kVTCompressionPropertyKey_ProfileLevel, value);
}

/* Set once per session. */
static OSStatus set_fixed(HelixVtMade *made, const HelixEncoderConfig *config)
{
    OSStatus status;

    /* Required: with reordering a decoder would show pictures late and out of order. */
    status = VTSessionSetProperty(made->vt, kVTCompressionPropertyKey_AllowFrameReordering, kCFBooleanFalse);
    if (status == 0) {
        status = set_profile(made, config->profile);
    }
    if (status == 0) {
        status = set_optional(made, kVTCompressionPropertyKey_RealTime,
                              config->realtime ? kCFBooleanTrue : kCFBooleanFalse, "RealTime");
    }
    IF_MACOS (11.0) {
        if (status == 0) {
            status = set_optional(made, kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality, kCFBooleanTrue,
                                  "PrioritizeEncodingSpeedOverQuality");
        }
    }
    if (status == 0) {
        status = set_optional_number(made, kVTCompressionPropertyKey_MaxFrameDelayCount, 0, "MaxFrameDelayCount");
    }
    return status ? status : set_colour(made, &config->vui);
}

static OSStatus set_quantisers(HelixVtMade *made, const HelixEncoderConfig *config, const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    if (config->max_qp != (before ? before->max_qp : 0)) {
        IF_MACOS (12.0) {
            status = set_optional_number(made, kVTCompressionPropertyKey_MaxAllowedFrameQP,
                                         config->max_qp ? config->max_qp : 51, "MaxAllowedFrameQP");
        }
    }
    if (status == 0 && config->min_qp != (before ? before->min_qp : 0)) {
        IF_MACOS (13.0) {
            status = set_optional_number(made, kVTCompressionPropertyKey_MinAllowedFrameQP, config->min_qp,
                                         "MinAllowedFrameQP");
        }
    }
    return status;
}

/* Properties that may change while the session is open. */
static OSStatus set_rates(HelixVtMade *made, const HelixEncoderConfig *config, const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    /*
     * Some encoders output nothing at all without a bit rate and a frame rate; once the session has one, the old frame
     * rate will do.
     */
    if (!before || config->bitrate != before->bitrate) {
        status = set_number(made, kVTCompressionPropertyKey_AverageBitRate, (gint32)MIN(config->bitrate, G_MAXINT32));
    }
    if (status == 0 && (!before || config->fps_num != before->fps_num || config->fps_den != before->fps_den)) {
        const HelixVtRate rate = helix_vt_rate(config);

        status = set_double(made, kVTCompressionPropertyKey_ExpectedFrameRate, (double)rate.num / (double)rate.den);
        if (before) {
            status = tolerate(made, status, "ExpectedFrameRate");
        }
    }
    if (status == 0 && (!before || config->key_int_max != before->key_int_max)) {
        /* 0 would let the encoder choose */
        gint32 interval = config->key_int_max ? (gint32)MIN(config->key_int_max, G_MAXINT32) : NO_KEYFRAMES;

        status = set_optional_number(made, kVTCompressionPropertyKey_MaxKeyFrameInterval, interval,
                                     "MaxKeyFrameInterval");
    }
    return status ? status : set_quantisers(made, config, before);
}

OSStatus helix_vt_set_properties(HelixVtMade *made, const HelixEncoderConfig *config, const HelixEncoderConfig *before)
{
    OSStatus status = before ? 0 : set_fixed(made, config);

    return status ? status : set_rates(made, config, before);
}
