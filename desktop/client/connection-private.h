/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection-private.h - a connection's insides, shared by its thread (connection.c) and its framing (framing.c).
 */
#ifndef HELIX_CLIENT_CONNECTION_PRIVATE_H
#define HELIX_CLIENT_CONNECTION_PRIVATE_H

#include "connection.h"

struct ClientConnection {
    const ClientConnectionEvents *events;
    gpointer user;
    char *socket_path; /* of address */
    ClientAddress address;
    char *name; /* for messages: "vsock CID 2 port 5000" */
    gint64 timeout_us;
    gboolean reconnect;
    GThread *thread;
    int wake_fd;
    gint quit; /* atomic */

    GMutex lock;  /* queue only */
    GQueue queue; /* ClientMessage */

    /* The connection's thread only. */
    int fd; /* -1: lost */
    gboolean connecting;
    gint64 retry_us;        /* when to connect again, and */
    gint64 retry_after_us;  /* how long that was after the last try; 0: it settled since */
    gboolean lost;          /* lost() was the last event of the two */
    gboolean gone;          /* the error at hand is about a host that may come back */
    ClientMessage *current; /* being written, */
    gint64 write_us;        /* since then */
    gsize written;          /* of current */
    int fence;              /* what the next message waits for, or -1; */
    gint64 fence_limit_us;  /* and until when */
    guint8 header[HELIX_WIRE_HEADER_SIZE];
    gsize header_len; /* not 0: a message is being read, */
    gint64 read_us;   /* since then */
    guint8 *payload;
    gsize payload_len, payload_size;
    gint64 alive_us;  /* last byte read or written; of a connection that is made, when that began */
    gboolean pinging; /* a PING is queued or without an answer, */
    gint64 ping_us;   /* since it was written; 0: it was not yet */
};

/* framing.c. Bytes of @outgoing on the wire. */
gsize client_message_size(const ClientMessage *outgoing);
/* What would be written now, or NULL; if that is for its fence, it is in self->fence. */
ClientMessage *client_connection_next(ClientConnection *self);
/* The next message's fence is signalled, or (not @signalled) took too long: it may be written now. */
void client_connection_open_fence(ClientConnection *self, gboolean signalled);
/* Writes until the socket takes no more. FALSE with errno. */
gboolean client_connection_write(ClientConnection *self);
/* Reads until there is no more, but no longer than one turn. Sets @error at the end of the stream too. */
gboolean client_connection_read(ClientConnection *self, GError **error);
/* Whether there is anything to write, be it behind a fence. */
gboolean client_connection_has_unsent(ClientConnection *self);
/* Throws away what is queued and half written or read. */
void client_connection_clear(ClientConnection *self);

#endif
