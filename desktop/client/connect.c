/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect.c - see connect.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>
#include "connect.h"

#define VM_NEEDS "The VM needs a virtio-gpu with helix-frame-export=on and a vsock device (helix-vsock-pci,guest-cid=N)"

char *client_address_name(const ClientAddress *address)
{
    return address->socket_path ? g_strdup_printf("UNIX socket %s", address->socket_path)
                                : g_strdup_printf("vsock CID %u port %u", address->cid, address->port);
}

static const char *vsock_advice(int code)
{
    switch (code) {
    case EAFNOSUPPORT:
        return "This kernel has no vsock. Load it with \"modprobe vmw_vsock_virtio_transport\" (for a "
               "container: on its host).";
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
        return "Nothing listens on this port of the host. " VM_NEEDS
               "; helix-vsock-port= sets the port (default 5000).";
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "The host does not answer. CID 2 is the host. " VM_NEEDS ".";
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
        return "Nothing listens on it: the QEMU process that made this socket has exited.";
    case EACCES:
    case EPERM:
        return "Only the user running QEMU may connect.";
    case ENOTSOCK:
    case EPROTOTYPE:
        return "This path is not a host's stream socket: use the PATH given to QEMU in helix-listen=unix:PATH.";
    case EAGAIN:
        return "The host takes no new connections at the moment.";
    default:
        return "Check the socket's path.";
    }
}

GError *client_connect_error(const ClientAddress *address, const char *name, int code)
{
    return g_error_new(HELIX_CLIENT_ERROR,
                       code == EACCES || code == EPERM ? HELIX_CLIENT_ERROR_PERMISSION : HELIX_CLIENT_ERROR_CONNECT,
                       "Cannot connect to the host on %s: %s. %s", name, g_strerror(code),
                       address->socket_path ? unix_advice(code) : vsock_advice(code));
}

gboolean client_connect_is_transient(int code)
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

/* ---- is CID 2 the host? ---- */

/*
 * Linux sends a connection to CID 2 to the host if a guest transport is registered, and back into the guest if only
 * vsock_loopback is (af_vsock.c, vsock_use_local_transport()): any process that listens on the port would be given the
 * screen.
 *
 * A socket that is bound to the guest's own CID cannot be connected by the loopback: its peer answers to CID 1, and no
 * socket is found there. So the binding, and no check that could be outdated, keeps the connection to the host.
 */
#define VSOCK_DEVICE "/dev/vsock"

/* The CID that the vsock device gave this guest. VMADDR_CID_ANY: none, or unreadable (errno in @code).
 */
static guint own_cid(int *code)
{
    int fd = open(VSOCK_DEVICE, O_RDONLY | O_CLOEXEC);
    guint cid = VMADDR_CID_ANY;

    *code = fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    /* 1 and 2 are the loopback's and, in a guest that has guests itself, vhost's. */
    return *code == 0 && cid > VMADDR_CID_HOST ? cid : VMADDR_CID_ANY;
}

/* Whether vsock_loopback is loaded: CID 1 can be bound then. Also TRUE if unknown. */
static gboolean has_loopback(void)
{
    struct sockaddr_vm local = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = VMADDR_PORT_ANY };
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    gboolean has = fd < 0 || bind(fd, (void *)&local, sizeof(local)) == 0 || errno != EADDRNOTAVAIL;

    if (fd >= 0) {
        close(fd);
    }
    return has;
}

/* @code: why the guest's CID is not known, or 0: it has none. */
static GError *not_the_host(const char *name, int code)
{
    if (code) {
        return g_error_new(HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_PERMISSION,
                           "Cannot tell whether %s is the host or a process of this guest: " VSOCK_DEVICE
                           " cannot be read (%s), and "
                           "vsock_loopback is loaded. Let this process read " VSOCK_DEVICE
                           " (udev normally sets mode 0666; a container "
                           "needs it passed in), or unload vsock_loopback.",
                           name, g_strerror(code));
    }
    return g_error_new(
        HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CONNECT,
        "There is no host on %s: this VM has no vsock device, or its driver is not loaded (modprobe "
        "vmw_vsock_virtio_transport), and vsock_loopback would connect to a process of this guest. " VM_NEEDS ".",
        name);
}

