/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - see memory.h. */
#include "memory.h"

#define MEMORY_TYPE "VsockEncVirtioGpuMemory"

typedef struct Memory {
    GstMemory parent;
    HelixClientBuffer *buffer;
} Memory;

typedef GstAllocator VsockEncAllocator;
typedef GstAllocatorClass VsockEncAllocatorClass;

/* Nothing but the memory's functions. */
static GType vsockenc_allocator_get_type(void);
G_DEFINE_TYPE(VsockEncAllocator, vsockenc_allocator, GST_TYPE_ALLOCATOR)

static void vsockenc_allocator_free(GstAllocator *allocator, GstMemory *memory)
{
    helix_client_buffer_unref(((Memory *)memory)->buffer);
    g_free(memory);
}

static void vsockenc_allocator_class_init(VsockEncAllocatorClass *klass)
{
    klass->free = vsockenc_allocator_free;
}

static gpointer map_memory(GstMemory *memory, gsize max_size, GstMapFlags flags)
{
    return helix_client_buffer_get_data(((Memory *)memory)->buffer, NULL);
}

static void unmap_memory(GstMemory *memory)
{
}

static void vsockenc_allocator_init(VsockEncAllocator *allocator)
{
    allocator->mem_type = MEMORY_TYPE;
    allocator->mem_map = map_memory;
    allocator->mem_unmap = unmap_memory;
    /* Memory is made by vsockenc_memory_new(), which knows what for. */
    GST_OBJECT_FLAG_SET(allocator, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

/* One for all: it has no state. */
static GstAllocator *the_allocator(void)
{
    static gsize made;

    if (g_once_init_enter(&made)) {
        GstAllocator *allocator = gst_object_ref_sink(g_object_new(vsockenc_allocator_get_type(), NULL));

        GST_OBJECT_FLAG_SET(allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
        g_once_init_leave(&made, (gsize)allocator);
    }
    return (GstAllocator *)made;
}

GstMemory *vsockenc_memory_new(HelixClientBuffer *buffer, gsize size)
{
    Memory *self = g_new0(Memory, 1);
    gsize mapped;

    helix_client_buffer_get_data(buffer, &mapped);
    self->buffer = buffer;
    gst_memory_init(&self->parent, GST_MEMORY_FLAG_NO_SHARE, the_allocator(), NULL, mapped, 4095, 0, size);
    return &self->parent;
}

HelixClientBuffer *vsockenc_memory_get_buffer(GstMemory *memory)
{
    return gst_memory_is_type(memory, MEMORY_TYPE) ? ((Memory *)memory)->buffer : NULL;
}
