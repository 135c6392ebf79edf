/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire vectors (tests/vectors) and the guest's wire code: every message to the host is built from the values in the
 * vector's JSON and has the vector's bytes; every message to a guest is read to those values, or refused.
 */
#include <string.h>
#include "../../desktop/client/wire.h"
#include "../vectors/vector.h"

#define SAME(vector, path, value) g_assert_cmpint(vector_number(vector, path), ==, (gint64)(value))

static HelixClientVui vui_of(const Vector *vector)
{
    return (HelixClientVui){
        .sar_width = (guint16)vector_number(vector, "sar_width"),
        .sar_height = (guint16)vector_number(vector, "sar_height"),
        .primaries = (guint8)vector_number(vector, "primaries"),
        .transfer = (guint8)vector_number(vector, "transfer"),
        .matrix = (guint8)vector_number(vector, "matrix"),
        .full_range = (guint8)vector_number(vector, "full_range"),
        .chroma_loc = (guint32)vector_number(vector, "chroma_loc"),
    };
}

static gsize build_config(const Vector *vector, guint8 *out)
{
    gboolean is_long = vector_has(vector, "aud"), has_vui = vector_has(vector, "sar_width");
    HelixClientConfig config = {
        .width = (guint32)vector_number(vector, "width"),
        .height = (guint32)vector_number(vector, "height"),
        .bitrate = (guint32)vector_number(vector, "bitrate"),
        .fps_num = (guint32)vector_number(vector, "framerate_num"),
        .fps_den = (guint32)vector_number(vector, "framerate_den"),
        .profile = (guint8)vector_number(vector, "profile_idc"),
        .level = (guint8)vector_number(vector, "level"),
        .realtime = (guint8)vector_number(vector, "realtime"),
    };

    SAME(vector, "codec", 0); /* the guest knows no other */
    if (is_long) {
        config.max_bitrate = (guint32)vector_number(vector, "max_bitrate");
        config.key_int_max = (guint32)vector_number(vector, "key_int_max");
        config.rate_control = (guint8)vector_number(vector, "rate_control");
        config.min_qp = (guint8)vector_number(vector, "min_qp");
        config.max_qp = (guint8)vector_number(vector, "max_qp");
        config.slices = (guint8)vector_number(vector, "slices");
        config.aud = (guint8)vector_number(vector, "aud");
    }
    if (has_vui) {
        config.vui = vui_of(vector);
        config.letterbox = (guint8)vector_number(vector, "letterbox");
    }
    g_assert_cmpuint(client_wire_config_needs(&config), ==, vector->payload_size);
    return client_wire_config(out, vector->session_id, &config, vector->payload_size,
                              (vector->flags & HELIX_CONFIG_ANSWER) != 0);
}

static void ext_of(const Vector *vector, ClientWireRequest *request)
{
    SAME(vector, "ext.size", HELIX_EXT_SIZE);
    request->source = (guint8)vector_number(vector, "ext.source");
    request->planes = (guint8)vector_number(vector, "ext.planes");
    request->crop_x = (guint32)vector_number(vector, "ext.crop_x");
    request->crop_y = (guint32)vector_number(vector, "ext.crop_y");
    request->res_width = (guint32)vector_number(vector, "ext.res_width");
    request->res_height = (guint32)vector_number(vector, "ext.res_height");
    for (guint i = 0; i < G_N_ELEMENTS(request->offset); i++) {
        g_autofree char *offset = g_strdup_printf("ext.offset.%u", i), *stride = g_strdup_printf("ext.stride.%u", i);

        request->offset[i] = (guint32)vector_number(vector, offset);
        request->stride_of[i] = (guint32)vector_number(vector, stride);
    }
    SAME(vector, "ext.offset.2", 0); /* no format of the guest's has a third plane */
    SAME(vector, "ext.stride.2", 0);
    request->modifier = (guint64)vector_number(vector, "ext.modifier");
}

