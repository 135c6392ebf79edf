/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - the protocol's messages as the guest writes and reads them.
 *
 * Building never fails; parsing takes hostile bytes and checks every size before it is used. The layout itself is in
 * helix-wire.h. Everything here is pure: any thread.
 */
#ifndef HELIX_CLIENT_WIRE_H
#define HELIX_CLIENT_WIRE_H

#include "helix-client.h"
#include "../../hw/display/helix/protocol/helix-wire.h"

/* Hosts that ignore the session answer with 0, so the only stream of a connection is 0. */
#define CLIENT_SESSION 0

/* FRAME_REQUEST without its pixels. */
typedef struct ClientWireRequest {
    guint8 flags; /* HELIX_REQUEST_ */
    guint32 resource_id, width, height, fourcc, stride;
    gint64 pts, duration;
    gboolean force_keyframe;
    /* EXT */
    guint8 source; /* HELIX_SOURCE_ */
    guint8 planes;
    guint32 crop_x, crop_y, res_width, res_height;
    guint32 offset[2], stride_of[2];
    guint64 modifier;
} ClientWireRequest;

/* FRAME_RESPONSE. */
typedef struct ClientWireResponse {
    gint64 pts;
    gboolean keyframe, dropped;
    GBytes *unit; /* Annex B; NULL if there is none. The caller's */
    gboolean has_timing;
    gint64 received, resolved, submitted, encoded; /* ns, host's monotonic clock */
} ClientWireResponse;

/* Room for the longest message that is written here, pixels not counted. */
#define CLIENT_MESSAGE_MAX (HELIX_WIRE_HEADER_SIZE + HELIX_REQUEST_SIZE + HELIX_EXT_SIZE)

/* Does @config say anything that only the longer form can? */
gboolean client_wire_config_is_long(const HelixClientConfig *config);
gboolean client_wire_vui_equal(const HelixClientVui *a, const HelixClientVui *b);
/* The longest form of CONFIG_REQ that a host of @capabilities takes, in bytes, and the longest that @config needs. */
guint32 client_wire_config_form(guint32 capabilities);
guint32 client_wire_config_needs(const HelixClientConfig *config);

/* Each writes header and payload and returns the bytes written (at most CLIENT_MESSAGE_MAX). */
/* @form: HELIX_CONFIG_SIZE, _LONG_SIZE or _VUI_SIZE. */
gsize client_wire_config(guint8 *out, guint16 session, const HelixClientConfig *config, guint32 form, gboolean answer);
/* @request: its flags may be EXT, and times and force_keyframe have no meaning. */
gsize client_wire_snapshot(guint8 *out, guint16 session, const ClientWireRequest *request, guint32 number);
gsize client_wire_snapshot_drop(guint8 *out, guint16 session, guint32 number);
gsize client_wire_ping(guint8 *out, guint16 session);
/* @pixel_bytes follow what is written here; they are in the header's payload_size. */
gsize client_wire_request(guint8 *out, guint16 session, const ClientWireRequest *request, guint32 pixel_bytes);

/* FALSE if the payload is not one of its type. */
gboolean client_wire_parse_config_resp(const guint8 *payload, gsize len, HelixClientHost *host);
gboolean client_wire_parse_released(const guint8 *payload, gsize len, gint64 *pts, guint32 *resource_id);
gboolean client_wire_parse_response(GBytes *payload, guint8 flags, ClientWireResponse *response);
/* @message becomes valid UTF-8, to be freed. */
gboolean client_wire_parse_snapshot_done(const guint8 *payload, gsize len, guint32 *number, gint32 *code,
                                         char **message);
gboolean client_wire_parse_error(const guint8 *payload, gsize len, gint32 *code, char **message);

#endif
