/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is used only after both sides agreed to it: CONFIG_RESP and everything its capabilities name. */
#include <string.h>
#include "cases.h"
#include "protocol/bytes.h"
#include "h264/h264.h"
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST

static guint32 u32_of(const Message *message, guint offset)
{
    g_assert_cmpuint(message->size, >=, offset + 4);
    return helix_get_u32(message->payload + offset);
}

static Message *configure(Client *client, const ConfigRequest *request)
{
    ConfigRequest flagged = *request;

    flagged.flags = HELIX_CONFIG_ANSWER;
    g_assert_true(client_config(client, &flagged));
    return expect_message(client, HELIX_MSG_CONFIG_RESP, request->session);
}

/* CONFIG_REQ and a PING behind it: CONFIG_RESP comes first, however long the encoder takes to open. */
TEST("/agreed/agreement", test_agreement)
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
        g_assert_cmphex(u32_of(message, HELIX_CONFIG_RESP_CAPS), ==, HELIX_CAP_ALL);
        expect_pong(client, 4, "abc", 3);
    }
}

/* Also where the first CONFIG_REQ is refused: the guest must get an answer. */
TEST("/agreed/agreement-refused", test_agreement_refused)
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

TEST("/agreed/values-in-force", test_values_in_force)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_in_flight = 7 });
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) automatic = NULL, odd = NULL, same = NULL, resized = NULL;
    const char *encoder;

    automatic = configure(client, &(ConfigRequest){ .width = 1280, .height = 720, .realtime = 1 });
    g_assert_cmpuint(u32_of(automatic, HELIX_CONFIG_WIDTH), ==, 1280);
    g_assert_cmpuint(u32_of(automatic, HELIX_CONFIG_HEIGHT), ==, 720);
    g_assert_cmpuint(u32_of(automatic, HELIX_CONFIG_BITRATE), >, 0);
    g_assert_cmpuint(u32_of(automatic, HELIX_CONFIG_FPS_NUM), ==, 60 * u32_of(automatic, HELIX_CONFIG_FPS_DEN));
    g_assert_cmpuint(automatic->payload[HELIX_CONFIG_PROFILE], ==, 100);
    g_assert_cmpuint(automatic->payload[HELIX_CONFIG_LEVEL], >, 0);
    g_assert_cmpuint(u32_of(automatic, HELIX_CONFIG_RESP_IN_FLIGHT), ==, 7);
    encoder = (const char *)automatic->payload + HELIX_CONFIG_RESP_ENCODER;
    g_assert_nonnull(memchr(encoder, 0, HELIX_CONFIG_RESP_ENCODER_SIZE));
    g_assert_cmpstr(encoder, ==, "null");

    /* 4:2:0 has no odd sizes; a session of its own, so nothing else is in force. */
    odd = configure(client,
                    &(ConfigRequest){ .session = 1,
                                      .width = 1281,
                                      .height = 719,
                                      .bitrate = 1234567,
                                      .fps_num = 30000,
                                      .fps_den = 1001,
                                      .profile = 66,
                                      .realtime = 1 });
    g_assert_cmpuint(u32_of(odd, HELIX_CONFIG_WIDTH), ==, 1282);
    g_assert_cmpuint(u32_of(odd, HELIX_CONFIG_HEIGHT), ==, 720);
    g_assert_cmpuint(u32_of(odd, HELIX_CONFIG_BITRATE), ==, 1234567);
    g_assert_cmpuint(u32_of(odd, HELIX_CONFIG_FPS_NUM), ==, 30000);
    g_assert_cmpuint(u32_of(odd, HELIX_CONFIG_FPS_DEN), ==, 1001);
    g_assert_cmpuint(odd->payload[HELIX_CONFIG_PROFILE], ==, 66);

    /* 0 is unchanged; the size follows the frames again, of which there has been none. */
    same = configure(client, &(ConfigRequest){ .session = 1, .realtime = 1 });
    g_assert_cmpuint(u32_of(same, HELIX_CONFIG_WIDTH), ==, 0);
    g_assert_cmpuint(u32_of(same, HELIX_CONFIG_BITRATE), ==, 1234567);
    g_assert_cmpuint(u32_of(same, HELIX_CONFIG_FPS_NUM), ==, 30000);
    g_assert_cmpuint(same->payload[HELIX_CONFIG_PROFILE], ==, 66);
    g_assert_true(client_resource(client, 1, 1, 0));
    message_free(expect_frame(client, 1, 0));
    resized = configure(client, &(ConfigRequest){ .session = 1, .realtime = 1 });
    g_assert_cmpuint(u32_of(resized, HELIX_CONFIG_WIDTH), ==, 64);
    g_assert_cmpuint(u32_of(resized, HELIX_CONFIG_HEIGHT), ==, 48);
}

