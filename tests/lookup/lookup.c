/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup.c - see lookup.h. */
#include "qemu/osdep.h"
#include "capture/resource.h"
#include "loop/loop-budget.h"
#include "lookup.h"

static VirtIOGPU *gpu;
static HelixSurfacePool *pool;

void lookup_start(VirtIOGPU *g)
{
    gpu = g;
    qemu_rig_start(g, true);
    pool = helix_surface_pool_new(2);
}

void lookup_end(void)
{
    helix_resource_pause();
    helix_surface_pool_unref(pool);
}

static void take_answer(gpointer data, HelixSurface *surface, GError *error)
{
    LookupAnswer *answer = data;

    g_assert_false(answer->done);
    g_assert_true(!surface != !error);
    *answer = (LookupAnswer){ true, surface, error };
}

LookupAnswer lookup_resolve(const HelixPicture *picture, const HelixCaptureTarget *target)
{
    LookupAnswer answer = { .done = false };

    helix_loop_next_iteration();
    helix_resource_resolver.resolve(gpu, picture, target, pool, take_answer, &answer);
    while (!answer.done) {
        helix_loop_next_iteration();
        g_main_context_iteration(NULL, TRUE);
    }
    return answer;
}

HelixPicture lookup_whole(guint32 width, guint32 height)
{
    return (HelixPicture){
        .resource_id = LOOKUP_ID, .width = width, .height = height, .fourcc = HELIX_FORMAT_XR24, .stride = width * 4
    };
}

guint8 lookup_byte(guint32 x, guint32 y, guint i)
{
    return (guint8)((x * 2654435761u + y * 40503u + i * 977u) >> 7);
}

guint8 *lookup_draw(guint32 width, guint32 height)
{
    guint8 *pixels = g_malloc((gsize)width * height * 4), *at = pixels;

    for (guint32 y = 0; y < height; y++) {
        for (guint32 x = 0; x < width; x++) {
            for (guint i = 0; i < 4; i++) {
                *at++ = lookup_byte(x, y, i);
            }
        }
    }
    return pixels;
}

bool lookup_is_drawn(const HelixSurface *surface, guint32 x, guint32 y, const guint8 byte[4], bool alpha)
{
    for (guint32 row = 0; row < surface->height; row++) {
        const guint8 *pixel = surface->data + surface->offset[0] + (gsize)row * surface->stride[0];

        for (guint32 column = 0; column < surface->width; column++, pixel += 4) {
            for (guint i = 0; i < (alpha ? 4 : 3); i++) {
                if (pixel[i] != lookup_byte(x + column, y + row, byte[i])) {
                    return false;
                }
            }
        }
    }
    return true;
}
