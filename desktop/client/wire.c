/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire.c - see wire.h. */
#include "bytes.h"
#include "wire.h"

static guint8 *put_header(guint8 *out, guint8 type, guint8 flags, guint16 session, guint32 payload)
{
    put_u32(out + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    out[HELIX_WIRE_HEADER_TYPE] = type;
    out[HELIX_WIRE_HEADER_FLAGS] = flags;
    put_u16(out + HELIX_WIRE_HEADER_SESSION, session);
    put_u32(out + HELIX_WIRE_HEADER_PAYLOAD, payload);
    return out + HELIX_WIRE_HEADER_SIZE;
}

gboolean client_wire_config_is_long(const HelixClientConfig *config)
{
    return config->max_bitrate || config->key_int_max || config->rate_control || config->min_qp || config->max_qp ||
        config->slices || config->aud;
}

gboolean client_wire_vui_equal(const HelixClientVui *a, const HelixClientVui *b)
{
    return memcmp(a, b, sizeof(*a)) == 0; /* it has no padding */
}

guint32 client_wire_config_form(guint32 capabilities)
{
    if (!(capabilities & HELIX_CAP_LONG_CONFIG)) {
        return HELIX_CONFIG_SIZE;
    }
    return capabilities & HELIX_CAP_VUI ? HELIX_CONFIG_VUI_SIZE : HELIX_CONFIG_LONG_SIZE;
}

guint32 client_wire_config_needs(const HelixClientConfig *config)
{
    if (config->letterbox || !client_wire_vui_equal(&config->vui, &(HelixClientVui){ 0 })) {
        return HELIX_CONFIG_VUI_SIZE;
    }
    return client_wire_config_is_long(config) ? HELIX_CONFIG_LONG_SIZE : HELIX_CONFIG_SIZE;
}

static void put_vui(guint8 *p, const HelixClientVui *vui)
{
    put_u16(p + HELIX_CONFIG_SAR_WIDTH, vui->sar_width);
    put_u16(p + HELIX_CONFIG_SAR_HEIGHT, vui->sar_height);
    p[HELIX_CONFIG_PRIMARIES] = vui->primaries;
    p[HELIX_CONFIG_TRANSFER] = vui->transfer;
    p[HELIX_CONFIG_MATRIX] = vui->matrix;
    p[HELIX_CONFIG_FULL_RANGE] = vui->full_range;
    p[HELIX_CONFIG_CHROMA_LOC] = (guint8)vui->chroma_loc;
}

gsize client_wire_config(guint8 *out, guint16 session, const HelixClientConfig *config, guint32 form, gboolean answer)
{
    guint8 *p = put_header(out, HELIX_MSG_CONFIG_REQ, answer ? HELIX_CONFIG_ANSWER : 0, session, form);

    memset(p, 0, form);
    put_u32(p + HELIX_CONFIG_WIDTH, config->width);
    put_u32(p + HELIX_CONFIG_HEIGHT, config->height);
    put_u32(p + HELIX_CONFIG_BITRATE, config->bitrate);
    put_u32(p + HELIX_CONFIG_FPS_NUM, config->fps_num);
    put_u32(p + HELIX_CONFIG_FPS_DEN, config->fps_den);
    p[HELIX_CONFIG_PROFILE] = config->profile;
    p[HELIX_CONFIG_LEVEL] = config->level;
    p[HELIX_CONFIG_REALTIME] = config->realtime;
    if (form >= HELIX_CONFIG_LONG_SIZE) {
        put_u32(p + HELIX_CONFIG_MAX_BITRATE, config->max_bitrate);
        put_u32(p + HELIX_CONFIG_KEY_INT_MAX, config->key_int_max);
        p[HELIX_CONFIG_RATE_CONTROL] = config->rate_control;
        p[HELIX_CONFIG_MIN_QP] = config->min_qp;
        p[HELIX_CONFIG_MAX_QP] = config->max_qp;
        p[HELIX_CONFIG_SLICES] = config->slices;
        p[HELIX_CONFIG_AUD] = config->aud;
    }
    if (form >= HELIX_CONFIG_VUI_SIZE) {
        put_vui(p, &config->vui);
        p[HELIX_CONFIG_LETTERBOX] = config->letterbox;
    }
    return HELIX_WIRE_HEADER_SIZE + form;
}

gsize client_wire_ping(guint8 *out, guint16 session)
{
    put_header(out, HELIX_MSG_PING, 0, session, 0);
    return HELIX_WIRE_HEADER_SIZE;
}

static guint32 description_size(const ClientWireRequest *request)
{
    return HELIX_REQUEST_SIZE + (request->flags & HELIX_REQUEST_EXT ? HELIX_EXT_SIZE : 0);
}

/* What a FRAME_REQUEST and a SNAPSHOT say of the picture. */
static void put_description(guint8 *p, const ClientWireRequest *request)
{
    memset(p, 0, description_size(request));
    put_u32(p + HELIX_REQUEST_RESOURCE_ID, request->resource_id);
    put_u32(p + HELIX_REQUEST_WIDTH, request->width);
    put_u32(p + HELIX_REQUEST_HEIGHT, request->height);
    put_u32(p + HELIX_REQUEST_FORMAT, request->fourcc);
    put_u32(p + HELIX_REQUEST_STRIDE, request->stride);
    if (request->flags & HELIX_REQUEST_EXT) {
        guint8 *ext = p + HELIX_REQUEST_SIZE;

        put_u16(ext + HELIX_EXT_BLOCK_SIZE, HELIX_EXT_SIZE);
        ext[HELIX_EXT_SOURCE] = request->source;
        ext[HELIX_EXT_PLANES] = request->planes;
        put_u32(ext + HELIX_EXT_CROP_X, request->crop_x);
        put_u32(ext + HELIX_EXT_CROP_Y, request->crop_y);
        put_u32(ext + HELIX_EXT_RES_WIDTH, request->res_width);
        put_u32(ext + HELIX_EXT_RES_HEIGHT, request->res_height);
        for (gsize i = 0; i < G_N_ELEMENTS(request->offset); i++) {
            put_u32(ext + HELIX_EXT_OFFSET + 4 * i, request->offset[i]);
            put_u32(ext + HELIX_EXT_STRIDE + 4 * i, request->stride_of[i]);
        }
        put_u64(ext + HELIX_EXT_MODIFIER, request->modifier);
    }
}

gsize client_wire_request(guint8 *out, guint16 session, const ClientWireRequest *request, guint32 pixel_bytes)
{
    guint32 size = description_size(request);
    guint8 *p = put_header(out, HELIX_MSG_FRAME_REQUEST, request->flags, session, size + pixel_bytes);

    put_description(p, request);
    put_u64(p + HELIX_REQUEST_PTS, (guint64)request->pts);
    put_u64(p + HELIX_REQUEST_DURATION, (guint64)request->duration);
    p[HELIX_REQUEST_FORCE_KEY] = request->force_keyframe ? 1 : 0;
    return HELIX_WIRE_HEADER_SIZE + size;
}

gsize client_wire_snapshot(guint8 *out, guint16 session, const ClientWireRequest *request, guint32 number)
{
    guint32 size = description_size(request);
    guint8 *p = put_header(out, HELIX_MSG_SNAPSHOT, request->flags, session, size);

    put_description(p, request);
    put_u32(p + HELIX_SNAPSHOT_NUMBER, number);
    return HELIX_WIRE_HEADER_SIZE + size;
}

gsize client_wire_snapshot_drop(guint8 *out, guint16 session, guint32 number)
{
    put_u32(put_header(out, HELIX_MSG_SNAPSHOT_DROP, 0, session, HELIX_SNAPSHOT_DROP_SIZE), number);
    return HELIX_WIRE_HEADER_SIZE + HELIX_SNAPSHOT_DROP_SIZE;
}

/* @p: as the end of a CONFIG_REQ. */
static HelixClientVui get_vui(const guint8 *p)
{
    p -= HELIX_CONFIG_LONG_SIZE;
    return (HelixClientVui){
        .sar_width = get_u16(p + HELIX_CONFIG_SAR_WIDTH),
        .sar_height = get_u16(p + HELIX_CONFIG_SAR_HEIGHT),
        .primaries = p[HELIX_CONFIG_PRIMARIES],
        .transfer = p[HELIX_CONFIG_TRANSFER],
        .matrix = p[HELIX_CONFIG_MATRIX],
        .full_range = p[HELIX_CONFIG_FULL_RANGE] != 0,
        .chroma_loc = p[HELIX_CONFIG_CHROMA_LOC],
    };
}

gboolean client_wire_parse_config_resp(const guint8 *p, gsize len, HelixClientHost *host)
{
    HelixClientConfig *config = &host->active;

    if (len < HELIX_CONFIG_RESP_SIZE) {
        return FALSE;
    }
    memset(host, 0, sizeof(*host));
    config->width = get_u32(p + HELIX_CONFIG_WIDTH);
    config->height = get_u32(p + HELIX_CONFIG_HEIGHT);
    config->bitrate = get_u32(p + HELIX_CONFIG_BITRATE);
    config->fps_num = get_u32(p + HELIX_CONFIG_FPS_NUM);
    config->fps_den = get_u32(p + HELIX_CONFIG_FPS_DEN);
    config->profile = p[HELIX_CONFIG_PROFILE];
    config->level = p[HELIX_CONFIG_LEVEL];
    config->realtime = p[HELIX_CONFIG_REALTIME];
    config->max_bitrate = get_u32(p + HELIX_CONFIG_MAX_BITRATE);
    config->key_int_max = get_u32(p + HELIX_CONFIG_KEY_INT_MAX);
    config->rate_control = p[HELIX_CONFIG_RATE_CONTROL];
    config->min_qp = p[HELIX_CONFIG_MIN_QP];
    config->max_qp = p[HELIX_CONFIG_MAX_QP];
    config->slices = p[HELIX_CONFIG_SLICES];
    config->aud = p[HELIX_CONFIG_AUD];
    if (len >= HELIX_CONFIG_RESP_VUI_SIZE) {
        config->vui = get_vui(p + HELIX_CONFIG_RESP_VUI);
        config->letterbox = p[HELIX_CONFIG_RESP_VUI + HELIX_CONFIG_LETTERBOX - HELIX_CONFIG_LONG_SIZE] != 0;
    }
    host->max_in_flight = get_u32(p + HELIX_CONFIG_RESP_IN_FLIGHT);
    host->capabilities = get_u32(p + HELIX_CONFIG_RESP_CAPS);
    memcpy(host->encoder, p + HELIX_CONFIG_RESP_ENCODER, HELIX_CONFIG_RESP_ENCODER_SIZE);
    host->encoder[HELIX_CONFIG_RESP_ENCODER_SIZE] = '\0';
    if (!g_utf8_validate(host->encoder, -1, NULL)) {
        g_strlcpy(host->encoder, "unnamed", sizeof(host->encoder));
    }
    return TRUE;
}

gboolean client_wire_parse_released(const guint8 *payload, gsize len, gint64 *pts, guint32 *resource_id)
{
    if (len < HELIX_RELEASED_SIZE) {
        return FALSE;
    }
    *pts = (gint64)get_u64(payload + HELIX_RELEASED_PTS);
    *resource_id = get_u32(payload + HELIX_RELEASED_RESOURCE_ID);
    return TRUE;
}

static gboolean has_start_code(const guint8 *data, gsize len)
{
    return len >= 4 && data[0] == 0 && data[1] == 0 && (data[2] == 1 || (data[2] == 0 && data[3] == 1));
}

/* Old hosts may send NAL units one by one, and without start codes. */
static GBytes *join_entries(const guint8 *p, guint32 count)
{
    static const guint8 start_code[4] = { 0, 0, 0, 1 };
    GByteArray *joined = g_byte_array_new();

    for (guint32 i = 0; i < count; i++) {
        guint32 size = get_u32(p);

        if (!has_start_code(p + 4, size)) {
            g_byte_array_append(joined, start_code, sizeof(start_code));
        }
        g_byte_array_append(joined, p + 4, size);
        p += 4 + (gsize)size;
    }
    return g_byte_array_free_to_bytes(joined);
}

/* Where the entries end, or 0 if they do not fit. */
static gsize entries_end(const guint8 *p, gsize len, guint32 count)
{
    gsize at = HELIX_RESPONSE_SIZE;

    for (guint32 i = 0; i < count; i++) {
        guint32 size;

        if (len - at < 4) {
            return 0;
        }
        size = get_u32(p + at);
        at += 4;
        if (size == 0 || size > len - at) {
            return 0;
        }
        at += size;
    }
    return at;
}

gboolean client_wire_parse_response(GBytes *payload, guint8 flags, ClientWireResponse *response)
{
    gsize len, end;
    const guint8 *p = g_bytes_get_data(payload, &len);
    guint32 count;

    memset(response, 0, sizeof(*response));
    if (len < HELIX_RESPONSE_SIZE) {
        return FALSE;
    }
    count = get_u32(p + HELIX_RESPONSE_NAL_COUNT);
    end = entries_end(p, len, count);
    if (end == 0) {
        return FALSE;
    }
    if (flags & HELIX_RESPONSE_TIMING) {
        if (len - end < HELIX_TIMING_SIZE) {
            return FALSE;
        }
        response->has_timing = TRUE;
        response->received = (gint64)get_u64(p + end + HELIX_TIMING_RECEIVED);
        response->resolved = (gint64)get_u64(p + end + HELIX_TIMING_RESOLVED);
        response->submitted = (gint64)get_u64(p + end + HELIX_TIMING_SUBMITTED);
        response->encoded = (gint64)get_u64(p + end + HELIX_TIMING_ENCODED);
    }
    response->pts = (gint64)get_u64(p + HELIX_RESPONSE_PTS);
    response->keyframe = p[HELIX_RESPONSE_IS_KEYFRAME] != 0;
    response->dropped = (flags & HELIX_RESPONSE_DROPPED) || count == 0;
    if (count == 1 && has_start_code(p + HELIX_RESPONSE_SIZE + 4, end - HELIX_RESPONSE_SIZE - 4)) {
        response->unit = g_bytes_new_from_bytes(payload, HELIX_RESPONSE_SIZE + 4, end - HELIX_RESPONSE_SIZE - 4);
    } else if (count > 0) {
        response->unit = join_entries(p + HELIX_RESPONSE_SIZE, count);
    }
    return TRUE;
}

/* An ERROR's text, as valid UTF-8. */
static char *get_message(const guint8 *p)
{
    return g_utf8_make_valid((const char *)p, (gssize)strnlen((const char *)p, HELIX_ERROR_MESSAGE_SIZE));
}

gboolean client_wire_parse_error(const guint8 *payload, gsize len, gint32 *code, char **message)
{
    if (len != HELIX_ERROR_SIZE) {
        return FALSE;
    }
    *code = (gint32)get_u32(payload + HELIX_ERROR_CODE);
    *message = get_message(payload + HELIX_ERROR_MESSAGE);
    return TRUE;
}

gboolean client_wire_parse_snapshot_done(const guint8 *payload, gsize len, guint32 *number, gint32 *code,
                                         char **message)
{
    if (len != HELIX_SNAPSHOT_DONE_SIZE) {
        return FALSE;
    }
    *number = get_u32(payload + HELIX_SNAPSHOT_DONE_NUMBER);
    *code = (gint32)get_u32(payload + HELIX_SNAPSHOT_DONE_CODE);
    *message = get_message(payload + HELIX_SNAPSHOT_DONE_MESSAGE);
    return TRUE;
}
