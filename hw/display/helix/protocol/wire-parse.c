/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire-parse.c - a guest's messages, from bytes to structs. */
#include "bytes.h"
#include "error.h"
#include "wire.h"

gboolean helix_header_parse(HelixHeader *header, const guint8 bytes[HELIX_WIRE_HEADER_SIZE])
{
    header->type = bytes[HELIX_WIRE_HEADER_TYPE];
    header->flags = bytes[HELIX_WIRE_HEADER_FLAGS];
    header->session_id = helix_get_u16(bytes + HELIX_WIRE_HEADER_SESSION);
    header->payload_size = helix_get_u32(bytes + HELIX_WIRE_HEADER_PAYLOAD);
    return helix_get_u32(bytes + HELIX_WIRE_HEADER_MAGIC) == HELIX_WIRE_MAGIC;
}

/* The sizes that a payload may have. */
static void payload_limits(const HelixHeader *header, gboolean negotiated, guint32 *min, guint32 *max)
{
    *min = 0;
    *max = HELIX_MAX_REQUEST_PAYLOAD;
    switch (header->type) {
    case HELIX_MSG_FRAME_REQUEST:
        *min = HELIX_REQUEST_SIZE;
        if (header->flags & HELIX_REQUEST_PIXEL_DATA) {
            *max = HELIX_MAX_REQUEST_PAYLOAD + HELIX_MAX_PIXEL_BYTES;
        } else if (!(header->flags & HELIX_REQUEST_EXT)) {
            *max = HELIX_REQUEST_SIZE;
        }
        break;
    case HELIX_MSG_SNAPSHOT:
        *min = negotiated ? HELIX_REQUEST_SIZE : 0;
        *max = !negotiated || (header->flags & HELIX_REQUEST_EXT) ? *max : HELIX_REQUEST_SIZE;
        break;
    case HELIX_MSG_SNAPSHOT_DROP:
        *min = negotiated ? HELIX_SNAPSHOT_DROP_SIZE : 0;
        *max = negotiated ? HELIX_SNAPSHOT_DROP_SIZE : *max;
        break;
    case HELIX_MSG_CONFIG_REQ:
        *min = HELIX_CONFIG_SIZE;
        *max = negotiated ? HELIX_CONFIG_VUI_SIZE : HELIX_CONFIG_SIZE;
        break;
    case HELIX_MSG_KEYFRAME_REQ:
    case HELIX_MSG_SESSION_CLOSE:
        *max = 0;
        break;
    case HELIX_MSG_PING:
        *max = HELIX_MAX_PING;
        break;
    default:
        break;
    }
}

/* The sizes of the three forms of CONFIG_REQ. */
static gboolean is_a_form(guint32 size)
{
    return size == HELIX_CONFIG_SIZE || size == HELIX_CONFIG_LONG_SIZE || size == HELIX_CONFIG_VUI_SIZE;
}

gboolean helix_header_check(const HelixHeader *header, gboolean negotiated, GError **error)
{
    guint32 min, max;
    gboolean config = header->type == HELIX_MSG_CONFIG_REQ;

    payload_limits(header, negotiated, &min, &max);
    if (header->payload_size >= min && header->payload_size <= max && (!config || is_a_form(header->payload_size))) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                "a message of type 0x%02x with flags 0x%02x cannot have a payload of %u "
                "bytes: %u to %u it can%s",
                header->type, header->flags, header->payload_size, min, max,
                config && negotiated ? ", as 28, 44 or 56" : "");
    return FALSE;
}

gsize helix_frame_request_head(const HelixHeader *header, const guint8 *payload, gsize have)
{
    gsize head = HELIX_REQUEST_SIZE;

    if (!(header->flags & HELIX_REQUEST_PIXEL_DATA)) {
        return header->payload_size;
    }
    if (header->flags & HELIX_REQUEST_EXT) {
        head += 2;
        if (have >= head) {
            head = HELIX_REQUEST_SIZE + MAX(2, helix_get_u16(payload + HELIX_REQUEST_SIZE));
        }
    }
    return MIN(head, MIN(header->payload_size, HELIX_MAX_REQUEST_PAYLOAD));
}

