/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is used only after both sides agreed to it: CONFIG_RESP and everything its capabilities name. */
#include <string.h>
#include "protocol/bytes.h"
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST

/* CONFIG_REQ and a PING behind it: CONFIG_RESP comes first, however long the encoder takes to open. */
TEST("/agreed/negotiation", test_negotiation)
{
    g_autoptr(Rig) rig = rig_new(NULL);

    for (guint i = 0; i < 10; i++) {
        g_autoptr(Client) client = rig_connect(rig);
        g_autoptr(Message) message = NULL;

        g_assert_true(client_config(
            client,
            &(ConfigRequest){
                .session = 4, .flags = HELIX_CONFIG_ANSWER, .width = 1280, .height = 720, .realtime = 1 }));
        g_assert_true(client_ping(client, 4, "abc", 3));
        message = expect_message(client, HELIX_MSG_CONFIG_RESP, 4);
        g_assert_cmpuint(message->size, ==, HELIX_CONFIG_RESP_SIZE);
        g_assert_cmphex(message_u32(message, HELIX_CONFIG_RESP_CAPS), ==, HELIX_CAP_ALL);
        expect_pong(client, 4, "abc", 3);
    }
}

/* Also where the first CONFIG_REQ is refused: the guest must get an answer. */
TEST("/agreed/negotiation-refused", test_agreement_refused)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_streams = 1 });
    g_autoptr(Client) first = rig_connect(rig);
    g_autoptr(Client) client = rig_connect(rig);

    g_assert_true(client_config(client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .codec = 1, .realtime = 1 }));
    g_assert_true(client_ping(client, 0, NULL, 0));
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_INVALID);
    expect_pong(client, 0, NULL, 0);
    g_assert_true(client_resource(first, 0, 1, 0));
    message_free(expect_frame(first, 0, 0));
    g_assert_true(client_config(client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .realtime = 1 }));
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_NO_ENCODER);
}

RIG_TEST("/agreed/timing", test_timing)
{
    gint64 before = g_get_monotonic_time() * 1000, times[4], after;

    scripted_delay_ms(3);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .flags = HELIX_REQUEST_TIMING }));
    {
        g_autoptr(Message) message = expect_frame(client, 0, 0);

        after = g_get_monotonic_time() * 1000;
        g_assert_cmphex(message->flags, ==, HELIX_RESPONSE_TIMING);
        for (guint i = 0; i < 4; i++) {
            times[i] = (gint64)helix_get_u64(message->payload + message->size - HELIX_TIMING_SIZE + 8 * i);
        }
    }
    g_assert_cmpint(before, <=, times[0]);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(times[i], <=, times[i + 1]);
    }
    g_assert_cmpint(times[3] - times[2], >=, 2000000);
    g_assert_cmpint(times[3], <=, after);
    /* A dropped frame has the block too: it was asked for. */
    scripted_drop(2);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .flags = HELIX_REQUEST_TIMING }));
    {
        g_autoptr(Message) message = expect_message(client, HELIX_MSG_FRAME_RESPONSE, 0);

        g_assert_cmphex(message->flags, ==, HELIX_RESPONSE_TIMING | HELIX_RESPONSE_DROPPED);
        g_assert_cmpuint(message->size, ==, HELIX_RESPONSE_SIZE + HELIX_TIMING_SIZE);
    }
}

static void expect_released(Client *client, guint16 session, gint64 pts, guint32 resource)
{
    g_autoptr(Message) message = expect_message(client, HELIX_MSG_FRAME_RELEASED, session);

    g_assert_cmpuint(message->size, ==, HELIX_RELEASED_SIZE);
    g_assert_cmpint(message_pts(message), ==, pts);
    g_assert_cmpuint(message_u32(message, HELIX_RELEASED_RESOURCE_ID), ==, resource);
    g_assert_cmpuint(message_u32(message, HELIX_RELEASED_RESOURCE_ID + 4), ==, 0);
}

