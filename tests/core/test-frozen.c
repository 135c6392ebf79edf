/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of the first days: it knows FRAME_REQUEST, FRAME_RESPONSE, KEYFRAME_REQ, the short CONFIG_REQ, PING, PONG and
 * ERROR, takes any message for the answer to its pending frame, and never heard of anything else.
 */
#include <string.h>
#include "protocol/bytes.h"
#include "rig.h"

/* Bytes written down here, not made by the client: what those guests put on the wire. */
RIG_TEST("/frozen/bytes", test_bytes)
{
    static const guint8 request[] = {
        0x48, 0x58, 0x46, 0x52, 0x01, 0x00, 0x07, 0x00, 44,  0, 0, 0, 5, 0,    0,    0,    64,   0,    0,
        0,    48,   0,    0,    0,    'A',  'R',  '2',  '4', 0, 1, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33,
        0x22, 0x11, 1,    0,    0,    0,    0,    0,    0,   0, 0, 0, 0, 0,    0,    0,    0,    0,
    };
    static const guint8 answer[] = { 0x48, 0x58, 0x46, 0x52, 0x02, 0x00, 0x07, 0x00 };
    g_autoptr(Message) message = NULL;
    g_autofree char *types = NULL;
    const guint8 *unit;
    gsize size;

    g_assert_cmpmem(answer, 4, "HXFR", 4);
    g_assert_true(client_send_bytes(client, request, sizeof request));
    message = expect_frame(client, 7, 0x1122334455667788);
    g_assert_cmphex(message->flags, ==, 0);
    g_assert_cmpmem(message->payload + HELIX_RESPONSE_DTS, 8, request + 12 + HELIX_REQUEST_PTS, 8);
    g_assert_cmpuint(message->payload[16], ==, 1);
    g_assert_cmpmem(message->payload + 17, 3, "\0\0", 3);
    unit = message_unit(message, &size);
    g_assert_cmpmem(unit, 4, "\0\0\0\1", 4);
    types = unit_nal_types(unit, size);
    g_assert_true(g_str_has_prefix(types, "7 8 5"));
    expect_quiet(client);
}

/* No CONFIG_REQ at all: configured from the first frame, at 60 fps. */
RIG_TEST("/frozen/unconfigured", test_unconfigured)
{
    guint64 small, large;

    for (guint i = 0; i < 5; i++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(client_resource(client, 0, 1 + i, i * 16666667));
        message = expect_frame(client, 0, i * 16666667);
        g_assert_true(message_is_keyframe(message) == (i == 0));
    }
    g_assert_cmpuint(scripted_config().width, ==, 64);
    g_assert_cmpuint(scripted_config().height, ==, 48);
    g_assert_cmpuint(scripted_config().fps_num, ==, 60 * scripted_config().fps_den);
    small = scripted_config().bitrate;
    g_assert_cmpuint(small, >, 0);
    g_assert_true(client_frame(client, &(FrameRequest){ .session = 1, .resource = 1, .width = 1920, .height = 1080 }));
    message_free(expect_frame(client, 1, 0));
    large = scripted_config().bitrate;
    g_assert_cmpuint(large, >, small);
    expect_quiet(client);
}

RIG_TEST("/frozen/config-is-not-answered", test_config_is_not_answered)
{
    g_assert_true(client_config(client,
                                &(ConfigRequest){ .width = 64,
                                                  .height = 48,
                                                  .bitrate = 3000000,
                                                  .fps_num = 30,
                                                  .fps_den = 1,
                                                  .profile = 77,
                                                  .realtime = 1 }));
    expect_quiet(client);
    g_assert_true(client_resource(client, 0, 3, 11));
    message_free(expect_frame(client, 0, 11));
    g_assert_cmpuint(scripted_config().bitrate, ==, 3000000);
    g_assert_cmpuint(scripted_config().fps_num, ==, 30);
    g_assert_cmpuint(scripted_config().profile, ==, 77);
    expect_quiet(client);
}

RIG_TEST("/frozen/keyframe-request", test_keyframe_request)
{
    static const gboolean idr[] = { TRUE, FALSE, TRUE, FALSE, TRUE, FALSE };

    g_assert_true(client_keyframe(client, 0)); /* before there is a stream */
    for (guint i = 0; i < G_N_ELEMENTS(idr); i++) {
        g_autoptr(Message) message = NULL;
        g_autofree char *types = NULL;
        const guint8 *unit;
        gsize size;

        if (i == 2) {
            g_assert_true(client_keyframe(client, 0));
        }
        g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .pts = i, .force_key = i == 4 }));
        message = expect_frame(client, 0, i);
        g_assert_true(message_is_keyframe(message) == idr[i]);
        unit = message_unit(message, &size);
        types = unit_nal_types(unit, size);
        g_assert_cmpstr(types, ==, idr[i] ? "7 8 5" : "1"); /* SPS and PPS precede every IDR */
    }
    expect_quiet(client);
}

RIG_TEST("/frozen/ping", test_ping)
{
    guint8 payload[HELIX_MAX_PING];

    memset(payload, 0xa5, sizeof payload);
    g_assert_true(client_ping(client, 0xbeef, NULL, 0));
    expect_pong(client, 0xbeef, NULL, 0);
    g_assert_true(client_ping(client, 1, payload, sizeof payload));
    expect_pong(client, 1, payload, sizeof payload);
}

