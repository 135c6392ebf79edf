/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CONFIG_REQ in all its lengths, after agreement: the values in force, and what is refused. */
#include <string.h>

#include "h264/h264.h"
#include "protocol/bytes.h"
#include "rig.h"

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

TEST("/agreed/values-in-force", test_values_in_force)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_in_flight = 7 });
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Message) automatic = NULL, odd = NULL, same = NULL, resized = NULL;
    const char *encoder;

    automatic = expect_config(client, &(ConfigRequest){ .width = 1280, .height = 720, .realtime = 1 });
    g_assert_cmpuint(message_u32(automatic, HELIX_CONFIG_WIDTH), ==, 1280);
    g_assert_cmpuint(message_u32(automatic, HELIX_CONFIG_HEIGHT), ==, 720);
    g_assert_cmpuint(message_u32(automatic, HELIX_CONFIG_BITRATE), >, 0);
    g_assert_cmpuint(message_u32(automatic, HELIX_CONFIG_FPS_NUM), ==,
                     60 * message_u32(automatic, HELIX_CONFIG_FPS_DEN));
    g_assert_cmpuint(automatic->payload[HELIX_CONFIG_PROFILE], ==, 100);
    g_assert_cmpuint(automatic->payload[HELIX_CONFIG_LEVEL], >, 0);
    g_assert_cmpuint(message_u32(automatic, HELIX_CONFIG_RESP_IN_FLIGHT), ==, 7);
    encoder = (const char *)automatic->payload + HELIX_CONFIG_RESP_ENCODER;
    g_assert_nonnull(memchr(encoder, 0, HELIX_CONFIG_RESP_ENCODER_SIZE));
    g_assert_cmpstr(encoder, ==, "null");

    /* 4:2:0 has no odd sizes; a session of its own, so nothing else is in force. */
    odd = expect_config(client,
                        &(ConfigRequest){ .session = 1,
                                          .width = 1281,
                                          .height = 719,
                                          .bitrate = 1234567,
                                          .fps_num = 30000,
                                          .fps_den = 1001,
                                          .profile = 66,
                                          .realtime = 1 });
    g_assert_cmpuint(message_u32(odd, HELIX_CONFIG_WIDTH), ==, 1282);
    g_assert_cmpuint(message_u32(odd, HELIX_CONFIG_HEIGHT), ==, 720);
    g_assert_cmpuint(message_u32(odd, HELIX_CONFIG_BITRATE), ==, 1234567);
    g_assert_cmpuint(message_u32(odd, HELIX_CONFIG_FPS_NUM), ==, 30000);
    g_assert_cmpuint(message_u32(odd, HELIX_CONFIG_FPS_DEN), ==, 1001);
    g_assert_cmpuint(odd->payload[HELIX_CONFIG_PROFILE], ==, 66);

    /* 0 is unchanged; the size follows the frames again, of which there has been none. */
    same = expect_config(client, &(ConfigRequest){ .session = 1, .realtime = 1 });
    g_assert_cmpuint(message_u32(same, HELIX_CONFIG_WIDTH), ==, 0);
    g_assert_cmpuint(message_u32(same, HELIX_CONFIG_BITRATE), ==, 1234567);
    g_assert_cmpuint(message_u32(same, HELIX_CONFIG_FPS_NUM), ==, 30000);
    g_assert_cmpuint(same->payload[HELIX_CONFIG_PROFILE], ==, 66);
    g_assert_true(client_resource(client, 1, 1, 0));
    message_free(expect_frame(client, 1, 0));
    resized = expect_config(client, &(ConfigRequest){ .session = 1, .realtime = 1 });
    g_assert_cmpuint(message_u32(resized, HELIX_CONFIG_WIDTH), ==, 64);
    g_assert_cmpuint(message_u32(resized, HELIX_CONFIG_HEIGHT), ==, 48);
}

/* A CONFIG_REQ that is refused changes nothing. */
RIG_TEST("/agreed/config-errors", test_config_errors)
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
    g_autoptr(Message) before = expect_config(
        client, &(ConfigRequest){ .width = 64, .height = 48, .bitrate = 2000000, .realtime = 1 });

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(Message) message = NULL;

        g_assert_true(client_config(client, &wrong[i]));
        message = expect_message(client, HELIX_MSG_ERROR, 0);
        g_assert_cmphex(message->flags, ==, HELIX_MSG_CONFIG_REQ);
        g_assert_true(message_error_code(message) == HELIX_CODE_INVALID ||
                      message_error_code(message) == HELIX_CODE_GEOMETRY);
    }
    {
        g_autoptr(Message) after = expect_config(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });

        g_assert_cmpmem(before->payload, before->size, after->payload, after->size);
    }
}

