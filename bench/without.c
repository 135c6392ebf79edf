/* SPDX-License-Identifier: GPL-2.0-or-later */
/* without.c - the host with one part of encode/ replaced by the simplest code that does its job. */
#include <glib.h>

#include "encode/parallel-for.h"
#include "encode/pre-convert.h"
#include "without.h"

HelixPreConvert *__real_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers);
HelixPreConvert *__wrap_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers);
HelixParallelFor *__real_helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n,
                                                  guint helpers);
HelixParallelFor *__wrap_helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n,
                                                  guint helpers);

const char *const without_names[WITHOUT_N] = { "all", "pre-convert", "slices", "parallel-for" };

static gint without; /* atomic; a Without */

void without_set(Without what)
{
    g_atomic_int_set(&without, (gint)what);
}

static Without current(void)
{
    return (Without)g_atomic_int_get(&without);
}

HelixPreConvert *__wrap_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers)
{
    Without what = current();

    return what == WITHOUT_PRE_CONVERT || what == WITHOUT_PARALLEL_FOR
        ? NULL
        : __real_helix_pre_convert_begin(surface, width, height, pool, helpers);
}

/* All parts of a piece of work, as one part. */
typedef struct Whole {
    void (*part)(gpointer data, guint i);
    gpointer data;
    guint n;
} Whole;

static void do_whole(gpointer data, guint i)
{
    Whole *whole = data;

    for (guint j = 0; i == 0 && j < whole->n; j++) {
        whole->part(whole->data, j);
    }
    if (i == 0) {
        g_free(whole);
    }
}

HelixParallelFor *__wrap_helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n,
                                                  guint helpers)
{
    Without what = current();
    Whole *whole;

    if (what == WITHOUT_PARALLEL_FOR) {
        helpers = 0;
    }
    if (what != WITHOUT_SLICES) {
        return __real_helix_parallel_for_begin(part, data, n, helpers);
    }
    whole = g_new(Whole, 1);
    *whole = (Whole){ part, data, n };
    /* The second part is empty: it lets a helper have the first one, where a picture is converted in advance. */
    return helpers == 1 ? __real_helix_parallel_for_begin(do_whole, whole, 2, 1)
                        : __real_helix_parallel_for_begin(do_whole, whole, 1, 0);
}
