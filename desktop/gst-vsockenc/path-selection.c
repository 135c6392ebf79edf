/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path-selection.c - see path-selection.h. */
#include <string.h>
#include <gst/allocators/gstdmabuf.h>
#include "path-selection.h"
#include "image.h"
#include "mapping.h"
#include "memory.h"
#include "translate.h"

#define INSERT "Insert glupload ! glcolorconvert ! gldownload, or videoconvert, before vsockenc."

/* ---- DMA-BUFs that cannot be named ---- */

/* Drivers whose buffers may be in an order of their own where the modifier is not said; "drm" is most of them. */
static gboolean is_gpu(const char *exporter)
{
    static const char *const gpus[] = { "drm",     "i915", "msm",    "nvidia", "nvidia_drm",
                                        "panthor", "pvr",  "vmwgfx", "xe",     NULL };

    return g_strv_contains(gpus, exporter);
}

/*
 * Whether the CPU may read all of @buffer. A virtio-gpu's picture lives on the host: what the CPU would read here is
 * black or old. FALSE without @error: it may be one. @foreign: the kernel itself has said that the first memory is not
 * the virtio-gpu's. @why receives whose it is.
 */
static gboolean readable(const VsockEncFrameSource *source, GstBuffer *buffer, gboolean foreign, char **why,
                         GError **error)
{
    for (guint i = 0; i < gst_buffer_n_memory(buffer); i++) {
        GstMemory *memory = gst_buffer_peek_memory(buffer, i);
        g_autofree char *exporter = NULL;

        if (!gst_is_dmabuf_memory(memory)) {
            continue;
        }
        exporter = helix_client_dmabuf_exporter(gst_dmabuf_memory_get_fd(memory));
        if (exporter ? strcmp(exporter, "virtio_gpu") == 0 : !foreign) {
            return FALSE;
        }
        if (exporter && is_gpu(exporter) && source->modifier == HELIX_CLIENT_MODIFIER_INVALID && source->dmabuf_caps) {
            g_set_error(
                error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                "A DMA-BUF of driver \"%s\" without a modifier may be in an order that only its GPU knows. " INSERT,
                exporter);
            return FALSE;
        }
        if (!*why) {
            *why = g_strdup_printf("The DMA-BUFs are of driver \"%s\", not of the virtio-gpu.",
                                   exporter ? exporter : "unknown");
        }
    }
    return TRUE;
}

/* ---- by resource id ---- */

/* What a request to this host cannot say of the picture; NULL: nothing. */
static const char *out_of_place(const VsockEncFrameSource *source, GstBuffer *buffer, const HelixClientImage *image)
{
    gboolean with_ext = (helix_client_get_capabilities(source->client) & HELIX_CLIENT_CAP_EXT) != 0;

    if (gst_buffer_n_memory(buffer) > 1 || GST_VIDEO_INFO_N_PLANES(&source->info) > 1) {
        return "of several planes";
    }
    if (image->offset[0] > G_MAXUINT32 || (image->offset[0] > 0 && !with_ext)) {
        return "whose picture does not begin at its start";
    }
    return (image->crop_x || image->crop_y) && !with_ext ? "with a crop, which this old host does not know" : NULL;
}

/* NULL without @error: the buffer cannot be named, but its pixels may be read; @why says why. */
static HelixClientFrame *frame_by_id(const VsockEncFrameSource *source, GstBuffer *buffer, char **why, GError **error)
{
    g_autoptr(GError) failure = NULL;
    HelixClientFrame *frame = NULL;
    HelixClientImage image;
    const char *wrong;

    vsockenc_image_in_memory(&image, &source->info, buffer);
    image.modifier = source->modifier;
    if (!source->gpu_error) {
        frame = helix_client_frame_new_dmabuf(
            source->client, gst_dmabuf_memory_get_fd(gst_buffer_peek_memory(buffer, 0)), &image, &failure);
    }
    if (!frame && !g_error_matches(failure, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE)) {
        gboolean foreign = g_error_matches(failure, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_FOREIGN);

        if (!readable(source, buffer, foreign, why, error) && !*error) {
            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE,
                        "Cannot name this DMA-BUF to the host. %s",
                        failure ? failure->message : source->gpu_error->message);
        }
        return NULL;
    }
    wrong = out_of_place(source, buffer, &image);
    if (wrong || !frame) {
        g_clear_pointer(&frame, helix_client_frame_unref);
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "The host cannot be sent a virtio-gpu DMA-BUF %s. " INSERT, wrong ? wrong : "of this format");
        return NULL;
    }
    helix_client_frame_set_release(frame, (GDestroyNotify)gst_buffer_unref, gst_buffer_ref(buffer));
    return frame;
}

