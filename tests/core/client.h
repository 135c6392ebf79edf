/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - a guest's end of the protocol, for tests: blocking, with time limits, and able to send what no guest
 * should.
 *
 * Needs GLib, protocol/helix-wire.h and protocol/bytes.h only and shares no code with the host, so that both could not
 * be wrong together.
 */
#ifndef HELIX_TEST_CLIENT_H
#define HELIX_TEST_CLIENT_H

#include <glib.h>
#include "protocol/helix-wire.h"

#define CLIENT_TIMEOUT_MS 20000

typedef struct Client {
    int fd;
    gboolean eof;       /* the host closed */
    gboolean timed_out; /* the last receive */
    int timeout_ms;     /* a receive waits that long; CLIENT_TIMEOUT_MS */
} Client;

typedef struct Message {
    guint8 type, flags;
    guint16 session;
    guint32 size;
    guint8 *payload; /* size bytes and a NUL */
} Message;

/* Takes the connected stream socket over. */
Client *client_new(int fd);
/* NULL with errno set. */
Client *client_connect(const char *unix_path);
void client_free(Client *client);
void client_shutdown_write(Client *client);

/* TRUE if all was sent before the time was up. */
gboolean client_send_bytes(Client *client, const void *bytes, gsize len);
gboolean client_send(Client *client, guint8 type, guint8 flags, guint16 session, const void *payload, gsize size);

/* The next message, or NULL: end of stream (eof) or time up (timed_out). */
Message *client_receive(Client *client);
void message_free(Message *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, message_free)

/* ---- requests ---- */

typedef struct FrameRequest {
    guint16 session;
    guint8 flags;
    guint32 resource, width, height, fourcc, stride; /* 0: 64 x 48, XR24, width * 4 */
    gint64 pts, duration;
    guint8 force_key;
    const guint8 *ext; /* with its own size in front; sent if flags say EXT */
    gsize ext_size;
    const guint8 *pixels; /* sent if flags say PIXEL_DATA */
    gsize pixels_size;
} FrameRequest;

/* Header and payload up to the pixels. */
GByteArray *client_frame_bytes(const FrameRequest *request);
gboolean client_frame(Client *client, const FrameRequest *request);
/* SNAPSHOT: the same description; SNAPSHOT_DROP. */
gboolean client_snapshot(Client *client, const FrameRequest *request, guint32 number);
gboolean client_snapshot_drop(Client *client, guint16 session, guint32 number);
/* A frame of the resource, 64 x 48. */
gboolean client_resource(Client *client, guint16 session, guint32 resource, gint64 pts);
gboolean client_keyframe(Client *client, guint16 session);
gboolean client_session_close(Client *client, guint16 session);
gboolean client_ping(Client *client, guint16 session, const void *payload, gsize size);

typedef struct ConfigRequest {
    guint16 session;
    guint8 flags;
    gboolean is_long, has_vui; /* the forms of 44 and of 56 bytes */
    guint32 width, height, bitrate, fps_num, fps_den;
    guint8 profile, level, realtime, codec;
    guint32 max_bitrate, key_int_max;
    guint8 rate_control, min_qp, max_qp, slices, aud;
    guint16 sar_width, sar_height;
    guint8 primaries, transfer, matrix, full_range, chroma_loc;
} ConfigRequest;

gboolean client_config(Client *client, const ConfigRequest *request);

/* ---- answers ---- */

gint64 message_pts(const Message *message); /* FRAME_RESPONSE, FRAME_RELEASED */
gboolean message_is_keyframe(const Message *message);
/* The access unit of a FRAME_RESPONSE that has exactly one and is otherwise well-formed; NULL if not. */
const guint8 *message_unit(const Message *message, gsize *size);
int message_error_code(const Message *message);
const char *message_error_text(const Message *message);
/* The types of an access unit's NAL units in order, as text: "7 8 5". Freed by the caller. */
char *unit_nal_types(const guint8 *unit, gsize size);

#endif
