/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One stream's rules: order, limits in flight, drops, keyframes, failures, pause, reset, and its end. */
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST

/* Errors found at once wait for the frames before them; other streams do not. */
RIG_TEST("/stream/order", test_order)
{
    g_assert_true(client_config(client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER }));
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    scripted_hold(TRUE);
    g_assert_true(client_resource(client, 0, 1, 0));
    g_assert_true(client_resource(client, 0, 0, 1));                                       /* wrong in itself */
    g_assert_true(client_resource(client, 0, FAKE_CAPTURE_LAST + 1, 2));                   /* wrong when looked up */
    g_assert_true(client_config(client, &(ConfigRequest){ .fps_num = 1, .realtime = 1 })); /* 1/0 */
    g_assert_true(client_resource(client, 0, 2, 3));
    g_assert_true(scripted_wait_begun(1));
    g_assert_true(client_resource(client, 1, 0, 4));
    expect_error(client, 1, FRAME, HELIX_CODE_NOT_FOUND);
    expect_quiet(client);
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 0));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_INVALID);
    message_free(expect_frame(client, 0, 3));
}

/* Look-ups that answer later keep the order too, and only one is under way at a time. */
RIG_TEST("/stream/late-look-up", test_late_look_up)
{
    rig_hold_look_ups(rig, TRUE);
    send_frames(client, 0, 0, 3);
    expect_quiet(client);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 1);
    for (guint i = 0; i < 3; i++) {
        rig_release_look_up(rig);
        message_free(expect_frame(client, 0, i));
    }
}

/* One picture in the encoder and one resolved behind it; the rest is not touched. */
RIG_TEST("/stream/two-pictures-at-most", test_two_pictures_at_most)
{
    scripted_hold(TRUE);
    send_frames(client, 0, 0, 4);
    g_assert_true(scripted_wait_begun(1));
    expect_quiet(client);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 2);
    scripted_hold(FALSE);
    expect_frames(client, 0, 0, 4);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 4);
}

TEST("/stream/busy", test_busy)
{
    static const guint8 pixels[64 * 48 * 4];
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_in_flight = 2 });
    g_autoptr(Client) client = rig_connect(rig);

    scripted_hold(TRUE);
    send_frames(client, 0, 0, 3);
    g_assert_true(client_frame(
        client,
        &(FrameRequest){
            .flags = HELIX_REQUEST_PIXEL_DATA, .pts = 3, .pixels = pixels, .pixels_size = sizeof pixels }));
    send_frames(client, 1, 0, 1); /* the limit is a stream's own */
    g_assert_true(scripted_wait_begun(2));
    expect_quiet(client);
    scripted_hold(FALSE);
    {
        guint in_order = 0;

        for (guint i = 0; i < 5; i++) {
            g_autoptr(Message) message = client_receive(client);

            g_assert_nonnull(message);
            if (message->session == 0) {
                g_assert_cmphex(message->type, ==, in_order < 2 ? HELIX_MSG_FRAME_RESPONSE : HELIX_MSG_ERROR);
                g_assert_true(in_order < 2 || message_error_code(message) == HELIX_CODE_BUSY);
                in_order++;
            }
        }
        g_assert_cmpuint(in_order, ==, 4);
    }
    g_assert_cmpuint(rig_stat(rig, "errors.-7"), ==, 2);
    film(client, 0, 9, 2);
}

/* A dropped frame with a newer one behind it is answered so; the IDR that was due moves on to the next. */
RIG_TEST("/stream/keyframe-survives-drop", test_keyframe_survives_drop)
{
    g_autoptr(Message) message = NULL;

    film(client, 0, 0, 1);
    scripted_hold(TRUE);
    scripted_drop(2);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .pts = 1, .force_key = 1 }));
    send_frames(client, 0, 2, 2);
    g_assert_true(scripted_wait_begun(2));
    expect_quiet(client);
    scripted_hold(FALSE);
    message_free(expect_dropped(client, 0, 1));
    message_free(expect_dropped(client, 0, 2));
    message = expect_frame(client, 0, 3);
    g_assert_true(message_is_keyframe(message));
    g_assert_cmpuint(rig_stat(rig, "frames.dropped"), ==, 2);
    g_assert_cmpuint(rig_stat(rig, "frames.encoded"), ==, 2);
}

/* KEYFRAME_REQ while a frame is in the encoder is for the next one, dropped or not. */
RIG_TEST("/stream/keyframe-request-survives-drop", test_keyframe_request_survives_drop)
{
    g_autoptr(Message) before = NULL, after = NULL;

    film(client, 0, 0, 1);
    scripted_hold(TRUE);
    send_frames(client, 0, 1, 1);
    g_assert_true(scripted_wait_begun(2));
    g_assert_true(client_keyframe(client, 0));
    send_frames(client, 0, 2, 2);
    expect_quiet(client);
    scripted_hold(FALSE);
    before = expect_frame(client, 0, 1);
    g_assert_false(message_is_keyframe(before));
    after = expect_frame(client, 0, 2);
    g_assert_true(message_is_keyframe(after));
    message_free(expect_frame(client, 0, 3));
    g_assert_true(scripted_call(2).force_idr);
    g_assert_false(scripted_call(3).force_idr);
}

/* The last picture before silence arrives: dropped, it is encoded once more, still as the IDR it was to be. */
RIG_TEST("/stream/last-frame-is-retried", test_last_frame_is_retried)
{
    g_autoptr(Message) message = NULL;

    film(client, 0, 0, 1);
    scripted_drop(1);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 5, .pts = 1, .force_key = 1 }));
    message = expect_frame(client, 0, 1);
    g_assert_true(message_is_keyframe(message));
    g_assert_cmpuint(scripted_n_calls(), ==, 3);
    g_assert_cmphex(scripted_call(1).pixel, ==, scripted_call(2).pixel);
    /* Once only. */
    scripted_drop(2);
    send_frames(client, 0, 7, 1);
    message_free(expect_dropped(client, 0, 7));
    g_assert_cmpuint(scripted_n_calls(), ==, 5);
}

