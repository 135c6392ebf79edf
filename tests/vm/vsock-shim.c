/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-shim.c - AF_VSOCK for a program of the host, over the UNIX sockets of helix-vsock: preloaded (LD_PRELOAD), it
 * lets the Linux kernel's vsock_test and vsock_perf be the guest's peer, which know nothing of CONNECT and of paths.
 *
 * HELIX_VSOCK_UDS is the device's uds-path, the guest's CID is 3. Stream sockets only. What AF_UNIX cannot do is left
 * as it is, and tests/vm/vsock_kernel.py says which cases that costs; three things of AF_VSOCK are played here: its
 * socket options, which are kept and given back, SO_RCVLOWAT in poll(), and an address for what has none.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#define GUEST_CID 3u
#define SOCKETS_MOST 1024
#define LOOK_AGAIN_MS 2

typedef struct Socket {
    bool ours;    /* AF_VSOCK for the program */
    bool listens; /* has a file at its port's path */
    unsigned port, peer_port;
    unsigned long long sizes[3]; /* SO_VM_SOCKETS_BUFFER_SIZE, _MIN_SIZE, _MAX_SIZE */
    int zero_copy, low_water;
} Socket;

static Socket sockets[SOCKETS_MOST];

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static Socket *ours(int fd)
{
    return fd >= 0 && fd < SOCKETS_MOST && sockets[fd].ours ? &sockets[fd] : NULL;
}

static int adopt(int fd)
{
    if (fd >= SOCKETS_MOST) {
        NEXT(close)(fd);
        errno = EMFILE;
        return -1;
    }
    if (fd >= 0) {
        sockets[fd] = (Socket){ .ours = true, .sizes = { 262144, 128, 262144 } };
    }
    return fd;
}

/* The device's own socket, or a port's. */
static struct sockaddr_un path_of(const unsigned *port)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("HELIX_VSOCK_UDS");

    if (port) {
        snprintf(address.sun_path, sizeof address.sun_path, "%s_%u", path, *port);
    } else {
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    }
    return address;
}

static void give_address(unsigned cid, unsigned port, struct sockaddr *to, socklen_t *len)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };

    if (to) {
        memcpy(to, &address, *len < sizeof address ? *len : sizeof address);
        *len = sizeof address;
    }
}

int socket(int domain, int type, int protocol)
{
    if (domain != AF_VSOCK) {
        return NEXT(socket)(domain, type, protocol);
    }
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) {
        errno = ESOCKTNOSUPPORT;
        return -1;
    }
    return adopt(NEXT(socket)(AF_UNIX, type, 0));
}

/* The file is made by listen(): a port that is bound only is refused. */
int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    const struct sockaddr_vm *wanted = (const void *)address;

    if (!ours(fd)) {
        return NEXT(bind)(fd, address, len);
    }
    if (wanted->svm_cid != VMADDR_CID_ANY && wanted->svm_cid != VMADDR_CID_HOST) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    ours(fd)->port = wanted->svm_port;
    return 0;
}