RIG_TEST("/frozen/errors", test_errors)
{
    g_assert_true(client_resource(client, 0, FAKE_CAPTURE_LAST + 1, 1));
    expect_error(client, 0, HELIX_MSG_FRAME_REQUEST, HELIX_CODE_NOT_FOUND);
    /* Resource 0 is never the VM's own screen. */
    g_assert_true(client_resource(client, 0, 0, 2));
    expect_error(client, 0, HELIX_MSG_FRAME_REQUEST, HELIX_CODE_NOT_FOUND);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .fourcc = HELIX_FOURCC('Y', 'U', '1', '2') }));
    expect_error(client, 0, HELIX_MSG_FRAME_REQUEST, HELIX_CODE_GEOMETRY);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 1); /* only the first was looked up */
    g_assert_true(client_resource(client, 0, 1, 3));
    message_free(expect_frame(client, 0, 3));
    expect_quiet(client);
}

RIG_TEST("/frozen/formats", test_formats)
{
    static const guint32 formats[] = { HELIX_FORMAT_AR24, HELIX_FORMAT_XR24, HELIX_FORMAT_AB24, HELIX_FORMAT_XB24 };

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        guint32 rgb = fake_capture_pixel(9, 0, 0), pixel;

        g_assert_true(client_frame(client, &(FrameRequest){ .resource = 9, .fourcc = formats[i], .stride = 3 }));
        message_free(expect_frame(client, 0, 0)); /* a stride says nothing about a texture */
        pixel = GUINT32_FROM_LE(scripted_call(i).pixel) & 0xffffff;
        g_assert_cmphex(i < 2 ? pixel : GUINT32_SWAP_LE_BE(pixel) >> 8, ==, rgb);
    }
}

/* The pixels themselves, in every format, with padding in the rows and excess behind. */
RIG_TEST("/frozen/pixel-data", test_pixel_data)
{
    static const struct {
        guint32 fourcc, width, height, stride, excess;
    } cases[] = {
        { HELIX_FORMAT_AR24, 64, 48, 256, 0 },      { HELIX_FORMAT_XR24, 63, 47, 260, 0 },
        { HELIX_FORMAT_AB24, 64, 48, 256, 100000 }, { HELIX_FORMAT_XB24, 1, 1, 4, 3 },
        { HELIX_FORMAT_NV12, 64, 48, 64, 0 },       { HELIX_FORMAT_NV12, 63, 47, 70, 1 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gsize size = helix_picture_size(cases[i].fourcc, cases[i].width, cases[i].height, cases[i].stride, NULL) +
            cases[i].excess;
        g_autofree guint8 *pixels = g_malloc(size);

        memset(pixels, 0x11 + (int)i, size);
        g_assert_true(client_frame(client,
                                   &(FrameRequest){
                                       .flags = HELIX_REQUEST_PIXEL_DATA,
                                       .width = cases[i].width,
                                       .height = cases[i].height,
                                       .fourcc = cases[i].fourcc,
                                       .stride = cases[i].stride,
                                       .pts = i,
                                       .pixels = pixels,
                                       .pixels_size = size,
                                   }));
        message_free(expect_frame(client, 0, i));
        g_assert_cmpint(scripted_call(i).path, ==, HELIX_HOST_PATH_PIXEL_DATA);
        g_assert_cmphex(scripted_call(i).pixel & 0xff, ==, 0x11 + i);
        g_assert_cmpuint(scripted_call(i).width, ==, cases[i].width);
    }
    g_assert_cmpuint(rig_stat(rig, "host_paths.pixel-data"), ==, G_N_ELEMENTS(cases));
    expect_quiet(client);
}

RIG_TEST("/frozen/pixel-data-errors", test_pixel_data_errors)
{
    static const struct {
        guint32 width, height, stride;
        gsize size;
    } cases[] = {
        { 64, 48, 256, 256 * 48 - 1 },
        { 64, 48, 255, 256 * 48 },
        { HELIX_MAX_DIMENSION + 1, 1, 40000, 40000 },
        { 1, HELIX_MAX_DIMENSION + 1, 4, 40000 },
        { 64, 48, 256, 0 },
        { 0x40000000, 1, 4, 64 },
        { 4, 0x40000000, 0x40000000, 64 },
    };
    g_autofree guint8 *pixels = g_malloc0(40000);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true(client_frame(client,
                                   &(FrameRequest){
                                       .flags = HELIX_REQUEST_PIXEL_DATA,
                                       .width = cases[i].width,
                                       .height = cases[i].height,
                                       .stride = cases[i].stride,
                                       .pixels = pixels,
                                       .pixels_size = cases[i].size,
                                   }));
        expect_error(client, 0, HELIX_MSG_FRAME_REQUEST, HELIX_CODE_GEOMETRY);
    }
    g_assert_true(client_resource(client, 0, 1, 5));
    message_free(expect_frame(client, 0, 5));
}

/* Frozen guests number their streams as they like and never close one: idle ones make room. */
TEST("/frozen/streams-without-end", test_streams_without_end)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_streams = 3 });
    g_autoptr(Client) client = rig_connect(rig);

    for (guint16 session = 0; session < 20; session++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(session <= 3 ||
                      scripted_wait_closed(session - 3u)); /* threads that have not ended yet count too */
        g_assert_true(client_resource(client, session, 1, session));
        message = expect_frame(client, session, session);
        g_assert_true(message_is_keyframe(message));
    }
    g_assert_cmpuint(rig_stat(rig, "streams.now"), ==, 3);
    g_assert_true(scripted_wait_closed(17));
    g_assert_true(client_resource(client, 19, 1, 7));
    message_free(expect_frame(client, 19, 7));
    g_assert_cmpuint(scripted_n_opened(), ==, 20); /* the one used last was not among them */
}
