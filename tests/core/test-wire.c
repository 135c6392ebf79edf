/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing and layout by themselves: what merges with what, where each pixel goes, whatever the pieces it comes in. */
#include <string.h>
#include "cases.h"
#include "protocol/error.h"
#include "frame/pixel-upload.h"
#include "protocol/wire.h"

TEST("/wire/merge", test_merge)
{
    HelixStreamConfig before = {
        .width = 640,
        .height = 480,
        .bitrate = 1000000,
        .fps_num = 30,
        .fps_den = 1,
        .profile = 77,
        .level = 40,
        .realtime = 1,
        .max_bitrate = 5,
        .key_int_max = 6,
        .rate_control = 1,
        .min_qp = 7,
        .max_qp = 8,
        .slices = 9,
        .aud = 1,
    };
    HelixConfigRequest request = { .config = { .realtime = 1 } };
    HelixStreamConfig merged = helix_config_request_merge(&before, &request);

    g_assert_cmpuint(merged.width, ==, 0); /* follows the frames: the one 0 that says something */
    g_assert_cmpuint(merged.bitrate, ==, 1000000);
    g_assert_cmpuint(merged.fps_num, ==, 30);
    g_assert_cmpuint(merged.profile, ==, 77);
    g_assert_cmpuint(merged.level, ==, 40);
    g_assert_cmpuint(merged.key_int_max, ==, 6);
    g_assert_cmpuint(merged.aud, ==, 1);

    request.is_long = TRUE;
    request.config.fps_den = 7; /* without fps_num: unchanged */
    merged = helix_config_request_merge(&before, &request);
    g_assert_cmpuint(merged.fps_den, ==, 1);
    g_assert_cmpuint(merged.key_int_max, ==, 0);
    g_assert_cmpuint(merged.max_bitrate, ==, 0);
    g_assert_cmpuint(merged.aud, ==, 0);

    request.config = (HelixStreamConfig){
        .width = 2, .height = 4, .bitrate = 6, .fps_num = 8, .fps_den = 10, .profile = 66, .level = 31
    };
    merged = helix_config_request_merge(&before, &request);
    g_assert_cmpmem(&merged, sizeof merged, &request.config, sizeof request.config);

    /* The part of 56 bytes: neither shorter form says anything of it, and it replaces all that was said. */
    before.vui = (HelixVui){ .sar_width = 4, .sar_height = 3, .primaries = 9, .full_range = 1 };
    for (request.is_long = 0; request.is_long <= 1; request.is_long++) {
        merged = helix_config_request_merge(&before, &request);
        g_assert_cmpmem(&merged.vui, sizeof merged.vui, &before.vui, sizeof before.vui);
    }
    request.is_long = request.has_vui = TRUE;
    request.config.vui.matrix = 6;
    merged = helix_config_request_merge(&before, &request);
    g_assert_cmpmem(&merged.vui, sizeof merged.vui, &request.config.vui, sizeof request.config.vui);
}

/* Which sizes a CONFIG_REQ may have. */
TEST("/wire/config-sizes", test_config_sizes)
{
    HelixHeader header = { .type = HELIX_MSG_CONFIG_REQ };

    for (header.payload_size = 0; header.payload_size < 100; header.payload_size++) {
        guint32 size = header.payload_size;
        gboolean longer = size == 44 || size == 56;

        g_assert_true(helix_header_check(&header, FALSE, NULL) == (size == 28));
        g_assert_true(helix_header_check(&header, TRUE, NULL) == (size == 28 || longer));
    }
}

/* The 12 bytes behind the longer form, there and back. */
TEST("/wire/vui", test_vui)
{
    static const guint8 bytes[12] = { 0x40, 1, 11, 0, 9, 14, 10, 1, 3 };
    guint8 payload[HELIX_CONFIG_VUI_SIZE] = { 0 };
    g_autoptr(GByteArray) with = NULL, without = NULL;
    HelixConfigRequest request;

    memcpy(payload + HELIX_CONFIG_LONG_SIZE, bytes, sizeof bytes);
    g_assert_true(helix_config_request_parse(&request, payload, HELIX_CONFIG_LONG_SIZE, NULL));
    g_assert_true(request.is_long && !request.has_vui && request.config.vui.primaries == 0);
    g_assert_true(helix_config_request_parse(&request, payload, sizeof payload, NULL));
    g_assert_true(request.is_long && request.has_vui);
    g_assert_cmpuint(request.config.vui.sar_width, ==, 320);
    g_assert_cmpuint(request.config.vui.sar_height, ==, 11);
    g_assert_cmpuint(request.config.vui.primaries, ==, 9);
    g_assert_cmpuint(request.config.vui.transfer, ==, 14);
    g_assert_cmpuint(request.config.vui.matrix, ==, 10);
    g_assert_cmpuint(request.config.vui.full_range, ==, 1);
    g_assert_cmpuint(request.config.vui.chroma_loc, ==, 3);
    with = helix_config_response_new(1, &request.config, 4, "null", HELIX_CAP_ALL, TRUE);
    without = helix_config_response_new(1, &request.config, 4, "null", HELIX_CAP_ALL, FALSE);
    g_assert_cmpuint(with->len, ==, HELIX_WIRE_HEADER_SIZE + 96);
    g_assert_cmpuint(without->len, ==, HELIX_WIRE_HEADER_SIZE + 84);
    g_assert_cmpmem(with->data + with->len - sizeof bytes, sizeof bytes, bytes, sizeof bytes);
    g_assert_cmpmem(with->data + HELIX_WIRE_HEADER_SIZE, 84, without->data + HELIX_WIRE_HEADER_SIZE, 84);
}

