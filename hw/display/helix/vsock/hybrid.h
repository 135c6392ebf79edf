/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hybrid.h - vsock ports on the host as UNIX sockets, by the convention that Firecracker introduced ("hybrid vsock").
 *
 * A guest that connects to port P of CID 2 reaches the program that listens on the UNIX socket PATH_P. A program on the
 * host connects to the UNIX socket PATH, writes "CONNECT P\n", reads "OK Q\n" (Q is the host's port) and is connected
 * to port P of the guest. Main loop.
 */
#ifndef HELIX_VSOCK_HYBRID_H
#define HELIX_VSOCK_HYBRID_H

#include "vsock.h"

typedef struct HelixHybrid HelixHybrid;

/* Clients of the host that have not finished "CONNECT P"; further ones wait in the socket's backlog. */
#define HELIX_HYBRID_CLIENTS_MOST 64u
/*
 * File descriptors beside one for each connection that is not to the frame module: those clients, the listening socket
 * and its lock file.
 */
#define HELIX_HYBRID_DESCRIPTORS (HELIX_HYBRID_CLIENTS_MOST + 2u)

/*
 * Listen on @path (rules and errors of helix_listener_new() in transport/listener.h; besides, the longest PATH_P must
 * fit a socket address too). @context must be the one whose thread calls @vsock.
 */
HelixHybrid *helix_hybrid_new(GMainContext *context, HelixVsock *vsock, const char *path, GError **error);
/* Stop listening and close clients that have not finished "CONNECT". Call it after helix_vsock_free(). */
void helix_hybrid_free(HelixHybrid *hybrid);
/*
 * The guest connects to @port: splice @channel with the UNIX socket PATH_@port. FALSE, with the reason, if nothing
 * listens there.
 */
gboolean helix_hybrid_accept(HelixHybrid *hybrid, guint32 port, HelixChannel *channel, GError **error);

#endif
