/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xnu-sockets.c - UNIX stream sockets as XNU has them, on Linux: these definitions come before the C library's, linked
 * into a test or preloaded.
 *
 * from: apple-oss-distributions/xnu bsd/kern/uipc_socket.c (solisten(): a backlog of 0 is somaxconn; sonewconn(): no
 * more than that many), uipc_usrreq.c (unp_connect(): a full backlog is ECONNREFUSED; PIPSIZ: 8192 bytes for both
 * buffers together, more after SO_SNDBUF)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

#define SOMAXCONN_OF_XNU 128
#define PIPSIZ 8192

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int narrow(int fd)
{
    const int size = PIPSIZ / 2; /* Linux doubles it, and takes 8064 bytes */
    int saved = errno;

    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    errno = saved;
    return fd;
}

int socket(int domain, int type, int protocol)
{
    int fd = REAL(socket)(domain, type, protocol);

    return domain == AF_UNIX ? narrow(fd) : fd;
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    int done = REAL(socketpair)(domain, type, protocol, fds);

    if (done == 0 && domain == AF_UNIX) {
        narrow(fds[0]);
        narrow(fds[1]);
    }
    return done;
}

int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    return narrow(REAL(accept)(fd, address, len));
}

/* Linux takes one connection more than the backlog says. */
int listen(int fd, int backlog)
{
    int most = backlog <= 0 || backlog > SOMAXCONN_OF_XNU ? SOMAXCONN_OF_XNU : backlog;

    return REAL(listen)(fd, most - 1);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    int done = REAL(connect)(fd, address, len);

    if (done < 0 && errno == EAGAIN) {
        errno = ECONNREFUSED;
    }
    return done;
}
