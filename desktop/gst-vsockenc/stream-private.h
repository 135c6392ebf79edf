/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-private.h - the stream's insides, shared by the side that asks (stream.c) and the side that hears (answers.c).
 */
#ifndef VSOCKENC_STREAM_PRIVATE_H
#define VSOCKENC_STREAM_PRIVATE_H

#include "stream.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);

typedef enum Host {
    HOST_UNKNOWN,               /* nothing asked yet */
    HOST_ASKED,                 /* CONFIG_REQ and PING are out */
    HOST_NEW,                   /* CONFIG_RESP came first */
    HOST_OLD,                   /* PONG came first: frozen messages only */
} Host;

/* Something sent that will be answered, in order. */
typedef struct VsockPending {
    gboolean is_config;
    gpointer frame;             /* NULL: discarded */
    GstBuffer *buffer;          /* held until released or answered */
    guint32 resource_id;
    guint32 width, height;
    gint64 pts;
    gint64 queued_us;
    gboolean forced, discarded;
} VsockPending;

struct VsockStream {
    VsockConnection *connection;
    VsockStats *stats;
    void (*failed_cb)(gpointer user, GError *error);
    gpointer user;

    GMutex lock;
    GCond cond;                 /* anything below changed */
    Host host;
    gboolean flushing, failed;
    VsockConfig config;         /* last asked for */
    gboolean has_agreement;
    VsockAgreement agreement;
    GQueue pending;             /* VsockPending */
    guint frames_pending;       /* of these, pictures not discarded */
    guint requests_pending;     /* of these, pictures */
    GQueue answers;             /* VsockAnswer */
    guint busy;                 /* answers taken and not done */
};

/* stream.c; all with the lock. */
void vsock_stream_send_config(VsockStream *self, gboolean longer);
gboolean vsock_stream_has_capability(const VsockStream *self, guint32 bit);
/* The head of pending, taken. */
VsockPending *vsock_stream_pop_pending(VsockStream *self);
void vsock_pending_free(VsockPending *pending);

/* answers.c: what the connection calls, on its thread. */
extern const VsockConnectionEvents vsock_stream_events;

#endif