/* A new bit rate between two frames takes effect between them, without a new SPS where the encoder can. */
RIG_TEST("/agreed/live-change", test_live_change)
{
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

        g_assert_cmpuint(message_u32(message, HELIX_CONFIG_BITRATE), ==, 4000000);
        g_assert_cmpuint(scripted_n_reconfigured(), ==, 1);
        g_assert_true(message_is_keyframe(frame) == (scripted_n_opened() == 2));
    }
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.bitrate"), ==, 4000000);
}

RIG_TEST("/agreed/long-config", test_long_config)
{
    g_autoptr(Message) first = expect_config(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_autoptr(Message) message = NULL, kept = NULL;

    message = expect_config(client,
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
    g_assert_cmpuint(message_u32(message, HELIX_CONFIG_MAX_BITRATE), ==, 3000000);
    g_assert_cmpuint(message_u32(message, HELIX_CONFIG_KEY_INT_MAX), ==, 3);
    g_assert_cmpuint(message->payload[HELIX_CONFIG_RATE_CONTROL], ==, HELIX_RATE_VBR);
    g_assert_cmpuint(message->payload[HELIX_CONFIG_AUD], ==, 1);
    g_assert_cmpuint(scripted_config().min_qp, ==, 10);
    g_assert_cmpuint(scripted_config().max_qp, ==, 40);
    /* The short form says nothing about the rest. */
    kept = expect_config(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
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

/* Aspect ratio and colours: in the SPS from the next frame on, and said to be in force where they were asked for. */
RIG_TEST("/agreed/vui", test_vui)
{
    static const guint8 active[12] = { 64, 0, 33, 0, 9, 14, 9, 1, 3 };
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
    g_autoptr(Message) first = expect_config(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_autoptr(Message) plain = NULL, message = NULL, kept = NULL, frame = NULL, reset = NULL, default_frame = NULL;
    HelixSps sps;

    g_assert_true(client_resource(client, 0, 1, 0));
    plain = expect_frame(client, 0, 0);
    sps = sps_of(plain);
    g_assert_cmpuint(sps.sar_width * 1000u + sps.sar_height, ==, 1001);
    g_assert_cmpuint(sps.matrix, ==, 1);
    message = expect_config(client, &request);
    g_assert_cmpuint(message->size, ==, HELIX_CONFIG_RESP_VUI_SIZE);
    g_assert_cmpmem(message->payload + HELIX_CONFIG_RESP_VUI, 12, active, 12);
    /* The shorter forms leave it, and are answered as ever. */
    kept = expect_config(client, &(ConfigRequest){ .is_long = TRUE, .width = 64, .height = 48, .realtime = 1 });
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
    reset = expect_config(client, &(ConfigRequest){ .has_vui = TRUE, .width = 64, .height = 48, .realtime = 1 });
    g_assert_cmpmem(reset->payload + HELIX_CONFIG_RESP_VUI, 12, ((const guint8[12]){ 1, 0, 1, 0, 1, 1, 1 }), 12);
    g_assert_true(client_resource(client, 0, 1, 2));
    default_frame = expect_frame(client, 0, 2);
    sps = sps_of(default_frame);
    g_assert_true(sps.matrix == 1 && !sps.full_range && sps.sar_width == 1);
}

/* What no SPS can say is refused, and what was in force stays so. */
RIG_TEST("/agreed/vui-errors", test_vui_errors)
{
    static const ConfigRequest wrong[] = {
        { .sar_width = 1 }, { .sar_height = 1 }, { .primaries = 3 }, { .primaries = 13 }, { .primaries = 255 },
        { .transfer = 3 },  { .transfer = 19 },  { .matrix = 3 },    { .matrix = 15 },    { .chroma_loc = 7 },
    };
    g_autoptr(Message) before = expect_config(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
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
    after = expect_config(client, &(ConfigRequest){ .width = 64, .height = 48, .realtime = 1 });
    g_assert_cmpmem(before->payload, before->size, after->payload, after->size);
}
