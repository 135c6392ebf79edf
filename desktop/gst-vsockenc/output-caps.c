/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output-caps.c - the output caps, from the stream's SPS, the host's word and the input caps; see output.h. */
#include <string.h>
#include <gst/pbutils/codec-utils.h>
#include "colours.h"
#include "config.h"
#include "downstream-caps.h"
#include "output.h"

static GstCaps *caps_of(GstVsockEnc *self, const VsockEncOutputCaps *told, gint width, gint height)
{
    GstCaps *caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING,
                                        vsockenc_stream_format_name(told->format), "alignment", G_TYPE_STRING, "au",
                                        "width", G_TYPE_INT, width, "height", G_TYPE_INT, height, NULL);
    const char *profile = gst_codec_utils_h264_get_profile(told->sps, 3);
    const char *level = gst_codec_utils_h264_get_level(told->sps, 3);

    if (profile) {
        gst_caps_set_simple(caps, "profile", G_TYPE_STRING,
                            vsockenc_profile_for_downstream(GST_VIDEO_ENCODER_SRC_PAD(self), profile), NULL);
    }
    if (level) {
        gst_caps_set_simple(caps, "level", G_TYPE_STRING, level, NULL);
    }
    if (told->format != VSOCKENC_BYTE_STREAM) {
        g_autoptr(GstBuffer) codec_data = gst_buffer_new_wrapped_bytes(told->record);

        gst_caps_set_simple(caps, "codec_data", GST_TYPE_BUFFER, codec_data, NULL);
    }
    return caps;
}

static void set_caps(GstVsockEnc *self, gint width, gint height)
{
    VsockEncOutputCaps *told = &self->output->caps;
    GstVideoCodecState *state = gst_video_encoder_set_output_state(GST_VIDEO_ENCODER(self),
                                                                   caps_of(self, told, width, height), told->input);

    state->info.width = width;
    state->info.height = height;
    GST_VIDEO_INFO_PAR_N(&state->info) = told->par_n;
    GST_VIDEO_INFO_PAR_D(&state->info) = told->par_d;
    state->info.colorimetry = vsockenc_colours_of(&told->vui);
    gst_video_codec_state_unref(state);
}

/* ---- what changes them ---- */

/* Remember the parameter sets in @unit. TRUE if the caps have to say other ones. */
static gboolean take_parameter_sets(VsockEncOutputCaps *told, GBytes *unit)
{
    const guint8 *sps = vsockenc_avc_find_profile(unit);
    GBytes *record = sps ? vsockenc_avc_config(unit) : NULL;
    gboolean changed = sps && memcmp(told->sps, sps, sizeof(told->sps)) != 0;

    if (sps) {
        memcpy(told->sps, sps, sizeof(told->sps));
    }
    if (record) {
        changed |= told->format != VSOCKENC_BYTE_STREAM && (!told->record || !g_bytes_equal(record, told->record));
        g_clear_pointer(&told->record, g_bytes_unref);
        told->record = record;
    }
    return changed;
}

/* Choose the stream format, at the start and when downstream asked to negotiate again. TRUE if it is another. */
static gboolean choose_format(GstVsockEnc *self, gboolean first)
{
    VsockEncOutputCaps *told = &self->output->caps;
    gint relinks = g_atomic_int_get(&self->output->relinks);
    VsockEncStreamFormat before = told->format;

    if (first || relinks != told->relinks) {
        told->relinks = relinks;
        told->format = vsockenc_stream_format_for_downstream(GST_VIDEO_ENCODER_SRC_PAD(self));
    }
    if (!told->record) {
        told->format = VSOCKENC_BYTE_STREAM;
    }
    return told->format != before;
}

/*
 * In them are the size, the profile or level of the stream's SPS, in AVC format its parameter sets, the colours that
 * the host says are in it, and the input caps, from which frame rate and pixel aspect ratio come. Those of the access
 * unit's own picture count, as new input caps may be set while older pictures are under way.
 */
void vsockenc_output_update_caps(GstVsockEnc *self, const HelixClientEvent *event)
{
    GstVideoCodecState *state = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    GstVideoCodecState *input = gst_video_codec_frame_get_user_data(event->frame_data);
    HelixClientVui vui = vsockenc_config_active_vui(self);
    VsockEncOutputCaps *told = &self->output->caps;
    gboolean known = vsockenc_avc_find_profile(event->unit) || state, changed = !state;
    gint width, height, n = GST_VIDEO_INFO_PAR_N(&input->info), d = GST_VIDEO_INFO_PAR_D(&input->info);

    changed |= take_parameter_sets(told, event->unit);
    changed |= choose_format(self, !state);
    changed |= input != told->input || memcmp(&vui, &told->vui, sizeof(vui)) != 0;
    vsockenc_config_coded_size(self, event, &width, &height);
    changed |= state && (state->info.width != width || state->info.height != height);
    vsockenc_config_pixels(self, event, &n, &d);
    changed |= n != told->par_n || d != told->par_d;
    g_clear_pointer(&state, gst_video_codec_state_unref);
    if (!changed || !known) {
        return;
    }
    g_clear_pointer(&told->input, gst_video_codec_state_unref);
    told->input = gst_video_codec_state_ref(input);
    told->vui = vui;
    told->par_n = n;
    told->par_d = d;
    set_caps(self, width, height);
    vsockenc_tags_update(self);
}

GstBuffer *vsockenc_output_buffer(GstVsockEnc *self, const HelixClientEvent *event)
{
    VsockEncStreamFormat format = self->output->caps.format;
    g_autoptr(GBytes) unit = format == VSOCKENC_BYTE_STREAM ? g_bytes_ref(event->unit)
                                                            : vsockenc_avc_convert(event->unit, format == VSOCKENC_AVC);

    return gst_buffer_new_wrapped_bytes(unit);
}

void vsockenc_output_clear_caps(GstVsockEnc *self)
{
    VsockEncOutputCaps *told = &self->output->caps;

    g_clear_pointer(&told->input, gst_video_codec_state_unref);
    g_clear_pointer(&told->record, g_bytes_unref);
    told->format = VSOCKENC_BYTE_STREAM;
}
