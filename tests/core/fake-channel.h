/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-channel.h - a connection whose carrier is the test itself: it says which bytes arrive when and how many are
 * taken.
 *
 * Everything happens on the caller's thread, which runs the host's context too.
 */
#ifndef HELIX_TEST_FAKE_CHANNEL_H
#define HELIX_TEST_FAKE_CHANNEL_H

#include "transport/channel.h"
#include "stream/host.h"

typedef struct FakeChannel {
    HelixChannel channel;    /* first */
    GByteArray *to_host;     /* sent by the guest, not consumed by the host yet */
    GByteArray *from_host;   /* handed to the transport, not looked at yet */
    guint64 consumed, taken; /* bytes the host consumed, and the transport took, in all */
    gsize window;            /* bytes that write() still takes */
    gboolean wants_write, paused, resumed, in_input;
    gboolean ends, eof_told; /* the guest sends no more; the host was told */
    gboolean closed;         /* the host closed */
    void (*on_resume)(
        struct FakeChannel *fake); /* from inside resume_input(), where a carrier may offer at once; NULL: nothing */
    gpointer data;                 /* the test's */
} FakeChannel;

/* A connection that @host serves; NULL: it refused. @peer_port: 0, or the vsock port it comes from. */
FakeChannel *fake_channel_new(HelixHost *host, guint32 peer_port);
/* The guest is gone, unless the host closed before. */
void fake_channel_free(FakeChannel *fake);

/* Hand the first @len bytes of to_host to the host, or end of stream if there are none and the guest sends no more. */
void fake_channel_offer(FakeChannel *fake, gsize len);
/* Whether fake_channel_offer() could do something. */
gboolean fake_channel_can_offer(const FakeChannel *fake);
/* The transport takes @bytes more. */
void fake_channel_open(FakeChannel *fake, gsize bytes);
/* A message of the protocol behind what waits in to_host. */
void fake_channel_send(FakeChannel *fake, guint8 type, guint8 flags, guint16 session, const void *payload, gsize size);

#endif
