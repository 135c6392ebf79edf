/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-encode-thread.c - encoder threads that end: the main loop joins none of them, whatever the scheduler does, and
 * none is left.
 *
 * The linker puts a function of the test's in the place of g_thread_join(), which counts its callers.
 */
#include <string.h>

#include "cases.h"
#include "encode/encode-pool.h"
#include "encode/encode-thread.h"
#include "resources.h"
#include "scripted.h"

#define N_THREADS 8u

static GThread *loop_thread;
static guint joined_by_loop, joined_by_threads; /* atomic */

gpointer __real_g_thread_join(GThread *thread);
gpointer __wrap_g_thread_join(GThread *thread);

gpointer __wrap_g_thread_join(GThread *thread)
{
    if (loop_thread) {
        g_atomic_int_inc(g_thread_self() == loop_thread ? &joined_by_loop : &joined_by_threads);
    }
    return __real_g_thread_join(thread);
}

static void on_done(gpointer owner, gpointer tag, HelixEncodeResult *result)
{
    g_assert_no_error(result->error);
    (*(guint *)owner)++;
}

/* The loop until @encode_pool has @size threads. */
static void wait_for_size(const HelixEncodePool *encode_pool, guint size)
{
    while (helix_encode_pool_size(encode_pool) > size) {
        g_main_context_iteration(NULL, TRUE);
    }
}

/* Streams that come and go: each thread joins the one that ended before it, and the pool's end the last. */
static void run(gboolean one_hangs)
{
    const HelixEncoderClass *klass = scripted_wrap(&helix_encoder_null);
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 64, 64, NULL);
    HelixEncodeThread *threads[N_THREADS], *hanging = NULL;
    HelixEncodePool *encode_pool = helix_encode_pool_new(NULL);
    guint answers = 0;

    memset(surface->data, 0, surface->size);
    joined_by_loop = joined_by_threads = 0;
    loop_thread = g_thread_self();
    if (one_hangs) {
        scripted_hold(TRUE);
        hanging = helix_encode_thread_new(encode_pool, klass, FALSE, on_done, &answers, NULL);
        helix_encode_thread_encode(hanging, surface, 0, FALSE, NULL);
        g_assert_true(scripted_wait_begun(1));
        helix_encode_thread_retire(hanging);
    }
    for (guint i = 0; i < N_THREADS; i++) {
        threads[i] = helix_encode_thread_new(encode_pool, klass, FALSE, on_done, &answers, NULL);
        g_assert_nonnull(threads[i]);
        if (!one_hangs) {
            helix_encode_thread_encode(threads[i], surface, 0, FALSE, NULL);
        }
    }
    while (!one_hangs && answers < N_THREADS) {
        g_main_context_iteration(NULL, TRUE);
    }
    for (guint i = 0; i < N_THREADS; i++) {
        helix_encode_thread_retire(threads[i]);
    }
    wait_for_size(encode_pool, one_hangs);
    g_assert_cmpuint(g_atomic_int_get(&joined_by_threads), ==, N_THREADS - 1);
    if (one_hangs) {
        scripted_hold(FALSE);
        wait_for_size(encode_pool, 0);
        g_assert_cmpuint(g_atomic_int_get(&joined_by_threads), ==, N_THREADS);
    }
    g_assert_cmpuint(joined_by_loop, ==, 0);
    helix_encode_pool_free(encode_pool);
    g_assert_cmpuint(joined_by_loop, ==, 1);
    loop_thread = NULL;
    helix_surface_unref(surface);
    helix_surface_pool_unref(pool);
}

TEST("/encode-thread/ends", test_ends)
{
    Resources before = resources_now();

    run(FALSE);
    resources_expect(&before);
}

/* One that hangs in its encoder keeps none of the others. */
TEST("/encode-thread/hangs", test_hangs)
{
    Resources before = resources_now();

    run(TRUE);
    resources_expect(&before);
}

/* A pool that is freed with its threads at work waits for all of them, by itself. */
TEST("/encode-thread/freed", test_freed)
{
    Resources before = resources_now();
    HelixEncodePool *encode_pool = helix_encode_pool_new(NULL);
    guint answers = 0;

    for (guint i = 0; i < N_THREADS; i++) {
        g_assert_nonnull(helix_encode_thread_new(encode_pool, &helix_encoder_null, FALSE, on_done, &answers, NULL));
    }
    helix_encode_pool_free(encode_pool);
    encode_pool = helix_encode_pool_new(NULL); /* without a thread at all */
    helix_encode_pool_free(encode_pool);
    resources_expect(&before);
}
