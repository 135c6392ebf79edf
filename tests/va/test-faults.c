/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-faults.c - hosts that go, refuse and fail; programs that fork, end, or take things away. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "../encoder/x264.h"
#include "va-rig.h"

#define WIDTH 320u
#define HEIGHT 192u
#define LEAST 30.0

static void open_film(Film *film, VaRig *rig)
{
    film_open(film, rig, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
}

/* Picture @n, whole: the decoder has all that it refers to. */
static void check_picture(Film *film, guint n, gboolean idr)
{
    g_autoptr(GBytes) unit = film_encode(film, paint_figure, n, idr);

    g_assert_cmpfloat(film_compare(film, unit, paint_figure, n), >, LEAST);
}

/* The host may need a moment: to come back, or to see that another program is gone. */
static void encode_when_it_works(Film *film, VAStatus until_then)
{
    VAStatus status;

    do {
        film_paint(film, film->input, paint_figure, 0);
        assert_va(film_begin(film, film->input, TRUE));
        g_bytes_unref(film_take(film, &status));
    } while (status == until_then);
    assert_va(status);
}

/* A call that fails ends the encode of every program: a host that comes back is not seen but for an IDR. */
static void check_gone(VaRig *rig, gboolean under_way)
{
    g_autoptr(GBytes) unit = NULL;
    g_autofree char *types = NULL;
    Film film;

    va_rig_restart_host(rig, under_way ? "--encode-delay=300" : NULL);
    open_film(&film, rig);
    check_picture(&film, 0, TRUE);
    check_picture(&film, 1, FALSE);
    film_paint(&film, film.input, paint_figure, 2);
    if (under_way) {
        assert_va(film_begin(&film, film.input, FALSE));
        assert_va_is(vaSyncSurface2(rig->display, film.input, 50 * 1000000), VA_STATUS_ERROR_TIMEDOUT);
        real_host_kill(&rig->host);
    } else {
        real_host_kill(&rig->host);
        assert_va(film_begin(&film, film.input, FALSE));
    }
    real_host_again(&rig->host);
    unit = film_take(&film, NULL);
    types = nal_types(unit);
    g_assert_nonnull(strchr(types, '5'));
    g_assert_cmpfloat(film_compare(&film, unit, paint_figure, 2), >, LEAST);
    check_picture(&film, 3, FALSE);
    film_close(&film);
    g_assert_cmpuint(va_rig_lines(rig), ==, 0);
}

RIG_TEST("/faults/gone-and-back", test_gone)
{
    check_gone(f, FALSE);
}

RIG_TEST("/faults/gone-with-a-picture", test_gone_under_way)
{
    check_gone(f, TRUE);
}

/* It is not waited for longer than the user says. A later encode finds the host again. */
RIG_TEST("/faults/gone-for-good", test_gone_for_good)
{
    VAStatus status;
    Film film;

    g_setenv("HELIX_VA_TIMEOUT_MS", "1000", TRUE);
    va_rig_reopen(f);
    g_unsetenv("HELIX_VA_TIMEOUT_MS");
    open_film(&film, f);
    check_picture(&film, 0, TRUE);
    real_host_kill(&f->host);
    film_paint(&film, film.input, paint_figure, 1);
    assert_va(film_begin(&film, film.input, FALSE));
    g_assert_null(film_take(&film, &status));
    assert_va_is(status, VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va_is(vaSyncSurface(f->display, film.input), VA_STATUS_ERROR_OPERATION_FAILED);
    g_assert_cmpuint(va_rig_lines(f), ==, 1);
    real_host_again(&f->host);
    encode_when_it_works(&film, VA_STATUS_ERROR_OPERATION_FAILED);
    film_close(&film);
}

/* The host is there and says nothing: calls return all the same, and the next encode finds it again. */
RIG_TEST("/faults/silent", test_silent)
{
    VAStatus status;
    Film film;

    g_setenv("HELIX_VA_TIMEOUT_MS", "1000", TRUE);
    va_rig_reopen(f);
    g_unsetenv("HELIX_VA_TIMEOUT_MS");
    open_film(&film, f);
    check_picture(&film, 0, TRUE);
    kill(f->host.pid, SIGSTOP);
    film_paint(&film, film.input, paint_figure, 1);
    assert_va(film_begin(&film, film.input, FALSE));
    g_assert_null(film_take(&film, &status));
    assert_va_is(status, VA_STATUS_ERROR_OPERATION_FAILED);
    g_assert_cmpuint(va_rig_lines(f), ==, 1);
    kill(f->host.pid, SIGCONT);
    encode_when_it_works(&film, VA_STATUS_ERROR_OPERATION_FAILED);
    film_close(&film);
}

LONE_TEST("/faults/no-host", test_no_host)
{
    VAStatus status;
    Film film;

    open_film(&film, f);
    film_paint(&film, film.input, paint_figure, 0);
    assert_va(film_begin(&film, film.input, TRUE));
    g_assert_null(film_take(&film, &status));
    assert_va_is(status, VA_STATUS_ERROR_OPERATION_FAILED);
    g_assert_cmpuint(va_rig_lines(f), ==, 1);
    g_assert_nonnull(strstr(f->log->str, "helix:"));
    film_close(&film);
}

/* What the host's encoder drops or fails in is encoded all the same. */
RIG_TEST("/faults/drops", test_drops)
{
    const char *const options[] = { "--drop-every=3", "--fail-encodes=2" };

    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        Film film;

        va_rig_restart_host(f, options[i]);
        open_film(&film, f);
        for (guint n = 0; n < 8; n++) {
            check_picture(&film, n, n == 0);
        }
        film_close(&film);
    }
    g_assert_cmpuint(va_rig_lines(f), ==, 0);
}

/* An encoder that never succeeds: the picture fails, and the call returns. */
RIG_TEST("/faults/encoder-fails", test_encoder_fails)
{
    VAStatus status;
    Film film;

    va_rig_restart_host(f, "--fail-encodes=1000");
    open_film(&film, f);
    film_paint(&film, film.input, paint_figure, 0);
    assert_va(film_begin(&film, film.input, TRUE));
    g_assert_null(film_take(&film, &status));
    assert_va_is(status, VA_STATUS_ERROR_ENCODING_ERROR);
    g_assert_cmpuint(va_rig_lines(f), ==, 1);
    film_close(&film);
}

RIG_TEST("/faults/one-too-many", test_too_many)
{
    VAStatus status;
    Film films[2];

    va_rig_restart_host(f, "--max-streams=1");
    open_film(&films[0], f);
    check_picture(&films[0], 0, TRUE);
    open_film(&films[1], f);
    film_paint(&films[1], films[1].input, paint_figure, 0);
    assert_va(film_begin(&films[1], films[1].input, TRUE));
    g_assert_null(film_take(&films[1], &status));
    assert_va_is(status, VA_STATUS_ERROR_HW_BUSY);
    g_assert_cmpuint(va_rig_lines(f), ==, 1);
    check_picture(&films[0], 1, FALSE);
    film_close(&films[0]);
    encode_when_it_works(&films[1], VA_STATUS_ERROR_HW_BUSY);
    film_close(&films[1]);
}

/* ---- what the program takes away ---- */

/* Surfaces, the coded buffer, the context: while a picture is encoded. */
RIG_TEST("/faults/destroyed", test_destroyed)
{
    g_autoptr(GBytes) unit = NULL;
    VABufferID coded;
    VAStatus status;
    Film film;

    va_rig_restart_host(f, "--encode-delay=100");
    open_film(&film, f);
    film_paint(&film, film.input, paint_figure, 0);
    assert_va(film_begin(&film, film.input, TRUE));
    assert_va(vaDestroySurfaces(f->display, &film.input, 1));
    assert_va(vaDestroySurfaces(f->display, &film.reconstructed, 1));
    unit = film_take(&film, NULL);
    g_assert_cmpfloat(film_compare(&film, unit, paint_figure, 0), >, LEAST);

    film.input = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    film.reconstructed = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    film_paint(&film, film.input, paint_figure, 1);
    assert_va(film_begin(&film, film.input, FALSE));
    assert_va(vaDestroyBuffer(f->display, film.coded));
    assert_va(vaCreateBuffer(f->display, film.context, VAEncCodedBufferType, 1 << 18, 1, NULL, &coded));
    film.coded = coded;
    assert_va(vaSyncSurface(f->display, film.input));

    film_paint(&film, film.input, paint_figure, 2);
    assert_va(film_begin(&film, film.input, FALSE));
    assert_va(vaDestroyContext(f->display, film.context));
    g_assert_null(film_take(&film, &status)); /* it fails, and does not wait without limit */
    assert_va_is(status, VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va(vaCreateContext(f->display, film.config, WIDTH, HEIGHT, VA_PROGRESSIVE, NULL, 0, &film.context));
    film_close(&film);
}

/* The display goes with everything in it, a picture under way too. */
RIG_TEST("/faults/terminated", test_terminated)
{
    Film film;

    va_rig_restart_host(f, "--encode-delay=100");
    open_film(&film, f);
    film_paint(&film, film.input, paint_figure, 0);
    assert_va(film_begin(&film, film.input, TRUE));
    va_rig_reopen(f);
    decoder_free(film.decoder);
}

static void wait_for(pid_t child, int wanted)
{
    int status;

    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, wanted);
}

/* The child has no thread of the driver's: its calls fail, none hangs, and the parent's film goes on. */
RIG_TEST("/faults/fork", test_fork)
{
    VAStatus status;
    pid_t child;
    Film film;

    va_rig_restart_host(f, "--encode-delay=100");
    open_film(&film, f);
    check_picture(&film, 0, TRUE);
    film_paint(&film, film.input, paint_figure, 1);
    assert_va(film_begin(&film, film.input, FALSE));
    child = fork();
    if (child == 0) {
        gboolean failed = !film_take(&film, &status) && status == VA_STATUS_ERROR_OPERATION_FAILED;

        failed = failed && film_begin(&film, film.input, TRUE) != VA_STATUS_SUCCESS;
        failed = failed && vaDestroyContext(f->display, film.context) == VA_STATUS_SUCCESS;
        failed = failed && vaTerminate(f->display) == VA_STATUS_SUCCESS;
        _exit(failed ? 7 : 1);
    }
    wait_for(child, 7);
    g_bytes_unref(film_take(&film, NULL));
    check_picture(&film, 2, TRUE);
    film_close(&film);
}

/* A program that is killed in mid-film leaves its place to the next. */
RIG_TEST("/faults/killed", test_killed)
{
    int ready[2], ignored;
    pid_t child;
    char byte;
    Film film;

    va_rig_restart_host(f, "--max-streams=1");
    g_assert_cmpint(pipe(ready), ==, 0);
    child = fork();
    if (child == 0) {
        open_film(&film, f);
        for (guint n = 0;; n++) {
            g_bytes_unref(film_encode(&film, paint_figure, n, n == 0));
            ignored = (int)write(ready[1], "", 1);
        }
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, &ignored, 0), ==, child);
    close(ready[0]);
    close(ready[1]);
    open_film(&film, f);
    encode_when_it_works(&film, VA_STATUS_ERROR_HW_BUSY);
    film_close(&film);
}

