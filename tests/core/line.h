/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * line.h - a connection whose carrier is the test itself: it says which bytes arrive when and how many are taken.
 *
 * Everything happens on the caller's thread, which runs the host's context too.
 */
#ifndef HELIX_TEST_LINE_H
#define HELIX_TEST_LINE_H

#include "transport/channel.h"
#include "stream/host.h"

typedef struct Line {
    HelixChannel channel;    /* first */
    GByteArray *to_host;     /* sent by the guest, not consumed by the host yet */
    GByteArray *from_host;   /* handed to the transport, not looked at yet */
    guint64 consumed, taken; /* bytes the host consumed, and the transport took, in all */
    gsize window;            /* bytes that write() still takes */
    gboolean wants_write, paused, resumed, in_input;
    gboolean ends, eof_told; /* the guest sends no more; the host was told */
    gboolean closed;         /* the host closed */
    void (*on_resume)(
        struct Line *line); /* from inside resume_input(), where a carrier may offer at once; NULL: nothing */
    gpointer data;          /* the test's */
} Line;

/* A connection that @host serves; NULL: it refused. @peer_port: 0, or the vsock port it comes from. */
Line *line_new(HelixHost *host, guint32 peer_port);
/* The guest is gone, unless the host closed before. */
void line_free(Line *line);

/* Hand the first @len bytes of to_host to the host, or end of stream if there are none and the guest sends no more. */
void line_offer(Line *line, gsize len);
/* Whether line_offer() could do something. */
gboolean line_can_offer(const Line *line);
/* The transport takes @bytes more. */
void line_open(Line *line, gsize bytes);
/* A message of the protocol behind what waits in to_host. */
void line_send(Line *line, guint8 type, guint8 flags, guint16 session, const void *payload, gsize size);

#endif
