/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-candidates.c - the best compression session that can be opened: each candidate asks for less than the one before
 * it.
 *
 * On the session's own thread (vt-session.c).
 */
#include "vt-session.h"

typedef struct Candidate {
    const char *name;
    gboolean low_latency, hardware;
} Candidate;

static const Candidate candidates[] = {
    { "hardware with low-latency rate control", TRUE, TRUE },
    { "hardware", FALSE, TRUE },
    { "software", FALSE, FALSE },
};

static gboolean is_candidate(const Candidate *candidate, const HelixEncoderConfig *config, gboolean hardware_only)
{
    if (candidate->low_latency && config->profile != 100) {
        return FALSE; /* it supports High profiles only */
    }
    return candidate->hardware || !hardware_only;
}

static CFDictionaryRef specification(const Candidate *candidate, gboolean *low_latency)
{
    const void *keys[2], *values[2] = { candidate->hardware ? kCFBooleanTrue : kCFBooleanFalse, kCFBooleanTrue };
    CFIndex n = 0;

    *low_latency = FALSE;
    /* Left the choice, VideoToolbox takes hardware, and fails for a size that only software encodes. */
    keys[n++] = candidate->hardware ? kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder
                                    : kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder;
    if (candidate->low_latency) {
        IF_MACOS (12.0.1) {
            keys[n++] = kVTVideoEncoderSpecification_EnableLowLatencyRateControl;
            *low_latency = TRUE;
        }
    }
    return CFDictionaryCreate(kCFAllocatorDefault, keys, values, n, &kCFTypeDictionaryKeyCallBacks,
                              &kCFTypeDictionaryValueCallBacks);
}

/* Encoders with low-latency rate control do not have the property: @required is then what was asked for and got. */
static gboolean uses_hardware(VTCompressionSessionRef vt, gboolean required)
{
    CFBooleanRef value = NULL;
    gboolean hardware = required;

    if (VTSessionCopyProperty(vt, kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder, kCFAllocatorDefault,
                              &value) == 0 &&
        value) {
        hardware = CFBooleanGetValue(value);
        CFRelease(value);
    }
    return hardware;
}

static OSStatus try_candidate(const Candidate *candidate, const HelixEncoderConfig *config,
                              VTCompressionOutputCallback callback, void *callback_data, HelixVtMade *made)
{
    CFDictionaryRef spec = specification(candidate, &made->low_latency);
    OSStatus status;

    status = VTCompressionSessionCreate(kCFAllocatorDefault, (gint32)config->width, (gint32)config->height,
                                        kCMVideoCodecType_H264, spec, NULL, NULL, callback, callback_data, &made->vt);
    CFRelease(spec);
    if (status != 0) {
        made->vt = NULL;
        return status;
    }
    made->refused = 0;
    status = helix_vt_set_properties(made, config, NULL);
    if (status == 0) {
        status = VTCompressionSessionPrepareToEncodeFrames(made->vt);
    }
    if (status == 0) {
        made->hardware = uses_hardware(made->vt, candidate->hardware);
    } else {
        VTCompressionSessionInvalidate(made->vt);
        CFRelease(made->vt);
        made->vt = NULL;
    }
    return status;
}

gboolean helix_vt_open_best(const HelixEncoderConfig *config, gboolean hardware_only,
                            VTCompressionOutputCallback callback, void *callback_data, HelixVtMade *made,
                            GString *tried)
{
    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        OSStatus status;

        if (!is_candidate(&candidates[i], config, hardware_only)) {
            continue;
        }
        status = try_candidate(&candidates[i], config, callback, callback_data, made);
        if (status == 0) {
            g_info("VideoToolbox session %u x %u: asked for %s, got %s", config->width, config->height,
                   candidates[i].name, made->hardware ? "hardware" : "software");
            return TRUE;
        }
        g_string_append_printf(tried, "%s%s (%d)", tried->len ? ", " : "", candidates[i].name, (int)status);
    }
    return FALSE;
}
