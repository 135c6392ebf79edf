/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - see pool.h. */
#include "pool.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

typedef struct VsockPool {
    GstBufferPool parent;
    VsockNode *node;
    VsockMemoryKind kind;
    guint most;
    GstVideoInfo info; /* from the configuration */
    guint size;
    GError *error; /* why the GPU made no buffer, the first time; with the object lock */
    gint *made;    /* GPU buffers there are; atomic, and a g_atomic_rc_box of them and the pool */
} VsockPool;

typedef GstBufferPoolClass VsockPoolClass;

static GType vsock_pool_get_type(void);
G_DEFINE_TYPE(VsockPool, vsock_pool, GST_TYPE_BUFFER_POOL)

static const gchar **vsock_pool_get_options(GstBufferPool *pool)
{
    static const gchar *options[] = { GST_BUFFER_POOL_OPTION_VIDEO_META, NULL };

    return options;
}

static gboolean vsock_pool_set_config(GstBufferPool *pool, GstStructure *config)
{
    VsockPool *self = (VsockPool *)pool;
    guint size, min, max;
    GstCaps *caps = NULL;

    if (!gst_buffer_pool_config_get_params(config, &caps, &size, &min, &max) || !caps ||
        !gst_video_info_from_caps(&self->info, caps)) {
        GST_WARNING_OBJECT(pool, "no raw video in %" GST_PTR_FORMAT, config);
        return FALSE;
    }
    self->size = MAX(size, (guint)GST_VIDEO_INFO_SIZE(&self->info));
    gst_buffer_pool_config_set_params(config, caps, self->size, min, max);
    return GST_BUFFER_POOL_CLASS(vsock_pool_parent_class)->set_config(pool, config);
}

/* The memory counts, not the buffer it came in: upstream may put another into that, and keep this one. */
static void memory_gone(gpointer made, GstMiniObject *memory)
{
    g_atomic_int_add((gint *)made, -1);
    g_atomic_rc_box_release(made);
}

static GstMemory *make_memory(VsockPool *self)
{
    GError *error = NULL;
    GstMemory *memory = NULL;

    if ((guint)g_atomic_int_add(self->made, 1) < self->most) {
        memory = vsock_memory_new(self->node, self->kind, &self->info, self->size, &error);
    }
    if (memory) {
        gst_mini_object_weak_ref(GST_MINI_OBJECT_CAST(memory), memory_gone, g_atomic_rc_box_acquire(self->made));
    } else {
        g_atomic_int_add(self->made, -1);
        GST_DEBUG_OBJECT(self, "plain memory: %s", error ? error->message : "all buffers of the GPU are in use");
    }
    if (error) {
        GST_OBJECT_LOCK(self);
        if (!self->error) {
            self->error = g_steal_pointer(&error);
        }
        GST_OBJECT_UNLOCK(self);
        g_clear_error(&error);
    }
    return memory;
}

static GstFlowReturn vsock_pool_alloc_buffer(GstBufferPool *pool, GstBuffer **buffer,
                                             GstBufferPoolAcquireParams *params)
{
    VsockPool *self = (VsockPool *)pool;
    GstMemory *memory = make_memory(self);

    if (!memory) {
        memory = gst_allocator_alloc(NULL, self->size, NULL);
    }
    if (!memory) {
        return GST_FLOW_ERROR;
    }
    *buffer = gst_buffer_new();
    gst_buffer_append_memory(*buffer, memory);
    gst_buffer_add_video_meta_full(*buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&self->info),
                                   (guint)GST_VIDEO_INFO_WIDTH(&self->info), (guint)GST_VIDEO_INFO_HEIGHT(&self->info),
                                   GST_VIDEO_INFO_N_PLANES(&self->info), self->info.offset, self->info.stride);
    return GST_FLOW_OK;
}

static gboolean is_of_gpu(GstBuffer *buffer)
{
    return gst_buffer_n_memory(buffer) > 0 && vsock_is_memory(gst_buffer_peek_memory(buffer, 0));
}

static void vsock_pool_reset_buffer(GstBufferPool *pool, GstBuffer *buffer)
{
    GST_BUFFER_POOL_CLASS(vsock_pool_parent_class)->reset_buffer(pool, buffer);
    if (!is_of_gpu(buffer)) {
        /* The base class throws away what it finds altered: next time the GPU may have a free one. */
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_TAG_MEMORY);
    }
}

static void vsock_pool_finalize(GObject *object)
{
    VsockPool *self = (VsockPool *)object;

    vsock_node_unref(self->node);
    g_atomic_rc_box_release(self->made);
    g_clear_error(&self->error);
    G_OBJECT_CLASS(vsock_pool_parent_class)->finalize(object);
}

static void vsock_pool_class_init(VsockPoolClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = vsock_pool_finalize;
    klass->get_options = vsock_pool_get_options;
    klass->set_config = vsock_pool_set_config;
    klass->alloc_buffer = vsock_pool_alloc_buffer;
    klass->reset_buffer = vsock_pool_reset_buffer;
}

static void vsock_pool_init(VsockPool *self)
{
    self->made = g_atomic_rc_box_new0(gint);
}

GstBufferPool *vsock_pool_new(VsockNode *node, VsockMemoryKind kind, guint most)
{
    VsockPool *self = g_object_new(vsock_pool_get_type(), NULL);

    gst_object_ref_sink(self);
    self->node = vsock_node_ref(node);
    self->kind = kind;
    self->most = most;
    return GST_BUFFER_POOL(self);
}

GstBufferPool *vsock_pool_new_active(VsockNode *node, VsockMemoryKind kind, guint most, const GstVideoInfo *info,
                                     GError **error)
{
    GstBufferPool *pool = vsock_pool_new(node, kind, most);
    VsockPool *self = (VsockPool *)pool;
    GstStructure *config = gst_buffer_pool_get_config(pool);
    g_autoptr(GstCaps) caps = gst_video_info_to_caps(info);
    gboolean active;

    /* One at once: whether the GPU makes any shows here. */
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(info), 1, 0);
    active = gst_buffer_pool_set_config(pool, config) && gst_buffer_pool_set_active(pool, TRUE);
    if (active && !self->error) {
        return pool;
    }
    if (self->error) {
        g_propagate_error(error, g_steal_pointer(&self->error));
    } else {
        g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_FAILED, "No buffers for pictures of %dx%d.",
                    GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info));
    }
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    return NULL;
}
