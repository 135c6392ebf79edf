/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - the protocol's messages as the guest writes and reads them.
 *
 * Building never fails; parsing takes hostile bytes and checks every size before it is used. The layout itself is in
 * helix-wire.h. Everything here is pure: any thread.
 */
#ifndef VSOCKENC_WIRE_H
#define VSOCKENC_WIRE_H

#include <glib.h>
#include "../../hw/display/helix/protocol/helix-wire.h"

/* What the stream's SPS says of the pictures (H.264, E.2.1). All 0: square pixels, BT.709 in limited range. */
typedef struct VsockVui {
    guint16 sar_width, sar_height;      /* pixel aspect ratio; both 0: 1:1 */
    guint8 primaries, transfer, matrix; /* code points of tables E-3 to E-5; 0: BT.709 */
    guint8 full_range;
    guint32 chroma_loc; /* chroma_sample_loc_type plus 1; 0: not said */
} VsockVui;

/* CONFIG_REQ, and the part of CONFIG_RESP with the values in force. */
typedef struct VsockConfig {
    guint32 width, height; /* coded size */
    guint32 bitrate;       /* bit/s; 0 automatic */
    guint32 fps_n, fps_d;
    guint8 profile; /* 66, 77, 100; 0 automatic */
    guint8 level;   /* times 10; 0 automatic */
    guint8 realtime;
    /* The longer form only; 0 is what the host does by itself. */
    guint32 max_bitrate; /* bit/s */
    guint32 key_int_max; /* frames */
    guint8 rate_control; /* HELIX_RATE_ */
    guint8 min_qp, max_qp, slices, aud;
    VsockVui vui;   /* the form of 56 bytes only */
    guint64 serial; /* not sent: comes back with the answer */
} VsockConfig;

/* CONFIG_RESP. */
typedef struct VsockAgreement {
    VsockConfig config;
    guint32 max_in_flight;
    guint32 capabilities; /* HELIX_CAP_ */
    char encoder[HELIX_CONFIG_RESP_ENCODER_SIZE + 1];
} VsockAgreement;

/* FRAME_REQUEST without its pixels. */
typedef struct VsockRequest {
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
} VsockRequest;

/* FRAME_RESPONSE. */
typedef struct VsockResponse {
    gint64 pts;
    gboolean keyframe, dropped;
    GBytes *unit; /* Annex B; NULL if there is none. Owned by whoever parsed */
    gboolean has_timing;
    gint64 received, resolved, submitted, encoded; /* ns, host's monotonic clock */
} VsockResponse;

/* Room for the longest message that is written here, pixels not counted. */
#define VSOCK_MESSAGE_MAX (HELIX_WIRE_HEADER_SIZE + HELIX_REQUEST_SIZE + HELIX_EXT_SIZE)

/* Does @config say anything that only the longer form can? */
gboolean vsock_wire_config_is_long(const VsockConfig *config);
gboolean vsock_wire_vui_equal(const VsockVui *a, const VsockVui *b);
/* The longest form of CONFIG_REQ that a host of @capabilities takes, in bytes, and the longest that @config needs. */
guint32 vsock_wire_config_form(guint32 capabilities);
guint32 vsock_wire_config_needs(const VsockConfig *config);

/* Each writes header and payload and returns the bytes written (at most VSOCK_MESSAGE_MAX). */
/* @form: HELIX_CONFIG_SIZE, _LONG_SIZE or _VUI_SIZE. */
gsize vsock_wire_config(guint8 *out, guint16 session, const VsockConfig *config, guint32 form, gboolean answer);
gsize vsock_wire_ping(guint8 *out, guint16 session);
/* @pixel_bytes follow what is written here; they are in the header's payload_size. */
gsize vsock_wire_request(guint8 *out, guint16 session, const VsockRequest *request, guint32 pixel_bytes);

/* FALSE if the payload is not one of its type. */
gboolean vsock_wire_parse_agreement(const guint8 *payload, gsize len, VsockAgreement *agreement);
gboolean vsock_wire_parse_released(const guint8 *payload, gsize len, gint64 *pts, guint32 *resource_id);
gboolean vsock_wire_parse_response(GBytes *payload, guint8 flags, VsockResponse *response);
/* @message becomes valid UTF-8, to be freed. */
gboolean vsock_wire_parse_error(const guint8 *payload, gsize len, gint32 *code, char **message);

/* The first SPS of an access unit: three bytes from profile_idc on, or NULL. */
const guint8 *vsock_wire_find_sps(const guint8 *unit, gsize len);

#endif
