/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-free.c - pictures' memory comes and goes without the pool's lock, and what the main loop's thread lets go is
 * freed in pieces, no more in a turn than its budget allows. Bytes are counted, and the clock is the test's.
 *
 * The linker puts the functions below in the place of the C library's (--wrap), in the core's own objects.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "protocol/error.h"
#include "stream/host-private.h"
#include "loop/loop-budget.h"
#include "fake-capture.h"
#include "fake-channel.h"
#include "resources.h"

#define WIDTH 8192u
#define HEIGHT 1024u
#define BYTES ((gsize)WIDTH * HEIGHT * 4) /* 32 MiB: eight pieces */
#define PIECES (BYTES / HELIX_SURFACE_PIECE)
#define HANG_SECONDS 60

/* ---- what is counted ---- */

typedef struct Block {
    guint8 *data;
    gsize present;
} Block;

static GMutex lock; /* of what follows */
static Block blocks[64];
static gsize freed; /* bytes that were present, since somebody looked */
static guint allocated;
static GThread *patient_thread; /* frees none of them; NULL: any thread may */

static GMutex watch_lock;         /* of what follows: other threads free memory too */
static HelixSurfacePool *watched; /* its lock is free whenever memory comes or goes */

int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
int __real_madvise(void *from, size_t size, int advice);
int __wrap_madvise(void *from, size_t size, int advice);
void __real_free(void *memory);
void __wrap_free(void *memory);

/* It hangs if this thread holds the lock, until the alarm. */
static void must_be_unlocked(void)
{
    g_mutex_lock(&watch_lock);
    if (watched) {
        helix_surface_pool_bytes(watched);
    }
    g_mutex_unlock(&watch_lock);
}

static void watch(HelixSurfacePool *pool)
{
    g_mutex_lock(&watch_lock);
    watched = pool;
    g_mutex_unlock(&watch_lock);
}

static void set_patient_thread(GThread *thread)
{
    g_mutex_lock(&lock);
    patient_thread = thread;
    g_mutex_unlock(&lock);
}

static Block *find_block(const guint8 *data, gboolean begin)
{
    for (guint i = 0; i < G_N_ELEMENTS(blocks); i++) {
        if (blocks[i].data &&
            (begin ? blocks[i].data == data : data >= blocks[i].data && data < blocks[i].data + BYTES)) {
            return &blocks[i];
        }
    }
    return NULL;
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    int result = __real_posix_memalign(memory, alignment, size);

    if (size == BYTES && result == 0) {
        must_be_unlocked();
        g_mutex_lock(&lock);
        for (guint i = 0; i < G_N_ELEMENTS(blocks); i++) {
            if (!blocks[i].data) {
                blocks[i] = (Block){ *memory, size };
                break;
            }
        }
        allocated++;
        g_mutex_unlock(&lock);
    }
    return result;
}

int __wrap_madvise(void *from, size_t size, int advice)
{
    Block *block;

    must_be_unlocked();
    g_assert_cmpint(advice, ==, MADV_DONTNEED);
    g_mutex_lock(&lock);
    block = find_block(from, FALSE);
    g_assert_true(block && (guint8 *)from + size <= block->data + BYTES);
    block->present -= size;
    freed += size;
    g_mutex_unlock(&lock);
    return __real_madvise(from, size, advice);
}

void __wrap_free(void *memory)
{
    Block *block;

    g_mutex_lock(&lock);
    block = memory ? find_block(memory, TRUE) : NULL;
    if (block) {
        g_assert_true(!patient_thread || g_thread_self() != patient_thread);
        freed += block->present;
        *block = (Block){ NULL, 0 };
    }
    g_mutex_unlock(&lock);
    if (block) {
        must_be_unlocked();
    }
    __real_free(memory);
}

static gsize freed_since(void)
{
    gsize bytes;

    g_mutex_lock(&lock);
    bytes = freed;
    freed = 0;
    g_mutex_unlock(&lock);
    return bytes;
}

/* ---- the pool ---- */

static HelixSurface *take(void)
{
    HelixSurface *surface = helix_surface_pool_take(watched, HELIX_FORMAT_XR24, WIDTH, HEIGHT, NULL);

    g_assert_nonnull(surface);
    return surface;
}

static void count_given(gpointer data)
{
    must_be_unlocked();
    ++*(guint *)data;
}

static void begin(guint keep)
{
    watch(helix_surface_pool_new(keep));
    freed_since();
    allocated = 0;
}

/* What was given up last a thread may free. */
static void wait_until_free(void)
{
    gboolean all = FALSE;

    while (!all) {
        g_thread_yield();
        all = TRUE;
        g_mutex_lock(&lock);
        for (guint i = 0; i < G_N_ELEMENTS(blocks); i++) {
            all = all && !blocks[i].data;
        }
        g_mutex_unlock(&lock);
    }
}

static void end(void)
{
    HelixSurfacePool *pool = watched;

    watch(NULL);
    helix_surface_pool_unref(pool);
    wait_until_free();
}

/* No thread is patient: what is let go is freed at once, but not under the lock. */
TEST("/free/at-once", test_at_once)
{
    HelixSurface *a, *b;

    begin(1);
    a = take();
    b = take();
    helix_surface_unref(a);
    g_assert_cmpuint(freed_since(), ==, 0);
    helix_surface_unref(b);
    g_assert_cmpuint(freed_since(), ==, BYTES);
    helix_surface_pool_trim(watched);
    g_assert_cmpuint(freed_since(), ==, BYTES);
    g_assert_cmpuint(allocated, ==, 2);
    end();
}

