/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pad-queries.c - see pad-events.h. */
#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>
#include "sink-caps.h"
#include "pad-events.h"
#include "kept.h"
#include "path.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* ---- accept-caps and drain ---- */

/* Upstream wants its buffers back: one that is kept for a host that reconnects would stay until the next picture. */
static void give_last_back(GstVsockEnc *self)
{
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    vsockenc_kept_forget(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
}

/* Where nothing is negotiated, the log says what to insert. */
gboolean vsockenc_sink_query(GstVideoEncoder *encoder, GstQuery *query)
{
    GstVideoEncoderClass *base = g_type_class_peek(GST_TYPE_VIDEO_ENCODER);
    gboolean ret, accepted = TRUE;
    GstCaps *caps;

    if (GST_QUERY_TYPE(query) == GST_QUERY_DRAIN) {
        give_last_back(GST_VSOCKENC(encoder));
    }
    ret = base->sink_query(encoder, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
        gst_query_parse_accept_caps_result(query, &accepted);
    }
    if (!accepted) {
        gst_query_parse_accept_caps(query, &caps);
        GST_WARNING_OBJECT(encoder, "not accepted: %" GST_PTR_FORMAT ". Insert %s before vsockenc.", caps,
                           vsockenc_sink_caps_advice(caps));
    }
    return ret;
}

/* ---- allocation ---- */

/* Buffers of ours, which the host can read: what upstream draws into them need not be copied. */
static void offer_pool(GstVsockEnc *self, GstQuery *query, GstCaps *caps)
{
    GstBufferPool *pool = NULL;
    GstStructure *config;
    GstVideoInfo info;

    if (gst_video_info_from_caps(&info, caps)) {
        pool = vsockenc_path_new_pool(self, &info);
    }
    if (!pool) {
        return;
    }
    config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(&info), 0, 0);
    if (gst_buffer_pool_set_config(pool, config)) {
        gst_query_add_allocation_pool(query, pool, (guint)GST_VIDEO_INFO_SIZE(&info), 0, 0);
    }
    gst_object_unref(pool);
}

gboolean vsockenc_propose_allocation(GstVideoEncoder *encoder, GstQuery *query)
{
    GstCaps *caps = NULL;
    gboolean need_pool = FALSE;
    GstCapsFeatures *features;

    gst_query_parse_allocation(query, &caps, &need_pool);
    features = caps && gst_caps_get_size(caps) ? gst_caps_get_features(caps, 0) : NULL;
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    gst_query_add_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    /* With DMA-BUF caps upstream brings its own buffers; ours would be no DMA-BUFs. */
    if (caps && need_pool && !(features && gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF))) {
        offer_pool(GST_VSOCKENC(encoder), query, caps);
    }
    return TRUE;
}
