/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-videotoolbox.c - H.264 by VideoToolbox, the encoder of macOS.
 *
 * One frame is in VideoToolbox at a time: it would work on several in parallel, and each would take longer.
 * VideoToolbox gets timestamps that count frames at the configured rate, so that its rate control sees a steady stream;
 * the guest's timestamps are kept apart. A session that is lost (the encoder is another process, which the system may
 * end) is replaced within the same call, and the frame becomes the new session's IDR. So is a session that has encoded
 * nothing and refuses a frame, by one without optional properties: a property may be taken and frames refused because
 * of it. While only software is available, from the start or after a loss, the log says so and hardware is retried from
 * time to time.
 */
#include <string.h>

#include "encoder-videotoolbox.h"
#include "../../protocol/error.h"
#include "../../loop/autorelease.h"

/* Size that hardware encodes in real time; a session for a larger one may open and then fail. */
#define REALTIME_WIDTH 4096u
#define REALTIME_HEIGHT 2304u

/* Hardware is retried after a second, then each time after twice as long. */
#define FIRST_RETRY_US G_TIME_SPAN_SECOND
#define LAST_RETRY_US (64 * G_TIME_SPAN_SECOND)

typedef struct VtEncoder {
    HelixEncoder base;
    gboolean hardware_only;
    HelixEncoderConfig config; /* active */
    HelixVtSession *session;   /* NULL after a loss without a new session */
    HelixVtInput *input;
    gint64 stamp; /* ns, of the next frame */
    guint sessions;
    gboolean proven;       /* the session has encoded a frame */
    gboolean plain;        /* sessions are made without optional properties */
    gboolean plain_failed; /* and that did not help since the last encoded frame */
    gboolean idr_due;      /* requested, and not encoded yet */
    gboolean had_hardware;
    gint64 retry_us; /* time between retries of hardware; 0: it is in use */
    gint64 retry_at; /* g_get_monotonic_time() */
} VtEncoder;

/* Settings that this encoder does not support are reported as such in the answer. */
static void resolve(HelixEncoderConfig *config)
{
    config->max_bitrate = 0; /* DataRateLimits drops frames in real time, and low latency has none */
    config->rate_control = HELIX_RATE_VBR;
    config->level = 0; /* VideoToolbox chooses the level by size and rate */
    config->slices = 0;
}

static void forget_session(VtEncoder *vt)
{
    g_clear_pointer(&vt->session, helix_vt_session_free);
}

/* @hardware: the session uses hardware, whatever it reports. */
static void use_session(VtEncoder *vt, HelixVtSession *session, gboolean hardware)
{
    vt->session = session;
    vt->sessions++;
    vt->proven = FALSE;
    vt->idr_due = FALSE; /* its first frame is an IDR in any case */
    if (hardware || helix_vt_session_hardware(session)) {
        if (vt->retry_us) {
            g_message("VideoToolbox encodes %u x %u in hardware again", vt->config.width, vt->config.height);
        }
        vt->had_hardware = TRUE;
        vt->retry_us = 0;
    } else if (!vt->retry_us) {
        vt->retry_us = FIRST_RETRY_US;
        vt->retry_at = g_get_monotonic_time() + vt->retry_us;
        if (vt->had_hardware) {
            g_warning("VideoToolbox lost its hardware encoder: %u x %u is encoded in software until hardware is "
                      "available again",
                      vt->config.width, vt->config.height);
        } else {
            g_message("VideoToolbox has no hardware encoder for %u x %u: it encodes in software", vt->config.width,
                      vt->config.height);
        }
    }
}

static gboolean make_session(VtEncoder *vt, GError **error)
{
    HelixVtSession *session = helix_vt_session_new(&vt->config, vt->hardware_only, vt->plain, error);

    if (!session) {
        if (vt->config.width > REALTIME_WIDTH || vt->config.height > REALTIME_HEIGHT) {
            g_prefix_error(error,
                           "%u x %u is more than H.264 hardware encodes in real time: set a coded size of at "
                           "most %u x %u to have the frame scaled: ",
                           vt->config.width, vt->config.height, REALTIME_WIDTH, REALTIME_HEIGHT);
        }
        return FALSE;
    }
    use_session(vt, session, vt->hardware_only);
    return TRUE;
}

