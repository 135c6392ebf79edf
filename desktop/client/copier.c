/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copier.c - see copier.h. */
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "copier.h"
#include "memory.h"
#include "pixels.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

/* Those under way and the one that waits for room (stream.c), one being written, those whose answers are dealt with. */
#define OWN_BUFFERS 8u
/* Upstream's: those, and what its queues hold. */
#define UPSTREAM_BUFFERS 8u

static const char *const way_name[VSOCK_N_WAYS] = {
    [VSOCK_WAY_BLOB] = "blob",
    [VSOCK_WAY_PAGES] = "pages",
    [VSOCK_WAY_TEXTURE] = "texture",
};

struct VsockCopier {
    VsockNode *node;
    struct {
        gboolean accepted; /* the host has read a picture this way */
        char *refusal;     /* why it is not tried any more, */
        gboolean by_host;  /* and it was the host that said so */
    } way[VSOCK_N_WAYS];
    GstBufferPool *pool; /* NULL: none yet */
    VsockMemoryKind pool_kind;
    GstVideoInfo pool_info;
};

const char *vsock_way_name(VsockWay way)
{
    return way_name[way];
}

VsockCopier *vsock_copier_new(VsockNode *node)
{
    /* For whoever wants to see or measure one way on its own. */
    const char *avoid = g_getenv("VSOCKENC_AVOID");
    g_auto(GStrv) names = g_strsplit(avoid ? avoid : "", ",", -1);
    VsockCopier *copier = g_new0(VsockCopier, 1);

    copier->node = vsock_node_ref(node);
    for (guint i = 0; i < VSOCK_N_WAYS; i++) {
        if (g_strv_contains((const char *const *)names, way_name[i]) ||
            g_strv_contains((const char *const *)names, "guest-copy")) {
            copier->way[i].refusal = g_strdup("VSOCKENC_AVOID says so.");
        }
    }
    return copier;
}

static void drop_pool(VsockCopier *copier)
{
    if (copier->pool) {
        gst_buffer_pool_set_active(copier->pool, FALSE);
        g_clear_pointer(&copier->pool, gst_object_unref);
    }
}

void vsock_copier_free(VsockCopier *copier)
{
    drop_pool(copier);
    for (guint i = 0; i < VSOCK_N_WAYS; i++) {
        g_free(copier->way[i].refusal);
    }
    vsock_node_unref(copier->node);
    g_free(copier);
}

/* ---- which way ---- */

static VsockMemoryKind kind_of(VsockWay way)
{
    return way == VSOCK_WAY_BLOB ? VSOCK_MEMORY_BLOB : VSOCK_MEMORY_CLASSIC;
}

/* Why pictures of @format cannot go by @way; NULL if they can. */
static const char *obstacle(const VsockCopier *copier, VsockWay way, GstVideoFormat format, guint32 capabilities)
{
    gboolean yuv = vsock_fourcc(format) == HELIX_FORMAT_NV12;

    if (copier->way[way].refusal) {
        return copier->way[way].refusal;
    }
    if (way != VSOCK_WAY_TEXTURE && !(capabilities & HELIX_CAP_EXT)) {
        return "The host is an older one that cannot be asked for a buffer's pages.";
    }
    switch (way) {
    case VSOCK_WAY_BLOB:
        return copier->node->has_blob ? NULL : "The virtio-gpu has no blobs (blob=on).";
    case VSOCK_WAY_PAGES:
        return yuv && !(capabilities & HELIX_CAP_NV12_PAGES)
            ? "The host takes no NV12 from such buffers: insert videoconvert for BGRx."
            : NULL;
    default:
        return yuv ? "A texture has no NV12: insert videoconvert for BGRx." : NULL;
    }
}

/* VSOCK_N_WAYS: none. */
static VsockWay choose(const VsockCopier *copier, GstVideoFormat format, guint32 capabilities)
{
    VsockWay way = VSOCK_WAY_BLOB;

    while (way < VSOCK_N_WAYS && obstacle(copier, way, format, capabilities)) {
        way++;
    }
    return way;
}

char *vsock_copier_why_not(VsockCopier *copier, GstVideoFormat format, guint32 capabilities)
{
    GString *text = g_string_new(NULL);

    for (guint way = 0; way < VSOCK_N_WAYS; way++) {
        const char *why = obstacle(copier, way, format, capabilities);

        if (why) {
            g_string_append_printf(text, "%s%s: %s", text->len ? " " : "", way_name[way], why);
        }
    }
    return g_string_free(text, FALSE);
}

void vsock_copier_accepted(VsockCopier *copier, VsockWay way)
{
    copier->way[way].accepted = TRUE;
    if (copier->way[way].by_host) {
        g_clear_pointer(&copier->way[way].refusal, g_free); /* then of another picture alone */
        copier->way[way].by_host = FALSE;
    }
}

static void refuse(VsockCopier *copier, VsockWay way, const char *message, gboolean by_host)
{
    g_free(copier->way[way].refusal);
    copier->way[way].refusal = g_strdup(message);
    copier->way[way].by_host = by_host;
}

