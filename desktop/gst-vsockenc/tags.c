/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tags.c - codec, encoder and bit rates as tags of the stream; see output.h. */
#include <gst/pbutils/pbutils.h>
#include "config.h"
#include "output.h"

static void add_rates(GstTagList *tags, const HelixClientConfig *active)
{
    guint32 most = active->rate_control == HELIX_CLIENT_RATE_VBR ? active->max_bitrate : active->bitrate;

    if (active->bitrate && active->rate_control != HELIX_CLIENT_RATE_CQP) {
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_NOMINAL_BITRATE, active->bitrate, NULL);
        if (most) {
            gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_MAXIMUM_BITRATE, most, NULL);
        }
    }
}

static GstTagList *make_tags(GstVsockEnc *self)
{
    GstVideoCodecState *state = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    HelixClientHost host = vsockenc_config_get_host(self);
    GstTagList *tags = gst_tag_list_new_empty();

    if (state) {
        gst_pb_utils_add_codec_description_to_tag_list(tags, GST_TAG_VIDEO_CODEC, state->caps);
        gst_video_codec_state_unref(state);
    }
    /* "vsockenc" where an old host does not say what encodes there. */
    gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_ENCODER, *host.encoder ? host.encoder : "vsockenc", NULL);
    add_rates(tags, &host.active);
    return tags;
}

void vsockenc_tags_update(GstVsockEnc *self)
{
    GstTagList *tags = make_tags(self);

    if (self->output->tags && gst_tag_list_is_equal(self->output->tags, tags)) {
        gst_tag_list_unref(tags);
        return;
    }
    vsockenc_tags_clear(self);
    self->output->tags = tags;
    gst_video_encoder_merge_tags(GST_VIDEO_ENCODER(self), tags, GST_TAG_MERGE_REPLACE);
}

void vsockenc_tags_follow_config(GstVsockEnc *self)
{
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    if (self->output->tags) {
        vsockenc_tags_update(self);
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
}

void vsockenc_tags_clear(GstVsockEnc *self)
{
    g_clear_pointer(&self->output->tags, gst_tag_list_unref);
}
