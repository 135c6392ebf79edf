/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire vectors (tests/vectors) and the host's wire code: every message to the host is parsed to the values in the
 * vector's JSON, or refused with its code; every message to a guest is built from them and has the vector's bytes.
 */
#include <string.h>
#include "../vectors/vector.h"
#include "protocol/bytes.h"
#include "protocol/error.h"
#include "frame/pixel-upload.h"
#include "protocol/wire.h"

#define SAME(vector, path, value) g_assert_cmpint(vector_number(vector, path), ==, (gint64)(value))

static gboolean is_one_of(const Vector *vector, const char *const *names)
{
    return g_strv_contains(names, vector->name);
}

static void same_vui(const Vector *vector, const HelixVui *vui)
{
    SAME(vector, "sar_width", vui->sar_width);
    SAME(vector, "sar_height", vui->sar_height);
    SAME(vector, "primaries", vui->primaries);
    SAME(vector, "transfer", vui->transfer);
    SAME(vector, "matrix", vui->matrix);
    SAME(vector, "full_range", vui->full_range);
    SAME(vector, "chroma_loc", vui->chroma_loc);
}

static void parse_config(const Vector *vector, GError **error)
{
    HelixConfigRequest request;
    const HelixStreamConfig *config = &request.config;

    if (!helix_config_request_parse(&request, vector->payload, vector->payload_len, error)) {
        return;
    }
    SAME(vector, "width", config->width);
    SAME(vector, "height", config->height);
    SAME(vector, "bitrate", config->bitrate);
    SAME(vector, "framerate_num", config->fps_num);
    SAME(vector, "framerate_den", config->fps_den);
    SAME(vector, "profile_idc", config->profile);
    SAME(vector, "level", config->level);
    SAME(vector, "realtime", config->realtime);
    SAME(vector, "codec", 0); /* others are refused */
    g_assert_true(request.is_long == vector_has(vector, "aud"));
    if (request.is_long) {
        SAME(vector, "max_bitrate", config->max_bitrate);
        SAME(vector, "key_int_max", config->key_int_max);
        SAME(vector, "rate_control", config->rate_control);
        SAME(vector, "min_qp", config->min_qp);
        SAME(vector, "max_qp", config->max_qp);
        SAME(vector, "slices", config->slices);
        SAME(vector, "aud", config->aud);
    }
    g_assert_true(request.has_vui == vector_has(vector, "sar_width"));
    if (request.has_vui) {
        same_vui(vector, &config->vui);
        SAME(vector, "letterbox", config->letterbox);
    }
    vector_assert_all_read(vector);
}

static void same_ext(const Vector *vector, const HelixPicture *picture, gsize block)
{
    SAME(vector, "ext.size", block);
    SAME(vector, "ext.source", picture->source);
    SAME(vector, "ext.planes", picture->planes);
    SAME(vector, "ext.crop_x", picture->crop_x);
    SAME(vector, "ext.crop_y", picture->crop_y);
    SAME(vector, "ext.res_width", picture->res_width);
    SAME(vector, "ext.res_height", picture->res_height);
    for (guint i = 0; i < 3; i++) {
        g_autofree char *offset = g_strdup_printf("ext.offset.%u", i), *stride = g_strdup_printf("ext.stride.%u", i);

        SAME(vector, offset, picture->offset[i]);
        SAME(vector, stride, picture->stride_of[i]);
    }
    SAME(vector, "ext.modifier", picture->modifier);
    g_assert_true(vector_has(vector, "ext.unknown") == (block > HELIX_EXT_SIZE)); /* skipped, so only its size counts */
}

