/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* configure.c - what the host is told of a stream, what it says is in force, and the latency that comes of it. */
#include <gst/pbutils/codec-utils.h>
#include "gstvsockenc.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* What the host codes without being asked has room for more than the picture needs: at least level 3.1. */
#define AUTOMATIC_LEVEL 31
/* Of level 6.2 in High profile: nobody means more. kbit/s. */
#define LARGEST_BITRATE 1000000u
/* That of a good stream of a large picture, which may be set for a small one too. kbit/s. */
#define USUAL_BITRATE 20000u
/* Pictures in a row that took longer than was told, until more is told. */
#define SLOW_IN_ROW 3

/* ---- from downstream's caps ---- */

static guint8 profile_idc(const char *profile)
{
    if (g_strcmp0(profile, "constrained-baseline") == 0 || g_strcmp0(profile, "baseline") == 0) {
        return 66;
    }
    return g_strcmp0(profile, "main") == 0 ? 77 : g_strcmp0(profile, "high") == 0 ? 100 : 0;
}

/* Level times 10, by H.264's levels in caps: "3.1" is 31, and 1b is coded as 1.1 at least. */
static guint8 level_of(const char *level)
{
    guint8 idc = level ? gst_codec_utils_h264_get_level_idc(level) : 0;

    return idc == 9 ? 11 : idc;
}

/* The largest that one of the strings in @value comes to; 0 if there is none. */
static guint8 largest(const GValue *value, guint8 (*number_of)(const char *))
{
    guint8 best = 0;

    if (value && G_VALUE_HOLDS_STRING(value)) {
        return number_of(g_value_get_string(value));
    }
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++) {
        best = MAX(best, largest(gst_value_list_get_value(value, i), number_of));
    }
    return best;
}

/* The smallest level of those in @value; 0 if there is none. */
static guint8 smallest_level(const GValue *value)
{
    guint8 best = 0;

    if (value && G_VALUE_HOLDS_STRING(value)) {
        return level_of(g_value_get_string(value));
    }
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++) {
        guint8 level = smallest_level(gst_value_list_get_value(value, i));

        best = level && (!best || level < best) ? level : best;
    }
    return best;
}

/*
 * The best profile that downstream takes; and its highest level if that is below what the host would code without being
 * asked, its smallest if that is above; 0 where it takes any. Of several structures the first counts: it is the one
 * preferred.
 */
static void ask_downstream(GstVsockEnc *self, VsockConfig *config)
{
    g_autoptr(GstCaps) allowed = gst_pad_get_allowed_caps(GST_VIDEO_ENCODER_SRC_PAD(self));
    const GstStructure *first;
    const GValue *profiles, *levels;
    guint8 highest, smallest;

    if (!allowed || gst_caps_is_empty(allowed) || gst_caps_is_any(allowed)) {
        return;
    }
    first = gst_caps_get_structure(allowed, 0);
    profiles = gst_structure_get_value(first, "profile");
    config->profile = largest(profiles, profile_idc);
    if (config->profile == 100 && GST_VALUE_HOLDS_LIST(profiles)) {
        config->profile = 0; /* the best is what the host takes by itself */
    }
    levels = gst_structure_get_value(first, "level");
    highest = largest(levels, level_of);
    smallest = smallest_level(levels);
    config->level = highest < AUTOMATIC_LEVEL ? highest : smallest > AUTOMATIC_LEVEL ? smallest : 0;
}

/* ---- configuring ---- */

/* kbit/s that the pictures have uncompressed. With the stream lock. */
static guint64 raw_kbps(GstVsockEnc *self)
{
    const GstVideoInfo *info = &self->input_state->info;
    guint64 bits = (guint64)self->width * self->height * 12;

    if (GST_VIDEO_INFO_FPS_N(info) > 0 && GST_VIDEO_INFO_FPS_D(info) > 0) {
        return gst_util_uint64_scale(bits, (guint64)GST_VIDEO_INFO_FPS_N(info),
                                     (guint64)GST_VIDEO_INFO_FPS_D(info) * 1000);
    }
    return bits * 30 / 1000;
}

/* 1000 times too much is no rate that anybody means: the number is bit/s. NULL: it may be right. */
static char *doubt(const char *name, guint kbps, guint64 raw)
{
    if (kbps <= CLAMP(raw, USUAL_BITRATE, LARGEST_BITRATE)) {
        return NULL;
    }
    return g_strdup_printf("%s=%u is in kbit/s and more than %s. It can only be meant in bit/s: set %s=%u.", name, kbps,
                           kbps > LARGEST_BITRATE ? "any level of H.264 allows" : "these pictures have uncompressed",
                           name, MAX(kbps / 1000, 1));
}

/* With the stream lock. Each is said once. */
static void warn_of_unit(GstVsockEnc *self, guint bitrate, guint max_bitrate)
{
    guint64 raw = raw_kbps(self);
    g_autofree char *one = doubt("bitrate", bitrate, raw), *other = doubt("max-bitrate", max_bitrate, raw);
    char *both = one && other ? g_strconcat(one, " ", other, NULL) : g_strdup(one ? one : other);

    GST_OBJECT_LOCK(self);
    g_free(self->unit_doubt);
    self->unit_doubt = both;
    GST_OBJECT_UNLOCK(self);
    if (g_strcmp0(both, self->warned_unit) == 0) {
        return;
    }
    g_free(self->warned_unit);
    self->warned_unit = g_strdup(both);
    if (both) {
        GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS, ("%s", self->warned_unit), (NULL));
    }
}

char *vsockenc_unit_doubt(GstVsockEnc *self)
{
    char *text;

    GST_OBJECT_LOCK(self);
    text = g_strdup(self->unit_doubt);
    GST_OBJECT_UNLOCK(self);
    return text;
}

