/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sink-caps.c - see sink-caps.h. */
#include <string.h>
#include "path.h"
#include "sink-caps.h"
#include "upstream-source.h"

#define GST_CAT_DEFAULT vsockenc_debug

/*
 * Add every size to @caps (taken over), which downstream may have restricted to some: the host scales. Behind those, so
 * that a source that can draw in downstream's size does. @plain: as for the base class.
 */
static GstCaps *add_sizes(GstVideoEncoder *encoder, GstCaps *plain, GstCaps *caps)
{
    g_autoptr(GstCaps) all = plain ? gst_caps_ref(plain) : gst_pad_get_pad_template_caps(encoder->sinkpad);
    g_autoptr(GstCaps) any_size = gst_caps_copy(caps);

    for (guint i = 0; i < gst_caps_get_size(any_size); i++) {
        gst_structure_remove_fields(gst_caps_get_structure(any_size, i), "width", "height", NULL);
    }
    return gst_caps_merge(caps, gst_caps_intersect_full(all, any_size, GST_CAPS_INTERSECT_FIRST));
}

/*
 * DMA-BUFs are offered only where they can be used: pictures of a virtio-gpu can neither be named without its render
 * node nor be read by the CPU, and upstream had better fall back to system memory than to an error.
 */
GstCaps *vsockenc_getcaps(GstVideoEncoder *encoder, GstCaps *filter)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    const char *reason = vsockenc_upstream_without_dmabuf(encoder->sinkpad);
    g_autofree char *no_gpu = vsockenc_path_dup_no_gpu(self);
    GstCaps *plain = NULL, *caps;

    if (no_gpu || reason) {
        GST_INFO_OBJECT(self, "no DMA-BUFs offered: %s", no_gpu ? no_gpu : reason);
        plain = gst_caps_from_string(PLAIN_CAPS);
    }
    caps = add_sizes(encoder, plain, gst_video_encoder_proxy_getcaps(encoder, plain, NULL));
    if (filter) {
        GstCaps *filtered = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);

        gst_caps_unref(caps);
        caps = filtered;
    }
    g_clear_pointer(&plain, gst_caps_unref);
    return caps;
}

static gboolean is_too_large(const GstStructure *structure)
{
    gint width, height;

    return gst_structure_get_int(structure, "width", &width) && gst_structure_get_int(structure, "height", &height) &&
        (MAX(width, height) > 8192 || (MIN(width, height) > 4352 && MAX(width, height) > 5968));
}

const char *vsockenc_sink_caps_advice(const GstCaps *caps)
{
    GstCapsFeatures *features = gst_caps_get_size(caps) ? gst_caps_get_features(caps, 0) : NULL;
    const char *mode = features ? gst_structure_get_string(gst_caps_get_structure(caps, 0), "interlace-mode") : NULL;

    if (mode && strcmp(mode, "progressive") != 0) {
        return "deinterlace";
    }
    if (features && is_too_large(gst_caps_get_structure(caps, 0))) {
        return "videoscale (H.264 has at most 8192x4352, 4352x8192 or 5968x5968)";
    }
    return features && !gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)
        ? "glupload ! glcolorconvert ! gldownload"
        : "videoconvert";
}
