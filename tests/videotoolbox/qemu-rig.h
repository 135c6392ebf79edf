/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu-rig.h - as much of QEMU as its look-up of resources takes: a GPU, bottom halves, a VM that runs. See qemu/. */
#ifndef HELIX_TEST_QEMU_RIG_H
#define HELIX_TEST_QEMU_RIG_H

#include "hw/virtio/virtio-gpu.h"

/* The GPU with no resources, its renderer up; a GL device if @gl. */
void qemu_rig_start(VirtIOGPU *g, bool gl);
/* Resource @id, whose texture is what double_virgl says. */
void qemu_rig_add(VirtIOGPU *g, struct virtio_gpu_simple_resource *resource, uint32_t id);

typedef struct QemuRig {
    bool vcpu_thread, stopped; /* orders: the caller is a CPU's thread; the VM does not run */
    void (*guest)(void);       /* what the guest had queued: carried out when its control queue is drained */
    unsigned drained;          /* so often it was */
    gint measured;             /* atomic: the read-back thread has measured the GPU's conversion, which took gpu_us */
    gint64 gpu_us;
    char no_copy[256]; /* why the GPU did not copy, as traced last; "" if it did */
} QemuRig;

extern QemuRig qemu_rig;

#endif