void vsockenc_configure(GstVsockEnc *self)
{
    const GstVideoInfo *info = &self->input_state->info;
    VsockConfig config = {
        .width = self->width,
        .height = self->height,
        .realtime = 1,
        /* Of variable frame rates this is the maximum, if caps have one. */
        .fps_n = (guint32)MAX(GST_VIDEO_INFO_FPS_N(info), 0),
        .fps_d = (guint32)MAX(GST_VIDEO_INFO_FPS_D(info), 1),
        .vui = vsock_colours_vui(&self->given_info),
    };
    guint bitrate, max_bitrate;

    ask_downstream(self, &config);
    GST_OBJECT_LOCK(self);
    vsock_settings_tell(&self->settings, &config);
    bitrate = self->settings.asked[VSOCK_SETTING_BITRATE];
    max_bitrate = self->settings.asked[VSOCK_SETTING_MAX_BITRATE];
    GST_OBJECT_UNLOCK(self);
    warn_of_unit(self, bitrate, max_bitrate);
    vsock_stream_configure(self->stream, &config);
}

/* Applications that watch a property hear when another value is in force than they set. */
static void notify_changes(GstVsockEnc *self, const guint *before, const guint *after)
{
    static const char *const name[VSOCK_N_SETTINGS] = {
        [VSOCK_SETTING_BITRATE] = "bitrate",
        [VSOCK_SETTING_MAX_BITRATE] = "max-bitrate",
        [VSOCK_SETTING_RATE_CONTROL] = "rate-control",
        [VSOCK_SETTING_KEY_INT_MAX] = "key-int-max",
        [VSOCK_SETTING_MIN_QP] = "min-qp",
        [VSOCK_SETTING_MAX_QP] = "max-qp",
        [VSOCK_SETTING_NUM_SLICES] = "num-slices",
        [VSOCK_SETTING_AUD] = "aud",
    };

    for (guint i = 0; i < VSOCK_N_SETTINGS; i++) {
        if (before[i] != after[i]) {
            g_object_notify(G_OBJECT(self), name[i]);
        }
    }
}

static void read_settings(GstVsockEnc *self, guint *values)
{
    for (guint i = 0; i < VSOCK_N_SETTINGS; i++) {
        values[i] = vsock_settings_get(&self->settings, i);
    }
}

void vsockenc_take_agreement(GstVsockEnc *self, const VsockAnswer *answer)
{
    const VsockAgreement *agreement = &answer->agreement;
    guint before[VSOCK_N_SETTINGS], after[VSOCK_N_SETTINGS];
    gboolean deaf = vsock_wire_config_is_long(&answer->asked) && !(agreement->capabilities & HELIX_CAP_LONG_CONFIG);

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    self->coded_width = agreement->config.width;
    self->coded_height = agreement->config.height;
    vsockenc_update_latency(self, 0);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    GST_OBJECT_LOCK(self);
    read_settings(self, before);
    self->agreement = *agreement;
    if (answer->asked.serial) {
        vsock_settings_agree(&self->settings, &answer->asked, &agreement->config);
    }
    read_settings(self, after);
    GST_OBJECT_UNLOCK(self);
    notify_changes(self, before, after);
    if (deaf) {
        GST_WARNING_OBJECT(self,
                           "this host cannot be told of rate-control, max-bitrate, min-qp, max-qp, num-slices, aud");
    }
    if (answer->asked.vui.sar_width && !(agreement->capabilities & HELIX_CAP_VUI)) {
        GST_WARNING_OBJECT(self, "this host cannot be told of the pixel aspect ratio: it is in the caps alone");
    }
}

void vsockenc_take_refusal(GstVsockEnc *self, const VsockAnswer *answer)
{
    guint before[VSOCK_N_SETTINGS], after[VSOCK_N_SETTINGS];
    g_autofree char *unit = vsockenc_unit_doubt(self);

    GST_OBJECT_LOCK(self);
    read_settings(self, before);
    vsock_settings_refuse(&self->settings, &answer->asked);
    read_settings(self, after);
    GST_OBJECT_UNLOCK(self);
    notify_changes(self, before, after);
    GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS,
                        ("%s%sThe host refuses the change of settings and goes on with those before: %s",
                         unit ? unit : "", unit ? " " : "", answer->message),
                        ("error %d", answer->code));
}

/* ---- latency ---- */

void vsockenc_update_latency(GstVsockEnc *self, gint64 took_us)
{
    const GstVideoInfo *info = self->input_state ? &self->input_state->info : NULL;
    GstClockTime frame = GST_SECOND / 30;
    guint depth = vsock_stream_depth(self->stream), needed;

    if (info && GST_VIDEO_INFO_FPS_N(info) > 0) {
        frame = gst_util_uint64_scale(GST_SECOND, (guint64)GST_VIDEO_INFO_FPS_D(info),
                                      (guint64)GST_VIDEO_INFO_FPS_N(info));
    }
    /* A picture is in the encoder while the next is drawn; on a slow host others wait behind it. One that takes long
     * now and then (the first, an IDR) is no reason for more; what was told once is not taken back. */
    needed = (guint)CLAMP((GstClockTime)took_us * GST_USECOND / MAX(frame, 1) + 1, 1, depth);
    self->slow_in_row = needed > self->latency_frames ? self->slow_in_row + 1 : 0;
    if (self->latency_frames == 0 || self->slow_in_row >= SLOW_IN_ROW) {
        self->latency_frames = needed;
        self->slow_in_row = 0;
    }
    gst_video_encoder_set_latency(GST_VIDEO_ENCODER(self), self->latency_frames * frame,
                                  MAX(self->latency_frames, depth) * frame);
}
