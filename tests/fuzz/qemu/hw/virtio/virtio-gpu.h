/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-gpu.h - stands in for QEMU's header of this name: what the look-up uses of the device. */
#ifndef HW_VIRTIO_GPU_H
#define HW_VIRTIO_GPU_H

#include <pixman.h>

#include "hw/virtio/virtio.h"
#include "qemu/queue.h"

typedef struct VirtIOGPU VirtIOGPU;
typedef struct VirtQueue VirtQueue;

struct virtio_gpu_simple_resource {
    uint32_t resource_id;
    uint32_t format;
    uint64_t blob_size;
    struct iovec *iov;
    unsigned int iov_cnt;
    pixman_image_t *image;
    QTAILQ_ENTRY(virtio_gpu_simple_resource) next;
};

struct virtio_gpu_ctrl_command;

typedef struct VirtIOGPUClass {
    void (*handle_ctrl)(VirtIOGPU *vdev, VirtQueue *vq);
    void (*process_cmd)(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd);
} VirtIOGPUClass;

struct VirtIOGPU {
    VirtIOGPUClass *klass;
    bool gl; /* is a virtio-gpu-gl-device */
    bool processing_cmdq;
    VirtQueue *ctrl_vq;
    QTAILQ_HEAD(, virtio_gpu_simple_resource) reslist;
};

#define VIRTIO_GPU_GET_CLASS(g) ((g)->klass)
#define VIRTIO_DEVICE(g) (g)
#define OBJECT(g) (g)

static inline VirtIOGPU *object_dynamic_cast(VirtIOGPU *g, const char *type)
{
    return g->gl && strcmp(type, "virtio-gpu-gl-device") == 0 ? g : NULL;
}

#endif
