/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - guest ports as real UNIX sockets. */
#include "sockets.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib-unix.h>
#include <glib/gstdio.h>

void setup(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    f->folder = g_dir_make_tmp("helix-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "v", NULL);
    f->guest = guest_new(0, 0);
    f->guest->hybrid = helix_hybrid_new(NULL, f->guest->vsock, f->path, &error);
    g_assert_no_error(error);
}

void teardown(Fixture *f, gconstpointer data)
{
    guest_free(f->guest);
    g_assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));
    g_rmdir(f->folder);
    g_free(f->path);
    g_free(f->folder);
}

void settle(guint most)
{
    for (guint i = 0; g_main_context_iteration(NULL, FALSE); i++) {
        g_assert_cmpuint(i, <, most);
    }
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    return address;
}

int client_connect(Fixture *f, const char *text)
{
    struct sockaddr_un address = address_of(f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_true(g_unix_set_fd_nonblocking(fd, TRUE, NULL));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
    settle(20);
    return fd;
}

int server_new(Fixture *f, guint port, int backlog)
{
    g_autofree char *path = g_strdup_printf("%s_%u", f->path, port);
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, backlog), ==, 0);
    return fd;
}

void server_free(Fixture *f, guint port, int fd)
{
    g_autofree char *path = g_strdup_printf("%s_%u", f->path, port);

    close(fd);
    g_unlink(path);
}

void expect_text(int fd, const char *text)
{
    char buffer[256];
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);

    g_assert_cmpint(got, ==, strlen(text));
    g_assert_cmpmem(buffer, got, text, strlen(text));
}

void expect_payload(Guest *guest, const char *text)
{
    g_autoptr(Packet) packet = guest_take(guest);

    g_assert_nonnull(packet);
    g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_RW);
    g_assert_cmpmem(packet->payload->data, packet->payload->len, text, strlen(text));
}
