/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake.c - a connection whose carrier is the test itself. */
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/helix-wire.h"
#include "fake-channel.h"

static FakeChannel *fake_channel_of(HelixChannel *channel)
{
    return (FakeChannel *)channel;
}

gboolean fake_channel_can_offer(const FakeChannel *fake)
{
    return fake->channel.user && !fake->in_input && !fake->paused &&
        (fake->to_host->len || (fake->ends && !fake->eof_told));
}

void fake_channel_offer(FakeChannel *fake, gsize len)
{
    gsize n = MIN(len, fake->to_host->len), used;
    g_autofree guint8 *piece = NULL;

    if (!fake_channel_can_offer(fake)) {
        return;
    }
    if (!fake->to_host->len) {
        fake->eof_told = TRUE;
        fake->channel.user->input_eof(&fake->channel);
        return;
    }
    if (!n) {
        return;
    }
    piece = g_memdup2(fake->to_host->data, n); /* of this size, for sanitizers to see */
    fake->in_input = TRUE;
    fake->resumed = FALSE;
    used = fake->channel.user->input(&fake->channel, piece, n);
    fake->in_input = FALSE;
    g_assert_cmpuint(used, <=, n);
    g_byte_array_remove_range(fake->to_host, 0, (guint)used);
    fake->consumed += used;
    fake->paused = used < n && !fake->resumed;
}

static gsize carrier_write(HelixChannel *channel, const guint8 *data, gsize len)
{
    FakeChannel *fake = fake_channel_of(channel);
    gsize n = MIN(len, fake->window);

    g_byte_array_append(fake->from_host, data, (guint)n);
    fake->window -= n;
    fake->taken += n;
    fake->wants_write = n < len;
    return n;
}

static void carrier_shutdown_write(HelixChannel *channel)
{
    g_assert_not_reached(); /* a session has no use for it */
}

static void carrier_resume_input(HelixChannel *channel)
{
    FakeChannel *fake = fake_channel_of(channel);

    fake->paused = FALSE;
    fake->resumed = TRUE;
    if (fake->on_resume) {
        fake->on_resume(fake);
    }
}

static void carrier_close(HelixChannel *channel, gboolean abort)
{
    fake_channel_of(channel)->closed = TRUE;
}

static const HelixChannelCarrier carrier = {
    .write = carrier_write,
    .shutdown_write = carrier_shutdown_write,
    .resume_input = carrier_resume_input,
    .close = carrier_close,
};

FakeChannel *fake_channel_new(HelixHost *host, guint32 peer_port)
{
    FakeChannel *fake = g_new0(FakeChannel, 1);

    fake->channel.carrier = &carrier;
    fake->channel.peer = (char *)"fake";
    fake->channel.peer_port = peer_port;
    fake->to_host = g_byte_array_new();
    fake->from_host = g_byte_array_new();
    if (!helix_host_accept(&fake->channel, host)) {
        fake_channel_free(fake);
        return NULL;
    }
    return fake;
}

void fake_channel_free(FakeChannel *fake)
{
    const HelixChannelUser *user = fake->channel.user;

    if (user) {
        fake->channel.user = NULL;
        user->closed(&fake->channel);
    }
    g_byte_array_unref(fake->to_host);
    g_byte_array_unref(fake->from_host);
    g_free(fake);
}

void fake_channel_open(FakeChannel *fake, gsize bytes)
{
    fake->window += bytes;
    if (fake->channel.user && fake->wants_write) {
        fake->wants_write = FALSE;
        fake->channel.user->writable(&fake->channel);
    }
}

void fake_channel_send(FakeChannel *fake, guint8 type, guint8 flags, guint16 session, const void *payload, gsize size)
{
    guint8 header[HELIX_WIRE_HEADER_SIZE];

    helix_put_u32(header + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    header[HELIX_WIRE_HEADER_TYPE] = type;
    header[HELIX_WIRE_HEADER_FLAGS] = flags;
    helix_put_u16(header + HELIX_WIRE_HEADER_SESSION, session);
    helix_put_u32(header + HELIX_WIRE_HEADER_PAYLOAD, (guint32)size);
    g_byte_array_append(fake->to_host, header, sizeof header);
    if (size) {
        g_byte_array_append(fake->to_host, payload, (guint)size);
    }
}
