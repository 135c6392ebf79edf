/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-wire.c - one message of the guest's: header, sizes, FRAME_REQUEST and SNAPSHOT with their EXT blocks, CONFIG_REQ
 * and what it comes to. */
#include "encode/encoder.h"
#include "frame/pixel-upload.h"
#include "protocol/error.h"
#include "protocol/wire.h"
#include "fuzz.h"

/* A FALSE has an error of ours, with a text; a TRUE has none. */
static void check_error(gboolean ok, GError *error)
{
    g_assert_true(ok == !error);
    if (error) {
        g_assert_true(error->domain == HELIX_ERROR && error->code < 0 && error->message[0]);
        g_error_free(error);
    }
}

static void config_request(const guint8 *payload, gsize len)
{
    HelixEncoderConfig before = { .realtime = 1 }, config;
    HelixConfigRequest request;
    GError *error = NULL;
    gboolean ok = helix_config_request_parse(&request, payload, len, &error);

    check_error(ok, error);
    if (!ok) {
        return;
    }
    error = NULL;
    config = helix_config_request_merge(&before, &request);
    if (config.width == 0) {
        config.width = config.height = 16;
    }
    ok = helix_encoder_config_complete(&config, &error);
    check_error(ok, error);
    if (ok) {
        guint level = helix_encoder_level(&config);

        g_assert_true(config.width >= 2 && config.width <= HELIX_MAX_DIMENSION && !(config.width & 1));
        g_assert_true(config.height >= 2 && config.height <= HELIX_MAX_DIMENSION && !(config.height & 1));
        g_assert_true(config.fps_num && config.fps_den && config.bitrate);
        g_assert_true(level >= 10 && level <= 62);
        g_assert_true(!helix_h264_vui_fault(&config.vui) && config.vui.sar_height && config.vui.matrix &&
                      config.vui.full_range <= 1);
    }
}

/* Its pixels, of which the rest of the input are the first, in pieces. */
static void pixels(const HelixPicture *picture, guint64 announced, Input *rest)
{
    HelixSurfacePool *pool = helix_surface_pool_new(1);
    HelixPixelUpload sink;
    GError *error = NULL;
    gboolean ok;

    helix_surface_pool_set_limit(pool, 1 << 22);
    ok = helix_pixel_upload_start(&sink, pool, picture, announced, &error);
    check_error(ok, error);
    while (rest->size) {
        gsize len;
        g_autofree guint8 *piece = input_bytes(rest, 1 + input_u8(rest), &len);

        helix_pixel_upload_feed(&sink, piece, len);
    }
    helix_surface_unref(helix_pixel_upload_finish(&sink));
    g_assert_cmpuint(helix_surface_pool_bytes(pool), <=, 1 << 22);
    helix_surface_pool_unref(pool);
}

static void frame_request(const HelixHeader *header, Input *input)
{
    gsize head = 0, len = 0;
    g_autofree guint8 *payload = NULL;
    HelixFrameRequest request;
    GError *error = NULL;
    gboolean ok;

    /* As a session reads it: the head grows as more of it is known. */
    do {
        gsize known = len;

        g_free(payload);
        len = MIN(head, input->size);
        payload = g_memdup2(input->data, len);
        head = helix_frame_request_head(header, payload, len);
        g_assert_cmpuint(head, >=, known);
        g_assert_cmpuint(head, <=, MIN(header->payload_size, HELIX_MAX_REQUEST_PAYLOAD));
        if (head > input->size) {
            return; /* never arrives */
        }
    } while (head > len);
    ok = helix_frame_request_parse(&request, header, payload, len, &error);
    check_error(ok, error);
    if (ok && (request.flags & HELIX_REQUEST_PIXEL_DATA) && !(request.flags & HELIX_REQUEST_REPEAT)) {
        Input rest = { input->data + len, input->size - len };

        pixels(&request.picture, header->payload_size - len, &rest);
    }
}

static void snapshot_request(const HelixHeader *header, const guint8 *payload, gsize len)
{
    HelixFrameRequest request;
    GError *error = NULL;
    gboolean ok = helix_snapshot_request_parse(&request, header, payload, len, &error);

    check_error(ok, error);
    g_assert_cmpuint(request.flags & ~HELIX_REQUEST_EXT, ==, 0);
    if (ok) {
        g_assert_true(request.snapshot && request.picture.resource_id && request.picture.width &&
                      request.picture.height);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = { data, size };
    gboolean negotiated = input_u8(&input) & 1, magic, ok;
    gsize len;
    g_autofree guint8 *bytes = input_bytes(&input, HELIX_WIRE_HEADER_SIZE, &len);
    HelixHeader header;
    GError *error = NULL;

    if (len < HELIX_WIRE_HEADER_SIZE) {
        return 0;
    }
    magic = helix_header_parse(&header, bytes);
    g_assert_true(magic == (bytes[0] == 'H' && bytes[1] == 'X' && bytes[2] == 'F' && bytes[3] == 'R'));
    ok = helix_header_check(&header, negotiated, &error);
    check_error(ok, error);
    if (ok && header.type == HELIX_MSG_FRAME_REQUEST) {
        frame_request(&header, &input);
    } else if (ok && header.type == HELIX_MSG_CONFIG_REQ && header.payload_size <= input.size) {
        g_autofree guint8 *payload = input_bytes(&input, header.payload_size, &len);

        config_request(payload, len);
    } else if (ok && negotiated && header.type == HELIX_MSG_SNAPSHOT && header.payload_size <= input.size) {
        g_autofree guint8 *payload = input_bytes(&input, header.payload_size, &len);

        snapshot_request(&header, payload, len);
    }
    return 0;
}