/* Where the host may put a byte of the wire's layout, said another way than pixel-upload.c does. */
static void check_pixels(guint32 fourcc, guint32 width, guint32 height, guint32 stride, gsize excess, gsize piece)
{
    const HelixPicture picture = { .width = width, .height = height, .fourcc = fourcc, .stride = stride };
    gsize size = helix_picture_size(fourcc, width, height, stride, NULL), moved = 0;
    g_autofree guint8 *wire = g_malloc(size + excess);
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    g_autoptr(HelixSurface) surface = NULL;
    HelixPixelUpload sink;

    for (gsize i = 0; i < size + excess; i++) {
        wire[i] = (guint8)g_test_rand_int();
    }
    g_assert_true(helix_pixel_upload_start(&sink, pool, &picture, size + excess, NULL));
    for (gsize at = 0; at < size + excess; at += piece) {
        helix_pixel_upload_feed(&sink, wire + at, MIN(piece, size + excess - at));
    }
    surface = helix_pixel_upload_finish(&sink);
    for (guint32 y = 0; y < height; y++) {
        gsize len = fourcc == HELIX_FORMAT_NV12 ? width : width * 4;

        g_assert_cmpmem(surface->data + surface->offset[0] + y * surface->stride[0], len, wire + y * (gsize)stride,
                        len);
        moved += (len + 1) / 2 * 2; /* a row on the wire has whole pairs */
    }
    for (guint32 y = 0; fourcc == HELIX_FORMAT_NV12 && y < (height + 1) / 2; y++) {
        gsize len = (width + 1) / 2 * 2, second = (gsize)stride * ((height + 1) / 2 * 2);

        g_assert_cmpmem(surface->data + surface->offset[1] + y * surface->stride[1], len,
                        wire + second + y * (gsize)stride, len);
        moved += len;
    }
    g_assert_cmpuint(surface->cpu_bytes, ==, moved);
    helix_surface_pool_unref(pool);
}

TEST("/wire/pixels", test_pixels)
{
    static const gsize pieces[] = { 1, 2, 3, 7, 64, 65, 1000, 1000000 };

    for (guint i = 0; i < G_N_ELEMENTS(pieces); i++) {
        check_pixels(HELIX_FORMAT_XR24, 17, 5, 68, 0, pieces[i]);
        check_pixels(HELIX_FORMAT_AB24, 17, 5, 75, 11, pieces[i]);
        check_pixels(HELIX_FORMAT_NV12, 18, 6, 18, 0, pieces[i]);
        check_pixels(HELIX_FORMAT_NV12, 17, 5, 31, 100, pieces[i]);
        check_pixels(HELIX_FORMAT_NV12, 1, 1, 2, 1, pieces[i]);
    }
}

TEST("/wire/pixels-refused", test_pixels_refused)
{
    const HelixPicture picture = { .width = 8, .height = 2, .fourcc = HELIX_FORMAT_XR24, .stride = 32 };
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    g_autoptr(GError) error = NULL;
    HelixPixelUpload sink;

    g_assert_false(helix_pixel_upload_start(&sink, pool, &picture, 63, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
    helix_pixel_upload_feed(&sink, (const guint8 *)"skipped", 7);
    g_assert_null(helix_pixel_upload_finish(&sink));
    helix_surface_pool_unref(pool);
}

/* An error's text is cut, never its end: the last byte stays a NUL. */
TEST("/wire/long-error", test_long_error)
{
    g_autofree char *text = g_strnfill(1000, 'e');
    g_autoptr(GError) error = g_error_new_literal(HELIX_ERROR, HELIX_CODE_ENCODE, text);
    g_autoptr(GByteArray) message = helix_error_new(1, HELIX_MSG_FRAME_REQUEST, error);

    g_assert_cmpuint(message->len, ==, HELIX_WIRE_HEADER_SIZE + HELIX_ERROR_SIZE);
    g_assert_cmpuint(message->data[message->len - 1], ==, 0);
    g_assert_cmpuint(strlen((const char *)message->data + HELIX_WIRE_HEADER_SIZE + 4), ==,
                     HELIX_ERROR_MESSAGE_SIZE - 1);
}
