/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-lifetime.c - what the guest does to its resources while pictures are read from them.
 *
 * Between two pieces of a read, a resource may be destroyed and another made under its id. QEMU's structure for the new
 * one is often at the address of the old one, and size, format and pages may be the same, so neither tells them apart.
 * The device's commands are seen through its class, as its reset is: one that makes a resource ends the reads of the id
 * that it gets.
 */
#include "qemu/osdep.h"
#include "readback.h"
#include "resource.h"

static VirtIOGPU *watched;
static void (*device_process_cmd)(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd);
static unsigned resets; /* under way */

/* Both devices put a new resource in front of the list. One command makes or destroys one resource at most. */
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
