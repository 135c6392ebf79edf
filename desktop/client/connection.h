/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.h - one connection to the host: a socket, a thread that reads and writes it, framing.
 *
 * The thread polls the socket, a wake-up and the write fence of the next picture together, so nothing here ever blocks
 * on a host that does not answer, and closing takes no longer than the wake-up. Knows message headers, not messages.
 * If asked to, it connects again to a host that went away.
 */
#ifndef HELIX_CLIENT_CONNECTION_H
#define HELIX_CLIENT_CONNECTION_H

#include <glib.h>
#include "connect.h"
#include "wire.h"

typedef struct ClientConnection ClientConnection;

/* One message to the host: its bytes, in parts that are not copied, and what keeps them alive. */
typedef struct ClientMessage {
    guint8 head[CLIENT_MESSAGE_MAX];
    gsize head_len;
    struct {
        const void *data;
        gsize len;
    } part[4];
    guint n_parts;
    int fence_fd;    /* not sent before this polls readable; -1: none. Kept open by @owner */
    gboolean urgent; /* may overtake messages not yet begun (PING) */
    gpointer owner;  /* freed with @release on the connection's thread, once sent or given up */
    GDestroyNotify release;
    gint64 queued_us;     /* g_get_monotonic_time() */
    gint64 fence_wait_us; /* when the fence was first waited for */
    gint64 fence_us;      /* when the fence was seen open */
} ClientMessage;

ClientMessage *client_message_new(void);
void client_message_free(ClientMessage *outgoing);

/* All on the connection's thread, no lock held; none may block or free the connection. */
typedef struct ClientConnectionEvents {
    void (*message)(gpointer user, guint8 type, guint8 flags, guint16 session, GBytes *payload);
    /* Every byte was handed to the transport. */
    void (*sent)(gpointer user, const ClientMessage *outgoing, gsize bytes);
    /* Since when (g_get_monotonic_time()) the next answer is awaited; 0: none is. A silent host is asked with a PING
     * meanwhile. */
    gint64 (*waiting)(gpointer user);
    /* The last call. @error is in HELIX_CLIENT_ERROR and says what to do; the callee takes it over. */
    void (*failed)(gpointer user, GError *error);
    /* With reconnect: the host went away, or is not there yet, and is tried again until it is, less and less often
     * until reset_backoff(). What is queued when this returns is thrown away, and nothing may be queued until
     * connected().
     * @error is the callee's. */
    void (*lost)(gpointer user, GError *error);
    void (*connected)(gpointer user);
    /* A message is sent though its fence did not open in time. */
    void (*fence_timed_out)(gpointer user);
} ClientConnectionEvents;

/*
 * Start connecting, with *@connection set before any event. @fd: a stream socket to begin with, which is taken over and
 * need not be connected yet; -1: one is made. FALSE and NULL with HELIX_CLIENT_ERROR for what is known at
 * once (no vsock in this kernel, no such socket); what shows later comes by failed(). @timeout_ms: how long, while
 * waiting(), a PING may stay unanswered and a message unfinished; a host that answers PINGs may take six times as long
 * to answer a request. 0: no limit. With @reconnect a host that is not there, closes or falls silent is lost() and not
 * failed(); what no waiting mends (no permission, something else answers) fails as ever.
 */
gboolean client_connection_open(ClientConnection **connection, const ClientAddress *address, int fd, guint timeout_ms,
                                gboolean reconnect, const ClientConnectionEvents *events, gpointer user,
                                GError **error);
/* Queue @outgoing (taken over). Any thread. */
void client_connection_send(ClientConnection *connection, ClientMessage *outgoing);
/* What was connected is the host: should it go, the first try to connect again comes soon. Only from an event. */
void client_connection_reset_backoff(ClientConnection *connection);
/* Ends the thread at once, drops what is queued, closes. Not from an event. */
void client_connection_free(ClientConnection *connection);

#endif
