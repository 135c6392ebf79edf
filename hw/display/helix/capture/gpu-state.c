/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpu-state.c - the exporting GPU: its re-entrancy guard, whether it is plugged, and cancelling, pausing and resuming
 * the look-ups in progress. Its reset: qemu/frame-export-lifetime.c.
 */
#include "qemu/osdep.h"
#include "device-guard.h"
#include "readback.h"
#include "resource.h"
#include "texture-hooks.h"

const HelixTextureReader *helix_texture_reader;
const HelixTextureCopier *helix_texture_copier;
const HelixReadbackThread *helix_readback_thread;
HelixTextureFilter helix_texture_filter;
void (*helix_fence_watch)(VirtIOGPU *g, bool (*wanted)(void));

static const VirtIOGPU *plugged_gpu;
static bool in_gpu;

MemReentrancyGuard *helix_gpu_enter(VirtIOGPU *g)
{
    MemReentrancyGuard *guard = helix_device_enter(DEVICE(g));

    in_gpu = in_gpu || guard;
    return guard;
}

void helix_gpu_leave(MemReentrancyGuard *guard)
{
    in_gpu = false;
    helix_device_leave(guard);
}

bool helix_gpu_entered(void)
{
    return in_gpu;
}

/* Whether @g is there at all: look-ups under way outlive it. */
bool helix_gpu_check_plugged(const VirtIOGPU *g, uint32_t id, GError **error)
{
    if (g != plugged_gpu) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND, "resource %u is gone: its GPU was unplugged", id);
    }
    return g == plugged_gpu;
}

void helix_resource_cancel_copies(void)
{
    if (helix_texture_copier) {
        helix_texture_copier->reset();
    }
}

void helix_resource_cancel_all(void)
{
    helix_resource_cancel_copies();
    helix_readback_cancel_all();
}

void helix_resource_plugged(const VirtIOGPU *g, bool plugged)
{
    plugged_gpu = plugged ? g : NULL;
    if (!plugged && helix_fence_watch) {
        helix_fence_watch(NULL, NULL);
    }
}

void helix_resource_pause(void)
{
    if (helix_readback_thread) {
        helix_readback_thread->pause();
    }
}

void helix_resource_resume(void)
{
    if (helix_readback_thread) {
        helix_readback_thread->resume();
    }
    helix_readback_continue();
}