/* ---- by the CPU ---- */

static void add_reason(char **why, const char *text)
{
    char *old = *why;

    if (text && *text) {
        *why = old ? g_strconcat(old, " ", text, NULL) : g_strdup(text);
        g_free(old);
    }
}

/* Upstream drew into a buffer that the host can read. NULL: it is to be copied, like any other memory. */
static HelixClientFrame *drawn_frame(const VsockEncFrameSource *source, GstBuffer *buffer)
{
    HelixClientBuffer *drawn = gst_buffer_n_memory(buffer) == 1
        ? vsockenc_memory_get_buffer(gst_buffer_peek_memory(buffer, 0))
        : NULL;
    HelixClientFrame *frame = NULL;
    HelixClientImage image;

    if (drawn && vsockenc_image_in_memory(&image, &source->info, buffer)) {
        frame = helix_client_frame_new_buffer(source->client, drawn, &image, NULL);
    }
    if (frame) {
        helix_client_frame_set_release(frame, (GDestroyNotify)gst_buffer_unref, gst_buffer_ref(buffer));
    }
    return frame;
}

/* Through a virtio-gpu buffer, else over the connection. Takes @map over. */
static HelixClientFrame *frame_of_pixels(const VsockEncFrameSource *source, GstVideoFrame *map, char **why,
                                         GError **error)
{
    g_autofree char *converted = vsockenc_image_why_converted(&source->info);
    g_autoptr(GError) no_copy = NULL;
    HelixClientFrame *frame = NULL;
    HelixClientImage image;

    vsockenc_image_of_pixels(&image, &source->info, map);
    add_reason(why, converted);
    if (source->gpu_error) {
        add_reason(why, source->gpu_error->message);
    } else {
        frame = helix_client_frame_new_copy(source->client, &image, &no_copy);
    }
    if (frame) {
        vsockenc_unmap(map);
        return frame;
    }
    add_reason(why, no_copy ? no_copy->message : NULL);
    frame = helix_client_frame_new_pixels(&image, error);
    if (frame) {
        helix_client_frame_set_release(frame, (GDestroyNotify)vsockenc_unmap, map);
    } else {
        vsockenc_unmap(map);
    }
    return frame;
}

HelixClientFrame *vsockenc_frame_new(const VsockEncFrameSource *source, GstBuffer *buffer, char **why, GError **error)
{
    GError *failure = NULL;
    HelixClientFrame *frame = NULL;
    GstVideoFrame *map;

    *why = NULL;
    if (gst_buffer_n_memory(buffer) == 0) {
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "Upstream gave a buffer without memory, which holds no picture. If it marks gaps, drop those "
                    "before vsockenc.");
        return NULL;
    }
    if (gst_is_dmabuf_memory(gst_buffer_peek_memory(buffer, 0))) {
        frame = frame_by_id(source, buffer, why, &failure);
    } else if (!source->gpu_error) {
        frame = drawn_frame(source, buffer);
    }
    if (!frame && !failure && (map = vsockenc_map(&source->info, buffer, &failure))) {
        frame = frame_of_pixels(source, map, why, &failure);
    }
    if (failure) {
        vsockenc_translate_error(failure);
        g_propagate_error(error, failure);
    }
    return frame;
}
