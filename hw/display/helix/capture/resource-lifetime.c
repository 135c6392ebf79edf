/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-lifetime.c - resources that the guest replaces while pictures are read from them.
 *
 * Between two pieces of a read-back a resource may be destroyed and another one made with its id. QEMU often allocates
 * the new structure at the address of the old one, and size, format and pages may be equal, so nothing in it
 * distinguishes the two. The device's commands are observed by its class pointer: a command that makes a resource ends
 * the read-backs of that id.
 */
#include "qemu/osdep.h"
#include "readback.h"
#include "resource.h"

static VirtIOGPU *watched;
static void (*device_process_cmd)(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd);
static unsigned resets; /* in progress */

/* Both devices insert a new resource at the head of the list. A command makes or destroys one resource at most. */
static void process_cmd(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    struct virtio_gpu_simple_resource *first = QTAILQ_FIRST(&g->reslist), *now;

    device_process_cmd(g, cmd);
    now = QTAILQ_FIRST(&g->reslist);
    if (g == watched && now && now != first && QTAILQ_NEXT(now, next) == first) {
        helix_readback_invalidate(now->resource_id);
    }
}

void helix_resource_watch(VirtIOGPU *g)
{
    VirtIOGPUClass *klass = VIRTIO_GPU_GET_CLASS(g);

    watched = g;
    device_process_cmd = klass->process_cmd;
    klass->process_cmd = process_cmd;
}

void helix_resource_unwatch(void)
{
    VIRTIO_GPU_GET_CLASS(watched)->process_cmd = device_process_cmd;
    watched = NULL;
}

void helix_resource_reset_begins(void)
{
    resets++;
    helix_readback_invalidate(0);
}

void helix_resource_reset_ends(void)
{
    resets--;
}

bool helix_resource_resetting(void)
{
    return resets > 0;
}