/* All that is given up, by piece; whatever else is called meanwhile frees nothing. */
TEST("/free/pieces", test_pieces)
{
    HelixSurface *surfaces[3];
    guint given = 0, n = 0;
    gsize all = 0;

    begin(2);
    helix_surface_pool_free_later(watched, count_given, &given);
    for (guint i = 0; i < G_N_ELEMENTS(surfaces); i++) {
        surfaces[i] = take();
    }
    for (guint i = 0; i < G_N_ELEMENTS(surfaces); i++) {
        helix_surface_unref(surfaces[i]); /* the last one is one too many */
    }
    g_assert_cmpuint(given, ==, 1);
    helix_surface_pool_trim(watched);
    g_assert_cmpuint(given, ==, 2);
    g_assert_cmpuint(helix_surface_pool_bytes(watched), ==, 0);
    g_assert_cmpuint(freed_since(), ==, 0);
    for (gboolean more = TRUE; more; n++) {
        gsize piece;

        more = helix_surface_pool_free_piece(watched);
        piece = freed_since();
        g_assert_cmpuint(piece, >, 0);
        g_assert_cmpuint(piece, <=, HELIX_SURFACE_PIECE + (gsize)sysconf(_SC_PAGESIZE));
        all += piece;
    }
    g_assert_cmpuint(n, ==, 3 * PIECES);
    g_assert_cmpuint(all, ==, 3 * BYTES);
    g_assert_false(helix_surface_pool_free_piece(watched));
    end();
}

static gpointer unref_surface(gpointer surface)
{
    helix_surface_unref(surface);
    return NULL;
}

/* An encoder's thread frees by itself. */
TEST("/free/other-thread", test_other_thread)
{
    guint given = 0;

    begin(0);
    helix_surface_pool_free_later(watched, count_given, &given);
    g_thread_join(g_thread_new("encoder", unref_surface, take()));
    g_assert_cmpuint(freed_since(), ==, BYTES);
    g_assert_cmpuint(given, ==, 0);
    end();
}

/* What was given up makes room at once, but not without end. */
TEST("/free/room", test_room)
{
    g_autoptr(GError) error = NULL;
    guint given = 0;

    begin(2);
    helix_surface_pool_set_limit(watched, BYTES);
    helix_surface_pool_free_later(watched, count_given, &given);
    helix_surface_unref(take());
    /* another size, for which the idle one has to go */
    helix_surface_unref(helix_surface_pool_take(watched, HELIX_FORMAT_XR24, 64, 64, NULL));
    g_assert_cmpuint(given, ==, 1);
    helix_surface_unref(take());
    g_assert_cmpuint(given, ==, 2);
    /* more than the limit waits now */
    g_assert_null(helix_surface_pool_take(watched, HELIX_FORMAT_XR24, 64, 64, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_assert_cmpuint(given, ==, 3);
    g_assert_cmpuint(freed_since(), ==, 0);
    while (helix_surface_pool_free_piece(watched)) {
        continue;
    }
    helix_surface_unref(take());
    end();
}

/* The owner goes before all was freed: the thread that is patient does not do it. */
TEST("/free/owner-gone", test_owner_gone)
{
    HelixSurfacePool *pool;
    guint given = 0;

    begin(2);
    pool = watched;
    helix_surface_pool_free_later(pool, count_given, &given);
    for (guint i = 0; i < 2; i++) {
        HelixSurface *a = take(), *b = take();

        helix_surface_unref(a);
        helix_surface_unref(b);
        if (i == 0) {
            helix_surface_pool_trim(pool); /* two are given up, two are idle */
        }
    }
    watch(NULL);
    set_patient_thread(g_thread_self());
    helix_surface_pool_unref(pool);
    wait_until_free();
    g_assert_cmpuint(freed_since(), ==, 4 * BYTES);
    set_patient_thread(NULL);
}

/* ---- the host ---- */

static gint64 now_ns;

/* Each look at the clock is half a millisecond later. */
static gint64 tick(void)
{
    return now_ns += 500000;
}

/* The last connection ends with pictures of 192 MiB idle: no turn frees more than the looks that its budget has. */
TEST("/free/host", test_host)
{
    const gsize most = (HELIX_LOOP_BUDGET_US / 500 + 2) * HELIX_SURFACE_PIECE;
    HelixHost *host;
    HelixSurface *surfaces[6];
    FakeCapture capture = { 0 };
    gsize all = 0;
    FakeChannel *channel;

    host = helix_host_new(
        &(HelixHostConfig){ .encoder = "null", .resolver = &fake_capture_resolver, .resolver_data = &capture }, NULL);
    g_assert_nonnull(host);
    channel = fake_channel_new(host, 0);
    g_assert_nonnull(channel);
    watch(host->streams.surface_pool);
    for (guint i = 0; i < G_N_ELEMENTS(surfaces); i++) {
        surfaces[i] = take();
    }
    for (guint i = 0; i < G_N_ELEMENTS(surfaces); i++) {
        helix_surface_unref(surfaces[i]);
    }
    helix_loop_next_iteration();
    helix_loop_set_clock(tick);
    freed_since();
    fake_channel_free(channel);
    g_assert_cmpuint(freed_since(), <=, most);
    while (all < G_N_ELEMENTS(surfaces) * BYTES) {
        gsize turn;

        g_main_context_iteration(NULL, FALSE);
        turn = freed_since();
        g_assert_cmpuint(turn, <=, most);
        all += turn;
    }
    g_assert_cmpuint(helix_surface_pool_bytes(host->streams.surface_pool), ==, 0);
    helix_loop_set_clock(NULL);
    watch(NULL);
    helix_host_free(host);
    wait_until_free();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    alarm(HANG_SECONDS);
    test_cases_add();
    return g_test_run();
}
