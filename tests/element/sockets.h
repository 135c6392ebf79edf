/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets.h - sockets as they are elsewhere: where AF_VSOCK is forbidden, in a guest with or without a vsock device, or
 * where connecting takes long, or from which bytes come without end.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <glib.h>

/* While set, socket(AF_VSOCK) fails as under a container's seccomp profile: EPERM. */
void sockets_forbid_vsock(gboolean forbid);
/* From here on connect() returns late, to be met in the middle of it: of connections to the UNIX socket @path; NULL: of
 * none. Must stay valid until then. */
void slow_connect(const char *path);
/* Waits until one is connected and does not return yet, which it then does within 0.3 s. */
void slow_connect_wait(void);
/* While set, the element's thread receives messages of a type that nobody knows, one after the other, and never waits
 * for one. */
void sockets_flood(gboolean flood);

/* A guest whose vsock routes as Linux does (af_vsock.c): CID 2 to the host by a device, else into the guest by
 * vsock_loopback. */
typedef struct VsockGuest {
    guint cid;                  /* what the device gave it; VMADDR_CID_ANY: there is no device */
    gboolean loopback;          /* vsock_loopback is loaded */
    int error;                  /* errno of opening /dev/vsock; 0: it can be read */
    gboolean unplugged;         /* the device goes, and vsock_loopback comes, once a socket is bound */
    const char *host, *process; /* UNIX sockets: what listens on the host, and in the guest */
    guint bound;                /* receives the CID of the latest bind() */
} VsockGuest;

/* From here on AF_VSOCK, in this process, is @guest's; NULL: the system's. */
void sockets_use_guest(VsockGuest *guest);

#endif
