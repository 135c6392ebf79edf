/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slow-connect.c - see slow-connect.h. In front of the C library's connect(), for the plugin too. */
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <glib.h>
#include "slow-connect.h"

static const char *slow_path;   /* atomic */
static gint inside;             /* atomic */

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
