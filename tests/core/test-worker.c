/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-worker.c - encoder threads that end: the main loop joins none of them, whatever the scheduler does, and none is
 * left.
 *
 * The linker puts a function of the test's in the place of g_thread_join(), which counts who called it.
 */
#include <string.h>

#include "cases.h"
#include "encode/encode-pool.h"
#include "encode/encode-thread.h"
#include "resources.h"
#include "scripted.h"

#define N_WORKERS 8u

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

/* The loop until @crew has @size threads. */
static void wait_for_size(const HelixEncodePool *crew, guint size)
{
    while (helix_encode_pool_size(crew) > size) {
        g_main_context_iteration(NULL, TRUE);
    }
}

/* Streams that come and go: each thread joins the one that ended before it, and the crew's end the last. */
static void run(gboolean one_hangs)
{
    const HelixEncoderClass *klass = scripted_wrap(&helix_encoder_null);
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 64, 64, NULL);
    HelixEncodeThread *workers[N_WORKERS], *hanging = NULL;
    HelixEncodePool *crew = helix_encode_pool_new(NULL);
    guint answers = 0;

    memset(surface->data, 0, surface->size);
    joined_by_loop = joined_by_threads = 0;
    loop_thread = g_thread_self();
    if (one_hangs) {
        scripted_hold(TRUE);
        hanging = helix_encode_thread_new(crew, klass, FALSE, on_done, &answers, NULL);
        helix_encode_thread_encode(hanging, surface, 0, FALSE, NULL);
        g_assert_true(scripted_wait_begun(1));
        helix_encode_thread_retire(hanging);
    }
    for (guint i = 0; i < N_WORKERS; i++) {
        workers[i] = helix_encode_thread_new(crew, klass, FALSE, on_done, &answers, NULL);
        g_assert_nonnull(workers[i]);
        if (!one_hangs) {
            helix_encode_thread_encode(workers[i], surface, 0, FALSE, NULL);
        }
    }
    while (!one_hangs && answers < N_WORKERS) {
        g_main_context_iteration(NULL, TRUE);
    }
    for (guint i = 0; i < N_WORKERS; i++) {
        helix_encode_thread_retire(workers[i]);
    }
    wait_for_size(crew, one_hangs);
    g_assert_cmpuint(g_atomic_int_get(&joined_by_threads), ==, N_WORKERS - 1);
    if (one_hangs) {
        scripted_hold(FALSE);
        wait_for_size(crew, 0);
        g_assert_cmpuint(g_atomic_int_get(&joined_by_threads), ==, N_WORKERS);
    }
    g_assert_cmpuint(joined_by_loop, ==, 0);
    helix_encode_pool_free(crew);
    g_assert_cmpuint(joined_by_loop, ==, 1);
    loop_thread = NULL;
    helix_surface_unref(surface);
    helix_surface_pool_unref(pool);
}

TEST("/worker/ends", test_ends)
{
    Resources before = resources_now();

    run(FALSE);
    resources_expect(&before);
}

/* One that hangs in its encoder keeps none of the others. */
TEST("/worker/hangs", test_hangs)
{
    Resources before = resources_now();

    run(TRUE);
    resources_expect(&before);
}

/* A crew that is freed with its workers at work waits for all of them, by itself. */
TEST("/worker/freed", test_freed)
{
    Resources before = resources_now();
    HelixEncodePool *crew = helix_encode_pool_new(NULL);
    guint answers = 0;

    for (guint i = 0; i < N_WORKERS; i++) {
        g_assert_nonnull(helix_encode_thread_new(crew, &helix_encoder_null, FALSE, on_done, &answers, NULL));
    }
    helix_encode_pool_free(crew);
    crew = helix_encode_pool_new(NULL); /* without a worker at all */
    helix_encode_pool_free(crew);
    resources_expect(&before);
}
