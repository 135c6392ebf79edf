/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - see sockets.h. In front of the C library's functions, for the plugin too. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>
#include "sockets.h"

static const char *slow_path;   /* atomic */
static gint inside;             /* atomic */
static gint no_vsock;           /* atomic */

void sockets_forbid_vsock(gboolean forbid)
{
    g_atomic_int_set(&no_vsock, forbid);
}

void slow_connect(const char *path)
{
    g_atomic_int_set(&inside, 0);
    g_atomic_pointer_set(&slow_path, path);
}

void slow_connect_wait(void)
{
    for (guint i = 0; i < 5000 && !g_atomic_int_get(&inside); i++) {
        g_usleep(1000);
    }
    g_assert_true(g_atomic_int_get(&inside));
}

int connect(int fd, const struct sockaddr *address, socklen_t len);

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*of_libc)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
    const char *path = g_atomic_pointer_get(&slow_path);
    int result = of_libc(fd, address, len);

    if (result == 0 && path && address->sa_family == AF_UNIX && !strcmp(((const struct sockaddr_un *)address)->sun_path, path)) {
        g_atomic_int_set(&inside, 1);
        g_usleep(300 * 1000);
    }
    return result;
}

int socket(int domain, int type, int protocol);

int socket(int domain, int type, int protocol)
{
    int (*of_libc)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

    if (domain == AF_VSOCK && g_atomic_int_get(&no_vsock)) {
        errno = EPERM;
        return -1;
    }
    return of_libc(domain, type, protocol);
}
