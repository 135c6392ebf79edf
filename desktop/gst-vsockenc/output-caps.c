/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output-caps.c - the output caps, from the stream's SPS, the host's word and the input caps; see output.h. */
#include <string.h>
#include <gst/pbutils/codec-utils.h>
#include "colours.h"
#include "config.h"
#include "downstream.h"
#include "output.h"

/* The first SPS of an access unit: three bytes from profile_idc on, or NULL. */
static const guint8 *find_sps(GBytes *access_unit)
{
    gsize len;
    const guint8 *unit = g_bytes_get_data(access_unit, &len);

    for (gsize i = 0; i + 7 <= len; i++) {
        if (unit[i] == 0 && unit[i + 1] == 0 && unit[i + 2] == 1 && (unit[i + 3] & 0x1f) == 7) {
            return unit + i + 4;
        }
    }
    return NULL;
}

static GstCaps *caps_of(GstVsockEnc *self, const guint8 *sps, gint width, gint height)
{
    GstCaps *caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING, "byte-stream", "alignment",
                                        G_TYPE_STRING, "au", "width", G_TYPE_INT, width, "height", G_TYPE_INT, height,
                                        NULL);
    const char *profile = gst_codec_utils_h264_get_profile(sps, 3);
    const char *level = gst_codec_utils_h264_get_level(sps, 3);

    if (profile) {
        gst_caps_set_simple(caps, "profile", G_TYPE_STRING,
                            vsockenc_profile_for_downstream(GST_VIDEO_ENCODER_SRC_PAD(self), profile), NULL);
    }
    if (level) {
        gst_caps_set_simple(caps, "level", G_TYPE_STRING, level, NULL);
    }
    return caps;
}

static void set_caps(GstVsockEnc *self, gint width, gint height)
{
    VsockEncOutputCaps *told = &self->output->caps;
    GstVideoCodecState *state = gst_video_encoder_set_output_state(
        GST_VIDEO_ENCODER(self), caps_of(self, told->sps, width, height), told->input);

    state->info.width = width;
    state->info.height = height;
    state->info.colorimetry = vsockenc_colours_of(&told->vui);
    gst_video_codec_state_unref(state);
}

static gboolean is_told(const VsockEncOutputCaps *told, const guint8 *sps, const HelixClientVui *vui,
                        const GstVideoCodecState *input)
{
    return input == told->input && memcmp(vui, &told->vui, sizeof(*vui)) == 0 &&
        (!sps || memcmp(told->sps, sps, sizeof(told->sps)) == 0);
}

/*
 * In them are the size, the profile or level of the stream's SPS, the colours that the host says are in it, and the
 * input caps, from which frame rate and pixel aspect ratio come. Those of the access unit's own picture count, as new
 * input caps may be set while older pictures are under way.
 */
void vsockenc_output_update_caps(GstVsockEnc *self, const HelixClientEvent *event)
{
    GstVideoCodecState *state = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    GstVideoCodecState *input = gst_video_codec_frame_get_user_data(event->frame_data);
    HelixClientVui vui = vsockenc_config_active_vui(self);
    VsockEncOutputCaps *told = &self->output->caps;
    const guint8 *sps = find_sps(event->unit);
    gboolean known = sps || state, same;
    gint width, height;

    vsockenc_config_coded_size(self, event, &width, &height);
    same = state && is_told(told, sps, &vui, input) && state->info.width == width && state->info.height == height;
    g_clear_pointer(&state, gst_video_codec_state_unref);
    if (same || !known) {
        return;
    }
    if (sps) {
        memcpy(told->sps, sps, sizeof(told->sps));
    }
    g_clear_pointer(&told->input, gst_video_codec_state_unref);
    told->input = gst_video_codec_state_ref(input);
    told->vui = vui;
    set_caps(self, width, height);
}

void vsockenc_output_clear_caps(GstVsockEnc *self)
{
    g_clear_pointer(&self->output->caps.input, gst_video_codec_state_unref);
}
