/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pre-convert.c - pictures for an encoder that takes NV12: converted, the next one while the encoder has one, and
 * counted as memory of the encoder.
 *
 * The linker replaces helix_pre_convert_begin() by a function that counts the calls of each thread.
 */
#include <string.h>

#include "cases.h"
#include "encode/pre-convert.h"
#include "encode/convert-rgb.h"
#include "protocol/error.h"
#include "encode/encode-pool.h"
#include "encode/encode-thread.h"

#define WIDTH 1280u
#define HEIGHT 720u
#define NV12_BYTES (WIDTH * HEIGHT * 3 / 2)

static GThread *loop_thread;
static guint begun_by_loop, begun_by_thread; /* atomic */

/* The encode thread can be held, in its own conversion or in the encoder. */
static GMutex lock;
static GCond changed;
static gboolean hold_conversion, hold, inside, closed;

static void stay(const gboolean *while_it)
{
    g_mutex_lock(&lock);
    inside = TRUE;
    g_cond_broadcast(&changed);
    while (*while_it) {
        g_cond_wait(&changed, &lock);
    }
    inside = FALSE;
    g_mutex_unlock(&lock);
}

static void set_flag(gboolean *what, gboolean on)
{
    g_mutex_lock(&lock);
    *what = on;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

static void wait_until(const gboolean *what)
{
    g_mutex_lock(&lock);
    while (!*what) {
        g_cond_wait(&changed, &lock);
    }
    g_mutex_unlock(&lock);
}

static void (*before_loop_begins)(HelixSurfacePool *pool); /* NULL, or the test's */

HelixPreConvert *__real_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers);
HelixPreConvert *__wrap_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers);

HelixPreConvert *__wrap_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers)
{
    HelixPreConvert *conversion;

    if (before_loop_begins && g_thread_self() == loop_thread) {
        before_loop_begins(pool);
    }
    conversion = __real_helix_pre_convert_begin(surface, width, height, pool, helpers);
    if (conversion && g_thread_self() == loop_thread) {
        g_atomic_int_inc(&begun_by_loop);
    } else if (conversion) {
        g_atomic_int_inc(&begun_by_thread);
        stay(&hold_conversion);
    }
    return conversion;
}

/* ---- an encoder that keeps its pictures ---- */

static gboolean fail; /* and do not encode */
static guint32 seen_fourcc;
static guint8 seen[NV12_BYTES];

static HelixEncoder *test_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error);

static gboolean test_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    return FALSE;
}

static gboolean test_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                            GError **error)
{
    stay(&hold);
    if (fail) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "asked to fail");
        return FALSE;
    }
    g_mutex_lock(&lock);
    seen_fourcc = surface->fourcc;
    for (guint y = 0; surface->fourcc == HELIX_FORMAT_NV12 && y < HEIGHT * 3 / 2; y++) {
        guint plane = y >= HEIGHT;

        memcpy(seen + y * WIDTH,
               surface->data + surface->offset[plane] + (gsize)(y - plane * HEIGHT) * surface->stride[plane], WIDTH);
    }
    g_mutex_unlock(&lock);
    unit->data = g_bytes_new_static("\0\0\0\1\x65", 5);
    unit->keyframe = TRUE;
    return TRUE;
}

static void test_close(HelixEncoder *encoder)
{
    g_free(encoder);
    set_flag(&closed, TRUE);
}

static const HelixEncoderClass test_class = {
    .name = "test",
    .surface_kinds = 1u << HELIX_SURFACE_MEMORY,
    .wants_nv12 = TRUE,
    .open = test_open,
    .reconfigure = test_reconfigure,
    .encode = test_encode,
    .close = test_close,
};

static HelixEncoder *test_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    HelixEncoder *encoder = g_new0(HelixEncoder, 1);

    encoder->klass = &test_class;
    return encoder;
}

/* ---- pictures ---- */

static HelixSurface *picture(HelixSurfacePool *pool, guint32 width, guint32 height, guint n)
{
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, width, height, NULL);

    for (gsize i = 0; i < surface->size; i++) {
        surface->data[i] = (guint8)(i * 31 + (i >> 12) * 7 + n * 101);
    }
    return surface;
}

static void assert_seen(const HelixSurface *surface)
{
    g_autofree guint8 *wanted = g_malloc(NV12_BYTES);
    HelixRgbPicture rgb = { .pixels = surface->data, .stride = surface->stride[0], .width = WIDTH, .height = HEIGHT };

    helix_convert_rgb(&rgb, wanted, wanted + WIDTH * HEIGHT, WIDTH);
    g_assert_cmphex(seen_fourcc, ==, HELIX_FORMAT_NV12);
    g_assert_cmpmem(seen, sizeof seen, wanted, NV12_BYTES);
}

