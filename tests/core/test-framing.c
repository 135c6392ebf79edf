/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keeps framing and what loses it: sizes, magic, unknown types, pieces of any size, ends in any place. */
#include <string.h>
#include "protocol/bytes.h"
#include "rig.h"

static const guint8 zeros[HELIX_MAX_REQUEST_PAYLOAD + 1];

/* One header with this payload_size; the host answers ERROR -1 about the connection and closes. */
static void expect_break(guint8 type, guint8 flags, guint32 payload_size)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    guint8 header[HELIX_WIRE_HEADER_SIZE];

    helix_put_u32(header, HELIX_WIRE_MAGIC);
    header[4] = type;
    header[5] = flags;
    helix_put_u16(header + 6, 3);
    helix_put_u32(header + 8, payload_size);
    g_assert_true(client_send_bytes(client, header, sizeof header));
    expect_error(client, 3, HELIX_ERROR_FLAGS_CONNECTION, HELIX_CODE_INVALID);
    expect_end(client);
    g_assert_true(rig_log_has(rig, "broke the protocol"));
}

TEST("/framing/wrong-sizes", test_wrong_sizes)
{
    expect_break(HELIX_MSG_FRAME_REQUEST, 0, HELIX_REQUEST_SIZE - 1);
    expect_break(HELIX_MSG_FRAME_REQUEST, 0, HELIX_REQUEST_SIZE + 1);
    expect_break(HELIX_MSG_FRAME_REQUEST, HELIX_REQUEST_EXT, HELIX_MAX_REQUEST_PAYLOAD + 1);
    expect_break(HELIX_MSG_FRAME_REQUEST, HELIX_REQUEST_PIXEL_DATA, HELIX_REQUEST_SIZE - 1);
    expect_break(HELIX_MSG_FRAME_REQUEST, HELIX_REQUEST_PIXEL_DATA,
                 HELIX_MAX_REQUEST_PAYLOAD + HELIX_MAX_PIXEL_BYTES + 1);
    expect_break(HELIX_MSG_FRAME_REQUEST, HELIX_REQUEST_PIXEL_DATA, G_MAXUINT32);
    expect_break(HELIX_MSG_KEYFRAME_REQ, 0, 1);
    expect_break(HELIX_MSG_CONFIG_REQ, 0, HELIX_CONFIG_SIZE - 1);
    expect_break(HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, HELIX_CONFIG_SIZE + 1);
    expect_break(HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, HELIX_CONFIG_LONG_SIZE); /* not agreed yet */
    expect_break(HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, HELIX_CONFIG_VUI_SIZE);
    expect_break(HELIX_MSG_SESSION_CLOSE, 0, 4);
    expect_break(HELIX_MSG_PING, 0, HELIX_MAX_PING + 1);
    expect_break(0x42, 0, HELIX_MAX_REQUEST_PAYLOAD + 1);
}

RIG_TEST("/framing/wrong-magic", test_wrong_magic)
{
    g_autoptr(Client) other = rig_connect(rig);

    /* Much input behind it: the answer arrives all the same. */
    g_assert_true(client_send_bytes(client, zeros, sizeof zeros));
    expect_error(client, 0, HELIX_ERROR_FLAGS_CONNECTION, HELIX_CODE_INVALID);
    expect_end(client);
    expect_quiet(other);
}

/* Answers asked for before framing was lost that had not been given end with the connection; the host lives on. */
RIG_TEST("/framing/break-during-encode", test_break_during_encode)
{
    g_autoptr(Client) other = NULL;

    scripted_hold(TRUE);
    g_assert_true(client_resource(client, 0, 1, 0));
    g_assert_true(scripted_wait_begun(1));
    g_assert_true(client_send_bytes(client, zeros, HELIX_WIRE_HEADER_SIZE));
    expect_error(client, 0, HELIX_ERROR_FLAGS_CONNECTION, HELIX_CODE_INVALID);
    expect_end(client);
    other = rig_connect(rig);
    expect_quiet(other);
    scripted_hold(FALSE);
    g_assert_true(client_resource(other, 0, 1, 1));
    message_free(expect_frame(other, 0, 1));
}

RIG_TEST("/framing/unknown-type", test_unknown_type)
{
    static const guint8 types[] = { 0x00, 0x02, 0x05, 0x06, 0x08, 0x11, 0x20, 0x31, 0x42, 0xff };

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        g_assert_true(client_send(client, types[i], 0, (guint16)i, zeros, i % 2 ? HELIX_MAX_REQUEST_PAYLOAD : 0));
        expect_error(client, (guint16)i, types[i], HELIX_CODE_INVALID);
    }
    g_assert_true(client_resource(client, 0, 1, 1));
    message_free(expect_frame(client, 0, 1));
    expect_quiet(client);
}

/* Every message of a conversation, a byte at a time. */
RIG_TEST("/framing/byte-by-byte", test_byte_by_byte)
{
    static const guint8 pixels[16 * 9 * 4 + 7];
    guint8 ext[HELIX_EXT_SIZE + 12] = { 0 };
    const FrameRequest requests[] = {
        { .resource = 1, .pts = 0 },
        { .resource = 2, .pts = 1, .flags = HELIX_REQUEST_EXT, .ext = ext, .ext_size = sizeof ext },
        { .pts = 2,
          .flags = HELIX_REQUEST_PIXEL_DATA,
          .width = 16,
          .height = 9,
          .pixels = pixels,
          .pixels_size = sizeof pixels },
        { .pts = 3,
          .flags = HELIX_REQUEST_PIXEL_DATA | HELIX_REQUEST_EXT,
          .width = 16,
          .height = 9,
          .ext = ext,
          .ext_size = sizeof ext,
          .pixels = pixels,
          .pixels_size = sizeof pixels },
    };

    helix_put_u16(ext, sizeof ext); /* longer than what is known */
    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autoptr(GByteArray) bytes = client_frame_bytes(&requests[i]);

        if (requests[i].flags & HELIX_REQUEST_PIXEL_DATA) {
            g_byte_array_append(bytes, requests[i].pixels, (guint)requests[i].pixels_size);
        }
        for (guint at = 0; at < bytes->len; at++) {
            g_assert_true(client_send_bytes(client, bytes->data + at, 1));
        }
        message_free(expect_frame(client, 0, i));
    }
    expect_quiet(client);
}

