/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream's size and configuration, changed while it runs: what is granted, what is refused, and what waits for it. */
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST

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

/* 0 follows the frames: another size starts a new SPS and IDR; odd ones are coded as the even one above. */
RIG_TEST("/stream/size-change", test_size_change)
{
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
RIG_TEST("/stream/fixed-size", test_fixed_size)
{
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

/* A CONFIG_REQ that is refused changes nothing, refused by the message's checks, the encode thread or the encoder. */
TEST("/stream/refused-config", test_refused_config)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_memory = 16 << 20 });
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) before = NULL;

    scripted_keep(); /* 16 bytes a pixel: one of 1024 x 512 fits, one of 2048 x 1024 does not */
    configure(client, 320, 3000000);
    before = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    film(client, 0, 0, 1);

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
    film(client, 0, 0, 1);
    g_assert_cmpuint(scripted_call(0).coded_width, ==, 1024);
    configure(client, 1088, 0);
    message_free(expect_message(client, HELIX_MSG_CONFIG_RESP, 0));
    configure(client, 1024, 0);
    after = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
    g_assert_cmpmem(after->payload, after->size, before->payload, before->size);
}

/* What a GPU's copy is scaled to is known once the encoder has granted it: look-ups behind a change of size wait for
 * that. */
RIG_TEST("/stream/look-up-behind-config", test_look_up_behind_config)
{
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
RIG_TEST("/stream/retry-before-config", test_retry_before_config)
{
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
    film(client, 0, 1, 1);
    g_assert_cmpuint(scripted_call(2).coded_width, ==, 640);
}

/* A frame came behind the change, so the one before it was not the last, and then that frame fails: it is too late for
 * the first. */
RIG_TEST("/stream/no-retry-behind-config", test_no_retry_behind_config)
{
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