static void same_request(const Vector *vector, const HelixFrameRequest *request, gsize head)
{
    const HelixPicture *picture = &request->picture;

    SAME(vector, "resource_id", picture->resource_id);
    SAME(vector, "width", picture->width);
    SAME(vector, "height", picture->height);
    g_assert_cmphex(vector_fourcc(vector, "format"), ==, picture->fourcc);
    SAME(vector, "stride", picture->stride);
    if (vector->type == HELIX_MSG_SNAPSHOT) {
        SAME(vector, "snapshot", request->snapshot);
    } else {
        SAME(vector, "pts", request->pts);
        SAME(vector, "duration", request->duration);
        SAME(vector, "force_keyframe", request->force_keyframe);
    }
    g_assert_true(vector_has(vector, "ext") == ((request->flags & HELIX_REQUEST_EXT) != 0));
    if (request->flags & HELIX_REQUEST_EXT) {
        same_ext(vector, picture, head - HELIX_REQUEST_SIZE);
    }
}

/* The pixels behind the first @head bytes, put into a surface. */
static void upload(const Vector *vector, const HelixPicture *picture, gsize head, GError **error)
{
    g_autoptr(GBytes) pixels = vector_bytes(vector, "pixels");
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    gsize len, row = picture->fourcc == HELIX_FORMAT_NV12 ? picture->width : (gsize)picture->width * 4;
    const guint8 *bytes = g_bytes_get_data(pixels, &len);
    HelixPixelUpload sink;

    g_assert_cmpmem(vector->payload + head, vector->payload_len - head, bytes, len);
    if (helix_pixel_upload_start(&sink, pool, picture, vector->payload_size - head, error)) {
        g_autoptr(HelixSurface) surface = NULL;

        helix_pixel_upload_feed(&sink, vector->payload + head, len);
        surface = helix_pixel_upload_finish(&sink);
        for (guint32 y = 0; y < picture->height; y++) {
            g_assert_cmpmem(surface->data + surface->offset[0] + y * surface->stride[0], row,
                            bytes + (gsize)y * picture->stride, row);
        }
    }
    helix_surface_pool_unref(pool);
}

static void parse_frame(const Vector *vector, const HelixHeader *header, GError **error)
{
    gsize head = helix_frame_request_head(header, vector->payload, vector->payload_len);
    HelixFrameRequest request;

    if (!helix_frame_request_parse(&request, header, vector->payload, head, error)) {
        return;
    }
    same_request(vector, &request, head);
    if (header->flags & HELIX_REQUEST_PIXEL_DATA) {
        upload(vector, &request.picture, head, error);
    } else {
        vector_assert_all_read(vector);
    }
}

static void parse_snapshot(const Vector *vector, const HelixHeader *header, GError **error)
{
    HelixFrameRequest request;

    if (helix_snapshot_request_parse(&request, header, vector->payload, vector->payload_len, error)) {
        same_request(vector, &request, vector->payload_len);
        vector_assert_all_read(vector);
    }
}

/* The error that the host's wire code finds in @vector, or NULL. @lost: with framing. */
static GError *parse(const Vector *vector, gboolean *lost)
{
    HelixHeader header;
    GError *error = NULL;

    *lost = TRUE;
    if (!helix_header_parse(&header, g_bytes_get_data(vector->data, NULL))) {
        return g_error_new_literal(HELIX_ERROR, HELIX_CODE_INVALID, "magic");
    }
    g_assert_cmphex(header.type, ==, vector->type);
    g_assert_cmphex(header.flags, ==, vector->flags);
    g_assert_cmphex(header.session_id, ==, vector->session_id);
    g_assert_cmpuint(header.payload_size, ==, vector->payload_size);
    if (!helix_header_check(&header, vector_is_agreed(vector), &error)) {
        return error;
    }
    g_assert_cmpuint(vector->payload_len, ==, vector->payload_size);
    *lost = FALSE;
    if (header.type == HELIX_MSG_CONFIG_REQ) {
        parse_config(vector, &error);
    } else if (header.type == HELIX_MSG_FRAME_REQUEST) {
        parse_frame(vector, &header, &error);
    } else if (header.type == HELIX_MSG_SNAPSHOT) {
        parse_snapshot(vector, &header, &error);
    }
    return error;
}