/* A guest that says no more is still answered everything, then the host closes. */
RIG_TEST("/framing/half-close", test_half_close)
{
    scripted_delay_ms(20);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(client_resource(client, (guint16)i, 1, i));
    }
    g_assert_true(client_resource(client, 0, 2, 3));
    g_assert_true(client_config(client, &(ConfigRequest){ .session = 0, .flags = HELIX_CONFIG_ANSWER, .realtime = 1 }));
    g_assert_true(client_ping(client, 0, NULL, 0));
    client_shutdown_write(client);
    for (guint i = 0, frames = 0; i < 6; i++) {
        g_autoptr(Message) message = client_receive(client);

        g_assert_nonnull(message);
        frames += message->type == HELIX_MSG_FRAME_RESPONSE;
        g_assert_true(i < 5 || frames == 4);
    }
    expect_end(client);
    g_assert_true(rig_wait_stat(rig, "connections.now", 0));
}

RIG_TEST("/framing/half-close-idle", test_half_close_idle)
{
    client_shutdown_write(client);
    expect_end(client);
}

RIG_TEST("/framing/end-inside-message", test_end_inside_message)
{
    static const guint8 pixels[100];
    g_autoptr(GByteArray) bytes = client_frame_bytes(
        &(FrameRequest){ .flags = HELIX_REQUEST_PIXEL_DATA, .pixels = pixels, .pixels_size = 64 * 48 * 4 });

    g_assert_true(client_send_bytes(client, bytes->data, bytes->len));
    g_assert_true(client_send_bytes(client, pixels, sizeof pixels));
    client_shutdown_write(client);
    expect_end(client);
    g_assert_true(rig_log_has(rig, "ended inside a message"));
    g_assert_cmpuint(rig_stat(rig, "frames.requests"), ==, 0);
}

/* Gone without a word, in the middle of everything. */
TEST("/framing/vanish", test_vanish)
{
    g_autoptr(Rig) rig = rig_new(NULL);

    for (guint i = 0; i < 20; i++) {
        Client *client = rig_connect(rig);

        scripted_delay_ms(i % 3);
        for (guint j = 0; j <= i; j++) {
            g_assert_true(client_resource(client, (guint16)(j % 3), 1 + j, j));
        }
        g_assert_true(client_send_bytes(client, "HXFR\1", 5));
        client_free(client);
    }
    g_assert_true(rig_wait_stat(rig, "connections.now", 0));
    g_assert_cmpuint(rig_stat(rig, "streams.now"), ==, 0);
}

/* A conversation with bytes changed, left out or doubled anywhere: whatever comes of it, the host is there for the
 * next. */
TEST("/framing/noise", test_noise)
{
    enum { ROUNDS = 300 };
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) witness = rig_connect(rig);
    guint8 ext[HELIX_EXT_SIZE] = { HELIX_EXT_SIZE }, pixels[8 * 8 * 4] = { 0 };

    for (guint round = 0; round < ROUNDS; round++) {
        g_autoptr(Client) client = rig_connect(rig);
        g_autoptr(GByteArray) all = g_byte_array_new();

        for (guint i = 0; i < 6; i++) {
            guint8 flags = (guint8)g_test_rand_int_range(0, 32);
            g_autoptr(GByteArray) one = client_frame_bytes(&(FrameRequest){ .session = (guint16)(i % 2),
                                                                            .resource = i,
                                                                            .width = 8,
                                                                            .height = 8,
                                                                            .flags = flags,
                                                                            .ext = ext,
                                                                            .ext_size = sizeof ext,
                                                                            .pixels_size = sizeof pixels });

            g_byte_array_append(all, one->data, one->len);
            if (flags & HELIX_REQUEST_PIXEL_DATA) {
                g_byte_array_append(all, pixels, sizeof pixels);
            }
        }
        for (gint32 changes = g_test_rand_int_range(0, 4); changes > 0; changes--) {
            guint at = (guint)g_test_rand_int_range(0, (gint32)all->len - 8);
            guint8 doubled[8];

            switch (g_test_rand_int_range(0, 3)) {
            case 0:
                all->data[at] = (guint8)g_test_rand_int();
                break;
            case 1:
                g_byte_array_remove_range(all, at, (guint)g_test_rand_int_range(1, 8));
                break;
            default:
                memcpy(doubled, all->data + at, sizeof doubled);
                g_byte_array_append(all, doubled, sizeof doubled);
                break;
            }
        }
        client_send_bytes(client, all->data, all->len); /* the host may have closed by now */
        client_shutdown_write(client);
        while (!client->eof && !client->timed_out) {
            message_free(client_receive(client));
        }
        g_assert_false(client->timed_out);
    }
    expect_quiet(witness);
    g_assert_true(rig_wait_stat(rig, "connections.now", 1));
}