/* The host has a copy: the guest hears of it while the encoder is still at work, once. */
RIG_TEST("/agreed/release", test_release)
{
    scripted_hold(TRUE);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(client_frame(
            client, &(FrameRequest){ .session = 2, .resource = 1 + i, .pts = i, .flags = HELIX_REQUEST_RELEASE }));
    }
    expect_released(client, 2, 0, 1);
    expect_released(client, 2, 1, 2);
    expect_quiet(client); /* the third is not looked up yet */
    scripted_hold(FALSE);
    message_free(expect_frame(client, 2, 0));
    expect_released(client, 2, 2, 3);
    expect_frames(client, 2, 1, 2);
    /* What is never read is never released: the error says it all. */
    g_assert_true(client_frame(
        client, &(FrameRequest){ .session = 2, .resource = FAKE_CAPTURE_LAST + 1, .flags = HELIX_REQUEST_RELEASE }));
    expect_error(client, 2, FRAME, HELIX_CODE_NOT_FOUND);
    expect_quiet(client);
}

/* Read where the guest keeps it: released when the encoder is done with it, and not kept for REPEAT. */
RIG_TEST("/agreed/release-borrowed", test_release_borrowed)
{
    rig_borrow(rig, TRUE);
    scripted_hold(TRUE);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .pts = 5, .flags = HELIX_REQUEST_RELEASE }));
    g_assert_true(scripted_wait_begun(1));
    expect_quiet(client);
    scripted_hold(FALSE);
    expect_released(client, 0, 5, 1);
    message_free(expect_frame(client, 0, 5));
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT }));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
}

RIG_TEST("/agreed/repeat", test_repeat)
{
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT }));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND); /* there is none yet */
    g_assert_true(client_resource(client, 0, 7, 1));
    message_free(expect_frame(client, 0, 1));
    for (guint i = 2; i < 4; i++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(
            client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT, .pts = i, .force_key = i == 2 }));
        message = expect_frame(client, 0, i);
        g_assert_true(message_is_keyframe(message) == (i == 2));
        g_assert_cmphex(scripted_call(i - 1).pixel, ==, scripted_call(0).pixel);
    }
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "host_paths.repeat"), ==, 2);
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT, .resource = 7 }));
    expect_error(client, 0, FRAME, HELIX_CODE_INVALID);
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT | HELIX_REQUEST_PIXEL_DATA }));
    expect_error(client, 0, FRAME, HELIX_CODE_INVALID);
}

static void ext_write(guint8 *ext, guint16 size, guint8 source, guint32 crop_x, guint32 crop_y, guint32 width,
                      guint32 height)
{
    memset(ext, 0, size);
    helix_put_u16(ext, size);
    ext[HELIX_EXT_SOURCE] = source;
    helix_put_u32(ext + HELIX_EXT_CROP_X, crop_x);
    helix_put_u32(ext + HELIX_EXT_CROP_Y, crop_y);
    helix_put_u32(ext + HELIX_EXT_RES_WIDTH, width);
    helix_put_u32(ext + HELIX_EXT_RES_HEIGHT, height);
}

RIG_TEST("/agreed/ext", test_ext)
{
    FrameRequest request = { .resource = 3, .width = 20, .height = 10, .flags = HELIX_REQUEST_EXT };
    guint8 ext[200];

    request.ext = ext;
    request.ext_size = HELIX_EXT_SIZE;
    ext_write(ext, HELIX_EXT_SIZE, HELIX_SOURCE_TEXTURE, 64, 30, 100, 100);
    g_assert_true(client_frame(client, &request));
    message_free(expect_frame(client, 0, 0));
    g_assert_cmphex(GUINT32_FROM_LE(scripted_call(0).pixel) & 0xffffff, ==, fake_capture_pixel(3, 64, 30));
    g_assert_cmpuint(scripted_call(0).width, ==, 20);

    ext_write(ext, HELIX_EXT_SIZE, HELIX_SOURCE_AUTO, 81, 0, 100, 100); /* 81 + 20 > 100 */
    g_assert_true(client_frame(client, &request));
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);

    request.ext_size = sizeof ext; /* a longer block is read as far as it is known */
    ext_write(ext, sizeof ext, HELIX_SOURCE_PAGES, 0, 0, 0, 0);
    g_assert_true(client_frame(client, &request));
    message_free(expect_frame(client, 0, 0));
}

