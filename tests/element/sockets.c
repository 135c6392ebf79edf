/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - see sockets.h. In front of the C library's functions, for the plugin too. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>
#include <pthread.h>
#include "../../desktop/client/bytes.h"
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "sockets.h"

static const char *slow_path; /* atomic */
static gint inside;           /* atomic */
static gint no_vsock;         /* atomic */
static gint floods;           /* atomic */
static VsockGuest *guest;     /* atomic */

void sockets_use_guest(VsockGuest *a_guest)
{
    if (a_guest) {
        a_guest->bound = VMADDR_CID_ANY;
    }
    g_atomic_pointer_set(&guest, a_guest);
}

void sockets_forbid_vsock(gboolean forbid)
{
    g_atomic_int_set(&no_vsock, forbid);
}

void sockets_flood(gboolean flood)
{
    g_atomic_int_set(&floods, flood);
}

void slow_connect(const char *path)
{
    g_atomic_int_set(&inside, 0);
    g_atomic_pointer_set(&slow_path, path);
}

void slow_connect_wait(void)
{
    for (guint i = 0; i < 60000 && !g_atomic_int_get(&inside); i++) {
        g_usleep(1000);
    }
    g_assert_true(g_atomic_int_get(&inside));
}

/* ---- vsock of a guest ---- */

static gboolean is_device(const char *path)
{
    return g_atomic_pointer_get(&guest) && strcmp(path, "/dev/vsock") == 0;
}

static int open_device(const VsockGuest *of)
{
    errno = of->error;
    return of->error ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int bind_cid(VsockGuest *of, const struct sockaddr_vm *address)
{
    guint cid = address->svm_cid;
    gboolean its_own = cid == VMADDR_CID_ANY || cid == of->cid || (cid == VMADDR_CID_LOCAL && of->loopback);

    if (address->svm_port < 1024 || !its_own) {
        errno = address->svm_port < 1024 ? EACCES : EADDRNOTAVAIL;
        return -1;
    }
    of->bound = cid;
    if (of->unplugged) {
        of->cid = VMADDR_CID_ANY;
        of->loopback = TRUE;
    }
    return 0;
}

/* The UNIX socket that stands for CID 2, or NULL with errno. */
static const char *route(const VsockGuest *of)
{
    if (of->cid != VMADDR_CID_ANY && of->cid != VMADDR_CID_HOST) {
        return of->host;
    }
    /* Answers come from CID 1, and find no socket that is bound to another. */
    errno = !of->loopback ? ENODEV : ETIMEDOUT;
    return of->loopback && of->bound == VMADDR_CID_ANY ? of->process : NULL;
}

/* ---- in front of the C library ---- */

int connect(int fd, const struct sockaddr *address, socklen_t len);

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*of_libc)(int, const struct sockaddr *,
                   socklen_t) = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
    const VsockGuest *of = g_atomic_pointer_get(&guest);
    const char *path = g_atomic_pointer_get(&slow_path), *to;
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int result;

    if (of && address->sa_family == AF_VSOCK) {
        to = route(of);
        if (!to) {
            return -1;
        }
        g_strlcpy(sun.sun_path, to, sizeof(sun.sun_path));
        return of_libc(fd, (const struct sockaddr *)&sun, sizeof(sun));
    }
    result = of_libc(fd, address, len);
    if (result == 0 && path && address->sa_family == AF_UNIX &&
        !strcmp(((const struct sockaddr_un *)address)->sun_path, path)) {
        g_atomic_int_set(&inside, 1);
        g_usleep(300 * 1000);
    }
    return result;
}

int bind(int fd, const struct sockaddr *address, socklen_t len);

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*of_libc)(int, const struct sockaddr *,
                   socklen_t) = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
    VsockGuest *of = g_atomic_pointer_get(&guest);

    return of && address->sa_family == AF_VSOCK ? bind_cid(of, (const struct sockaddr_vm *)address)
                                                : of_libc(fd, address, len);
}

int socket(int domain, int type, int protocol);

int socket(int domain, int type, int protocol)
{
    int (*of_libc)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

    if (domain == AF_VSOCK && g_atomic_int_get(&no_vsock)) {
        errno = EPERM;
        return -1;
    }
    return of_libc(domain == AF_VSOCK && g_atomic_pointer_get(&guest) ? AF_UNIX : domain, type, protocol);
}

int open(const char *path, int flags, ...);

int open(const char *path, int flags, ...)
{
    int (*of_libc)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    mode_t mode = 0;
    va_list list;

    if (is_device(path)) {
        return open_device(g_atomic_pointer_get(&guest));
    }
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    return of_libc(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...);

int ioctl(int fd, unsigned long request, ...)
{
    int (*of_libc)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    VsockGuest *of = g_atomic_pointer_get(&guest);
    va_list list;
    void *arg;

    va_start(list, request);
    arg = va_arg(list, void *);
    va_end(list);
    if (of && request == IOCTL_VM_SOCKETS_GET_LOCAL_CID) {
        *(guint *)arg = of->cid;
        return 0;
    }
    return of_libc(fd, request, arg);
}

static gboolean is_client_thread(void)
{
    char name[16] = "";

    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    return strcmp(name, "helix-client-io") == 0;
}

ssize_t recv(int fd, void *to, size_t len, int flags);

ssize_t recv(int fd, void *to, size_t len, int flags)
{
    ssize_t (*of_libc)(int, void *, size_t, int) = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    guint8 *header = to;

    if (len == HELIX_WIRE_HEADER_SIZE && g_atomic_int_get(&floods) && is_client_thread()) {
        memset(header, 0, len);
        put_u32(header + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
        header[HELIX_WIRE_HEADER_TYPE] = 0x7f;
        return (ssize_t)len;
    }
    return of_libc(fd, to, len, flags);
}
