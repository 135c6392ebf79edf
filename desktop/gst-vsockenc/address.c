/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* address.c - see address.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>
#include <gst/gst.h>
#include "address.h"

#define VM_NEEDS "The VM needs a virtio-gpu with helix-frame-export=on and a vsock device (helix-vsock-pci,guest-cid=N)"

char *vsock_address_name(const VsockAddress *address)
{
    return address->socket_path ? g_strdup_printf("UNIX socket %s", address->socket_path)
                                : g_strdup_printf("vsock CID %u port %u", address->cid, address->port);
}

static const char *vsock_advice(int code)
{
    switch (code) {
    case EAFNOSUPPORT:
        return "This kernel has no vsock. Load it with \"modprobe vmw_vsock_virtio_transport\" (a container needs that "
               "on its host).";
    case EPERM:
    case EACCES:
        return "This process may not use AF_VSOCK. A container's seccomp profile usually forbids it: allow it there, "
               "or run outside.";
    case ENODEV:
    case EADDRNOTAVAIL:
        return "There is no vsock device in this VM, or its driver is not loaded (modprobe vmw_vsock_virtio_transport)."
               " " VM_NEEDS ".";
    case ECONNREFUSED:
    case ECONNRESET:
        return "The host has nobody on this port. " VM_NEEDS "; its port is helix-vsock-port=, 5000 unless set.";
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "The host does not answer at all. cid=2 is the host; " VM_NEEDS ".";
    default:
        return VM_NEEDS ".";
    }
}

static const char *unix_advice(int code)
{
    switch (code) {
    case ENOENT:
        return "There is no such socket. Is the host running with helix-listen=unix:PATH, and is this its path?";
    case ECONNREFUSED:
        return "Nobody listens there any more: the host that made this socket is gone.";
    case EACCES:
    case EPERM:
        return "Only the user that runs the host may connect.";
    case EAGAIN:
        return "The host takes no new connections at the moment.";
    default:
        return "Check socket-path.";
    }
}

GError *vsock_address_error(gboolean is_unix, const char *name, int code)
{
    return g_error_new(GST_RESOURCE_ERROR,
                       code == EACCES || code == EPERM ? GST_RESOURCE_ERROR_NOT_AUTHORIZED
                                                       : GST_RESOURCE_ERROR_OPEN_READ_WRITE,
                       "Cannot connect to the host on %s: %s. %s", name, g_strerror(code),
                       is_unix ? unix_advice(code) : vsock_advice(code));
}

gboolean vsock_address_may_come(int code)
{
    switch (code) {
    case ENOENT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EAGAIN:
        return TRUE;
    default:
        return FALSE;
    }
}

/*
 * Ports that only a process with CAP_NET_BIND_SERVICE can bind. A host with helix-privileged-ports=on answers no others, and
 * any other host does not care: so one is taken whenever that can be had.
 */
#define PRIVILEGED_FIRST 600
#define PRIVILEGED_LAST 1023
#define PRIVILEGED_TRIES 32

static void bind_privileged(int fd)
{
    guint start = g_random_int_range(PRIVILEGED_FIRST, PRIVILEGED_LAST + 1);

    for (guint i = 0; i < PRIVILEGED_TRIES; i++) {
        guint port = PRIVILEGED_FIRST + (start - PRIVILEGED_FIRST + i) % (PRIVILEGED_LAST + 1 - PRIVILEGED_FIRST);
        struct sockaddr_vm own = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port };

        if (bind(fd, (void *)&own, sizeof(own)) == 0 || errno != EADDRINUSE) {
            return;             /* EACCES: without the privilege the kernel chooses a port above */
        }
    }
}

int vsock_address_connect(const VsockAddress *address, const char *name, gboolean *connecting, int *code,
                          GError **error)
{
    gboolean is_unix = address->socket_path != NULL;
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    struct sockaddr_vm svm = { .svm_family = AF_VSOCK, .svm_cid = address->cid, .svm_port = address->port };
    int fd;

    *connecting = FALSE;
    *code = ENAMETOOLONG;
    if (is_unix && strlen(address->socket_path) >= sizeof(sun.sun_path)) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                    "socket-path has %zu bytes; a UNIX socket's path has at most %zu.", strlen(address->socket_path),
                    sizeof(sun.sun_path) - 1);
        return -1;
    }
    if (is_unix) {
        g_strlcpy(sun.sun_path, address->socket_path, sizeof(sun.sun_path));
    }
    fd = socket(is_unix ? AF_UNIX : AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *code = errno;
        g_propagate_error(error, vsock_address_error(is_unix, name, *code));
        return -1;
    }
    if (!is_unix) {
        bind_privileged(fd);
    }
    if (connect(fd, is_unix ? (void *)&sun : (void *)&svm, is_unix ? sizeof(sun) : sizeof(svm)) == 0) {
        return fd;
    }
    *code = errno;
    if (*code == EINPROGRESS || *code == EINTR) {
        *connecting = TRUE;
        return fd;
    }
    close(fd);
    g_propagate_error(error, vsock_address_error(is_unix, name, *code));
    return -1;
}