/* The head; the pixels are compared here and added by the caller. */
static gsize build_request(const Vector *vector, guint8 *out)
{
    ClientWireRequest request = {
        .flags = vector->flags,
        .resource_id = (guint32)vector_number(vector, "resource_id"),
        .width = (guint32)vector_number(vector, "width"),
        .height = (guint32)vector_number(vector, "height"),
        .fourcc = vector_fourcc(vector, "format"),
        .stride = (guint32)vector_number(vector, "stride"),
    };
    g_autoptr(GBytes) pixels = NULL;

    if (vector->type == HELIX_MSG_FRAME_REQUEST) {
        request.pts = vector_number(vector, "pts");
        request.duration = vector_number(vector, "duration");
        request.force_keyframe = vector_number(vector, "force_keyframe") != 0;
    }
    if (vector->flags & HELIX_REQUEST_EXT) {
        ext_of(vector, &request);
    }
    if (vector->flags & HELIX_REQUEST_PIXEL_DATA) {
        pixels = vector_bytes(vector, "pixels");
    }
    if (vector->type == HELIX_MSG_SNAPSHOT) {
        return client_wire_snapshot(out, vector->session_id, &request, (guint32)vector_number(vector, "snapshot"));
    }
    return client_wire_request(out, vector->session_id, &request, pixels ? (guint32)g_bytes_get_size(pixels) : 0);
}

static void test_build(gconstpointer data)
{
    const Vector *vector = data;
    guint8 out[CLIENT_MESSAGE_MAX];
    g_autoptr(GBytes) pixels = NULL;
    gsize len, head;
    const guint8 *bytes = g_bytes_get_data(vector->data, &len);

    switch (vector->type) {
    case HELIX_MSG_CONFIG_REQ:
        head = build_config(vector, out);
        break;
    case HELIX_MSG_FRAME_REQUEST:
    case HELIX_MSG_SNAPSHOT:
        head = build_request(vector, out);
        break;
    case HELIX_MSG_SNAPSHOT_DROP:
        head = client_wire_snapshot_drop(out, vector->session_id, (guint32)vector_number(vector, "snapshot"));
        break;
    default:
        g_assert_cmphex(vector->type, ==, HELIX_MSG_PING);
        g_assert_cmpstr(vector_text(vector, "payload"), ==, "");
        head = client_wire_ping(out, vector->session_id);
    }
    g_assert_cmpmem(out, head, bytes, MIN(head, len));
    if (vector_has(vector, "pixels")) {
        gsize pixels_len;
        gconstpointer pixel_bytes;

        pixels = vector_bytes(vector, "pixels");
        pixel_bytes = g_bytes_get_data(pixels, &pixels_len);
        g_assert_cmpmem(pixel_bytes, pixels_len, bytes + head, len - head);
    } else {
        g_assert_cmpuint(head, ==, len);
    }
    vector_assert_all_read(vector);
}

/* ---- messages to a guest ---- */

static gboolean read_response(const Vector *vector)
{
    g_autoptr(GBytes) payload = g_bytes_new(vector->payload, vector->payload_len), unit = NULL;
    ClientWireResponse response;

    if (!client_wire_parse_response(payload, vector->flags, &response)) {
        return FALSE;
    }
    if (vector->valid) {
        SAME(vector, "pts", response.pts);
        SAME(vector, "dts", response.pts);
        SAME(vector, "is_keyframe", response.keyframe);
        SAME(vector, "nal_count", vector_length(vector, "entries"));
        for (guint i = 0; i < vector_length(vector, "entries"); i++) { /* "access_unit" is what they come to */
            g_autofree char *entry = g_strdup_printf("entries.%u", i);

            g_assert_true(vector_has(vector, entry));
        }
        g_assert_true(response.dropped == (vector_length(vector, "entries") == 0));
        g_assert_true(response.has_timing == vector_has(vector, "timing"));
        if (response.has_timing) {
            SAME(vector, "timing.received", response.received);
            SAME(vector, "timing.resolved", response.resolved);
            SAME(vector, "timing.submitted", response.submitted);
            SAME(vector, "timing.encoded", response.encoded);
        }
        g_assert_true((response.unit != NULL) == json_object_has_member(vector->text, "access_unit"));
        if (response.unit) {
            unit = vector_from_hex(json_object_get_string_member(vector->text, "access_unit"));
            g_assert_true(g_bytes_equal(response.unit, unit));
        }
    }
    g_clear_pointer(&response.unit, g_bytes_unref);
    return TRUE;
}

