/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-vsock.c - a virtio-vsock device's connections: any packet in any state, receive buffers of any size, users that
 * write, close and refuse when they like. The guest is tests/vsock/guest.c, which checks that no user is called out of
 * turn.
 */
#include <string.h>

#include "fuzz.h"
#include "guest.h"

#define MOST_CONNECTIONS 6u

static gboolean is_reserved(gpointer data, guint32 port)
{
    return port == 1;
}

static User *some_user(Guest *guest, guint8 which)
{
    User *user = guest->accepted.length ? g_queue_peek_nth(&guest->accepted, which % guest->accepted.length) : NULL;

    return user && user->channel ? user : NULL;
}

/* A packet with ports few enough to meet a connection, and every field of the guest's choice. */
static void packet(Guest *guest, Input *input)
{
    guint8 ports = input_u8(input), op = input_u8(input), odd = input_u8(input);
    HelixVsockHeader header = guest_header(op & 15, 1 + (ports & 3),
                                           ports & 4 ? 0x40000000u + (ports >> 6) : 1u + (ports >> 6));
    gsize len;
    g_autofree guint8 *payload = NULL;

    header.flags = (op >> 4) & 3;
    header.buf_alloc = odd & 1 ? input_u32(input) : 4096;
    header.fwd_cnt = odd & 2 ? input_u32(input) : 0;
    header.type = odd & 4 ? input_u16(input) : HELIX_VSOCK_TYPE_STREAM;
    if ((odd & 64) && !guest->next_user) {
        guest->next_user = user_new();
        guest->next_user->takes_write_closed = TRUE;
    }
    header.dst_cid += (odd >> 3) & 1;
    header.src_cid += (odd >> 4) & 1;
    payload = input_bytes(input, input_u8(input), &len);
    header.len = odd & 32 ? input_u32(input) : (guint32)len;
    guest_send(guest, &header, payload, len);
}

static void order(Guest *guest, User *connecting, guint *asked, Input *input)
{
    static const guint8 output[3000];
    guint8 what = input_u8(input);
    User *user = some_user(guest, what >> 4);

    switch (what & 15) {
    default:
        packet(guest, input);
        break;
    case 6:
        guest_add_buffers(guest, 1 + (what >> 6), input_u8(input) * 20u);
        break;
    case 7:
        if (user) {
            user_write(user, output, input_u16(input) % sizeof output);
        }
        break;
    case 8:
        if (user) {
            user_close(user, input_u8(input) & 1);
        }
        break;
    case 9:
        if (user) {
            user->channel->carrier->shutdown_write(user->channel);
        }
        break;
    case 15:
        if (user) {
            user->channel->carrier->shutdown_read(user->channel);
        }
        break;
    case 10:
        if (user) {
            guint8 how = input_u8(input);

            user->appetite = input_u16(input);
            user->bite = how >> 2;
            user->resume_inside = how & 1;
            user->abort_inside = (how & 3) == 2;
            user_resume(user);
        }
        break;
    case 11:
        if (!connecting->channel && connecting->n_connected == *asked) {
            ++*asked;
            connecting->n_closed = connecting->n_eof = connecting->n_write_closed = 0;
            helix_vsock_connect(guest->vsock, 1 + (what >> 6), user_connected, connecting);
        } else if (connecting->channel) {
            user_close(connecting, what >> 7);
        }
        break;
    case 12:
        guest->refuse = (what >> 4) & 1;
        break;
    case 13:
        if (input_u8(input) == 0xd5) { /* seldom: it ends all there is */
            guest_reset(guest);
        }
        break;
    case 14:
        g_main_context_iteration(NULL, FALSE);
        break;
    }
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), <=, MOST_CONNECTIONS);
    guest_drop_packets(guest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = { data, size };
    Guest *guest = guest_new(1000, MOST_CONNECTIONS);
    User *connecting = user_new();
    guint asked = 0;

    guest->vsock->config.reserved = 2;
    guest->vsock->config.is_reserved = is_reserved;
    while (input.size) {
        order(guest, connecting, &asked, &input);
    }
    if (connecting->channel) {
        user_close(connecting, TRUE);
    }
    g_clear_pointer(&guest->next_user, user_free);
    guest_free(guest);
    g_assert_cmpuint(connecting->n_connected, ==, asked);
    user_free(connecting);
    return 0;
}