void vsock_copier_refused(VsockCopier *copier, VsockWay way, const char *message)
{
    refuse(copier, way, message, TRUE);
}

gboolean vsock_copier_forget(VsockCopier *copier)
{
    gboolean more = FALSE;

    for (guint i = 0; i < VSOCK_N_WAYS; i++) {
        copier->way[i].accepted = FALSE;
        if (copier->way[i].by_host) {
            g_clear_pointer(&copier->way[i].refusal, g_free);
            copier->way[i].by_host = FALSE;
            more = TRUE;
        }
    }
    return more;
}

GstBufferPool *vsock_copier_pool(VsockCopier *copier, const GstVideoInfo *info, guint32 capabilities)
{
    GstVideoFormat format = GST_VIDEO_INFO_FORMAT(info);
    VsockWay way = choose(copier, format, capabilities);

    /* I420 is no format of the wire's: it is interleaved on its way, so drawing into a buffer of ours would save
     * nothing. */
    if (way == VSOCK_N_WAYS || format == GST_VIDEO_FORMAT_I420) {
        return NULL;
    }
    return vsock_pool_new(copier->node, kind_of(way), UPSTREAM_BUFFERS);
}

/* ---- pictures ---- */

/* The texture is made equal to what the buffer holds before the host is told. */
static gboolean describe(VsockPicture *picture, VsockMemory *memory, VsockWay way, GError **error)
{
    picture->path = VSOCK_PATH_GUEST_COPY;
    picture->way = way;
    picture->resource_id = memory->resource_id;
    picture->source = way == VSOCK_WAY_TEXTURE ? HELIX_SOURCE_TEXTURE : HELIX_SOURCE_PAGES;
    picture->modifier = 0;
    picture->needs = way == VSOCK_WAY_TEXTURE ? 0 : HELIX_CAP_EXT;
    if (way == VSOCK_WAY_PAGES && picture->fourcc == HELIX_FORMAT_NV12) {
        picture->needs |= HELIX_CAP_NV12_PAGES;
    }
    picture->fence_fd = -1;
    if (way == VSOCK_WAY_TEXTURE) {
        picture->fence_fd = vsock_memory_upload(memory, error);
        return picture->fence_fd >= 0;
    }
    return TRUE;
}

static VsockPicture *picture_at(const VsockRect *rect, const VsockLayout *layout, guint32 fourcc, guint width,
                                guint height)
{
    VsockPicture *picture = g_new0(VsockPicture, 1);

    picture->fourcc = fourcc;
    picture->width = rect->width;
    picture->height = rect->height;
    picture->crop_x = rect->x;
    picture->crop_y = rect->y;
    picture->res_width = width;
    picture->res_height = height;
    picture->planes = (guint8)layout->n_planes;
    picture->stride = (guint32)layout->stride[0];
    for (guint i = 0; i < layout->n_planes; i++) {
        picture->offset[i] = (guint32)layout->offset[i];
        picture->stride_of[i] = (guint32)layout->stride[i];
    }
    return picture;
}

/* ---- drawn into a buffer of ours ---- */