/* ---- a sandbox ---- */

/* socket() fails from here on, as in Chromium's process for the GPU. */
static void forbid_sockets(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = G_N_ELEMENTS(filter), .filter = filter };

    g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
    g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

static guint count_entries(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void encode_two(Film *film)
{
    check_picture(film, 0, TRUE);
    check_picture(film, 1, FALSE);
}

static void check_no_connection(Film *film)
{
    VAStatus status;

    film_paint(film, film->input, paint_figure, 0);
    assert_va(film_begin(film, film->input, TRUE));
    g_assert_null(film_take(film, &status));
    assert_va_is(status, VA_STATUS_ERROR_OPERATION_FAILED);
}

/* vaInitialize() connects, without a thread; in the sandbox one encoder has that connection. Another fails at once, and
 * the first goes on. */
RIG_TEST("/faults/sandbox", test_sandbox)
{
    pid_t child = fork();

    if (child == 0) {
        guint threads = count_entries("/proc/self/task");
        Film film, late;

        va_rig_reopen(f);
        g_assert_cmpuint(count_entries("/proc/self/task"), ==, threads);
        forbid_sockets();
        open_film(&film, f);
        encode_two(&film);
        open_film(&late, f);
        check_no_connection(&late);
        check_picture(&film, 2, FALSE);
        _exit(va_rig_lines(f) == 1 ? 7 : 1);
    }
    wait_for(child, 7);
}

/* As Chromium does: libva is initialised, and terminated, before the sandbox is closed, and again in it. */
RIG_TEST("/faults/sandbox-reopened", test_sandbox_reopened)
{
    pid_t child = fork();

    if (child == 0) {
        Film films[2];

        g_setenv("HELIX_VA_CONNECTIONS", "2", TRUE);
        va_rig_reopen(f);
        forbid_sockets();
        va_rig_reopen(f);
        va_rig_reopen(f);
        for (guint i = 0; i < G_N_ELEMENTS(films); i++) {
            open_film(&films[i], f);
            encode_two(&films[i]);
        }
        for (guint i = 0; i < G_N_ELEMENTS(films); i++) {
            film_close(&films[i]);
        }
        _exit(va_rig_lines(f) == 0 ? 7 : 1);
    }
    wait_for(child, 7);
}

/* Connections that were made in advance are not more than asked for, and those of a host that went are of no use. */
RIG_TEST("/faults/ready", test_ready)
{
    guint before = count_entries("/proc/self/fd");
    Film film;

    for (guint i = 0; i < 5; i++) {
        va_rig_reopen(f);
    }
    g_assert_cmpuint(count_entries("/proc/self/fd"), ==, before);
    va_rig_restart_host(f, NULL);
    open_film(&film, f);
    encode_two(&film);
    film_close(&film);
    g_setenv("HELIX_VA_CONNECTIONS", "0", TRUE);
    va_rig_reopen(f); /* what there is is kept */
    open_film(&film, f);
    encode_two(&film);
    film_close(&film);
    g_unsetenv("HELIX_VA_CONNECTIONS");
}
