/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - messages between bytes and structs, on the host's side. docs/protocol.md is the text.
 *
 * Parsing checks what one message can be wrong about by itself; what depends on the stream's state is checked where
 * that state is. No function here keeps anything.
 */
#ifndef HELIX_WIRE_MESSAGES_H
#define HELIX_WIRE_MESSAGES_H

#include <glib.h>
#include "helix-wire.h"
#include "picture.h"
#include "stream-config.h"

typedef struct HelixHeader {
    guint8 type, flags;
    guint16 session_id;
    guint32 payload_size;
} HelixHeader;

/* A FRAME_REQUEST. With HELIX_REQUEST_REPEAT nothing in @picture counts. */
typedef struct HelixFrameRequest {
    HelixPicture picture;
    gint64 pts, duration; /* ns */
    guint8 flags;         /* HELIX_REQUEST_ */
    gboolean force_keyframe;
} HelixFrameRequest;

typedef struct HelixTiming {
    gint64 received_ns, resolved_ns, submitted_ns, encoded_ns;
} HelixTiming;

/* FALSE if the magic is wrong. */
gboolean helix_header_parse(HelixHeader *header, const guint8 bytes[HELIX_WIRE_HEADER_SIZE]);

/*
 * Can a message to the host have this type with this payload_size? FALSE with HELIX_CODE_INVALID if not: framing is
 * then lost. @long_config: the longer forms of CONFIG_REQ were agreed.
 */
gboolean helix_header_check(const HelixHeader *header, gboolean long_config, GError **error);

/*
 * Bytes of a FRAME_REQUEST's payload before its pixels, given the @have bytes at @payload that are there: grows as more
 * is known, until @have reaches it. Never more than the header's payload_size or HELIX_MAX_REQUEST_PAYLOAD.
 */
gsize helix_frame_request_head(const HelixHeader *header, const guint8 *payload, gsize have);

/* @len bytes as helix_frame_request_head() said. FALSE with HELIX_ERROR: @request then still has pts and flags. */
gboolean helix_frame_request_parse(HelixFrameRequest *request, const HelixHeader *header, const guint8 *payload,
                                   gsize len, GError **error);

/* FALSE with HELIX_CODE_INVALID. */
gboolean helix_config_request_parse(HelixConfigRequest *request, const guint8 *payload, gsize len, GError **error);

/* ---- messages to the guest, header included ---- */

/*
 * A FRAME_RESPONSE is built around its access unit, which is not copied: the encode thread returns it with this many
 * bytes of room before and behind it.
 */
#define HELIX_RESPONSE_HEADROOM (HELIX_WIRE_HEADER_SIZE + HELIX_RESPONSE_SIZE + 4u)
#define HELIX_RESPONSE_TAILROOM HELIX_TIMING_SIZE
/* The largest access unit that a FRAME_RESPONSE can carry, in bytes. */
#define HELIX_MAX_ACCESS_UNIT (HELIX_MAX_RESPONSE_PAYLOAD - HELIX_RESPONSE_SIZE - 4u - HELIX_TIMING_SIZE)

/* Make a FRAME_RESPONSE of @buffer, which holds headroom, an access unit of 1 byte or more, and tailroom. @timing may
 * be NULL. */
void helix_frame_response_frame(GByteArray *buffer, guint16 session_id, gint64 pts, gboolean keyframe,
                                const HelixTiming *timing);
/* A FRAME_RESPONSE for a frame that the encoder dropped. */
GByteArray *helix_frame_dropped_new(guint16 session_id, gint64 pts, const HelixTiming *timing);
/* @with_vui: the CONFIG_REQ that it answers had a VUI, so the answer has one. */
GByteArray *helix_config_response_new(guint16 session_id, const HelixStreamConfig *config, guint max_in_flight,
                                      const char *encoder, gboolean with_vui);
GByteArray *helix_frame_released_new(guint16 session_id, gint64 pts, guint32 resource_id);
GByteArray *helix_pong_new(guint16 session_id, const guint8 *payload, gsize len);
GByteArray *helix_error_new(guint16 session_id, guint8 answered_type, const GError *error);

#endif
