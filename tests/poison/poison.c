/* SPDX-License-Identifier: GPL-2.0-or-later */
/* poison.c - see poison.h. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "poison.h"

#define N_RUNS 2

struct PoisonSeen {
    GArray *sums; /* a guint64 for each thing seen */
};

static const int numbers[N_RUNS] = { 0x35, 0xca };
static int poison = -1; /* of the run under way; -1: none */

void __wrap_helix_surface_unref(HelixSurface *surface);
void __real_helix_surface_unref(HelixSurface *surface);

/* The last reference goes: a pool may keep the memory for another picture. A snapshot's parts have none of their own.
 */
void __wrap_helix_surface_unref(HelixSurface *surface)
{
    if (surface && poison >= 0 && surface->kind == HELIX_SURFACE_MEMORY && surface->path != HELIX_HOST_PATH_SNAPSHOT &&
        g_atomic_ref_count_compare(&surface->refs, 1)) {
        memset(surface->data, numbers[poison], surface->size);
    }
    __real_helix_surface_unref(surface);
}

guint8 poison_number(void)
{
    return (guint8)numbers[poison];
}

static GArray *run_with(int n, void (*run)(PoisonSeen *seen, gconstpointer data), gconstpointer data)
{
    PoisonSeen seen = { g_array_new(FALSE, FALSE, sizeof(guint64)) };

    poison = n;
    g_assert_cmpint(mallopt(M_PERTURB, numbers[n]), ==, 1);
    run(&seen, data);
    g_assert_cmpint(mallopt(M_PERTURB, 0), ==, 1);
    poison = -1;
    return seen.sums;
}

static gboolean same(const GArray *a, const GArray *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len * sizeof(guint64)) == 0;
}

void poison_compare(const char *what, void (*run)(PoisonSeen *seen, gconstpointer data), gconstpointer data)
{
    g_autoptr(GArray) first = run_with(0, run, data), second = run_with(1, run, data);

    g_assert_cmpuint(first->len, >, 0);
    if (!same(first, second)) {
        g_error("%s: what was made depends on memory that nobody wrote", what);
    }
}

/* FNV-1a over bytes. */
void poison_see(PoisonSeen *seen, gconstpointer bytes, gsize size)
{
    const guint8 *byte = bytes;
    guint64 sum = G_GUINT64_CONSTANT(0xcbf29ce484222325);

    for (gsize i = 0; i < size; i++) {
        sum = (sum ^ byte[i]) * G_GUINT64_CONSTANT(0x100000001b3);
    }
    g_array_append_val(seen->sums, sum);
}

void poison_see_surface(PoisonSeen *seen, const HelixSurface *surface)
{
    g_assert_cmpint(surface->kind, ==, HELIX_SURFACE_MEMORY);
    poison_see(seen, surface->data, surface->size);
}

void poison_see_error(PoisonSeen *seen, const GError *error)
{
    poison_see(seen, &error->code, sizeof error->code);
}

/* ---- of the test itself ---- */

static void look_at_malloc(PoisonSeen *seen, gconstpointer data)
{
    void *(*volatile get)(size_t size) = malloc; /* compilers warn of what is meant here */
    gsize size = *(const gsize *)data;
    gpointer bytes = get(size);

    poison_see(seen, bytes, size);
    free(bytes);
}

static void look_at_new_surface(PoisonSeen *seen, gconstpointer data)
{
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 64, 64, NULL);

    poison_see_surface(seen, surface);
    helix_surface_unref(surface);
    helix_surface_pool_unref(pool);
}

static void look_at_used_surface(PoisonSeen *seen, gconstpointer data)
{
    HelixSurfacePool *pool = helix_surface_pool_new(1);
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 64, 64, NULL);
    guint8 *memory = surface->data;

    memset(memory, 0, surface->size);
    helix_surface_unref(surface);
    surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 64, 64, NULL);
    g_assert_true(surface->data == memory);
    poison_see_surface(seen, surface);
    helix_surface_unref(surface);
    helix_surface_pool_unref(pool);
}

static void must_differ(const char *what, void (*run)(PoisonSeen *seen, gconstpointer data), gconstpointer data)
{
    g_autoptr(GArray) first = run_with(0, run, data), second = run_with(1, run, data);

    if (same(first, second)) {
        g_error("%s that nobody wrote is not found: the other tests would show nothing", what);
    }
}

void poison_test_itself(void)
{
    must_differ("memory of 48 bytes", look_at_malloc, &(gsize){ 48 });
    must_differ("memory of a megabyte", look_at_malloc, &(gsize){ 1 << 20 });
    must_differ("a new surface", look_at_new_surface, NULL);
    must_differ("a used surface", look_at_used_surface, NULL);
}
