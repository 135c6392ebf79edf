/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Picture layouts as hostile guests would choose them, and the pool's reuse and ceiling. */
#include <string.h>
#include "cases.h"
#include "protocol/error.h"
#include "frame/surface.h"

TEST("/surface/sizes", test_sizes)
{
    guint32 min;

    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_XR24, 3, 2, 12, &min), ==, 24);
    g_assert_cmpuint(min, ==, 12);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_XR24, 3, 2, 11, &min), ==, 0);
    g_assert_cmpuint(min, ==, 12);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_NV12, 5, 3, 8, &min), ==, 8 * 4 + 8 * 2);
    g_assert_cmpuint(min, ==, 6);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_NV12, 5, 3, 5, NULL), ==, 0);
    g_assert_cmpuint(helix_picture_size(HELIX_FOURCC('Y', 'U', '1', '2'), 4, 4, 64, NULL), ==, 0);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_AR24, 0, 4, 64, NULL), ==, 0);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_AR24, 4, 0, 64, NULL), ==, 0);
}

TEST("/surface/overflow", test_overflow)
{
    guint32 min = 1;

    /* 2^30 pixels make rows of 2^32 bytes: no 32-bit stride can hold them, and a 32-bit product would be 0. */
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_AR24, 1u << 30, 1, G_MAXUINT32, &min), ==, 0);
    g_assert_cmpuint(min, ==, 0);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_AR24, 16384, 65536, 65536, NULL), ==, (gsize)65536 * 65536);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_NV12, G_MAXUINT32, 2, G_MAXUINT32, NULL), ==, 0);
    g_assert_cmpuint(helix_picture_size(HELIX_FORMAT_NV12, 2, G_MAXUINT32, G_MAXUINT32, NULL), <=, G_MAXSSIZE);
}

TEST("/surface/pool/reuses", test_pool_reuses)
{
    HelixSurfacePool *pool = helix_surface_pool_new(2);
    HelixSurface *a = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 33, 7, NULL);
    guint8 *memory;

    g_assert_nonnull(a);
    g_assert_cmpuint(a->stride[0], ==, 192);
    g_assert_cmpuint(a->size, ==, 192 * 7);
    g_assert_cmpuint((gsize)a->data % 64, ==, 0);
    memset(a->data, 1, a->size);
    memory = a->data;
    helix_surface_unref(a);
    a = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 33, 7, NULL);
    g_assert_true(a->data == memory);
    g_assert_cmpuint(a->cpu_bytes, ==, 0);
    helix_surface_pool_unref(pool);
    memset(a->data, 2, a->size); /* a surface outlives its pool */
    helix_surface_unref(a);
}

TEST("/surface/pool/planes", test_pool_planes)
{
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    g_autoptr(HelixSurface) a = helix_surface_pool_take(pool, HELIX_FORMAT_NV12, 65, 5, NULL);

    g_assert_cmpuint(a->n_planes, ==, 2);
    g_assert_cmpuint(a->stride[0], ==, 128);
    g_assert_cmpuint(a->stride[1], ==, 128);
    g_assert_cmpuint(a->offset[1], ==, 128 * 6);
    g_assert_cmpuint(a->size, ==, 128 * 9);
    helix_surface_pool_unref(pool);
}

TEST("/surface/pool/refuses", test_pool_refuses)
{
    HelixSurfacePool *pool = helix_surface_pool_new(2);
    g_autoptr(GError) error = NULL;
    HelixSurface *a, *b;

    g_assert_null(helix_surface_pool_take(pool, 0, 4, 4, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
    g_clear_error(&error);
    g_assert_null(helix_surface_pool_take(pool, HELIX_FORMAT_AR24, G_MAXUINT32, 4, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
    g_clear_error(&error);

    helix_surface_pool_set_limit(pool, 2 * 64 * 64 * 4);
    a = helix_surface_pool_take(pool, HELIX_FORMAT_AR24, 64, 64, NULL);
    b = helix_surface_pool_take(pool, HELIX_FORMAT_AR24, 64, 64, NULL);
    g_assert_nonnull(a);
    g_assert_nonnull(b);
    g_assert_null(helix_surface_pool_take(pool, HELIX_FORMAT_AR24, 1, 1, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    helix_surface_unref(a);
    /* The idle one gives way to another size. */
    a = helix_surface_pool_take(pool, HELIX_FORMAT_AR24, 32, 32, NULL);
    g_assert_nonnull(a);
    helix_surface_unref(a);
    helix_surface_unref(b);
    helix_surface_pool_unref(pool);
}

/* Memory that is not the pool's counts with its own, and keeps the pool. */
TEST("/surface/pool/charged", test_pool_charged)
{
    HelixSurfacePool *pool = helix_surface_pool_new(1);
    g_autoptr(GError) error = NULL;
    HelixSurface *surface;

    helix_surface_pool_set_limit(pool, 2 * 64 * 64 * 4);
    surface = helix_surface_pool_take(pool, HELIX_FORMAT_AR24, 64, 64, NULL);
    g_assert_nonnull(surface);
    g_assert_true(helix_surface_pool_charge(pool, 64 * 64 * 4, NULL));
    g_assert_false(helix_surface_pool_charge(pool, 1, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    helix_surface_unref(surface);
    g_assert_true(helix_surface_pool_charge(pool, 1, NULL)); /* the idle one gives way */
    g_assert_cmpuint(helix_surface_pool_bytes(pool), ==, 64 * 64 * 4 + 1);
    helix_surface_pool_uncharge(pool, 64 * 64 * 4);
    helix_surface_pool_unref(pool);
    g_assert_cmpuint(helix_surface_pool_bytes(pool), ==, 1);
    helix_surface_pool_uncharge(pool, 1);
}
