/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - the host's side of the wire: messages from bytes to structs, and from structs to bytes. docs/protocol.md
 * specifies them.
 *
 * Parsing checks everything that does not depend on the state of a stream. No function keeps state; any thread.
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

/* A FRAME_REQUEST, or a SNAPSHOT. With HELIX_REQUEST_REPEAT picture has no meaning; with HELIX_REQUEST_SNAPSHOT only
 * its size and crop have one. */
typedef struct HelixFrameRequest {
    HelixPicture picture;
    gint64 pts, duration; /* ns */
    guint8 flags;         /* HELIX_REQUEST_ */
    gboolean force_keyframe;
    guint32 snapshot; /* number of a SNAPSHOT, or of the snapshot that HELIX_REQUEST_SNAPSHOT names */
} HelixFrameRequest;

/* Times of one frame, in ns of the monotonic clock. */
typedef struct HelixTiming {
    gint64 received_ns, resolved_ns, submitted_ns, encoded_ns;
} HelixTiming;

/* FALSE: the magic is wrong. */
gboolean helix_header_parse(HelixHeader *header, const guint8 bytes[HELIX_WIRE_HEADER_SIZE]);

/*
 * Whether a message to the host may have this type with this payload_size. FALSE with HELIX_CODE_INVALID: framing is
 * lost. @negotiated: the longer forms of CONFIG_REQ and the messages about snapshots may come.
 */
gboolean helix_header_check(const HelixHeader *header, gboolean negotiated, GError **error);

/*
 * Bytes of a FRAME_REQUEST's payload before its pixels, as far as the first @have bytes at @payload tell: call again
 * with more until @have reaches the result. At most the header's payload_size and HELIX_MAX_REQUEST_PAYLOAD.
 */
gsize helix_frame_request_head(const HelixHeader *header, const guint8 *payload, gsize have);

/* @len is the result of helix_frame_request_head(). FALSE with HELIX_ERROR: pts and flags of @request are set all the
 * same. */
gboolean helix_frame_request_parse(HelixFrameRequest *request, const HelixHeader *header, const guint8 *payload,
                                   gsize len, GError **error);

/* A SNAPSHOT; @len is the header's payload_size. FALSE with HELIX_ERROR: the number is set all the same. */
gboolean helix_snapshot_request_parse(HelixFrameRequest *request, const HelixHeader *header, const guint8 *payload,
                                      gsize len, GError **error);

/* @len is one that helix_header_check() allows. FALSE with HELIX_CODE_INVALID. */
gboolean helix_config_request_parse(HelixConfigRequest *request, const guint8 *payload, gsize len, GError **error);

/* ---- messages to the guest, header included ---- */

/*
 * A FRAME_RESPONSE is built around its access unit without another copy: the encode thread copies the encoder's bytes
 * once, with this many bytes of room before and behind them.
 */
#define HELIX_RESPONSE_HEADROOM (HELIX_WIRE_HEADER_SIZE + HELIX_RESPONSE_SIZE + 4u)
#define HELIX_RESPONSE_TAILROOM HELIX_TIMING_SIZE
/* The largest access unit that a FRAME_RESPONSE can carry, in bytes. */
#define HELIX_MAX_ACCESS_UNIT (HELIX_MAX_RESPONSE_PAYLOAD - HELIX_RESPONSE_SIZE - 4u - HELIX_TIMING_SIZE)

/* Make a FRAME_RESPONSE of @buffer, which holds headroom, an access unit of 1 byte or more, and tailroom. @timing may
 * be NULL. */
void helix_frame_response_build(GByteArray *buffer, guint16 session_id, gint64 pts, gboolean keyframe,
                                const HelixTiming *timing);
/* A FRAME_RESPONSE for a frame that the encoder dropped. */
GByteArray *helix_frame_dropped_new(guint16 session_id, gint64 pts, const HelixTiming *timing);
/* @capabilities: HELIX_CAP_. @with_vui: the CONFIG_REQ had a VUI, so the answer has one. */
GByteArray *helix_config_response_new(guint16 session_id, const HelixStreamConfig *config, guint max_in_flight,
                                      const char *encoder, guint32 capabilities, gboolean with_vui);
GByteArray *helix_frame_released_new(guint16 session_id, gint64 pts, guint32 resource_id);
/* @error: why the snapshot was refused; NULL: it is kept. */
GByteArray *helix_snapshot_done_new(guint16 session_id, guint32 number, const GError *error);
GByteArray *helix_pong_new(guint16 session_id, const guint8 *payload, gsize len);
/* @answered_type: of the message that @error answers, or HELIX_ERROR_FLAGS_CONNECTION. */
GByteArray *helix_error_new(guint16 session_id, guint8 answered_type, const GError *error);

#endif
