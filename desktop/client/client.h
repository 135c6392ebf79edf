/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - the client's insides: negotiation with the host, requests under way, events in order.
 *
 * Three threads meet here: the one that submits frames, the connection's thread, and the one that takes events. What
 * waits here wakes on flushing and on failure.
 */
#ifndef HELIX_CLIENT_CLIENT_H
#define HELIX_CLIENT_CLIENT_H

#include "connection.h"
#include "copy-modes.h"
#include "snapshots.h"
#include "stats.h"

/* So long a host that came back waits for a new frame before it is given the last one. */
#define CLIENT_FIRST_FRAME_MS 100

typedef enum ClientNegotiation {
    NEGOTIATION_NONE,   /* nothing asked on this connection yet */
    NEGOTIATION_ASKED,  /* CONFIG_REQ and PING are out */
    NEGOTIATION_DONE,   /* CONFIG_RESP came first */
    NEGOTIATION_FROZEN, /* PONG came first: the host speaks the frozen messages only */
} ClientNegotiation;

/* An event and what the caller does not see of it. */
typedef struct ClientEvent {
    HelixClientEvent public;
    HelixClient *client;          /* a reference while the event is the caller's */
    char *message;                /* public.message */
    GError *error;                /* public.error */
    struct ClientRequest *unsent; /* what a request that was not sent holds, freed with the event; or NULL */
} ClientEvent;

/* Something that will be answered, in order. */
typedef struct ClientRequest {
    gboolean is_config;
    HelixClientConfig config; /* of a configuration: what it asked for */
    guint config_serial;      /* HelixClient.config_serial then */
    gpointer frame_data;
    HelixClientFrame *frame; /* read by id: held until released or answered */
    ClientMessage *message;  /* not sent yet */
    ClientWireRequest wire;
    HelixClientPath path;
    guint64 cpu_bytes, pixel_bytes;
    gint64 queued_us;
    guint32 needs;       /* HELIX_CAP_ bits of the host that is asked */
    gboolean repeat;     /* the host's last frame again */
    gboolean discarded;  /* nobody wants the answer */
    ClientEvent *unsent; /* it was not sent: its event, which waits for those of the frames before it */
    gboolean again;      /* HelixClientFrame.again */
    gboolean probing;    /* a refusal is an event, not the end: this host has read no frame by this path */
    gboolean unverified; /* GUEST_COPY: the answer says what the host makes of @mode */
    ClientCopyMode mode;
    gboolean drawn;
} ClientRequest;

struct HelixClient {
    gint refs; /* atomic */
    /* Set before connect(). */
    char *socket_path;
    guint cid, port, timeout_ms;
    int socket; /* to begin with; -1: none */
    gboolean reconnect;
    char *avoid;
    GDestroyNotify free_frame_data;
    HelixClientStateFunc state_func;
    gpointer state_data;
    HelixClientLogFunc log_func;
    gpointer log_data;
    HelixClientGpu *gpu;
    ClientCopier *copier; /* NULL: no GPU */
    ClientStats *stats;
    ClientSnapshots *snapshots;

    ClientConnection *connection;
    gboolean was_connected; /* something was sent on a connection. Connection's thread */

    GMutex lock;
    GCond cond; /* anything below changed */
    int fd;     /* polls readable when there is an event; -1: nobody asked for it yet */
    gboolean flushing, failed;
    gboolean ended;                 /* as flushing, but nothing ends it */
    gboolean disconnected;          /* the connection is lost and tried again, or not there: nothing may be sent */
    gboolean reported_disconnected; /* and no host has negotiated since that was said */

    /* negotiation */
    ClientNegotiation negotiation;
    gboolean configured;
    gint64 negotiate_until_us; /* until when a live source waits for the first host */
    HelixClientConfig config;  /* last asked for */
    guint config_serial;       /* counts calls of configure() */
    gboolean has_accepted;     /* all of a configuration was accepted, the last of them: */
    HelixClientConfig accepted;
    gboolean ever_negotiated; /* with this host or, before it was lost, another */
    HelixClientHost host;

    /* requests */
    GQueue pending;         /* ClientRequest, sent; behind frames also those not sent */
    gint64 progress_us;     /* when the first of them was sent, a frame was written or answered, the last of these */
    ClientRequest *held;    /* the newest frame, until there is room for it */
    GQueue behind_held;     /* ClientRequest, not sent, that came after it */
    guint n_unsent;         /* those in both queues */
    guint frames_pending;   /* of all these, frames not discarded */
    guint requests_pending; /* of those sent, frames */
    gboolean force_next;    /* the next frame that is submitted is a keyframe */

