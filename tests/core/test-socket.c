/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX sockets: where a program may listen and which may connect, channels over them, and spliced pairs. One thread,
 * one loop.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "cases.h"
#include "protocol/error.h"
#include "transport/listener.h"
#include "transport/splice.h"
#include "transport/unix-address.h"
#include "transport/unix-socket.h"

typedef struct Folder {
    char *folder, *path, *address;
    HelixChannel *accepted;
} Folder;

static gboolean on_accept(HelixChannel *channel, gpointer data)
{
    ((Folder *)data)->accepted = channel;
    return TRUE;
}

static void folder_up(Folder *f, gconstpointer data)
{
    f->folder = g_dir_make_tmp("helix-socket-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "s", NULL);
    f->address = g_strconcat("unix:", f->path, NULL);
}

static void folder_down(Folder *f, gconstpointer data)
{
    g_assert_cmpint(g_rmdir(f->folder), ==, 0); /* nothing was left behind */
    g_free(f->folder);
    g_free(f->path);
    g_free(f->address);
}

static void expect_refusal(Folder *f, const char *address, const char *says)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(helix_listener_new(NULL, address, on_accept, f, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
    g_assert_nonnull(strstr(error->message, says));
}

/* Runs the loop until nothing happens; fails if that never comes, as a source that spins would have it. */
static void settle(void)
{
    for (guint i = 0; g_main_context_iteration(NULL, FALSE); i++) {
        g_assert_cmpuint(i, <, 100000);
    }
}

static HelixListener *listen_at(Folder *f)
{
    g_autoptr(GError) error = NULL;
    HelixListener *listener = helix_listener_new(NULL, f->address, on_accept, f, &error);

    g_assert_no_error(error);
    return listener;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(connect(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

TEST_WITH(Folder, folder_up, folder_down, "/socket/listener", test_listener)
{
    HelixListener *listener = listen_at(f);
    struct stat st;
    int fd;

    g_assert_cmpint(lstat(f->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    expect_refusal(f, f->address, "another program listens");
    fd = connect_to(f->path);
    while (!f->accepted) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_nonnull(strstr(f->accepted->peer, "unix"));
    helix_channel_close(f->accepted, FALSE);
    close(fd);
    helix_listener_free(listener);
    g_assert_cmpint(access(f->path, F_OK), !=, 0);
}

TEST_WITH(Folder, folder_up, folder_down, "/socket/refusals", test_refusals)
{
    g_autofree char *long_name = g_strnfill(200, 'x'), *long_address = NULL, *missing = NULL;

    expect_refusal(f, "tcp:1234", "unix:PATH");
    expect_refusal(f, "unix:", "1 to");
    long_address = g_strdup_printf("unix:%s/%s", f->folder, long_name);
    expect_refusal(f, long_address, "bytes");
    missing = g_strdup_printf("unix:%s/none/s", f->folder);
    expect_refusal(f, missing, "No such file");

    g_assert_true(g_file_set_contents(f->path, "text", -1, NULL));
    expect_refusal(f, f->address, "not a socket");
    g_unlink(f->path);

    g_assert_cmpint(chmod(f->folder, 0770), ==, 0);
    expect_refusal(f, f->address, "not writable by group or others");
    g_assert_cmpint(chmod(f->folder, 01777), ==, 0);
    expect_refusal(f, f->address, "mode 1777");
    g_assert_cmpint(chmod(f->folder, 0700), ==, 0);
}

/* Another program took the path over meanwhile: its socket stays. */
TEST_WITH(Folder, folder_up, folder_down, "/socket/removes-only-its-own", test_removes_only_its_own)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    HelixListener *listener = listen_at(f);

    g_unlink(f->path);
    g_strlcpy(address.sun_path, f->path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
    helix_listener_free(listener);
    g_assert_cmpint(access(f->path, F_OK), ==, 0);
    g_unlink(f->path);
    close(fd);
}

TEST_WITH(Folder, folder_up, folder_down, "/socket/other-user", test_other_user)
{
    HelixListener *listener;
    char byte;
    int fd;

    if (geteuid() != 0) {
        g_test_skip("only root can be another user");
        return;
    }
    listener = listen_at(f);
    g_assert_cmpint(chmod(f->path, 0666), ==, 0); /* as if the file's mode did not hold them off */
    g_assert_cmpint(chmod(f->folder, 0755), ==, 0);
    g_assert_cmpint(seteuid(65534), ==, 0);
    fd = connect_to(f->path);
    g_assert_cmpint(seteuid(0), ==, 0);
    for (guint i = 0; i < 10; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_null(f->accepted);
    g_assert_cmpint(recv(fd, &byte, 1, MSG_DONTWAIT), ==, 0);
    close(fd);
    helix_listener_free(listener);
}

TEST_WITH(Folder, folder_up, folder_down, "/socket/connect", test_connect)
{
    g_autoptr(GError) error = NULL;
    HelixListener *listener = listen_at(f);
    HelixChannel *channel = helix_socket_connect(NULL, f->path, &error);
    g_autoptr(GPtrArray) channels = g_ptr_array_new();

    g_assert_no_error(error);
    helix_channel_close(channel, FALSE);
    /* Nobody accepts: the backlog fills, and then the answer is an error, at once (EAGAIN; XNU's is ECONNREFUSED). */
    while ((channel = helix_socket_connect(NULL, f->path, &error))) {
        g_ptr_array_add(channels, channel);
        g_assert_cmpuint(channels->len, <, 1000);
    }
    g_assert_true(strstr(error->message, g_strerror(EAGAIN)) || strstr(error->message, g_strerror(ECONNREFUSED)));
    g_clear_error(&error);
    for (guint i = 0; i < channels->len; i++) {
        helix_channel_close(channels->pdata[i], FALSE);
    }
    helix_listener_free(listener);
    g_assert_null(helix_socket_connect(NULL, f->path, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND);
}

/* Without a descriptor for it a connection waits; the loop does not spin, and takes it when there is one. */
TEST_WITH(Folder, folder_up, folder_down, "/socket/out-of-descriptors", test_out_of_descriptors)
{
    HelixListener *listener = listen_at(f);
    int fd = connect_to(f->path), next = dup(fd);
    struct rlimit before, none;

    close(next);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    none = (struct rlimit){ .rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    settle();
    g_assert_null(f->accepted);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    while (!f->accepted) {
        g_main_context_iteration(NULL, TRUE);
    }
    helix_channel_close(f->accepted, FALSE);
    close(fd);
    helix_listener_free(listener);
}

/* ---- channels ---- */

typedef struct Sink {
    GByteArray *input;
    gsize take; /* of each input(); the rest is left */
    guint inputs, eofs, writables, closes;
} Sink;

static gsize sink_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    Sink *sink = channel->user_data;
    gsize used = MIN(len, sink->take);

    sink->inputs++;
    g_byte_array_append(sink->input, data, (guint)used);
    return used;
}

static void sink_eof(HelixChannel *channel)
{
    ((Sink *)channel->user_data)->eofs++;
}

static void sink_writable(HelixChannel *channel)
{
    ((Sink *)channel->user_data)->writables++;
}

static void sink_closed(HelixChannel *channel)
{
    ((Sink *)channel->user_data)->closes++;
}

static const HelixChannelUser sink_user = {
    .input = sink_input,
    .input_eof = sink_eof,
    .writable = sink_writable,
    .closed = sink_closed,
};

static void pair(int fds[2])
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    g_assert_true(helix_socket_prepare(fds[0], NULL));
    g_assert_true(helix_socket_prepare(fds[1], NULL));
}

static void with_sink(void (*test)(Sink *sink, HelixChannel *channel, int peer))
{
    Sink sink = { .input = g_byte_array_new(), .take = 100 };
    HelixChannel *channel;
    int fds[2];

    pair(fds);
    channel = helix_socket_new(NULL, fds[0], "test");
    helix_channel_attach(channel, &sink_user, &sink);
    test(&sink, channel, fds[1]);
    g_byte_array_unref(sink.input);
}

/* A case with a channel that it closes, what the channel's user sees, and the socket at the other end, which it closes
 * too. */
#define SINK_TEST(path, function) \
    static void function(Sink *sink, HelixChannel *channel, int peer); \
    TEST(path, function##_with_sink) \
    { \
        with_sink(function); \
    } \
    static void function(Sink *sink, HelixChannel *channel, int peer)

SINK_TEST("/socket/partial-input", test_partial_input)
{
    sink->take = 3;
    g_assert_cmpint(send(peer, "abcdefgh", 8, 0), ==, 8);
    close(peer);
    settle();
    g_assert_cmpuint(sink->inputs, ==, 1); /* not offered again before it is asked for, hang-up or not */
    g_assert_cmpuint(sink->eofs + sink->closes, ==, 0);
    channel->carrier->resume_input(channel);
    settle();
    g_assert_cmpuint(sink->input->len, ==, 6);
    sink->take = 100;
    channel->carrier->resume_input(channel);
    settle();
    g_assert_cmpmem(sink->input->data, sink->input->len, "abcdefgh", 8);
    g_assert_cmpuint(sink->eofs, ==, 1);
    g_assert_cmpuint(sink->closes, ==, 1); /* the peer is gone altogether */
}

SINK_TEST("/socket/half-close", test_half_close)
{
    char text[8];

    shutdown(peer, SHUT_WR);
    settle();
    g_assert_cmpuint(sink->eofs, ==, 1);
    g_assert_cmpuint(sink->closes, ==, 0);
    g_assert_cmpuint(channel->carrier->write(channel, (const guint8 *)"still", 5), ==, 5);
    channel->carrier->shutdown_write(channel);
    g_assert_cmpint(recv(peer, text, sizeof text, 0), ==, 5);
    g_assert_cmpint(recv(peer, text, sizeof text, 0), ==, 0);
    settle();
    g_assert_cmpuint(sink->closes, ==, 0);
    helix_channel_close(channel, FALSE);
    close(peer);
}

SINK_TEST("/socket/write-to-nobody", test_write_to_nobody)
{
    close(peer);
    g_assert_cmpuint(channel->carrier->write(channel, (const guint8 *)"x", 1), ==, 0); /* and no SIGPIPE */
    g_assert_cmpuint(sink->closes, ==, 0); /* told from the loop, not from inside write() */
    settle();
    g_assert_cmpuint(sink->closes, ==, 1);
}

SINK_TEST("/socket/full", test_full)
{
    static guint8 block[65536];
    gsize written = 0, taken, got_all = 0;
    ssize_t got;

    do {
        taken = channel->carrier->write(channel, block, sizeof block);
        written += taken;
    } while (taken == sizeof block);
    settle();
    g_assert_cmpuint(sink->writables, ==, 0);
    while ((got = recv(peer, block, sizeof block, 0)) > 0) {
        got_all += (gsize)got;
    }
    g_assert_cmpuint(got_all, ==, written);
    settle();
    g_assert_cmpuint(sink->writables, ==, 1);
    helix_channel_close(channel, TRUE);
    close(peer);
}

/* ---- splice ---- */

typedef struct Spliced {
    int fds[2]; /* the outer ends */
} Spliced;

static void splice_up(Spliced *s)
{
    int a[2], b[2];

    pair(a);
    pair(b);
    s->fds[0] = a[0];
    s->fds[1] = b[1];
    helix_splice(helix_socket_new(NULL, a[1], "a"), helix_socket_new(NULL, b[0], "b"));
}

/* Both ways at once, far more than the sockets hold, with a reader that is slower than the writer. */
TEST("/splice/both-ways", test_splice)
{
    enum { TOTAL = 8 * 1024 * 1024 };
    g_autofree guint8 *data = g_malloc(TOTAL), *back[2] = { g_malloc(TOTAL), g_malloc(TOTAL) };
    gsize sent[2] = { 0 }, received[2] = { 0 };
    Spliced s;

    for (guint i = 0; i < TOTAL; i++) {
        data[i] = (guint8)g_test_rand_int();
    }
    splice_up(&s);
    while (received[0] < TOTAL || received[1] < TOTAL) {
        for (guint i = 0; i < 2; i++) {
            ssize_t n = send(s.fds[i], data + sent[i], TOTAL - sent[i], 0);

            sent[i] += n > 0 ? (gsize)n : 0;
            n = recv(s.fds[i], back[i] + received[i], MIN(TOTAL - received[i], 30000), 0);
            received[i] += n > 0 ? (gsize)n : 0;
        }
        settle();
    }
    g_assert_cmpmem(back[0], TOTAL, data, TOTAL);
    g_assert_cmpmem(back[1], TOTAL, data, TOTAL);
    g_free(back[1]);
    close(s.fds[0]);
    settle();
    g_assert_cmpint(recv(s.fds[1], data, 1, 0), ==, 0);
    close(s.fds[1]);
    settle();
}

TEST("/splice/half-close", test_splice_half_close)
{
    char text[8];
    Spliced s;

    splice_up(&s);
    g_assert_cmpint(send(s.fds[0], "ask", 3, 0), ==, 3);
    shutdown(s.fds[0], SHUT_WR);
    settle();
    g_assert_cmpint(recv(s.fds[1], text, sizeof text, 0), ==, 3);
    g_assert_cmpint(recv(s.fds[1], text, sizeof text, 0), ==, 0);
    g_assert_cmpint(send(s.fds[1], "answer", 6, 0), ==, 6);
    shutdown(s.fds[1], SHUT_WR);
    settle();
    g_assert_cmpint(recv(s.fds[0], text, sizeof text, 0), ==, 6);
    g_assert_cmpint(recv(s.fds[0], text, sizeof text, 0), ==, 0);
    close(s.fds[0]);
    close(s.fds[1]);
    settle();
}

/* One side reads no more: the other one's writes fail, and the other direction goes on. */
TEST("/splice/reads-no-more", test_splice_reads_no_more)
{
    char text[8];
    Spliced s;

    splice_up(&s);
    shutdown(s.fds[0], SHUT_RD);
    g_assert_cmpint(send(s.fds[1], "ask", 3, 0), ==, 3); /* nobody knows before it is written there */
    settle();
    g_assert_cmpint(send(s.fds[1], "ask", 3, MSG_NOSIGNAL), ==, -1);
    g_assert_cmpint(errno, ==, EPIPE);
    g_assert_cmpint(send(s.fds[0], "answer", 6, 0), ==, 6);
    settle();
    g_assert_cmpint(recv(s.fds[1], text, sizeof text, 0), ==, 6);
    close(s.fds[0]);
    settle();
    g_assert_cmpint(recv(s.fds[1], text, sizeof text, 0), ==, 0);
    close(s.fds[1]);
    settle();
}

/* One side goes with bytes under way: they arrive, and then the end. */
TEST("/splice/one-goes", test_splice_one_goes)
{
    char text[8];
    Spliced s;

    splice_up(&s);
    g_assert_cmpint(send(s.fds[0], "last", 4, 0), ==, 4);
    close(s.fds[0]);
    settle();
    g_assert_cmpint(recv(s.fds[1], text, sizeof text, 0), ==, 4);
    g_assert_cmpint(recv(s.fds[1], text, sizeof text, 0), ==, 0);
    close(s.fds[1]);
    settle();
}
