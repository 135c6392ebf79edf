/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.c - a connection whose carrier is the test itself. */
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/helix-wire.h"
#include "line.h"

static Line *line_of(HelixChannel *channel)
{
    return (Line *)channel;
}

gboolean line_can_offer(const Line *line)
{
    return line->channel.user && !line->in_input && !line->paused &&
        (line->to_host->len || (line->ends && !line->eof_told));
}

void line_offer(Line *line, gsize len)
{
    gsize n = MIN(len, line->to_host->len), used;
    g_autofree guint8 *piece = NULL;

    if (!line_can_offer(line)) {
        return;
    }
    if (!line->to_host->len) {
        line->eof_told = TRUE;
        line->channel.user->input_eof(&line->channel);
        return;
    }
    if (!n) {
        return;
    }
    piece = g_memdup2(line->to_host->data, n); /* of this size, for sanitizers to see */
    line->in_input = TRUE;
    line->resumed = FALSE;
    used = line->channel.user->input(&line->channel, piece, n);
    line->in_input = FALSE;
    g_assert_cmpuint(used, <=, n);
    g_byte_array_remove_range(line->to_host, 0, (guint)used);
    line->consumed += used;
    line->paused = used < n && !line->resumed;
}

static gsize carrier_write(HelixChannel *channel, const guint8 *data, gsize len)
{
    Line *line = line_of(channel);
    gsize n = MIN(len, line->window);

    g_byte_array_append(line->from_host, data, (guint)n);
    line->window -= n;
    line->taken += n;
    line->wants_write = n < len;
    return n;
}

static void carrier_shutdown_write(HelixChannel *channel)
{
    g_assert_not_reached(); /* a session has no use for it */
}

static void carrier_resume_input(HelixChannel *channel)
{
    Line *line = line_of(channel);

    line->paused = FALSE;
    line->resumed = TRUE;
    if (line->on_resume) {
        line->on_resume(line);
    }
}

static void carrier_close(HelixChannel *channel, gboolean abort)
{
    line_of(channel)->closed = TRUE;
}

static const HelixChannelCarrier carrier = {
    .write = carrier_write,
    .shutdown_write = carrier_shutdown_write,
    .resume_input = carrier_resume_input,
    .close = carrier_close,
};

Line *line_new(HelixHost *host, guint32 peer_port)
{
    Line *line = g_new0(Line, 1);

    line->channel.carrier = &carrier;
    line->channel.peer = (char *)"line";
    line->channel.peer_port = peer_port;
    line->to_host = g_byte_array_new();
    line->from_host = g_byte_array_new();
    if (!helix_host_accept(&line->channel, host)) {
        line_free(line);
        return NULL;
    }
    return line;
}

void line_free(Line *line)
{
    const HelixChannelUser *user = line->channel.user;

    if (user) {
        line->channel.user = NULL;
        user->closed(&line->channel);
    }
    g_byte_array_unref(line->to_host);
    g_byte_array_unref(line->from_host);
    g_free(line);
}

void line_open(Line *line, gsize bytes)
{
    line->window += bytes;
    if (line->channel.user && line->wants_write) {
        line->wants_write = FALSE;
        line->channel.user->writable(&line->channel);
    }
}

void line_send(Line *line, guint8 type, guint8 flags, guint16 session, const void *payload, gsize size)
{
    guint8 header[HELIX_WIRE_HEADER_SIZE];

    helix_put_u32(header + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    header[HELIX_WIRE_HEADER_TYPE] = type;
    header[HELIX_WIRE_HEADER_FLAGS] = flags;
    helix_put_u16(header + HELIX_WIRE_HEADER_SESSION, session);
    helix_put_u32(header + HELIX_WIRE_HEADER_PAYLOAD, (guint32)size);
    g_byte_array_append(line->to_host, header, sizeof header);
    if (size) {
        g_byte_array_append(line->to_host, payload, (guint)size);
    }
}