    /* events */
    GQueue events;          /* ClientEvent */
    guint events_out;       /* taken and not freed yet */
    guint frame_events_out; /* of these, answers of the host to frames */
    gboolean drain_async;   /* DRAINED is wanted */
    guint n_draining;       /* threads that wait in drain() */

    /* screens that stand still */
    gboolean host_has_frame;      /* one was sent on this connection, and can be repeated as far as is known */
    gboolean host_has_encoded;    /* one was encoded */
    gboolean needs_initial_frame; /* a frame was submitted, and maybe no other comes: no host was there, or it failed */
    gboolean needs_repeat;        /* ... the host failed at the latest, for now, and has it still */
    gint64 repeat_due_us;         /* when to bring REPEAT; 0: not */
    guint keepalive_ms;           /* 0: none */
    gboolean still_source;
    gint64 keepalive_from_us; /* when the latest frame was submitted that the keepalive time counts from; 0: none */
};

/* client.c. With or without the lock. */
void client_log(HelixClient *self, GLogLevelFlags level, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* All with the lock, unless said. */

/* event-queue.c: something changed that a thread or the descriptor may wait for. */
void client_changed(HelixClient *self);
ClientEvent *client_event_new(HelixClientEventType type);
void client_push_event(HelixClient *self, ClientEvent *event);
/* An event about @request, whose frame_data it takes; NULL if that was discarded. */
ClientEvent *client_event_for(HelixClientEventType type, ClientRequest *request);
/* Is it the host's answer to a frame? */
gboolean client_event_is_of_frame(const ClientEvent *event);
/* Without the lock, for events that no caller has: frame_data is freed by the client's function. */
void client_event_destroy(HelixClient *self, ClientEvent *event);

/* negotiate.c */
/* CONFIG_REQ in the longest form that the host takes, which is the short one until it has negotiated. */
void client_send_config(HelixClient *self);
/* The first CONFIG_REQ of a connection and the PING behind it. */
void client_negotiate(HelixClient *self);
gboolean client_has_capability(const HelixClient *self, guint32 bit);
gboolean client_is_negotiated(const HelixClient *self);
guint client_in_flight_limit(const HelixClient *self);
/* Without the lock, on the connection's thread. */
GError *client_on_config_resp(HelixClient *self, const guint8 *payload, gsize len);
GError *client_on_config_error(HelixClient *self, gint32 code, char **message);
void client_on_pong(HelixClient *self);

/* requests.c */
gboolean client_has_room(const HelixClient *self);
/* @request is sent, and will be answered. */
void client_push_pending(HelixClient *self, ClientRequest *request);
/* The head of pending, taken. */
ClientRequest *client_pop_pending(HelixClient *self);
/* Send what is held, if there is room now; or lose it, if all is to end and no host is there. */
void client_pump(HelixClient *self);
/* Without the lock: it runs the caller's code. */
void client_request_free(ClientRequest *request);

/* unsent.c */
/* @request, in no queue, is not sent: its event keeps its place. */
void client_give_up(HelixClient *self, ClientRequest *request, HelixClientEventType type);
/* Those not sent that have no frame under way before them bring their events. */
void client_settle_unsent(HelixClient *self);
/* Nothing is held: those not sent behind it are now behind what was sent. */
void client_unhold(HelixClient *self);

/* repeat-timers.c */
/* Want a frame within @ms. */
void client_want_frame(HelixClient *self, guint ms);
/* A host that came back begins with the frame that is there, also where the screen stands still. */
void client_want_first(HelixClient *self);
/* What the host's answer @event to @request means for a still screen. */
void client_note_outcome(HelixClient *self, const ClientRequest *request, const HelixClientEvent *event);
/* When to bring KEEPALIVE, as things stand; 0: not. */
gint64 client_keepalive_due(const HelixClient *self);

/* state.c: without the lock, on the connection's thread. @error is taken over. */
void client_fail(HelixClient *self, GError *error);
void client_tell_state(HelixClient *self, HelixClientState state, GError *error);
/* A host has negotiated: say so if it had been lost. */
void client_tell_negotiated(HelixClient *self);
GError *client_protocol_error(const char *what);

/* answers.c: what the connection calls, on its thread. */
extern const ClientConnectionEvents client_connection_events;

#endif
