/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-parallel-for.c - all iterations run, also where the host can start no helper thread; then no memory is kept for
 * helpers. A seccomp filter refuses threads, as a limit of processes or of a cgroup does.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cases.h"
#include "encode/parallel-for.h"

#define PARTS 4u
#define TIMES 10000u

static void count(gpointer data, guint i)
{
    g_atomic_int_inc((gint *)data + i);
}

static void run(gint *done)
{
    helix_parallel_for_end(helix_parallel_for_begin(count, done, PARTS, PARTS));
}

static void run_often(void)
{
    gint done[PARTS] = { 0 };

    for (guint i = 0; i < TIMES; i++) {
        run(done);
    }
    for (guint i = 0; i < PARTS; i++) {
        g_assert_cmpint(g_atomic_int_get(&done[i]), ==, TIMES);
    }
}

TEST("/parallel-for/helped", test_helped)
{
    run_often();
}

/* Helpers run all iterations by themselves, before the caller ends the loop. */
TEST("/parallel-for/begun", test_begun)
{
    gint done[PARTS] = { 0 };
    HelixParallelFor *work;

    if (g_get_num_processors() < 2) {
        g_test_skip("there is one processor");
        return;
    }
    work = helix_parallel_for_begin(count, done, PARTS, 1);
    for (guint i = 0; i < PARTS; i++) {
        while (g_atomic_int_get(&done[i]) == 0) {
            g_usleep(100); /* the test's timeout is the limit */
        }
    }
    helix_parallel_for_end(work);
    for (guint i = 0; i < PARTS; i++) {
        g_assert_cmpint(g_atomic_int_get(&done[i]), ==, 1);
    }
    helix_parallel_for_end(helix_parallel_for_begin(count, done, PARTS, 0));
    for (guint i = 0; i < PARTS; i++) {
        g_assert_cmpint(g_atomic_int_get(&done[i]), ==, 2);
    }
}

static gpointer nothing(gpointer data)
{
    return data;
}

static gboolean refuse_threads(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { G_N_ELEMENTS(code), code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* In a process of its own, whose helpers nobody has made yet. (GLib may make a pool without threads, or none.) */
TEST("/parallel-for/alone", test_alone)
{
    if (g_test_subprocess()) {
        g_autoptr(GError) error = NULL;
        gsize before;

        if (!refuse_threads()) {
            g_test_skip("this kernel has no filters of system calls");
            return;
        }
        g_assert_null(g_thread_try_new("refused", nothing, NULL, &error));
        run((gint[PARTS]){ 0 });
        before = mallinfo2().uordblks;
        run_often();
        g_assert_cmpuint(mallinfo2().uordblks, <=, before + 16 * TIMES); /* a piece of work takes more */
        _exit(0);                                                        /* LeakSanitizer would need a thread to look */
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
}