/* ---- the thread ---- */

typedef struct World {
    HelixEncodePool *encode_pool;
    HelixEncodeThread *thread;
    HelixSurfacePool *pool;
    guint done;
    guint64 cpu_bytes; /* of the last picture */
    guint refused;     /* pictures */
} World;

static void on_done(gpointer owner, gpointer tag, HelixEncodeResult *result)
{
    World *world = owner;

    if (result->error) {
        g_assert_error(result->error, HELIX_ERROR, HELIX_CODE_INTERNAL);
        world->refused++;
    }
    world->cpu_bytes = result->unit.cpu_bytes;
    world->done++;
}

static void world_begin(World *world)
{
    GError *error = NULL;

    *world = (World){ .encode_pool = helix_encode_pool_new(NULL), .pool = helix_surface_pool_new(0) };
    world->thread = helix_encode_thread_new(world->encode_pool, &test_class, FALSE, on_done, world, &error);
    g_assert_no_error(error);
    begun_by_loop = begun_by_thread = 0;
    hold = hold_conversion = closed = fail = FALSE;
    loop_thread = g_thread_self();
}

static void encode(World *world, HelixSurface *surface)
{
    helix_encode_thread_encode(world->thread, surface, 0, FALSE, NULL);
}

static void wait_for(World *world, guint done)
{
    while (world->done < done) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void world_end(World *world)
{
    g_assert_cmpuint(world->refused, ==, 0);
    helix_encode_pool_free(world->encode_pool);
    g_assert_cmpuint(helix_surface_pool_bytes(world->pool), ==, 0);
    helix_surface_pool_unref(world->pool);
}

static gboolean can_run(void)
{
    if (!helix_convert_rgb_available()) {
        g_test_skip("this processor has no vector code for it");
        return FALSE;
    }
    return TRUE;
}

TEST("/pre-convert/idle", test_idle)
{
    HelixSurface *surface;
    World world;

    if (!can_run()) {
        return;
    }
    world_begin(&world);
    surface = picture(world.pool, WIDTH, HEIGHT, 1);
    encode(&world, surface);
    wait_for(&world, 1);
    assert_seen(surface);
    g_assert_cmpuint(world.cpu_bytes, ==, WIDTH * HEIGHT * 4 + NV12_BYTES);
    g_assert_cmpuint(begun_by_loop, ==, 0);
    g_assert_cmpuint(g_atomic_int_get(&begun_by_thread), ==, 1);
    helix_surface_unref(surface);
    world_end(&world);
}

/* The conversion of the second picture begins while the first is encoded, that of the third when its encode begins. */
TEST("/pre-convert/busy", test_busy)
{
    HelixSurface *surface[3];
    World world;

    if (!can_run()) {
        return;
    }
    world_begin(&world);
    for (guint i = 0; i < G_N_ELEMENTS(surface); i++) {
        surface[i] = picture(world.pool, WIDTH, HEIGHT, i);
    }
    set_flag(&hold, TRUE);
    encode(&world, surface[0]);
    wait_until(&inside);
    encode(&world, surface[1]);
    g_assert_cmpuint(begun_by_loop, ==, 1);
    encode(&world, surface[2]);
    g_assert_cmpuint(begun_by_loop, ==, 1);
    set_flag(&hold, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(surface); i++) {
        wait_for(&world, i + 1);
        g_assert_cmpuint(world.cpu_bytes, ==, WIDTH * HEIGHT * 4 + NV12_BYTES);
    }
    assert_seen(surface[2]);
    g_assert_cmpuint(g_atomic_int_get(&begun_by_thread), ==, 2);

    /* While the one before is itself still converted. */
    set_flag(&hold_conversion, TRUE);
    encode(&world, surface[0]);
    wait_until(&inside);
    encode(&world, surface[1]);
    g_assert_cmpuint(begun_by_loop, ==, 2);
    set_flag(&hold_conversion, FALSE);
    wait_for(&world, 5);
    assert_seen(surface[1]);
    for (guint i = 0; i < G_N_ELEMENTS(surface); i++) {
        helix_surface_unref(surface[i]);
    }
    world_end(&world);
}

/* A conversion begun for a stream that ends is finished, and its memory freed. */
TEST("/pre-convert/retired", test_retired)
{
    HelixSurface *surface[2];
    World world;

    if (!can_run()) {
        return;
    }
    world_begin(&world);
    for (guint i = 0; i < G_N_ELEMENTS(surface); i++) {
        surface[i] = picture(world.pool, WIDTH, HEIGHT, i);
    }
    set_flag(&hold, TRUE);
    encode(&world, surface[0]);
    wait_until(&inside);
    encode(&world, surface[1]);
    g_assert_cmpuint(begun_by_loop, ==, 1);
    helix_surface_unref(surface[0]);
    helix_surface_unref(surface[1]);
    helix_encode_thread_retire(world.thread);
    set_flag(&hold, FALSE);
    world_end(&world);
    g_assert_cmpuint(world.done, ==, 0);
}

/* A picture that is small or must be scaled is not converted in advance. */
TEST("/pre-convert/other", test_other)
{
    HelixConfigRequest scaled = { .config = { .width = WIDTH / 2, .height = HEIGHT / 2, .realtime = 1 } };
    HelixSurface *small, *large;
    World world;

    world_begin(&world);
    small = picture(world.pool, 320, 240, 0);
    large = picture(world.pool, WIDTH, HEIGHT, 0);
    encode(&world, small);
    wait_for(&world, 1);
    g_assert_cmphex(seen_fourcc, ==, HELIX_FORMAT_XR24);
    helix_encode_thread_configure(world.thread, &scaled, NULL);
    encode(&world, large);
    wait_for(&world, 3);
    g_assert_cmphex(seen_fourcc, ==, HELIX_FORMAT_XR24);
    g_assert_cmpuint(world.cpu_bytes, ==, 0);
    helix_surface_unref(small);
    helix_surface_unref(large);
    world_end(&world);
}

/* The memory of NV12 pictures counts as the encoder's, their rows padded to 64 bytes. */
TEST("/pre-convert/counted", test_counted)
{
    const guint64 bytes = (guint64)(WIDTH + 64) * HEIGHT * 3;
    HelixSurface *surface;
    World world;

    world_begin(&world);
    surface = picture(world.pool, WIDTH + 2, HEIGHT, 1);
    helix_encode_pool_set_limit(world.encode_pool, bytes - 1);
    encode(&world, surface);
    wait_for(&world, 1);
    g_assert_cmpuint(world.refused, ==, 1);
    world.refused = 0;
    helix_encode_pool_set_limit(world.encode_pool, bytes);
    encode(&world, surface);
    wait_for(&world, 2);
    helix_surface_unref(surface);
    world_end(&world);
}

static HelixSurfacePool *converted;
static HelixEncodePool *closing;

static void note_pool(HelixSurfacePool *pool)
{
    converted = pool;
}

/* One is encoded while one is converted, again and again: the memory of both is kept, and none is allocated after the
 * first two. */
TEST("/pre-convert/kept", test_kept)
{
    HelixSurface *surface[2];
    World world;

    if (!can_run()) {
        return;
    }
    world_begin(&world);
    for (guint i = 0; i < G_N_ELEMENTS(surface); i++) {
        surface[i] = picture(world.pool, WIDTH, HEIGHT, i);
    }
    before_loop_begins = note_pool;
    for (guint round = 0; round < 10; round++) {
        set_flag(&hold, TRUE);
        encode(&world, surface[0]);
        wait_until(&inside);
        encode(&world, surface[1]);
        g_assert_cmpuint(begun_by_loop, ==, round + 1);
        set_flag(&hold, FALSE);
        wait_for(&world, 2 * (round + 1));
        g_assert_cmpuint(helix_surface_pool_bytes(converted), ==, 2 * NV12_BYTES);
    }
    before_loop_begins = NULL;
    helix_surface_unref(surface[0]);
    helix_surface_unref(surface[1]);
    world_end(&world);
}

/* The encoder fails and closes just when the loop has seen that it is at work, and there is no room for another. */
static void close_it(HelixSurfacePool *pool)
{
    converted = pool;
    set_flag(&hold, FALSE);
    wait_until(&closed);
    helix_encode_pool_set_limit(closing, 1);
}

/* Memory that is counted no longer is freed. */
TEST("/pre-convert/closed", test_closed)
{
    HelixSurface *surface;
    World world;

    if (!can_run()) {
        return;
    }
    world_begin(&world);
    surface = picture(world.pool, WIDTH, HEIGHT, 1);
    fail = TRUE;
    set_flag(&hold, TRUE);
    encode(&world, surface);
    wait_until(&inside);
    before_loop_begins = close_it;
    closing = world.encode_pool;
    encode(&world, surface);
    before_loop_begins = NULL;
    g_assert_cmpuint(begun_by_loop, ==, 1);
    wait_for(&world, 2);
    g_assert_cmpuint(world.refused, ==, 2);
    world.refused = 0;
    g_assert_cmpuint(helix_surface_pool_bytes(converted), ==, 0);
    helix_surface_unref(surface);
    world_end(&world);
}
