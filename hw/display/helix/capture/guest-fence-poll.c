/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest-fence-poll.c - finished fences of the GPU are reported to the guest early.
 *
 * QEMU polls virglrenderer for finished fences every 10 ms. A guest waits for a picture's fence before it requests the
 * frame, so while streams are open and a fence is open they are polled every millisecond.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/queue.h"
#include "system/runstate.h"
#include "texture-hooks.h"
#include "../trace.h"

#define INTERVAL_US 1000

typedef struct FenceSource {
    GSource source;
    VirtIOGPU *g;
    bool (*wanted)(void);
    gint64 next; /* us */
} FenceSource;

static FenceSource *fences;

static bool open_fence(const FenceSource *fence)
{
    return !QTAILQ_EMPTY(&fence->g->fenceq) && fence->wanted() && runstate_is_running() &&
        VIRTIO_GPU_GL(fence->g)->renderer_state == RS_INITED;
}

/* GLib calls it in each iteration of the main loop. */
static gboolean prepare(GSource *source, gint *timeout)
{
    FenceSource *fence = (FenceSource *)source;
    gint64 left;

    *timeout = -1;
    if (!open_fence(fence)) {
        return FALSE;
    }
    left = fence->next - g_get_monotonic_time();
    *timeout = left > 0 ? (gint)((left + 999) / 1000) : 0;
    return left <= 0;
}

static gboolean check(GSource *source)
{
    FenceSource *fence = (FenceSource *)source;

    return open_fence(fence) && g_get_monotonic_time() >= fence->next;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    FenceSource *fence = (FenceSource *)source;
    MemReentrancyGuard *guard = helix_gpu_enter(fence->g);

    if (guard) { /* else in the next interval: answers are written to addresses of the guest's choice */
        uint32_t open = fence->g->inflight;

        virtio_gpu_virgl_fence_poll(fence->g);
        helix_gpu_leave(guard);
        if (fence->g->inflight < open) {
            trace_helix_fences_answered(open - fence->g->inflight);
        }
    }
    fence->next = g_get_monotonic_time() + INTERVAL_US;
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs fence_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

static void watch(VirtIOGPU *g, bool (*wanted)(void))
{
    if (fences) {
        g_source_destroy(&fences->source);
        g_source_unref(&fences->source);
        fences = NULL;
    }
    if (g) {
        fences = (FenceSource *)g_source_new(&fence_funcs, sizeof(FenceSource));
        fences->g = g;
        fences->wanted = wanted;
        g_source_attach(&fences->source, NULL);
    }
}

static void register_watch(void)
{
    helix_fence_watch = watch;
}

type_init(register_watch)
