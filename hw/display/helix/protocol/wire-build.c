/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire-build.c - the host's messages, from structs to bytes. */
#include "bytes.h"
#include "error.h"
#include "wire.h"

static void put_header(guint8 *header, guint8 type, guint8 flags, guint16 session_id, gsize payload_size)
{
    helix_put_u32(header + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    header[HELIX_WIRE_HEADER_TYPE] = type;
    header[HELIX_WIRE_HEADER_FLAGS] = flags;
    helix_put_u16(header + HELIX_WIRE_HEADER_SESSION, session_id);
    helix_put_u32(header + HELIX_WIRE_HEADER_PAYLOAD, (guint32)payload_size);
}

/* A message of a small, fixed size; its header is written and its payload zero. */
static GByteArray *message_new(guint8 type, guint8 flags, guint16 session_id, gsize payload_size)
{
    GByteArray *message = g_byte_array_sized_new((guint)(HELIX_WIRE_HEADER_SIZE + payload_size));

    g_byte_array_set_size(message, (guint)(HELIX_WIRE_HEADER_SIZE + payload_size));
    memset(message->data, 0, message->len);
    put_header(message->data, type, flags, session_id, payload_size);
    return message;
}

static guint8 *payload_of(GByteArray *message)
{
    return message->data + HELIX_WIRE_HEADER_SIZE;
}

static void put_timing(guint8 *block, const HelixTiming *timing)
{
    helix_put_u64(block + HELIX_TIMING_RECEIVED, (guint64)timing->received_ns);
    helix_put_u64(block + HELIX_TIMING_RESOLVED, (guint64)timing->resolved_ns);
    helix_put_u64(block + HELIX_TIMING_SUBMITTED, (guint64)timing->submitted_ns);
    helix_put_u64(block + HELIX_TIMING_ENCODED, (guint64)timing->encoded_ns);
}

void helix_frame_response_build(GByteArray *buffer, guint16 session_id, gint64 pts, gboolean keyframe,
                                const HelixTiming *timing)
{
    guint32 unit_size = buffer->len - HELIX_RESPONSE_HEADROOM - HELIX_RESPONSE_TAILROOM;
    guint8 *payload = payload_of(buffer);

    memset(buffer->data, 0, HELIX_RESPONSE_HEADROOM);
    helix_put_u64(payload + HELIX_RESPONSE_PTS, (guint64)pts);
    helix_put_u64(payload + HELIX_RESPONSE_DTS, (guint64)pts);
    payload[HELIX_RESPONSE_IS_KEYFRAME] = keyframe != FALSE;
    helix_put_u32(payload + HELIX_RESPONSE_NAL_COUNT, 1);
    helix_put_u32(payload + HELIX_RESPONSE_SIZE, unit_size);
    if (timing) {
        put_timing(buffer->data + HELIX_RESPONSE_HEADROOM + unit_size, timing);
    } else {
        g_byte_array_set_size(buffer, HELIX_RESPONSE_HEADROOM + unit_size);
    }
    put_header(buffer->data, HELIX_MSG_FRAME_RESPONSE, timing ? HELIX_RESPONSE_TIMING : 0, session_id,
               buffer->len - HELIX_WIRE_HEADER_SIZE);
}

GByteArray *helix_frame_dropped_new(guint16 session_id, gint64 pts, const HelixTiming *timing)
{
    guint8 flags = HELIX_RESPONSE_DROPPED | (timing ? HELIX_RESPONSE_TIMING : 0);
    GByteArray *message = message_new(HELIX_MSG_FRAME_RESPONSE, flags, session_id,
                                      HELIX_RESPONSE_SIZE + (timing ? HELIX_TIMING_SIZE : 0));

    helix_put_u64(payload_of(message) + HELIX_RESPONSE_PTS, (guint64)pts);
    helix_put_u64(payload_of(message) + HELIX_RESPONSE_DTS, (guint64)pts);
    if (timing) {
        put_timing(payload_of(message) + HELIX_RESPONSE_SIZE, timing);
    }
    return message;
}

static void put_vui(guint8 *to, const HelixVui *vui)
{
    to -= HELIX_CONFIG_LONG_SIZE; /* the offsets are those of a CONFIG_REQ */
    helix_put_u16(to + HELIX_CONFIG_SAR_WIDTH, vui->sar_width);
    helix_put_u16(to + HELIX_CONFIG_SAR_HEIGHT, vui->sar_height);
    to[HELIX_CONFIG_PRIMARIES] = vui->primaries;
    to[HELIX_CONFIG_TRANSFER] = vui->transfer;
    to[HELIX_CONFIG_MATRIX] = vui->matrix;
    to[HELIX_CONFIG_FULL_RANGE] = vui->full_range;
    to[HELIX_CONFIG_CHROMA_LOC] = (guint8)vui->chroma_loc;
}

GByteArray *helix_config_response_new(guint16 session_id, const HelixStreamConfig *config, guint max_in_flight,
                                      const char *encoder, guint32 capabilities, gboolean with_vui)
{
    GByteArray *message = message_new(HELIX_MSG_CONFIG_RESP, 0, session_id,
                                      with_vui ? HELIX_CONFIG_RESP_VUI_SIZE : HELIX_CONFIG_RESP_SIZE);
    guint8 *payload = payload_of(message);

    helix_put_u32(payload + HELIX_CONFIG_WIDTH, config->width);
    helix_put_u32(payload + HELIX_CONFIG_HEIGHT, config->height);
    helix_put_u32(payload + HELIX_CONFIG_BITRATE, config->bitrate);
    helix_put_u32(payload + HELIX_CONFIG_FPS_NUM, config->fps_num);
    helix_put_u32(payload + HELIX_CONFIG_FPS_DEN, config->fps_den);
    payload[HELIX_CONFIG_PROFILE] = config->profile;
    payload[HELIX_CONFIG_LEVEL] = config->level;
    payload[HELIX_CONFIG_REALTIME] = config->realtime;
    helix_put_u32(payload + HELIX_CONFIG_MAX_BITRATE, config->max_bitrate);
    helix_put_u32(payload + HELIX_CONFIG_KEY_INT_MAX, config->key_int_max);
    payload[HELIX_CONFIG_RATE_CONTROL] = config->rate_control;
    payload[HELIX_CONFIG_MIN_QP] = config->min_qp;
    payload[HELIX_CONFIG_MAX_QP] = config->max_qp;
    payload[HELIX_CONFIG_SLICES] = config->slices;
    payload[HELIX_CONFIG_AUD] = config->aud;
    helix_put_u32(payload + HELIX_CONFIG_RESP_IN_FLIGHT, max_in_flight);
    helix_put_u32(payload + HELIX_CONFIG_RESP_CAPS, capabilities);
    g_strlcpy((char *)payload + HELIX_CONFIG_RESP_ENCODER, encoder, HELIX_CONFIG_RESP_ENCODER_SIZE);
    if (with_vui) {
        put_vui(payload + HELIX_CONFIG_RESP_VUI, &config->vui);
        payload[HELIX_CONFIG_RESP_VUI + HELIX_CONFIG_LETTERBOX - HELIX_CONFIG_LONG_SIZE] = config->letterbox;
    }
    return message;
}

GByteArray *helix_frame_released_new(guint16 session_id, gint64 pts, guint32 resource_id)
{
    GByteArray *message = message_new(HELIX_MSG_FRAME_RELEASED, 0, session_id, HELIX_RELEASED_SIZE);

    helix_put_u64(payload_of(message) + HELIX_RELEASED_PTS, (guint64)pts);
    helix_put_u32(payload_of(message) + HELIX_RELEASED_RESOURCE_ID, resource_id);
    return message;
}

static void put_error(guint8 *code, guint8 *message, const GError *error)
{
    int value = error->domain == HELIX_ERROR ? error->code : HELIX_CODE_INTERNAL;

    helix_put_u32(code, (guint32)value);
    g_strlcpy((char *)message, error->message, HELIX_ERROR_MESSAGE_SIZE);
}

GByteArray *helix_snapshot_done_new(guint16 session_id, guint32 number, const GError *error)
{
    GByteArray *message = message_new(HELIX_MSG_SNAPSHOT_DONE, 0, session_id, HELIX_SNAPSHOT_DONE_SIZE);
    guint8 *payload = payload_of(message);

    helix_put_u32(payload + HELIX_SNAPSHOT_DONE_NUMBER, number);
    if (error) {
        put_error(payload + HELIX_SNAPSHOT_DONE_CODE, payload + HELIX_SNAPSHOT_DONE_MESSAGE, error);
    }
    return message;
}

GByteArray *helix_pong_new(guint16 session_id, const guint8 *payload, gsize len)
{
    GByteArray *message = message_new(HELIX_MSG_PONG, 0, session_id, len);

    if (len) {
        memcpy(payload_of(message), payload, len);
    }
    return message;
}

GByteArray *helix_error_new(guint16 session_id, guint8 answered_type, const GError *error)
{
    GByteArray *message = message_new(HELIX_MSG_ERROR, answered_type, session_id, HELIX_ERROR_SIZE);

    put_error(payload_of(message) + HELIX_ERROR_CODE, payload_of(message) + HELIX_ERROR_MESSAGE, error);
    return message;
}