static gboolean read_config_response(const Vector *vector)
{
    HelixClientHost response;
    const HelixClientConfig *config = &response.active;
    HelixClientVui vui = { 0 };

    if (!client_wire_parse_config_resp(vector->payload, vector->payload_len, &response)) {
        return FALSE;
    }
    if (!vector->valid) {
        return TRUE;
    }
    SAME(vector, "width", config->width);
    SAME(vector, "height", config->height);
    SAME(vector, "bitrate", config->bitrate);
    SAME(vector, "framerate_num", config->fps_num);
    SAME(vector, "framerate_den", config->fps_den);
    SAME(vector, "profile_idc", config->profile);
    SAME(vector, "level", config->level);
    SAME(vector, "realtime", config->realtime);
    SAME(vector, "codec", 0);
    SAME(vector, "max_bitrate", config->max_bitrate);
    SAME(vector, "key_int_max", config->key_int_max);
    SAME(vector, "rate_control", config->rate_control);
    SAME(vector, "min_qp", config->min_qp);
    SAME(vector, "max_qp", config->max_qp);
    SAME(vector, "slices", config->slices);
    SAME(vector, "aud", config->aud);
    SAME(vector, "max_in_flight", response.max_in_flight);
    SAME(vector, "capabilities", response.capabilities);
    g_assert_cmpstr(vector_text(vector, "encoder"), ==, response.encoder);
    if (vector_has(vector, "sar_width")) {
        vui = vui_of(vector);
        SAME(vector, "letterbox", config->letterbox);
    }
    g_assert_true(client_wire_vui_equal(&config->vui, &vui));
    return TRUE;
}

static gboolean read_released(const Vector *vector)
{
    guint32 resource_id;
    gint64 pts;

    if (!client_wire_parse_released(vector->payload, vector->payload_len, &pts, &resource_id)) {
        return FALSE;
    }
    if (vector->valid) {
        SAME(vector, "pts", pts);
        SAME(vector, "resource_id", resource_id);
    }
    return TRUE;
}

static gboolean read_error(const Vector *vector)
{
    g_autofree char *message = NULL;
    gint32 code;

    if (!client_wire_parse_error(vector->payload, vector->payload_len, &code, &message)) {
        return FALSE;
    }
    if (vector->valid) {
        SAME(vector, "code", code);
        g_assert_cmpstr(vector_text(vector, "message"), ==, message);
    }
    return TRUE;
}

static gboolean read_snapshot_done(const Vector *vector)
{
    g_autofree char *message = NULL;
    guint32 number;
    gint32 code;

    if (!client_wire_parse_snapshot_done(vector->payload, vector->payload_len, &number, &code, &message)) {
        return FALSE;
    }
    SAME(vector, "snapshot", number);
    SAME(vector, "code", code);
    g_assert_cmpstr(vector_text(vector, "message"), ==, message);
    return TRUE;
}

static void test_read(gconstpointer data)
{
    const Vector *vector = data;
    gboolean good;

    switch (vector->type) {
    case HELIX_MSG_FRAME_RESPONSE:
        good = read_response(vector);
        break;
    case HELIX_MSG_CONFIG_RESP:
        good = read_config_response(vector);
        break;
    case HELIX_MSG_FRAME_RELEASED:
        good = read_released(vector);
        break;
    case HELIX_MSG_SNAPSHOT_DONE:
        good = read_snapshot_done(vector);
        break;
    default:
        g_assert_cmphex(vector->type, ==, HELIX_MSG_ERROR);
        good = read_error(vector);
    }
    g_assert_true(good == vector->valid);
    if (good) {
        vector_assert_all_read(vector);
    }
}

int main(int argc, char **argv)
{
    /* What the guest's side never sends, or reads no payload of: its PING is empty, and so is the PONG. */
    static const char *const not_ours[] = { "frame-request-ext-longer",
                                            "keyframe-req",
                                            "session-close",
                                            "ping-64",
                                            "ping-payload",
                                            "pong",
                                            "pong-payload",
                                            NULL };
    g_autoptr(GPtrArray) vectors = NULL;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    for (guint i = 0; i < vectors->len; i++) {
        const Vector *vector = g_ptr_array_index(vectors, i);
        g_autofree char *path = g_strdup_printf("/vectors/%s", vector->name);

        if (g_strv_contains(not_ours, vector->name) || (vector->to_host && !vector->valid)) {
            continue;
        }
        g_test_add_data_func(path, vector, vector->to_host ? test_build : test_read);
    }
    return g_test_run();
}
