/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One stream's rules: order, limits in flight, drops, keyframes, failures, pause, reset, and its end. */
#include "cases.h"
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST

static void send_frames(Client *client, guint16 session, guint first, guint n)
{
    for (guint i = first; i < first + n; i++) {
        g_assert_true(client_resource(client, session, 1 + i, i));
    }
}

/* Errors found at once wait for the frames before them; other streams do not. */
TEST("/stream/order", test_order)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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
TEST("/stream/late-look-up", test_late_look_up)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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
TEST("/stream/two-pictures-at-most", test_two_pictures_at_most)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    scripted_hold(TRUE);
    send_frames(client, 0, 0, 4);
    g_assert_true(scripted_wait_begun(1));
    expect_quiet(client);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 2);
    scripted_hold(FALSE);
    for (guint i = 0; i < 4; i++) {
        message_free(expect_frame(client, 0, i));
    }
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
    send_frames(client, 0, 9, 2);
    message_free(expect_frame(client, 0, 9));
    message_free(expect_frame(client, 0, 10));
}

TEST("/stream/ping-during-encode", test_ping_during_encode)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    scripted_hold(TRUE);
    send_frames(client, 0, 0, 4);
    g_assert_true(scripted_wait_begun(1));
    for (guint i = 0; i < 3; i++) {
        expect_quiet(client);
    }
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 0));
}

/* A dropped frame with a newer one behind it is answered so; the IDR that was due moves on to the next. */
TEST("/stream/keyframe-survives-drop", test_keyframe_survives_drop)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) message = NULL;

    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));
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
TEST("/stream/keyframe-request-survives-drop", test_keyframe_request_survives_drop)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) before = NULL, after = NULL;

    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));
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
TEST("/stream/last-frame-is-retried", test_last_frame_is_retried)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) message = NULL;

    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));
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

TEST("/stream/encoder-failure", test_encoder_failure)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) message = NULL;

    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));
    scripted_fail(1);
    send_frames(client, 0, 1, 1);
    expect_error(client, 0, FRAME, HELIX_CODE_ENCODE);
    g_assert_cmpuint(scripted_n_closed(), ==, 1);
    send_frames(client, 0, 2, 1);
    message = expect_frame(client, 0, 2);
    g_assert_true(message_is_keyframe(message));
    g_assert_cmpuint(scripted_n_opened(), ==, 2);
}

/* What no message can carry is an error, and as the guest misses that picture the next one is an IDR. */
TEST("/stream/oversized-unit", test_oversized_unit)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) message = NULL;

    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));
    scripted_oversize(1);
    send_frames(client, 0, 1, 2);
    expect_error(client, 0, FRAME, HELIX_CODE_ENCODE);
    message = expect_frame(client, 0, 2);
    g_assert_true(message_is_keyframe(message));
}

/* Sizes H.264 has not: the frame's error before anything is looked up, and the next one is coded. */
TEST("/stream/uncodable-size", test_uncodable_size)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .width = 8194, .height = 2 }));
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    send_frames(client, 0, 1, 1);
    message_free(expect_frame(client, 0, 1));
    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .width = 2, .height = 8194 }));
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    send_frames(client, 0, 2, 1);
    message_free(expect_frame(client, 0, 2));
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 2);
}

TEST("/stream/no-encoder", test_no_encoder)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    scripted_fail_open(2);
    g_assert_true(client_config(
        client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .width = 64, .height = 48, .realtime = 1 }));
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_NO_ENCODER);
    send_frames(client, 0, 0, 1);
    expect_error(client, 0, FRAME, HELIX_CODE_NO_ENCODER);
    send_frames(client, 0, 1, 1);
    message_free(expect_frame(client, 0, 1));
}

/* 0 follows the frames: another size starts a new SPS and IDR; odd ones are coded as the even one above. */
TEST("/stream/size-change", test_size_change)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    static const struct {
        guint32 width, height, coded_width, coded_height;
        gboolean idr;
    } steps[] = {
        { 64, 48, 64, 48, TRUE },    { 64, 48, 64, 48, FALSE }, { 128, 48, 128, 48, TRUE },
        { 127, 47, 128, 48, FALSE }, { 65, 49, 66, 50, TRUE },  { 64, 48, 64, 48, TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(client_frame(
            client, &(FrameRequest){ .resource = 1, .width = steps[i].width, .height = steps[i].height, .pts = i }));
        message = expect_frame(client, 0, i);
        g_assert_true(message_is_keyframe(message) == steps[i].idr);
        g_assert_cmpuint(g_atomic_int_get(&rig->capture.coded_width), ==, 0);
        g_assert_cmpuint(rig_stat(rig, "streams.live.0.width"), ==, steps[i].coded_width);
        g_assert_cmpuint(rig_stat(rig, "streams.live.0.height"), ==, steps[i].coded_height);
    }
}