/* An encoder that fails is opened again, and what no message can carry is an error: either way the guest misses a
 * picture, and the next one is an IDR. */
RIG_TEST("/stream/picture-is-lost", test_picture_is_lost)
{
    film(client, 0, 0, 1);
    for (guint i = 0; i < 2; i++) {
        g_autoptr(Message) message = NULL;

        if (i == 0) {
            scripted_fail(1);
        } else {
            scripted_oversize(1);
        }
        send_frames(client, 0, 1 + 2 * i, 1);
        expect_error(client, 0, FRAME, HELIX_CODE_ENCODE);
        g_assert_cmpuint(scripted_n_closed(), ==, i + 1);
        send_frames(client, 0, 2 + 2 * i, 1);
        message = expect_frame(client, 0, 2 + 2 * i);
        g_assert_true(message_is_keyframe(message));
        g_assert_cmpuint(scripted_n_opened(), ==, i + 2);
    }
}

/* Sizes H.264 has not: the frame's error before anything is looked up, and the next one is coded. */
RIG_TEST("/stream/uncodable-size", test_uncodable_size)
{
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .width = 8194, .height = 2 }));
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    film(client, 0, 1, 1);
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .width = 2, .height = 8194 }));
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    film(client, 0, 2, 1);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 2);
}

RIG_TEST("/stream/no-encoder", test_no_encoder)
{
    scripted_fail_open(2);
    g_assert_true(client_config(
        client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .width = 64, .height = 48, .realtime = 1 }));
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_NO_ENCODER);
    send_frames(client, 0, 0, 1);
    expect_error(client, 0, FRAME, HELIX_CODE_NO_ENCODER);
    film(client, 0, 1, 1);
}

/* No look-up begins while the VM is stopped; what is in the encoder is answered. */
RIG_TEST("/stream/pause", test_pause)
{
    scripted_hold(TRUE);
    send_frames(client, 0, 0, 1);
    g_assert_true(scripted_wait_begun(1));
    rig_set_running(rig, FALSE);
    send_frames(client, 0, 1, 2);
    expect_quiet(client);
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 0));
    expect_quiet(client);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 1);
    rig_set_running(rig, TRUE);
    expect_frames(client, 0, 1, 2);
}

/* Frames not yet resolved are answered, the one in the encoder is finished, and the last picture is forgotten. */
RIG_TEST("/stream/reset", test_reset)
{
    scripted_hold(TRUE);
    send_frames(client, 0, 0, 1);
    g_assert_true(scripted_wait_begun(1));
    rig_hold_look_ups(rig, TRUE);
    send_frames(client, 0, 1, 2);
    expect_quiet(client);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 2);
    rig_reset(rig);
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 0));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    rig_release_look_up(rig); /* comes too late and goes nowhere */
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT, .pts = 3 }));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    rig_hold_look_ups(rig, FALSE);
    film(client, 0, 4, 1);
}

/* A guest that goes while its encoder hangs holds nobody up; the thread ends when the encoder comes back. */
TEST("/stream/close-while-encoder-hangs", test_close_while_encoder_hangs)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) other = rig_connect(rig);
    Client *client = rig_connect(rig);

    scripted_hold(TRUE);
    send_frames(client, 0, 0, 4);
    g_assert_true(scripted_wait_begun(1));
    client_free(client);
    g_assert_true(rig_wait_stat(rig, "connections.now", 1));
    g_assert_cmpuint(rig_stat(rig, "streams.now"), ==, 0);
    expect_quiet(other);
    g_assert_cmpuint(scripted_n_closed(), ==, 0);
    scripted_hold(FALSE);
    g_assert_true(scripted_wait_closed(1));
    g_assert_cmpuint(scripted_n_begun(), ==, 1); /* what was not begun is not encoded for nobody */
}

/* Encoders that hang count after their streams too, so that a guest cannot collect threads. */
TEST("/stream/hung-encoders-are-limited", test_hung_encoders_are_limited)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_streams = 2 });
    g_autoptr(Client) last = NULL;

    scripted_hold(TRUE);
    for (guint i = 1; i <= 4; i++) {
        Client *client = rig_connect(rig);

        send_frames(client, 0, 0, 1);
        g_assert_true(scripted_wait_begun(i));
        client_free(client);
        g_assert_true(rig_wait_stat(rig, "streams.now", 0));
    }
    last = rig_connect(rig);
    send_frames(last, 0, 0, 1);
    expect_error(last, 0, FRAME, HELIX_CODE_NO_ENCODER);
    scripted_hold(FALSE);
    g_assert_true(scripted_wait_closed(4));
    while (TRUE) { /* closed is not ended yet */
        g_autoptr(Message) message = NULL;

        send_frames(last, 0, 1, 1);
        message = client_receive(last);
        g_assert_nonnull(message);
        if (message->type == HELIX_MSG_FRAME_RESPONSE) {
            break;
        }
        g_usleep(2000); /* the test's timeout is the limit */
    }
}

TEST("/stream/log", test_log)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    Client *client = rig_connect(rig);

    film(client, 6, 0, 3);
    g_assert_true(rig_log_has(rig, "stream 1.6 started"));
    g_assert_true(rig_log_has(rig, "64 x 48, null, readback"));
    client_free(client);
    g_assert_true(rig_wait_stat(rig, "connections.now", 0));
    g_assert_true(rig_log_has(rig, "stream 1.6 ended: 3 frames"));
}
