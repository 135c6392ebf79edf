/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu.h - stands in for QEMU's header of this name: a GPU with a list of resources, and the few names of QEMU's
 * that the look-up uses on it. That the look-up also fits QEMU's own headers is shown by suite vm-apple-files.
 */
#ifndef HW_VIRTIO_GPU_H
#define HW_VIRTIO_GPU_H

#include <pixman.h>

#include "hw/virtio/virtio.h"
#include "qemu/osdep.h"
#include "qemu/queue.h"

typedef struct VirtIOGPU VirtIOGPU, VirtIODevice, VirtIOGPUGL, Object;
typedef struct VirtQueue VirtQueue;

struct virtio_gpu_simple_resource {
    uint32_t resource_id, format;
    uint64_t blob_size;
    struct iovec *iov;
    unsigned iov_cnt;
    pixman_image_t *image;
    QTAILQ_ENTRY(virtio_gpu_simple_resource) next;
};

typedef enum RendererState { RS_START, RS_INITED } RendererState;

struct virtio_gpu_ctrl_command;

typedef struct VirtIOGPUClass {
    void (*handle_ctrl)(VirtIODevice *device, VirtQueue *queue);
    void (*process_cmd)(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd);
} VirtIOGPUClass;

struct VirtIOGPU {
    VirtIOGPUClass klass;
    VirtQueue *ctrl_vq;
    QTAILQ_HEAD(, virtio_gpu_simple_resource) reslist;
    int processing_cmdq;
    bool gl; /* it is a virtio-gpu-gl-device */
    RendererState renderer_state;
    void *fence_poll; /* QEMU's timer, there once virglrenderer is up */
};

#define OBJECT(g) (g)
#define VIRTIO_DEVICE(g) (g)
#define TYPE_VIRTIO_GPU_GL "virtio-gpu-gl-device"
#define VIRTIO_GPU_GL(g) (g)
#define VIRTIO_GPU_GET_CLASS(g) (&(g)->klass)

Object *object_dynamic_cast(Object *object, const char *type);

/* Before main(), as QEMU runs them before it makes a machine. */
#define type_init(function) \
    static void __attribute__((constructor)) type_init_##function(void) \
    { \
        function(); \
    }

#endif