/* A block that contradicts itself is the request's error; framing is not lost. */
RIG_TEST("/agreed/ext-errors", test_ext_errors)
{
    static const struct {
        guint16 says;
        gsize has;
        guint8 source, planes;
    } cases[] = {
        { HELIX_EXT_SIZE, HELIX_EXT_SIZE - 1, 0, 0 },
        { HELIX_EXT_SIZE + 1, HELIX_EXT_SIZE, 0, 0 },
        { 0, HELIX_EXT_SIZE, 0, 0 },
        { HELIX_EXT_SIZE, HELIX_EXT_SIZE + 1, 0, 0 },
        { G_MAXUINT16, HELIX_EXT_SIZE, 0, 0 },
        { 4, 4, 0, 0 },
        { HELIX_EXT_SIZE, HELIX_EXT_SIZE, 3, 0 },
        { HELIX_EXT_SIZE, HELIX_EXT_SIZE, 0, 4 },
    };
    static const guint8 pixels[64 * 48 * 4];

    for (guint i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        guint which = i / 2;
        guint8 flags = HELIX_REQUEST_EXT | (i % 2 ? HELIX_REQUEST_PIXEL_DATA : 0);
        guint8 ext[HELIX_EXT_SIZE + 1] = { 0 };
        gboolean swallowed = (flags & HELIX_REQUEST_PIXEL_DATA) && cases[which].says == HELIX_EXT_SIZE &&
            cases[which].has != HELIX_EXT_SIZE;

        if (swallowed) {
            continue; /* one byte more or less in front of the pixels is theirs */
        }
        ext[HELIX_EXT_SOURCE] = cases[which].source;
        ext[HELIX_EXT_PLANES] = cases[which].planes;
        helix_put_u16(ext, cases[which].says);
        g_assert_true(client_frame(client,
                                   &(FrameRequest){ .resource = 1,
                                                    .flags = flags,
                                                    .ext = ext,
                                                    .ext_size = cases[which].has,
                                                    .pixels = pixels,
                                                    .pixels_size = sizeof pixels }));
        if (cases[which].says == HELIX_EXT_SIZE + 1 && i % 2) {
            expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY); /* the pixels are short of that byte */
        } else {
            expect_error(client, 0, FRAME, HELIX_CODE_INVALID);
        }
    }
    g_assert_true(client_resource(client, 0, 1, 9));
    message_free(expect_frame(client, 0, 9));
}

/* SESSION_CLOSE takes its place in order, frees the encoder, and the number may be used again for a new stream. */
TEST("/agreed/session-close", test_session_close)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_streams = 2 });
    g_autoptr(Client) client = rig_connect(rig);

    g_assert_true(client_session_close(client, 77)); /* no such stream: nothing to end */
    scripted_delay_ms(5);
    g_assert_true(client_config(client, &(ConfigRequest){ .width = 320, .height = 200, .realtime = 1 }));
    for (guint i = 0; i < 3; i++) {
        g_assert_true(client_resource(client, 0, 1 + i, i));
    }
    g_assert_true(client_session_close(client, 0));
    g_assert_true(client_resource(client, 0, 9, 3));
    for (guint i = 0; i < 4; i++) {
        g_autoptr(Message) message = expect_frame(client, 0, i);

        g_assert_true(message_is_keyframe(message) == (i == 0 || i == 3));
    }
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.width"), ==, 64); /* the configuration went with the stream */
    g_assert_true(scripted_wait_closed(1));
    g_assert_true(rig_log_has(rig, "stream 1.0 ended: 3 frames"));
    g_assert_true(client_session_close(client, 0));
    expect_quiet(client);
    g_assert_true(scripted_wait_closed(2));
    g_assert_cmpuint(rig_stat(rig, "streams.now"), ==, 0);
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT }));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
}

TEST("/agreed/stream-limit", test_stream_limit)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_streams = 2 });
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Client) other = rig_connect(rig);
    static const guint8 pixels[64 * 48 * 4];

    message_free(expect_config(client, &(ConfigRequest){ .session = 0, .realtime = 1 }));
    message_free(expect_config(client, &(ConfigRequest){ .session = 1, .realtime = 1 }));
    g_assert_true(client_resource(client, 2, 1, 0));
    expect_error(client, 2, FRAME, HELIX_CODE_NO_ENCODER);
    g_assert_true(client_frame(
        client,
        &(FrameRequest){
            .session = 2, .flags = HELIX_REQUEST_PIXEL_DATA, .pixels = pixels, .pixels_size = sizeof pixels }));
    expect_error(client, 2, FRAME, HELIX_CODE_NO_ENCODER);
    g_assert_true(client_resource(other, 0, 1, 0)); /* the limit is the host's */
    expect_error(other, 0, FRAME, HELIX_CODE_NO_ENCODER);
    g_assert_true(client_session_close(client, 1));
    expect_quiet(client);
    g_assert_true(client_resource(other, 0, 1, 0));
    message_free(expect_frame(other, 0, 0));
}