/* A CONFIG_REQ that is refused changes nothing. */
TEST("/agreed/config-errors", test_config_errors)
{
    static const ConfigRequest wrong[] = {
        { .fps_num = 30, .realtime = 1 },
        { .codec = 1 },
        { .width = 64 },
        { .height = 64 },
        { .profile = 99 },
        { .width = 100000, .height = 100000 },
        { .width = G_MAXUINT32, .height = G_MAXUINT32 },
        { .fps_num = G_MAXUINT32, .fps_den = 1 },
        { .level = 7 },
    };
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message)
        before = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .bitrate = 2000000, .realtime = 1 });

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(client_config(client, &wrong[i]));
        message = expect_message(client, HELIX_MSG_ERROR, 0);
        g_assert_cmphex(message->flags, ==, HELIX_MSG_CONFIG_REQ);
        g_assert_true(message_error_code(message) == HELIX_CODE_INVALID ||
                      message_error_code(message) == HELIX_CODE_GEOMETRY);
    }
    {
        g_autoptr(Message) after = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });

        g_assert_cmpmem(before->payload, before->size, after->payload, after->size);
    }
}

/* A new bit rate between two frames takes effect between them, without a new SPS where the encoder can. */
TEST("/agreed/live-change", test_live_change)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    g_assert_true(client_resource(client, 0, 1, 0));
    message_free(expect_frame(client, 0, 0));
    scripted_hold(TRUE);
    g_assert_true(client_resource(client, 0, 2, 1));
    g_assert_true(scripted_wait_begun(2));
    g_assert_true(
        client_config(client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .bitrate = 4000000, .realtime = 1 }));
    g_assert_true(client_resource(client, 0, 3, 2));
    g_assert_cmpuint(scripted_n_reconfigured(), ==, 0);
    scripted_hold(FALSE);
    message_free(expect_frame(client, 0, 1));
    {
        g_autoptr(Message) message = expect_message(client, HELIX_MSG_CONFIG_RESP, 0);
        g_autoptr(Message) frame = expect_frame(client, 0, 2);

        g_assert_cmpuint(u32_of(message, HELIX_CONFIG_BITRATE), ==, 4000000);
        g_assert_cmpuint(scripted_n_reconfigured(), ==, 1);
        g_assert_true(message_is_keyframe(frame) == (scripted_n_opened() == 2));
    }
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.bitrate"), ==, 4000000);
}

TEST("/agreed/long-config", test_long_config)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) first = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_autoptr(Message) message = NULL, kept = NULL;

    message = configure(client,
                        &(ConfigRequest){ .is_long = TRUE,
                                          .width = 64,
                                          .height = 48,
                                          .bitrate = 2000000,
                                          .realtime = 1,
                                          .max_bitrate = 3000000,
                                          .key_int_max = 3,
                                          .rate_control = HELIX_RATE_VBR,
                                          .min_qp = 10,
                                          .max_qp = 40,
                                          .slices = 1,
                                          .aud = 1 });
    g_assert_cmpuint(u32_of(message, HELIX_CONFIG_MAX_BITRATE), ==, 3000000);
    g_assert_cmpuint(u32_of(message, HELIX_CONFIG_KEY_INT_MAX), ==, 3);
    g_assert_cmpuint(message->payload[HELIX_CONFIG_RATE_CONTROL], ==, HELIX_RATE_VBR);
    g_assert_cmpuint(message->payload[HELIX_CONFIG_AUD], ==, 1);
    g_assert_cmpuint(scripted_config().min_qp, ==, 10);
    g_assert_cmpuint(scripted_config().max_qp, ==, 40);
    /* The short form says nothing about the rest. */
    kept = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_assert_cmpmem(kept->payload, kept->size, message->payload, message->size);
    for (guint i = 0; i < 6; i++) {
        g_autoptr(Message) frame = NULL;
        g_autofree char *types = NULL;
        const guint8 *unit;
        gsize size;

        g_assert_true(client_resource(client, 0, 1, i));
        frame = expect_frame(client, 0, i);
        unit = message_unit(frame, &size);
        types = unit_nal_types(unit, size);
        g_assert_cmpstr(types, ==, i % 3 == 0 ? "9 7 8 5" : "9 1");
    }
}

/* The SPS in a frame's access unit. */
static HelixSps sps_of(const Message *frame)
{
    gsize size, position = 0;
    const guint8 *unit = message_unit(frame, &size);
    HelixNal nal;
    HelixSps sps;

    while (helix_h264_next_nal(unit, size, &position, &nal)) {
        if (nal.type == HELIX_NAL_SPS) {
            g_assert_true(helix_h264_parse_sps(nal.data, nal.size, &sps));
            return sps;
        }
    }
    g_error("the access unit has no SPS");
}