static void test_parse(gconstpointer data)
{
    /* Wrong because of what came before, or by its type alone: tests/client/test_vectors.py sends them to a host. */
    static const char *const by_state[] = { "invalid-type-unknown",
                                            "invalid-type-host",
                                            "invalid-resource-unknown",
                                            "invalid-ext-crop",
                                            "invalid-repeat-nothing",
                                            "invalid-snapshot-in-use",
                                            "invalid-snapshot-resource",
                                            "invalid-snapshot-not-agreed",
                                            "invalid-frame-request-snapshot-unknown",
                                            "invalid-frame-request-snapshot-size",
                                            NULL };
    const Vector *vector = data;
    g_autoptr(GError) error = NULL;
    gboolean lost;

    error = parse(vector, &lost);
    if (vector->valid || is_one_of(vector, by_state)) {
        g_assert_no_error(error);
        return;
    }
    g_assert_nonnull(error);
    g_assert_true(error->domain == HELIX_ERROR);
    g_assert_true(lost == json_object_get_boolean_member(vector->text, "closes"));
    if (!g_str_equal(vector->name, "invalid-config-req-silent")) { /* it is refused without a word */
        g_assert_cmpint(error->code, ==, vector_error_code(vector));
    }
}

/* ---- messages to a guest ---- */

static GByteArray *build_response(const Vector *vector)
{
    gboolean has_timing = vector_has(vector, "timing");
    HelixTiming timing = { 0 };
    const gint64 pts = vector_number(vector, "pts");
    g_autoptr(GBytes) unit = NULL;
    GByteArray *message;

    SAME(vector, "dts", pts);
    SAME(vector, "nal_count", vector_length(vector, "entries"));
    if (vector_length(vector, "entries")) {
        unit = vector_bytes(vector, "entries.0");
    }
    if (has_timing) {
        timing.received_ns = vector_number(vector, "timing.received");
        timing.resolved_ns = vector_number(vector, "timing.resolved");
        timing.submitted_ns = vector_number(vector, "timing.submitted");
        timing.encoded_ns = vector_number(vector, "timing.encoded");
    }
    if (!unit) {
        SAME(vector, "is_keyframe", 0);
        return helix_frame_dropped_new(vector->session_id, pts, has_timing ? &timing : NULL);
    }
    message = g_byte_array_new();
    g_byte_array_set_size(message, HELIX_RESPONSE_HEADROOM);
    g_byte_array_append(message, g_bytes_get_data(unit, NULL), (guint)g_bytes_get_size(unit));
    g_byte_array_set_size(message, message->len + HELIX_RESPONSE_TAILROOM);
    helix_frame_response_build(message, vector->session_id, pts, vector_number(vector, "is_keyframe") != 0,
                               has_timing ? &timing : NULL);
    return message;
}