static gboolean ext_parse(HelixPicture *picture, const guint8 *ext, gsize len, GError **error)
{
    guint size = len >= 2 ? helix_get_u16(ext) : 0;

    if (size < HELIX_EXT_SIZE || size != len) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "an EXT block says that it has %u bytes and there are %" G_GSIZE_FORMAT
                    " for it: both must be the same and at least %u",
                    size, len, HELIX_EXT_SIZE);
        return FALSE;
    }
    picture->source = ext[HELIX_EXT_SOURCE];
    picture->planes = ext[HELIX_EXT_PLANES];
    if (picture->source > HELIX_SOURCE_PAGES || picture->planes > 3) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "an EXT block with source %u and %u planes: sources are 0 to %u, planes "
                    "0 to 3",
                    picture->source, picture->planes, HELIX_SOURCE_PAGES);
        return FALSE;
    }
    picture->crop_x = helix_get_u32(ext + HELIX_EXT_CROP_X);
    picture->crop_y = helix_get_u32(ext + HELIX_EXT_CROP_Y);
    picture->res_width = helix_get_u32(ext + HELIX_EXT_RES_WIDTH);
    picture->res_height = helix_get_u32(ext + HELIX_EXT_RES_HEIGHT);
    for (guint i = 0; i < 3; i++) {
        picture->offset[i] = helix_get_u32(ext + HELIX_EXT_OFFSET + (gsize)4 * i);
        picture->stride_of[i] = helix_get_u32(ext + HELIX_EXT_STRIDE + (gsize)4 * i);
    }
    picture->modifier = helix_get_u64(ext + HELIX_EXT_MODIFIER);
    return TRUE;
}

/* What the request names, by its flags. */
static gboolean name_check(const HelixFrameRequest *request, GError **error)
{
    guint32 id = request->picture.resource_id;
    gboolean pixels = (request->flags & HELIX_REQUEST_PIXEL_DATA) != 0;
    gboolean repeat = (request->flags & HELIX_REQUEST_REPEAT) != 0;

    if ((request->flags & HELIX_REQUEST_SNAPSHOT) && (pixels || repeat)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "the frame is said to be snapshot %u and %s as well: one of both", id,
                    pixels ? "pixels that follow" : "the last one again");
        return FALSE;
    }
    if (repeat && (pixels || id != 0)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "REPEAT names resource %u%s: it goes with resource 0 and no pixels", id,
                    pixels ? " and brings pixels" : "");
        return FALSE;
    }
    if (!repeat && !pixels && id == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                    "resource 0 is no picture: name a resource, or send the pixels with "
                    "PIXEL_DATA");
        return FALSE;
    }
    return TRUE;
}

static gboolean picture_check(const HelixFrameRequest *request, GError **error)
{
    const HelixPicture *picture = &request->picture;

    if (!name_check(request, error)) {
        return FALSE;
    }
    if (request->flags & HELIX_REQUEST_REPEAT) {
        return TRUE;
    }
    if (request->flags & HELIX_REQUEST_SNAPSHOT) {
        if (picture->width > 0 && picture->height > 0) {
            return TRUE;
        }
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "%u x %u of snapshot %u: sides are at least 1",
                    picture->width, picture->height, request->snapshot);
        return FALSE;
    }
    /* With the smallest picture's stride: the real one is checked where the pixels are. */
    if (picture->width == 0 || picture->height == 0 || helix_picture_size(picture->fourcc, 1, 1, 4, NULL) == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "a picture of %u x %u in format 0x%08x: sides are at least 1, formats "
                    "AR24, XR24, AB24, XB24 or NV12",
                    picture->width, picture->height, picture->fourcc);
        return FALSE;
    }
    return TRUE;
}

/* What a FRAME_REQUEST and a SNAPSHOT have in common. */
static gboolean describe_picture(HelixPicture *picture, const HelixHeader *header, const guint8 *payload, gsize len,
                                 GError **error)
{
    picture->resource_id = helix_get_u32(payload + HELIX_REQUEST_RESOURCE_ID);
    picture->width = helix_get_u32(payload + HELIX_REQUEST_WIDTH);
    picture->height = helix_get_u32(payload + HELIX_REQUEST_HEIGHT);
    picture->fourcc = helix_get_u32(payload + HELIX_REQUEST_FORMAT);
    picture->stride = helix_get_u32(payload + HELIX_REQUEST_STRIDE);
    return !(header->flags & HELIX_REQUEST_EXT) ||
        ext_parse(picture, payload + HELIX_REQUEST_SIZE, len - HELIX_REQUEST_SIZE, error);
}