static gboolean lies_within(const VsockLayout *layout, guint width, guint height, gsize size)
{
    for (guint i = 0; i < layout->n_planes; i++) {
        gsize bytes = layout->n_planes == 1 ? (gsize)width * 4 : i ? GST_ROUND_UP_2((gsize)width) : width;
        gsize rows = i ? (height + 1) / 2 : height;

        if (layout->stride[i] < bytes || layout->stride[i] > G_MAXUINT32 || layout->offset[i] > G_MAXUINT32 ||
            layout->offset[i] + layout->stride[i] * (rows - 1) + bytes > size) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Where upstream's picture lies in the memory. */
static gboolean layout_in(VsockMemory *memory, const GstVideoInfo *info, GstBuffer *buffer, VsockLayout *layout)
{
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    gsize start;

    *layout = vsock_layout_default(info);
    gst_memory_get_sizes(&memory->memory, &start, NULL);
    for (guint i = 0; i < layout->n_planes; i++) {
        if (meta && (i >= meta->n_planes || meta->stride[i] <= 0)) {
            return FALSE;
        }
        layout->offset[i] = start + (meta ? meta->offset[i] : layout->offset[i]);
        layout->stride[i] = meta ? (gsize)meta->stride[i] : layout->stride[i];
    }
    return lies_within(layout, meta ? meta->width : (guint)GST_VIDEO_INFO_WIDTH(info),
                       meta ? meta->height : (guint)GST_VIDEO_INFO_HEIGHT(info), memory->map_size);
}

/* NULL: it is to be copied, like any other memory. */
static VsockPicture *drawn_picture(VsockCopier *copier, VsockWay way, const GstVideoInfo *info, GstBuffer *buffer,
                                   guint32 capabilities)
{
    VsockRect rect = vsock_visible_rect(info, buffer);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    VsockMemory *memory;
    gboolean whole = rect.x == 0 && rect.y == 0;
    VsockPicture *picture;
    VsockLayout layout;

    if (gst_buffer_n_memory(buffer) != 1 || !vsock_is_memory(gst_buffer_peek_memory(buffer, 0))) {
        return NULL;
    }
    memory = (VsockMemory *)gst_buffer_peek_memory(buffer, 0);
    if (memory->node->device != copier->node->device || memory->kind != kind_of(way) ||
        memory->format != GST_VIDEO_INFO_FORMAT(info) || !layout_in(memory, info, buffer, &layout)) {
        return NULL;
    }
    if (way == VSOCK_WAY_TEXTURE &&
        (layout.offset[0] != 0 || layout.stride[0] != (gsize)memory->width * 4 ||
         (!whole && !(capabilities & HELIX_CAP_EXT)))) {
        return NULL;
    }
    if (layout.n_planes > 1 && (rect.x | rect.y) % 2) {
        return NULL;
    }
    picture = picture_at(&rect, &layout, vsock_fourcc(memory->format),
                         meta ? meta->width : (guint)GST_VIDEO_INFO_WIDTH(info),
                         meta ? meta->height : (guint)GST_VIDEO_INFO_HEIGHT(info));
    if (!describe(picture, memory, way, NULL)) {
        g_free(picture);
        return NULL;
    }
    picture->drawn = TRUE;
    picture->buffer = gst_buffer_ref(buffer);
    return picture;
}

/* ---- copied ---- */

static gboolean need_pool(VsockCopier *copier, VsockMemoryKind kind, GstVideoFormat format, const VsockRect *rect,
                          GError **error)
{
    if (copier->pool && copier->pool_kind == kind && GST_VIDEO_INFO_FORMAT(&copier->pool_info) == format &&
        (guint)GST_VIDEO_INFO_WIDTH(&copier->pool_info) == rect->width &&
        (guint)GST_VIDEO_INFO_HEIGHT(&copier->pool_info) == rect->height) {
        return TRUE;
    }
    /* Buffers under way come home to it and are freed then. */
    drop_pool(copier);
    gst_video_info_set_format(&copier->pool_info, format, rect->width, rect->height);
    copier->pool_kind = kind;
    copier->pool = vsock_pool_new_active(copier->node, kind, OWN_BUFFERS, &copier->pool_info, error);
    return copier->pool != NULL;
}

/* Errors of VSOCK_GPU_ERROR are about the way, others about @buffer. NULL without one: not this time. */
static VsockPicture *copied_picture(VsockCopier *copier, VsockWay way, const GstVideoInfo *info, GstBuffer *buffer,
                                    GError **error)
{
    VsockRect rect = vsock_visible_rect(info, buffer), all = { 0, 0, rect.width, rect.height };
    gboolean i420 = GST_VIDEO_INFO_FORMAT(info) == GST_VIDEO_FORMAT_I420;
    GstVideoFormat format = i420 ? GST_VIDEO_FORMAT_NV12 : GST_VIDEO_INFO_FORMAT(info);
    g_autoptr(GstBuffer) own = NULL;
    VsockPicture *picture;
    VsockMemory *memory;
    VsockLayout layout;
    GstVideoFrame *frame;

    if (!need_pool(copier, kind_of(way), format, &rect, error)) {
        return NULL;
    }
    frame = vsock_frame_map(info, buffer, error);
    if (!frame) {
        return NULL;
    }
    if (gst_buffer_pool_acquire_buffer(copier->pool, &own, NULL) != GST_FLOW_OK ||
        !vsock_is_memory(gst_buffer_peek_memory(own, 0))) {
        /* All in use. Waiting could be for ever: who brings them back may need the lock that is held here. */
        vsock_frame_unmap(frame);
        return NULL;
    }
    memory = (VsockMemory *)gst_buffer_peek_memory(own, 0);
    layout = vsock_layout_default(&copier->pool_info);
    picture = picture_at(&all, &layout, vsock_fourcc(format), rect.width, rect.height);
    picture->cpu_bytes = vsock_copy_rect(frame, &rect, memory->map, &layout);
    vsock_frame_unmap(frame);
    if (!describe(picture, memory, way, error)) {
        g_free(picture);
        return NULL;
    }
    picture->buffer = g_steal_pointer(&own);
    return picture;
}

VsockPicture *vsock_copier_picture(VsockCopier *copier, const GstVideoInfo *info, GstBuffer *buffer,
                                   guint32 capabilities, GError **error)
{
    VsockPicture *picture;
    VsockWay way;

    while ((way = choose(copier, GST_VIDEO_INFO_FORMAT(info), capabilities)) < VSOCK_N_WAYS) {
        g_autoptr(GError) why = NULL;

        picture = drawn_picture(copier, way, info, buffer, capabilities);
        if (!picture) {
            picture = copied_picture(copier, way, info, buffer, &why);
        }
        if (picture) {
            picture->trial = !copier->way[way].accepted;
            return picture;
        }
        if (!why) {
            return NULL;
        }
        if (why->domain != VSOCK_GPU_ERROR) {
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
        refuse(copier, way, why->message, FALSE);
    }
    return NULL;
}