/* Aspect ratio and colours: in the SPS from the next frame on, and said to be in force where they were asked for. */
TEST("/agreed/vui", test_vui)
{
    static const guint8 in_force[12] = { 64, 0, 33, 0, 9, 14, 9, 1, 3 };
    ConfigRequest request = { .has_vui = TRUE,
                              .width = 64,
                              .height = 48,
                              .realtime = 1,
                              .sar_width = 64,
                              .sar_height = 33,
                              .primaries = 9,
                              .transfer = 14,
                              .matrix = 9,
                              .full_range = 1,
                              .chroma_loc = 3 };
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) first = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_autoptr(Message) plain = NULL, message = NULL, kept = NULL, frame = NULL, reset = NULL, default_frame = NULL;
    HelixSps sps;

    g_assert_true(client_resource(client, 0, 1, 0));
    plain = expect_frame(client, 0, 0);
    sps = sps_of(plain);
    g_assert_cmpuint(sps.sar_width * 1000u + sps.sar_height, ==, 1001);
    g_assert_cmpuint(sps.matrix, ==, 1);
    message = configure(client, &request);
    g_assert_cmpuint(message->size, ==, HELIX_CONFIG_RESP_VUI_SIZE);
    g_assert_cmpmem(message->payload + HELIX_CONFIG_RESP_VUI, 12, in_force, 12);
    /* The shorter forms leave it, and are answered as ever. */
    kept = configure(client, &(ConfigRequest){ .is_long = TRUE, .width = 64, .height = 48, .realtime = 1 });
    g_assert_cmpuint(kept->size, ==, HELIX_CONFIG_RESP_SIZE);
    g_assert_true(client_resource(client, 0, 1, 1));
    frame = expect_frame(client, 0, 1);
    g_assert_true(message_is_keyframe(frame));
    sps = sps_of(frame);
    g_assert_cmpuint(sps.sar_width, ==, 64);
    g_assert_cmpuint(sps.sar_height, ==, 33);
    g_assert_cmpuint(sps.primaries, ==, 9);
    g_assert_cmpuint(sps.transfer, ==, 14);
    g_assert_cmpuint(sps.matrix, ==, 9);
    g_assert_true(sps.full_range && sps.chroma_loc && sps.chroma_loc_type == 2);
    /* All 0: the default again. */
    reset = configure(client, &(ConfigRequest){ .has_vui = TRUE, .width = 64, .height = 48, .realtime = 1 });
    g_assert_cmpmem(reset->payload + HELIX_CONFIG_RESP_VUI, 12, ((const guint8[12]){ 1, 0, 1, 0, 1, 1, 1 }), 12);
    g_assert_true(client_resource(client, 0, 1, 2));
    default_frame = expect_frame(client, 0, 2);
    sps = sps_of(default_frame);
    g_assert_true(sps.matrix == 1 && !sps.full_range && sps.sar_width == 1);
}

/* What no SPS can say is refused, and what was in force stays so. */
TEST("/agreed/vui-errors", test_vui_errors)
{
    static const ConfigRequest wrong[] = {
        { .sar_width = 1 }, { .sar_height = 1 }, { .primaries = 3 }, { .primaries = 13 }, { .primaries = 255 },
        { .transfer = 3 },  { .transfer = 19 },  { .matrix = 3 },    { .matrix = 15 },    { .chroma_loc = 7 },
    };
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) before = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_autoptr(Message) after = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        ConfigRequest request = wrong[i];
        g_autoptr(Message) message = NULL;

        request.has_vui = TRUE;
        request.width = 64;
        request.height = 48;
        g_assert_true(client_config(client, &request));
        message = expect_message(client, HELIX_MSG_ERROR, 0);
        g_assert_cmpint(message_error_code(message), ==, HELIX_CODE_INVALID);
        g_test_message("%s", message_error_text(message));
    }
    after = configure(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_assert_cmpmem(before->payload, before->size, after->payload, after->size);
}

TEST("/agreed/timing", test_timing)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
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
    g_assert_cmpuint(u32_of(message, HELIX_RELEASED_RESOURCE_ID), ==, resource);
    g_assert_cmpuint(u32_of(message, HELIX_RELEASED_RESOURCE_ID + 4), ==, 0);
}

/* The host has a copy: the guest hears of it while the encoder is still at work, once. */
TEST("/agreed/release", test_release)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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
    message_free(expect_frame(client, 2, 1));
    message_free(expect_frame(client, 2, 2));
    /* What is never read is never released: the error says it all. */
    g_assert_true(client_frame(
        client, &(FrameRequest){ .session = 2, .resource = FAKE_CAPTURE_LAST + 1, .flags = HELIX_REQUEST_RELEASE }));
    expect_error(client, 2, FRAME, HELIX_CODE_NOT_FOUND);
    expect_quiet(client);
}

/* Read where the guest keeps it: released when the encoder is done with it, and not kept for REPEAT. */
TEST("/agreed/release-borrowed", test_release_borrowed)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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

TEST("/agreed/repeat", test_repeat)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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

TEST("/agreed/ext", test_ext)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
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
TEST("/agreed/ext-errors", test_ext_errors)
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
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

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

    message_free(configure(client, &(ConfigRequest){ .session = 0, .realtime = 1 }));
    message_free(configure(client, &(ConfigRequest){ .session = 1, .realtime = 1 }));
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