gboolean helix_frame_request_parse(HelixFrameRequest *request, const HelixHeader *header, const guint8 *payload,
                                   gsize len, GError **error)
{
    memset(request, 0, sizeof *request);
    request->pts = (gint64)helix_get_u64(payload + HELIX_REQUEST_PTS);
    request->duration = (gint64)helix_get_u64(payload + HELIX_REQUEST_DURATION);
    request->force_keyframe = payload[HELIX_REQUEST_FORCE_KEY] != 0;
    request->flags = header->flags;
    if (header->flags & HELIX_REQUEST_SNAPSHOT) {
        request->snapshot = helix_get_u32(payload + HELIX_REQUEST_RESOURCE_ID);
    }
    return describe_picture(&request->picture, header, payload, len, error) && picture_check(request, error);
}

gboolean helix_snapshot_request_parse(HelixFrameRequest *request, const HelixHeader *header, const guint8 *payload,
                                      gsize len, GError **error)
{
    memset(request, 0, sizeof *request);
    request->flags = header->flags & HELIX_REQUEST_EXT;
    request->snapshot = helix_get_u32(payload + HELIX_SNAPSHOT_NUMBER);
    if (request->snapshot == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "a snapshot cannot have number 0: choose another one");
        return FALSE;
    }
    return describe_picture(&request->picture, header, payload, len, error) && picture_check(request, error);
}

static void vui_parse(HelixVui *vui, const guint8 *payload)
{
    vui->sar_width = helix_get_u16(payload + HELIX_CONFIG_SAR_WIDTH);
    vui->sar_height = helix_get_u16(payload + HELIX_CONFIG_SAR_HEIGHT);
    vui->primaries = payload[HELIX_CONFIG_PRIMARIES];
    vui->transfer = payload[HELIX_CONFIG_TRANSFER];
    vui->matrix = payload[HELIX_CONFIG_MATRIX];
    vui->full_range = payload[HELIX_CONFIG_FULL_RANGE];
    vui->chroma_loc = payload[HELIX_CONFIG_CHROMA_LOC];
}

gboolean helix_config_request_parse(HelixConfigRequest *request, const guint8 *payload, gsize len, GError **error)
{
    HelixStreamConfig *config = &request->config;

    memset(request, 0, sizeof *request);
    config->width = helix_get_u32(payload + HELIX_CONFIG_WIDTH);
    config->height = helix_get_u32(payload + HELIX_CONFIG_HEIGHT);
    config->bitrate = helix_get_u32(payload + HELIX_CONFIG_BITRATE);
    config->fps_num = helix_get_u32(payload + HELIX_CONFIG_FPS_NUM);
    config->fps_den = helix_get_u32(payload + HELIX_CONFIG_FPS_DEN);
    config->profile = payload[HELIX_CONFIG_PROFILE];
    config->level = payload[HELIX_CONFIG_LEVEL];
    config->realtime = payload[HELIX_CONFIG_REALTIME];
    if (len >= HELIX_CONFIG_LONG_SIZE) {
        request->is_long = TRUE;
        config->max_bitrate = helix_get_u32(payload + HELIX_CONFIG_MAX_BITRATE);
        config->key_int_max = helix_get_u32(payload + HELIX_CONFIG_KEY_INT_MAX);
        config->rate_control = payload[HELIX_CONFIG_RATE_CONTROL];
        config->min_qp = payload[HELIX_CONFIG_MIN_QP];
        config->max_qp = payload[HELIX_CONFIG_MAX_QP];
        config->slices = payload[HELIX_CONFIG_SLICES];
        config->aud = payload[HELIX_CONFIG_AUD];
    }
    if (len >= HELIX_CONFIG_VUI_SIZE) {
        request->has_vui = TRUE;
        vui_parse(&config->vui, payload);
        config->letterbox = payload[HELIX_CONFIG_LETTERBOX] != 0;
    }

    if (payload[HELIX_CONFIG_CODEC] != 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "codec %u is unknown: 0 is H.264",
                    payload[HELIX_CONFIG_CODEC]);
        return FALSE;
    }
    if (config->fps_num != 0 && config->fps_den == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "a frame rate of %u/0: the denominator is at least 1",
                    config->fps_num);
        return FALSE;
    }
    if ((config->width == 0) != (config->height == 0)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "a coded size of %u x %u: both sides or none",
                    config->width, config->height);
        return FALSE;
    }
    return TRUE;
}
