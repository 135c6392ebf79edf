/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upstream-pool.c - see upstream-pool.h. */
#include "upstream-pool.h"
#include "image.h"
#include "memory.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

typedef struct VsockEncPool {
    GstBufferPool parent;
    HelixClientGpu *gpu;
    HelixClientBufferKind kind;
    guint most;
    GstVideoInfo info; /* from the configuration */
    guint size;
    gint *made; /* GPU buffers there are; atomic, and a g_atomic_rc_box of them and the pool */
} VsockEncPool;

typedef GstBufferPoolClass VsockEncPoolClass;

static GType vsockenc_pool_get_type(void);
G_DEFINE_TYPE(VsockEncPool, vsockenc_pool, GST_TYPE_BUFFER_POOL)

static const gchar **vsockenc_pool_get_options(GstBufferPool *pool)
{
    static const gchar *options[] = { GST_BUFFER_POOL_OPTION_VIDEO_META, NULL };

    return options;
}

static gboolean vsockenc_pool_set_config(GstBufferPool *pool, GstStructure *config)
{
    VsockEncPool *self = (VsockEncPool *)pool;
    guint size, min, max;
    GstCaps *caps = NULL;

    if (!gst_buffer_pool_config_get_params(config, &caps, &size, &min, &max) || !caps ||
        !gst_video_info_from_caps(&self->info, caps)) {
        GST_WARNING_OBJECT(pool, "no raw video in %" GST_PTR_FORMAT, config);
        return FALSE;
    }
    self->size = MAX(size, (guint)GST_VIDEO_INFO_SIZE(&self->info));
    gst_buffer_pool_config_set_params(config, caps, self->size, min, max);
    return GST_BUFFER_POOL_CLASS(vsockenc_pool_parent_class)->set_config(pool, config);
}

/* The memory counts, not the buffer it came in: upstream may put another into that, and keep this one. */
static void memory_gone(gpointer made, GstMiniObject *memory)
{
    g_atomic_int_add((gint *)made, -1);
    g_atomic_rc_box_release(made);
}

static GstMemory *make_memory(VsockEncPool *self)
{
    GError *error = NULL;
    GstMemory *memory = NULL;

    if ((guint)g_atomic_int_add(self->made, 1) < self->most) {
        HelixClientBuffer *buffer = helix_client_buffer_new(
            self->gpu, self->kind, vsockenc_image_format(GST_VIDEO_INFO_FORMAT(&self->info)),
            (guint)GST_VIDEO_INFO_WIDTH(&self->info), (guint)GST_VIDEO_INFO_HEIGHT(&self->info), self->size, &error);

        memory = buffer ? vsockenc_memory_new(buffer, self->size) : NULL;
    }
    if (memory) {
        gst_mini_object_weak_ref(GST_MINI_OBJECT_CAST(memory), memory_gone, g_atomic_rc_box_acquire(self->made));
    } else {
        g_atomic_int_add(self->made, -1);
        GST_DEBUG_OBJECT(self, "plain memory: %s", error ? error->message : "all buffers of the GPU are in use");
    }
    g_clear_error(&error);
    return memory;
}

static GstFlowReturn vsockenc_pool_alloc_buffer(GstBufferPool *pool, GstBuffer **buffer,
                                                GstBufferPoolAcquireParams *params)
{
    VsockEncPool *self = (VsockEncPool *)pool;
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
    return gst_buffer_n_memory(buffer) > 0 && vsockenc_memory_get_buffer(gst_buffer_peek_memory(buffer, 0)) != NULL;
}

static void vsockenc_pool_reset_buffer(GstBufferPool *pool, GstBuffer *buffer)
{
    GST_BUFFER_POOL_CLASS(vsockenc_pool_parent_class)->reset_buffer(pool, buffer);
    if (!is_of_gpu(buffer)) {
        /* The base class throws away what it finds altered: next time the GPU may have a free one. */
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_TAG_MEMORY);
    }
}

static void vsockenc_pool_finalize(GObject *object)
{
    VsockEncPool *self = (VsockEncPool *)object;

    helix_client_gpu_unref(self->gpu);
    g_atomic_rc_box_release(self->made);
    G_OBJECT_CLASS(vsockenc_pool_parent_class)->finalize(object);
}

static void vsockenc_pool_class_init(VsockEncPoolClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = vsockenc_pool_finalize;
    klass->get_options = vsockenc_pool_get_options;
    klass->set_config = vsockenc_pool_set_config;
    klass->alloc_buffer = vsockenc_pool_alloc_buffer;
    klass->reset_buffer = vsockenc_pool_reset_buffer;
}

static void vsockenc_pool_init(VsockEncPool *self)
{
    self->made = g_atomic_rc_box_new0(gint);
}

GstBufferPool *vsockenc_pool_new(HelixClientGpu *gpu, HelixClientBufferKind kind, guint most)
{
    VsockEncPool *self = g_object_new(vsockenc_pool_get_type(), NULL);

    gst_object_ref_sink(self);
    self->gpu = helix_client_gpu_ref(gpu);
    self->kind = kind;
    self->most = most;
    return GST_BUFFER_POOL(self);
}
