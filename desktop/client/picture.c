/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* picture.c - see picture.h. */
#include <string.h>
#include <gst/allocators/gstdmabuf.h>
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "picture.h"
#include "pixels.h"

#define INSERT "Insert glupload ! glcolorconvert ! gldownload, or videoconvert, before vsockenc."

void vsock_picture_size(const GstVideoInfo *info, GstBuffer *buffer, guint32 *width, guint32 *height)
{
    VsockRect rect = vsock_visible_rect(info, buffer);

    *width = rect.width;
    *height = rect.height;
}

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
static gboolean readable(const VsockPictureSource *source, GstBuffer *buffer, gboolean foreign, char **why,
                         GError **error)
{
    for (guint i = 0; i < gst_buffer_n_memory(buffer); i++) {
        GstMemory *memory = gst_buffer_peek_memory(buffer, i);
        g_autofree char *exporter = NULL;

        if (!gst_is_dmabuf_memory(memory)) {
            continue;
        }
        exporter = vsock_dmabuf_exporter(gst_dmabuf_memory_get_fd(memory));
        if (exporter ? strcmp(exporter, "virtio_gpu") == 0 : !foreign) {
            return FALSE;
        }
        if (exporter && is_gpu(exporter) && source->modifier == VSOCK_MODIFIER_IMPLICIT && source->dmabuf_caps) {
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

static GError *wrong_layout(const char *what)
{
    return g_error_new(GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                       "A DMA-BUF of the virtio-gpu %s has no place in a request. " INSERT, what);
}

/* What the host could not be told of the picture; NULL if everything has its place. */
static const char *out_of_place(const VsockPictureSource *source, GstBuffer *buffer, gsize offset, gboolean with_ext)
{
    VsockRect rect = vsock_visible_rect(&source->info, buffer);

    if (gst_buffer_n_memory(buffer) > 1 || GST_VIDEO_INFO_N_PLANES(&source->info) > 1) {
        return "of several planes";
    }
    if (offset > G_MAXUINT32 || (offset > 0 && !with_ext)) {
        return "whose picture does not begin at its start";
    }
    return (rect.x || rect.y) && !with_ext ? "with a crop, on this old host," : NULL;
}

/* NULL without @error: the buffer cannot be named, but its pixels may be read; @why says why. */
static VsockPicture *picture_by_id(const VsockPictureSource *source, GstBuffer *buffer, gboolean with_ext,
                                   VsockStats *stats, char **why, GError **error)
{
    GstMemory *memory = gst_buffer_peek_memory(buffer, 0);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    VsockRect rect = vsock_visible_rect(&source->info, buffer);
    int fd = gst_dmabuf_memory_get_fd(memory);
    g_autoptr(GError) failure = NULL;
    gboolean imported;
    const char *wrong;
    guint32 id;
    gsize offset;
    VsockPicture *picture;

    gst_memory_get_sizes(memory, &offset, NULL);
    offset += meta ? meta->offset[0] : 0;
    id = source->gpu ? vsock_gpu_lookup(source->gpu, fd, &imported, &failure) : 0;
    if (id == 0) {
        gboolean foreign = g_error_matches(failure, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_FOREIGN);

        if (!readable(source, buffer, foreign, why, error) && !*error) {
            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE,
                        "Cannot name this DMA-BUF to the host. %s",
                        failure ? failure->message : source->gpu_error->message);
        }
        return NULL;
    }
    if (imported) {
        vsock_stats_count(stats, VSOCK_COUNT_IMPORTS, 1);
    }
    wrong = out_of_place(source, buffer, offset, with_ext);
    if (wrong) {
        g_propagate_error(error, wrong_layout(wrong));
        return NULL;
    }
    picture = g_new0(VsockPicture, 1);
    picture->path = VSOCK_PATH_DMABUF;
    picture->resource_id = id;
    picture->source = HELIX_SOURCE_AUTO;
    picture->planes = 1;
    picture->fourcc = vsock_fourcc(GST_VIDEO_INFO_FORMAT(&source->info));
    picture->width = rect.width;
    picture->height = rect.height;
    picture->crop_x = rect.x;
    picture->crop_y = rect.y;
    picture->res_width = meta ? meta->width : (guint32)GST_VIDEO_INFO_WIDTH(&source->info);
    picture->res_height = meta ? meta->height : (guint32)GST_VIDEO_INFO_HEIGHT(&source->info);
    picture->stride = (guint32)(meta ? meta->stride[0] : GST_VIDEO_INFO_PLANE_STRIDE(&source->info, 0));
    picture->offset[0] = (guint32)offset;
    picture->stride_of[0] = picture->stride;
    picture->modifier = source->modifier;
    picture->fence_fd = fd;
    picture->buffer = gst_buffer_ref(buffer);
    return picture;
}

/* ---- public ---- */

static void add_reason(char **why, const char *text)
{
    char *old = *why;

    if (text && *text) {
        *why = old ? g_strconcat(old, " ", text, NULL) : g_strdup(text);
        g_free(old);
    }
}

/* Where the CPU may read the picture: through a buffer of ours, else over the connection. */
static VsockPicture *picture_by_copy(const VsockPictureSource *source, GstBuffer *buffer, guint32 capabilities,
                                     char **why, GError **error)
{
    g_autofree char *obstacles = NULL;
    GError *failure = NULL;
    VsockPicture *picture;

    if (!source->copier) {
        add_reason(why, source->gpu_error->message);
        return vsock_pixels_picture(&source->info, buffer, error);
    }
    picture = vsock_copier_picture(source->copier, &source->info, buffer, capabilities, &failure);
    if (picture || failure) {
        if (failure) {
            g_propagate_error(error, failure);
        }
        return picture;
    }
    obstacles = vsock_copier_why_not(source->copier, GST_VIDEO_INFO_FORMAT(&source->info), capabilities);
    add_reason(why, obstacles);
    return vsock_pixels_picture(&source->info, buffer, error);
}

VsockPicture *vsock_picture_new(const VsockPictureSource *source, GstBuffer *buffer, guint32 capabilities,
                                VsockStats *stats, char **why, GError **error)
{
    VsockPicture *picture = NULL;
    g_autofree char *reason = NULL;
    GError *failure = NULL;

    if (gst_buffer_n_memory(buffer) == 0) {
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "Upstream gave a buffer without memory, which holds no picture. If it marks gaps, drop those "
                    "before vsockenc.");
        return NULL;
    }
    if (gst_is_dmabuf_memory(gst_buffer_peek_memory(buffer, 0))) {
        picture = picture_by_id(source, buffer, (capabilities & HELIX_CAP_EXT) != 0, stats, &reason, &failure);
    }
    if (!picture && !failure) {
        picture = picture_by_copy(source, buffer, capabilities, &reason, &failure);
    }
    if (failure) {
        g_propagate_error(error, failure);
    }
    if (why) {
        *why = g_steal_pointer(&reason);
    }
    return picture;
}

guint32 vsock_picture_needs(const VsockPicture *picture)
{
    return picture->needs | (picture->crop_x || picture->crop_y || picture->offset[0] ? HELIX_CAP_EXT : 0);
}

/* Pixels alone are copied: they may lie in memory that upstream takes back by unmapping it. */
static gboolean keep_pixels(VsockPicture *again, const VsockPicture *picture)
{
    gsize at = 0;

    again->repacked = g_try_malloc(picture->pixel_bytes);
    if (!again->repacked) {
        return FALSE;
    }
    for (guint i = 0; i < picture->n_parts; i++) {
        memcpy(again->repacked + at, picture->part[i].data, picture->part[i].len);
        at += picture->part[i].len;
    }
    again->part[0].data = again->repacked;
    again->part[0].len = at;
    again->n_parts = 1;
    again->cpu_bytes = picture->pixel_bytes; /* into the socket */
    return TRUE;
}

VsockPicture *vsock_picture_again(const VsockPicture *picture)
{
    VsockPicture *again = g_new(VsockPicture, 1);

    *again = *picture;
    again->map = NULL;
    again->repacked = NULL;
    if (picture->path == VSOCK_PATH_DMABUF) {
        again->memory = gst_memory_ref(picture->buffer ? gst_buffer_peek_memory(picture->buffer, 0) : picture->memory);
        again->buffer = NULL;
    } else {
        again->buffer = picture->buffer ? gst_buffer_ref(picture->buffer) : NULL;
    }
    again->trial = picture->path == VSOCK_PATH_GUEST_COPY;
    again->drawn = FALSE;
    again->again = TRUE;
    again->cpu_bytes = 0;
    if (picture->n_parts > 0 && !keep_pixels(again, picture)) {
        g_clear_pointer(&again, vsock_picture_free);
    }
    return again;
}

void vsock_picture_free(VsockPicture *picture)
{
    g_clear_pointer(&picture->map, vsock_frame_unmap);
    gst_clear_buffer(&picture->buffer);
    g_clear_pointer(&picture->memory, gst_memory_unref);
    g_free(picture->repacked);
    g_free(picture);
}