/* A size that was asked for stays, whatever the frames'. */
TEST("/stream/fixed-size", test_fixed_size)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    g_assert_true(client_config(client, &(ConfigRequest){ .width = 320, .height = 200, .realtime = 1 }));
    for (guint i = 0; i < 3; i++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(
            client_frame(client, &(FrameRequest){ .resource = 1, .width = 64 + 8 * i, .height = 48, .pts = i }));
        message = expect_frame(client, 0, i);
        g_assert_true(message_is_keyframe(message) == (i == 0));
        g_assert_cmpuint(rig_stat(rig, "streams.live.0.width"), ==, 320);
        /* the look-up is told, so that a GPU's copy can scale */
        g_assert_cmpuint(g_atomic_int_get(&rig->capture.coded_width), ==, 320);
        g_assert_cmpuint(g_atomic_int_get(&rig->capture.coded_height), ==, 200);
        g_assert_cmpuint(g_atomic_int_get(&rig->capture.surface_kinds), ==, helix_encoder_null.surface_kinds);
    }
    g_assert_cmpuint(scripted_n_opened(), ==, 1);
}

static void configure(Client *client, guint32 width, guint32 bitrate)
{
    g_assert_true(client_config(
        client,
        &(ConfigRequest){
            .flags = HELIX_CONFIG_ANSWER, .width = width, .height = width / 2, .bitrate = bitrate, .realtime = 1 }));
}

/* The stream is as it was: size, rates, what GPU copies are scaled to, and its encoder, so that no IDR is due. */
static void expect_unchanged(Rig *rig, Client *client, const Message *before, gint64 pts)
{
    g_autoptr(Message) frame = NULL, after = NULL;

    send_frames(client, 0, (guint)pts, 1);
    frame = expect_frame(client, 0, pts);
    g_assert_false(message_is_keyframe(frame));
    g_assert_cmpuint(g_atomic_int_get(&rig->capture.coded_width), ==, 320);
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.width"), ==, 320);
    g_assert_cmpuint(scripted_n_opened(), ==, 1);
    configure(client, 320, 0);
    after = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    g_assert_cmpmem(after->payload, after->size, before->payload, before->size);
}

/* A CONFIG_REQ that is refused changes nothing, refused by the message's checks, the worker or the encoder. */
TEST("/stream/refused-config", test_refused_config)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_memory = 16 << 20 });
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) before = NULL;

    scripted_keep(); /* 16 bytes a pixel: one of 1024 x 512 fits, one of 2048 x 1024 does not */
    configure(client, 320, 3000000);
    before = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));

    configure(client, 8194, 0); /* no level has such a picture */
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_GEOMETRY);
    expect_unchanged(rig, client, before, 1);
    configure(client, 2048, 4000000); /* no memory for it */
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_INTERNAL);
    expect_unchanged(rig, client, before, 2);
    scripted_fail_open(1);
    configure(client, 640, 4000000); /* no encoder of that size */
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_NO_ENCODER);
    expect_unchanged(rig, client, before, 3);
    scripted_refuse(1);
    configure(client, 320, 4000000); /* the open encoder does not take it */
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_INVALID);
    expect_unchanged(rig, client, before, 4);
    g_assert_true(client_config(
        client,
        &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .width = 640, .height = 360, .profile = 99, .realtime = 1 }));
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_INVALID);
    expect_unchanged(rig, client, before, 5);
}

/* Where two encoders do not fit beside each other the old one goes first; refused, the stream is back with the next
 * frame. */
TEST("/stream/refused-config-tight", test_refused_config_tight)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_memory = 16 << 20 });
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) before = NULL, after = NULL;

    scripted_keep();
    configure(client, 1024, 3000000); /* 8 MiB */
    before = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    scripted_fail_open(1);
    configure(client, 1088, 0); /* 9 MiB */
    expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_NO_ENCODER);
    send_frames(client, 0, 0, 1);
    message_free(expect_frame(client, 0, 0));
    g_assert_cmpuint(scripted_call(0).coded_width, ==, 1024);
    configure(client, 1088, 0);
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    configure(client, 1024, 0);
    after = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    g_assert_cmpmem(after->payload, after->size, before->payload, before->size);
}