/* Retry hardware while encoding in software. Not while sessions hang: the frame waits for the answer. */
static void retry_hardware(VtEncoder *vt)
{
    HelixVtSession *session;

    if (!vt->session || !vt->retry_us || g_get_monotonic_time() < vt->retry_at || helix_vt_sessions_hung() > 0) {
        return;
    }
    vt->retry_us = MIN(2 * vt->retry_us, LAST_RETRY_US);
    session = helix_vt_session_new(&vt->config, TRUE, vt->plain, NULL);
    if (session) {
        forget_session(vt);
        use_session(vt, session, TRUE);
        return;
    }
    vt->retry_at = g_get_monotonic_time() + vt->retry_us;
}

static HelixEncoder *vt_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    VtEncoder *vt = g_new0(VtEncoder, 1);

    vt->base.klass = &helix_encoder_videotoolbox;
    vt->hardware_only = hardware_only;
    vt->config = *config;
    resolve(&vt->config);
    if (!make_session(vt, error)) {
        g_free(vt);
        return NULL;
    }
    vt->input = helix_vt_input_new(&vt->config);
    *config = vt->config;
    return &vt->base;
}

static void vt_close(HelixEncoder *encoder)
{
    VtEncoder *vt = (VtEncoder *)encoder;

    helix_vt_session_free(vt->session);
    helix_vt_input_free(vt->input);
    g_free(vt);
}

static gboolean vt_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    VtEncoder *vt = (VtEncoder *)encoder;
    HelixEncoderConfig next = *config, before = vt->config;
    OSStatus status;

    resolve(&next);
    if (next.width != before.width || next.height != before.height || next.profile != before.profile ||
        next.realtime != before.realtime || memcmp(&next.vui, &before.vui, sizeof(next.vui)) != 0) {
        return FALSE;
    }
    vt->config = next;
    *config = next;
    if (!vt->session) {
        return TRUE; /* the session of the next frame gets them */
    }
    status = helix_vt_session_configure(vt->session, &next, &before);
    if (helix_vt_session_lost(status)) {
        forget_session(vt);
        return TRUE;
    }
    if (status != 0) { /* restore the values that it accepted */
        helix_vt_session_configure(vt->session, &before, &next);
        vt->config = before;
    }
    return status == 0;
}

/* What became of an attempt. */
typedef enum Outcome {
    ENCODED, /* or dropped */
    REFUSED, /* VideoToolbox gave an error, or a sample that can't be read */
    LOST,    /* the same, and only a new session may succeed */
    SILENT,  /* the same, and there was no answer in time */
} Outcome;

static Outcome encode_failed(VtEncoder *vt, const HelixVtOutput *output, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "VideoToolbox failed to encode a frame of %u x %u (%d)%s",
                vt->config.width, vt->config.height, (int)output->status,
                vt->config.width > REALTIME_WIDTH || vt->config.height > REALTIME_HEIGHT
                    ? ": more than H.264 hardware encodes in real time, set a coded size of at most 4096 x 2304"
                    : "");
    return output->unanswered ? SILENT : helix_vt_session_lost(output->status) ? LOST : REFUSED;
}

static Outcome encode_once(VtEncoder *vt, CVPixelBufferRef buffer, gboolean force_idr, HelixAccessUnit *unit,
                           GError **error)
{
    const HelixVtRate rate = helix_vt_rate(&vt->config);
    gint64 duration = rate.den * 1000000000 / rate.num;
    HelixVtOutput output;
    gboolean ok;

    output = helix_vt_session_encode(vt->session, buffer, vt->stamp, duration, force_idr);
    vt->stamp += duration;
    if (output.status != 0) {
        return encode_failed(vt, &output, error);
    }
    if (output.dropped) {
        unit->dropped = TRUE;
        return ENCODED;
    }
    vt->proven = TRUE;
    vt->plain_failed = FALSE;
    ok = helix_vt_output_read(output.sample, &vt->config, unit, error);
    CFRelease(output.sample);
    if (ok && force_idr && !unit->keyframe) {
        /* The encoder ignored force_idr: the first frame of a session is always an IDR. */
        g_clear_pointer(&unit->data, g_bytes_unref);
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_ENCODE,
                            "VideoToolbox did not encode a frame as an IDR that had to "
                            "be one");
        return LOST;
    }
    return ok ? ENCODED : REFUSED;
}

/* Optional properties may be why the session refuses frames. Where VideoToolbox is silent each attempt takes seconds.
 */
static gboolean may_be_plain(const VtEncoder *vt, Outcome outcome)
{
    return outcome != SILENT && !vt->proven && !vt->plain && !vt->plain_failed && helix_vt_sessions_hung() == 0;
}