/* ---- connecting ---- */

/*
 * Ports that only a process with CAP_NET_BIND_SERVICE can bind. A host with helix-privileged-ports=on
 * accepts only these; others accept any. The client binds one if it may.
 */
#define PRIVILEGED_FIRST 600
#define PRIVILEGED_LAST 1023
#define PRIVILEGED_TRIES 32

static gboolean bind_to(int fd, guint cid, guint port)
{
    struct sockaddr_vm own = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };

    return bind(fd, (void *)&own, sizeof(own)) == 0;
}

/* To CID @cid, VMADDR_CID_ANY for any. FALSE with errno. */
static gboolean bind_vsock(int fd, guint cid)
{
    guint start = g_random_int_range(PRIVILEGED_FIRST, PRIVILEGED_LAST + 1);

    for (guint i = 0; i < PRIVILEGED_TRIES; i++) {
        guint port = PRIVILEGED_FIRST + (start - PRIVILEGED_FIRST + i) % (PRIVILEGED_LAST + 1 - PRIVILEGED_FIRST);

        if (bind_to(fd, cid, port)) {
            return TRUE;
        }
        if (errno != EADDRINUSE) {
            break; /* EACCES: without the privilege the kernel chooses a port above */
        }
    }
    return bind_to(fd, cid, VMADDR_PORT_ANY);
}

/* FALSE with errno. */
static gboolean start_connect(int fd, const struct sockaddr *to, socklen_t size, gboolean *connecting)
{
    if (connect(fd, to, size) == 0) {
        return TRUE;
    }
    *connecting = errno == EINPROGRESS || errno == EINTR;
    return *connecting;
}

static gboolean connect_unix(int fd, const ClientAddress *address, const char *name, gboolean *connecting, int *code,
                             GError **error)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    struct stat st;

    g_strlcpy(sun.sun_path, address->socket_path, sizeof(sun.sun_path));
    if (!start_connect(fd, (void *)&sun, sizeof(sun), connecting)) {
        *code = errno;
        /* connect() gives ECONNREFUSED for a plain file too, not only for a stale socket. */
        if (*code == ECONNREFUSED && stat(sun.sun_path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
            *code = ENOTSOCK;
        }
        g_propagate_error(error, client_connect_error(address, name, *code));
        return FALSE;
    }
    return TRUE;
}

/* Begins to connect @fd. FALSE with @error, and its errno in @code. */
static gboolean connect_vsock(int fd, const ClientAddress *address, const char *name, gboolean *connecting, int *code,
                              GError **error)
{
    struct sockaddr_vm svm = { .svm_family = AF_VSOCK, .svm_cid = address->cid, .svm_port = address->port };
    gboolean to_host = address->cid == VMADDR_CID_HOST;
    int unknown = 0;
    guint cid = to_host ? own_cid(&unknown) : VMADDR_CID_ANY;

    if (!bind_vsock(fd, cid) || !start_connect(fd, (void *)&svm, sizeof(svm), connecting)) {
        *code = errno;
        g_propagate_error(error, client_connect_error(address, name, *code));
        return FALSE;
    }
    /* Checked after connect(): a socket that connects by the loopback keeps that module loaded. */
    if (to_host && cid == VMADDR_CID_ANY && has_loopback()) {
        *code = ENODEV;
        g_propagate_error(error, not_the_host(name, unknown));
        return FALSE;
    }
    return TRUE;
}

int client_connect(const ClientAddress *address, const char *name, gboolean *connecting, int *code, GError **error)
{
    gboolean is_unix = address->socket_path != NULL;
    const gsize most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    int fd;

    *connecting = FALSE;
    *code = ENAMETOOLONG;
    if (is_unix && strlen(address->socket_path) > most) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_ADDRESS,
                    "The socket's path has %u bytes; a UNIX socket's path has at most %u.",
                    (guint)strlen(address->socket_path), (guint)most);
        return -1;
    }
    fd = socket(is_unix ? AF_UNIX : AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *code = errno;
        g_propagate_error(error, client_connect_error(address, name, *code));
        return -1;
    }
    if (!(is_unix ? connect_unix : connect_vsock)(fd, address, name, connecting, code, error)) {
        close(fd);
        return -1;
    }
    return fd;
}