static GByteArray *build_config_response(const Vector *vector)
{
    const HelixStreamConfig config = {
        .width = (guint32)vector_number(vector, "width"),
        .height = (guint32)vector_number(vector, "height"),
        .bitrate = (guint32)vector_number(vector, "bitrate"),
        .max_bitrate = (guint32)vector_number(vector, "max_bitrate"),
        .fps_num = (guint32)vector_number(vector, "framerate_num"),
        .fps_den = (guint32)vector_number(vector, "framerate_den"),
        .key_int_max = (guint32)vector_number(vector, "key_int_max"),
        .profile = (guint8)vector_number(vector, "profile_idc"),
        .level = (guint8)vector_number(vector, "level"),
        .realtime = (guint8)vector_number(vector, "realtime"),
        .rate_control = (guint8)vector_number(vector, "rate_control"),
        .min_qp = (guint8)vector_number(vector, "min_qp"),
        .max_qp = (guint8)vector_number(vector, "max_qp"),
        .slices = (guint8)vector_number(vector, "slices"),
        .aud = (guint8)vector_number(vector, "aud"),
    };
    gboolean has_vui = vector_has(vector, "sar_width");
    HelixStreamConfig with_vui = config;
    GByteArray *message;

    SAME(vector, "codec", 0);
    if (has_vui) {
        with_vui.letterbox = (guint8)vector_number(vector, "letterbox");
        with_vui.vui = (HelixVui){
            .sar_width = (guint16)vector_number(vector, "sar_width"),
            .sar_height = (guint16)vector_number(vector, "sar_height"),
            .primaries = (guint8)vector_number(vector, "primaries"),
            .transfer = (guint8)vector_number(vector, "transfer"),
            .matrix = (guint8)vector_number(vector, "matrix"),
            .full_range = (guint8)vector_number(vector, "full_range"),
            .chroma_loc = (guint32)vector_number(vector, "chroma_loc"),
        };
    }
    message = helix_config_response_new(vector->session_id, &with_vui, (guint)vector_number(vector, "max_in_flight"),
                                        vector_text(vector, "encoder"), HELIX_CAP_ALL, has_vui);
    /* A later host can do more; what these capabilities mean never changes. */
    g_assert_cmphex(vector_number(vector, "capabilities") & ~(gint64)HELIX_CAP_ALL, ==, 0);
    helix_put_u32(message->data + HELIX_WIRE_HEADER_SIZE + HELIX_CONFIG_RESP_CAPS,
                  (guint32)vector_number(vector, "capabilities"));
    return message;
}

static GByteArray *build(const Vector *vector)
{
    g_autoptr(GBytes) payload = NULL;
    g_autoptr(GError) error = NULL;
    gconstpointer bytes;
    gsize len;

    switch (vector->type) {
    case HELIX_MSG_FRAME_RESPONSE:
        return build_response(vector);
    case HELIX_MSG_CONFIG_RESP:
        return build_config_response(vector);
    case HELIX_MSG_FRAME_RELEASED:
        return helix_frame_released_new(vector->session_id, vector_number(vector, "pts"),
                                        (guint32)vector_number(vector, "resource_id"));
    case HELIX_MSG_SNAPSHOT_DONE:
        if (vector_number(vector, "code")) {
            error = g_error_new_literal(HELIX_ERROR, (gint)vector_number(vector, "code"),
                                        vector_text(vector, "message"));
        } else {
            g_assert_cmpstr(vector_text(vector, "message"), ==, "");
        }
        return helix_snapshot_done_new(vector->session_id, (guint32)vector_number(vector, "snapshot"), error);
    case HELIX_MSG_PONG:
        payload = vector_bytes(vector, "payload");
        bytes = g_bytes_get_data(payload, &len);
        return helix_pong_new(vector->session_id, bytes, len);
    case HELIX_MSG_ERROR:
        error = g_error_new_literal(HELIX_ERROR, (gint)vector_number(vector, "code"), vector_text(vector, "message"));
        return helix_error_new(vector->session_id, vector->flags, error);
    default:
        g_assert_not_reached();
    }
}

static void test_build(gconstpointer data)
{
    const Vector *vector = data;
    g_autoptr(GByteArray) message = build(vector);
    gsize len;
    gconstpointer bytes = g_bytes_get_data(vector->data, &len);

    g_assert_cmpmem(message->data, message->len, bytes, len);
    vector_assert_all_read(vector);
}

int main(int argc, char **argv)
{
    /* What only hosts of the first days sent. */
    static const char *const not_ours[] = { "frame-response-entries", NULL };
    g_autoptr(GPtrArray) vectors = NULL;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    for (guint i = 0; i < vectors->len; i++) {
        const Vector *vector = g_ptr_array_index(vectors, i);
        g_autofree char *path = g_strdup_printf("/vectors/%s", vector->name);

        if (vector->to_host) {
            g_test_add_data_func(path, vector, test_parse);
        } else if (vector->valid && !is_one_of(vector, not_ours)) {
            g_test_add_data_func(path, vector, test_build);
        }
    }
    return g_test_run();
}