/* The last attempt, on a session without optional properties. If that does not help, later sessions have them again. */
static gboolean encode_plain(VtEncoder *vt, CVPixelBufferRef buffer, HelixAccessUnit *unit, GError **error)
{
    vt->plain = TRUE;
    if (make_session(vt, error) && encode_once(vt, buffer, TRUE, unit, error) == ENCODED) {
        g_message("VideoToolbox encodes %u x %u only without optional properties", vt->config.width, vt->config.height);
        return TRUE;
    }
    vt->plain = FALSE;
    vt->plain_failed = TRUE;
    forget_session(vt);
    return FALSE;
}

static gboolean encode_with_rebuild(VtEncoder *vt, CVPixelBufferRef buffer, gboolean force_idr, HelixAccessUnit *unit,
                                    GError **error)
{
    gboolean renewed = FALSE;

    for (;;) {
        g_autoptr(GError) failure = NULL;
        Outcome outcome;

        if (!vt->session) {
            if (!make_session(vt, error)) {
                return FALSE;
            }
            renewed = force_idr = TRUE;
        }
        outcome = encode_once(vt, buffer, force_idr, unit, &failure);
        if (outcome == ENCODED) {
            return TRUE;
        }
        if (outcome != REFUSED || may_be_plain(vt, outcome)) {
            forget_session(vt);
        }
        if (outcome != REFUSED && !renewed) {
            g_message("%s; making a new session", failure->message);
        } else if (!vt->session && may_be_plain(vt, outcome)) {
            g_message("%s; making a session without optional properties", failure->message);
            return encode_plain(vt, buffer, unit, error);
        } else {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
    }
}

/* A picture that does not lie within its memory, or an IOSurface that CoreVideo refuses, is not an encoder failure. */
static gboolean not_encoded(GError *failure, GError **error)
{
    if (failure->code != HELIX_CODE_GEOMETRY && failure->code != HELIX_CODE_NO_IOSURFACE) {
        failure->code = HELIX_CODE_ENCODE;
    }
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean vt_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                          GError **error)
{
    VtEncoder *vt = (VtEncoder *)encoder;
    GError *failure = NULL;
    CVPixelBufferRef buffer;
    gboolean ok;
    void *pool;

    pool = objc_autoreleasePoolPush();
    buffer = helix_vt_input_wrap(vt->input, surface, &unit->cpu_bytes, &failure);
    objc_autoreleasePoolPop(pool);
    if (!buffer) {
        return not_encoded(failure, error);
    }
    retry_hardware(vt);
    vt->idr_due |= force_idr;
    unit->submitted_ns = g_get_monotonic_time() * 1000;
    ok = encode_with_rebuild(vt, buffer, vt->idr_due, unit, &failure);
    CFRelease(buffer);
    if (!ok) {
        return not_encoded(failure, error);
    }
    if (unit->keyframe) {
        vt->idr_due = FALSE;
    }
    return TRUE;
}

/* A configuration that every Mac's encoder supports. */
static gboolean vt_available(gboolean hardware_only, GError **error)
{
    const HelixEncoderConfig config = {
        .width = 640, .height = 480, .bitrate = 1000000, .fps_num = 30, .fps_den = 1, .profile = 100, .realtime = 1
    };
    HelixVtSession *session = helix_vt_session_new(&config, hardware_only, FALSE, error);

    helix_vt_session_free(session);
    return session != NULL;
}

HelixVideoToolboxInfo helix_videotoolbox_info(const HelixEncoder *encoder)
{
    const VtEncoder *vt = (const VtEncoder *)encoder;

    return (HelixVideoToolboxInfo){
        .hardware = vt->session && helix_vt_session_hardware(vt->session),
        .low_latency = vt->session && helix_vt_session_low_latency(vt->session),
        .sessions = vt->sessions,
        .fallen = vt->retry_us != 0,
        .refused_properties = vt->session ? helix_vt_session_refused(vt->session) : 0,
    };
}

const HelixEncoderClass helix_encoder_videotoolbox = {
    .name = "videotoolbox",
    .surface_kinds = 1 << HELIX_SURFACE_MEMORY | 1 << HELIX_SURFACE_IOSURFACE,
    .open = vt_open,
    .reconfigure = vt_reconfigure,
    .encode = vt_encode,
    .close = vt_close,
    .available = vt_available,
};