/* What a GPU's copy is scaled to is known once the encoder has granted it: look-ups behind a change of size wait for
 * that. */
TEST("/stream/look-up-behind-config", test_look_up_behind_config)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    configure(client, 320, 0);
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    for (guint i = 0; i < 2; i++) {
        gboolean refused = i == 0;

        scripted_hold(TRUE);
        send_frames(client, 0, 2 * i, 1);
        g_assert_true(scripted_wait_begun(2 * i + 1));
        scripted_fail_open(refused);
        configure(client, 640, 0);
        send_frames(client, 0, 2 * i + 1, 1);
        expect_quiet(client);
        g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 2 * i + 1);
        scripted_hold(FALSE);
        message_free(expect_frame(client, 0, 2 * i));
        if (refused) {
            expect_error(client, 0, HELIX_MSG_CONFIG_REQ, HELIX_CODE_NO_ENCODER);
        } else {
            message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
        }
        message_free(expect_frame(client, 0, 2 * i + 1));
        g_assert_cmpuint(g_atomic_int_get(&rig->capture.coded_width), ==, refused ? 320 : 640);
        g_assert_cmpuint(scripted_call(2 * i + 1).coded_width, ==, refused ? 320 : 640);
    }
    /* The same size again is no change of size: nothing waits. */
    scripted_hold(TRUE);
    send_frames(client, 0, 4, 1);
    g_assert_true(scripted_wait_begun(5));
    configure(client, 640, 1000000);
    send_frames(client, 0, 5, 1);
    expect_quiet(client);
    g_assert_cmpint(g_atomic_int_get((gint *)&rig->capture.resolved), ==, 6);
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 4));
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    message_free(expect_frame(client, 0, 5));
}

/* A dropped frame is encoded once more before a change that was sent behind it, as it is answered before. */
TEST("/stream/retry-before-config", test_retry_before_config)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) message = NULL;

    configure(client, 320, 0);
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    scripted_hold(TRUE);
    scripted_drop(1);
    send_frames(client, 0, 0, 1);
    g_assert_true(scripted_wait_begun(1));
    configure(client, 640, 0);
    expect_quiet(client);
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 0));
    message = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    g_assert_cmpuint(scripted_n_calls(), ==, 2);
    g_assert_cmpuint(scripted_call(1).coded_width, ==, 320);
    send_frames(client, 0, 1, 1);
    message_free(expect_frame(client, 0, 1));
    g_assert_cmpuint(scripted_call(2).coded_width, ==, 640);
}

/* A frame came behind the change, so the one before it was not the last, and then that frame fails: it is too late for
 * the first. */
TEST("/stream/no-retry-behind-config", test_no_retry_behind_config)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    configure(client, 0, 2000000);
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    scripted_hold(TRUE);
    scripted_drop(1);
    send_frames(client, 0, 0, 1);
    g_assert_true(scripted_wait_begun(1));
    rig_set_running(rig, FALSE);
    configure(client, 0, 1000000);
    g_assert_true(client_resource(client, 0, FAKE_CAPTURE_LAST + 1, 1));
    expect_quiet(client); /* the change is with the encoder */
    rig_set_running(rig, TRUE);
    expect_quiet(client); /* and the frame behind it has failed */
    scripted_hold(FALSE);
    message_free(expect_dropped(client, 0, 0));
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    g_assert_cmpuint(scripted_n_calls(), ==, 1);
}

/* No look-up begins while the VM is stopped; what is in the encoder is answered. */
TEST("/stream/pause", test_pause)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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
    message_free(expect_frame(client, 0, 1));
    message_free(expect_frame(client, 0, 2));
}

/* Frames not yet resolved are answered, the one in the encoder is finished, and the last picture is forgotten. */
TEST("/stream/reset", test_reset)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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
    send_frames(client, 0, 4, 1);
    message_free(expect_frame(client, 0, 4));
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

    send_frames(client, 6, 0, 3);
    for (guint i = 0; i < 3; i++) {
        message_free(expect_frame(client, 6, i));
    }
    g_assert_true(rig_log_has(rig, "stream 1.6 started"));
    g_assert_true(rig_log_has(rig, "64 x 48, null, readback"));
    client_free(client);
    g_assert_true(rig_wait_stat(rig, "connections.now", 0));
    g_assert_true(rig_log_has(rig, "stream 1.6 ended: 3 frames"));
}