int listen(int fd, int backlog)
{
    Socket *self = ours(fd);

    if (self && !self->listens) {
        struct sockaddr_un address = path_of(&self->port);

        if (NEXT(bind)(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
            return -1;
        }
        self->listens = true;
    }
    return NEXT(listen)(fd, backlog);
}

int accept(int fd, struct sockaddr *address, socklen_t *len)
{
    Socket *self = ours(fd);
    int accepted;

    if (!self) {
        return NEXT(accept)(fd, address, len);
    }
    accepted = adopt(NEXT(accept)(fd, NULL, NULL));
    if (accepted >= 0) {
        sockets[accepted].port = self->port;
        memcpy(sockets[accepted].sizes, self->sizes, sizeof self->sizes);
        give_address(GUEST_CID, VMADDR_PORT_ANY, address, len);
    }
    return accepted;
}

/* "CONNECT P", and the host's port from the answer; -1 with errno. One byte at a time, as what follows is the guest's.
 */
static int ask(int fd, unsigned port, unsigned *host_port)
{
    char line[64];
    size_t used = 0;

    if (dprintf(fd, "CONNECT %u\n", port) < 0) {
        return -1;
    }
    do {
        ssize_t got = read(fd, line + used, 1);

        if (got <= 0) {
            errno = got < 0 && errno == EINTR ? EINTR : ECONNRESET;
            return -1;
        }
    } while (line[used++] != '\n' && used < sizeof line - 1);
    line[used] = '\0';
    if (sscanf(line, "OK %u", host_port) != 1) {
        errno = EPROTO;
        return -1;
    }
    return 0;
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    const struct sockaddr_vm *to = (const void *)address;
    struct sockaddr_un path = path_of(NULL);
    Socket *self = ours(fd);
    unsigned host_port;
    int fresh, error = 0;

    if (!self) {
        return NEXT(connect)(fd, address, len);
    }
    if (to->svm_cid != GUEST_CID) {
        errno = ENODEV;
        return -1;
    }
    fresh = NEXT(socket)(AF_UNIX, SOCK_STREAM, 0); /* a connect() that failed may be tried again */
    if (fresh < 0) {
        return -1;
    }
    if (NEXT(connect)(fresh, (const struct sockaddr *)&path, sizeof path) < 0 ||
        ask(fresh, to->svm_port, &host_port) < 0) {
        error = errno;
    } else if (dup2(fresh, fd) < 0) {
        error = errno;
    }
    NEXT(close)(fresh);
    if (error) {
        errno = error;
        return -1;
    }
    self->port = host_port;
    self->peer_port = to->svm_port;
    return 0;
}

int close(int fd)
{
    Socket *self = ours(fd);

    if (self) {
        struct sockaddr_un path = path_of(&self->port);

        if (self->listens) {
            unlink(path.sun_path);
        }
        *self = (Socket){ 0 };
    }
    return NEXT(close)(fd);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    Socket *self = ours(fd);

    if (!self) {
        return NEXT(getsockname)(fd, address, len);
    }
    give_address(VMADDR_CID_HOST, self->port, address, len);
    return 0;
}

int getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    Socket *self = ours(fd);

    if (!self) {
        return NEXT(getpeername)(fd, address, len);
    }
    give_address(GUEST_CID, self->peer_port, address, len);
    return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    Socket *self = ours(fd);

    if (self && level == AF_VSOCK && option <= SO_VM_SOCKETS_BUFFER_MAX_SIZE && len == sizeof self->sizes[0]) {
        memcpy(&self->sizes[option], value, len);
        return 0;
    }
    if (self && level == SOL_SOCKET && option == SO_ZEROCOPY && len == sizeof self->zero_copy) {
        memcpy(&self->zero_copy, value, len);
        return 0;
    }
    if (self && level == SOL_SOCKET && option == SO_RCVLOWAT && len == sizeof self->low_water) {
        memcpy(&self->low_water, value, len);
    }
    return NEXT(setsockopt)(fd, level, option, value, len);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    Socket *self = ours(fd);

    if (self && level == AF_VSOCK && option <= SO_VM_SOCKETS_BUFFER_MAX_SIZE && *len >= sizeof self->sizes[0]) {
        memcpy(value, &self->sizes[option], *len = sizeof self->sizes[0]);
        return 0;
    }
    if (self && level == SOL_SOCKET && option == SO_ZEROCOPY && *len >= sizeof self->zero_copy) {
        memcpy(value, &self->zero_copy, *len = sizeof self->zero_copy);
        return 0;
    }
    return NEXT(getsockopt)(fd, level, option, value, len);
}

/* poll(), under another name as the C library's header says that it only writes to @fds. */
int shim_poll(struct pollfd *fds, nfds_t count, int ms) __asm__("poll");

/* AF_UNIX says POLLIN with the first byte, AF_VSOCK with SO_RCVLOWAT of them or the end. */
int shim_poll(struct pollfd *fds, nfds_t count, int ms)
{
    Socket *self = count == 1 ? ours(fds->fd) : NULL;

    if (!self || self->low_water <= 1 || !(fds->events & (POLLIN | POLLRDNORM))) {
        return NEXT(poll)(fds, count, ms);
    }
    for (int waited = 0; ms < 0 || waited <= ms; waited += LOOK_AGAIN_MS) {
        int there = 0;

        if (NEXT(poll)(fds, 1, 0) < 0 || ioctl(fds->fd, FIONREAD, &there) < 0) {
            return -1;
        }
        if (there < self->low_water && !(fds->revents & (POLLHUP | POLLRDHUP))) {
            fds->revents &= ~(POLLIN | POLLRDNORM);
        }
        if (fds->revents) {
            return 1;
        }
        usleep(LOOK_AGAIN_MS * 1000);
    }
    fds->revents = 0;
    return 0;
}
