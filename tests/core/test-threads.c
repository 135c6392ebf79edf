/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's own threads take no signals, and give way to the thread that wakes them: all of them, an encoder's own
 * included. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "encode/parallel-for.h"
#include "loop/threads.h"
#include "encode/encode-pool.h"
#include "encode/encode-thread.h"

/* What a thread is like. */
typedef struct Kind {
    int policy;
    gboolean takes_signals;
} Kind;

static Kind this_kind(void)
{
    sigset_t blocked;

    g_assert_cmpint(pthread_sigmask(SIG_SETMASK, NULL, &blocked), ==, 0);
    return (Kind){ sched_getscheduler(0), !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGUSR1) };
}

static gpointer look(gpointer kind)
{
    *(Kind *)kind = this_kind();
    return NULL;
}

static Kind kind_of_new(void)
{
    Kind kind = { -1, FALSE };

    g_thread_join(g_thread_new("looks", look, &kind));
    return kind;
}

/* A thread made in between is one, and the caller is none after it. */
TEST("/threads/made", test_made)
{
    HelixThreadsBefore before;
    Kind made, own;

    helix_threads_begin(&before, TRUE);
    made = kind_of_new();
    helix_threads_end(&before);
    own = this_kind();
    g_assert_cmpint(made.policy, ==, SCHED_BATCH);
    g_assert_false(made.takes_signals);
    g_assert_cmpint(own.policy, ==, SCHED_OTHER);
    g_assert_true(own.takes_signals);
    g_assert_cmpint(kind_of_new().policy, ==, SCHED_OTHER);

    helix_threads_begin(&before, FALSE);
    made = kind_of_new();
    helix_threads_end(&before);
    g_assert_cmpint(made.policy, ==, SCHED_OTHER);
    g_assert_false(made.takes_signals);
}

static gpointer make_idly(gpointer kinds)
{
    const struct sched_param none = { 0 };
    HelixThreadsBefore before;

    g_assert_cmpint(sched_setscheduler(0, SCHED_IDLE, &none), ==, 0);
    helix_threads_begin(&before, TRUE);
    ((Kind *)kinds)[0] = kind_of_new();
    helix_threads_end(&before);
    ((Kind *)kinds)[1] = this_kind();
    return NULL;
}

/* The user of the program chose another policy. */
TEST("/threads/chosen", test_chosen)
{
    Kind kinds[2];

    g_thread_join(g_thread_new("idle", make_idly, kinds));
    g_assert_cmpint(kinds[0].policy, ==, SCHED_IDLE);
    g_assert_false(kinds[0].takes_signals);
    g_assert_cmpint(kinds[1].policy, ==, SCHED_IDLE);
    g_assert_true(kinds[1].takes_signals);
}

/* ---- all threads ---- */

static void done(gpointer owner, gpointer tag, HelixEncodeResult *result)
{
    g_assert_no_error(result->error);
    (*(guint *)owner)++;
}

static void nothing(gpointer data, guint i)
{
}

/* Is @task like a thread of ours that works for milliseconds, or only takes no signals? */
static gboolean fits(int task, const char *status, gboolean patient)
{
    const char *blocked = strstr(status, "SigBlk:");
    guint64 mask = blocked ? g_ascii_strtoull(blocked + strlen("SigBlk:"), NULL, 16) : 0;
    int policy = sched_getscheduler(task);

    return policy == (patient ? SCHED_BATCH : SCHED_OTHER) && (mask & (1u << (SIGTERM - 1)));
}

/* Threads of ours there are, by their names; @fit says whether all are as they should be. */
static guint look_at_tasks(gboolean coding, gboolean *fit)
{
    GDir *tasks = g_dir_open("/proc/self/task", 0, NULL);
    const char *name;
    guint count = 0;

    g_assert_nonnull(tasks);
    *fit = TRUE;
    while ((name = g_dir_read_name(tasks))) {
        g_autofree char *path = g_strdup_printf("/proc/self/task/%s/status", name), *status = NULL;
        gboolean encoder;

        if (!g_file_get_contents(path, &status, NULL, NULL)) {
            continue;
        }
        encoder = g_str_has_prefix(status, "Name:\thelix-encoder\n");
        if (encoder || g_str_has_prefix(status, "Name:\tpool-")) {
            *fit = *fit && fits(atoi(name), status, coding || !encoder);
            count++;
        }
    }
    g_dir_close(tasks);
    return count;
}

/* Threads that were joined are seen for a moment more, and those just made have no name yet. */
static void check_tasks(gboolean coding, guint least)
{
    gboolean fit;

    while (look_at_tasks(coding, &fit) < least || !fit) {
        g_usleep(1000); /* the test's timeout is the limit */
    }
}

static void check_all(const HelixEncoderClass *klass)
{
    guint answers = 0, helpers = MIN(g_get_num_processors() - 1, 1u);
    HelixEncodePool *encode_pool = helix_encode_pool_new(NULL);
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, 1280, 720, NULL);
    HelixEncodeThread *encode_thread = helix_encode_thread_new(encode_pool, klass, FALSE, done, &answers, NULL);

    g_assert_nonnull(surface);
    g_assert_nonnull(encode_thread);
    memset(surface->data, 0, surface->size);
    helix_parallel_for_end(helix_parallel_for_begin(nothing, NULL, 4, 3)); /* its helpers are there from now on */
    helix_encode_thread_encode(encode_thread, surface, 0, FALSE, NULL);
    while (answers == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    check_tasks(klass->on_cpu, 1 + helpers);
    helix_encode_thread_retire(encode_thread);
    helix_encode_pool_free(encode_pool);
    helix_surface_unref(surface);
    helix_surface_pool_unref(pool);
}

TEST("/threads/null", test_null)
{
    check_all(&helix_encoder_null);
}

TEST("/threads/x264", test_x264)
{
    const HelixEncoderClass *klass = helix_encoder_find("x264", FALSE, NULL);

    if (!klass) {
        g_test_skip("there is no x264 here");
        return;
    }
    check_all(klass);
}

/* The user may have chosen another policy, or forbidden to choose one. */
static gboolean policy_is_free(void)
{
    const struct sched_param none = { 0 };

    return sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0 &&
        sched_setscheduler(0, SCHED_OTHER, &none) == 0;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!policy_is_free()) {
        printf("1..0 # SKIP the policy of threads is not free to choose here\n");
        return 0;
    }
    test_cases_add();
    return g_test_run();
}
