/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-random.c - many connections at once under random credit, receive buffers and appetites: every byte arrives once
 * and in order, both ways, and nothing stalls. And packets that make no sense at all: nothing breaks.
 */
#include <string.h>

#include "guest.h"

#define N 12

typedef struct Side {
    guint32 seed;           /* of the bytes this side sends */
    gsize total, sent, got; /* bytes to send, sent, and checked at the other side */
} Side;

typedef struct Flow {
    User *user;
    guint32 port;
    Side up, down;                                 /* guest to host, host to guest */
    guint32 host_fwd_cnt, host_buf_alloc;          /* the guest's view of the host */
    guint32 buf_alloc, fwd_cnt, last_sent_fwd_cnt; /* the guest's own */
    gsize held;                                    /* arrived in the guest, not read there */
    gboolean want_write;                           /* the host's user was told to wait */
    guint told_writable;
} Flow;

static guint8 byte_at(guint32 seed, gsize position)
{
    return (guint8)((position * 2654435761u + seed) >> 13 ^ position);
}

/* 1 to @most - 1. (Not inside MIN(), which draws twice.) */
static gsize some(GRand *rand, gsize most)
{
    return (gsize)g_rand_int_range(rand, 1, (gint)most);
}

static void fill(Side *side, guint8 *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        bytes[i] = byte_at(side->seed, side->sent + i);
    }
}

static void check(Side *side, const guint8 *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        g_assert_cmpuint(bytes[i], ==, byte_at(side->seed, side->got + i));
    }
    side->got += len;
    g_assert_cmpuint(side->got, <=, side->sent);
}

/* What the host put into the guest's buffers. */
static void guest_reads_packets(Guest *guest, Flow *flows, guint32 buf_alloc)
{
    Packet *packet;

    while ((packet = guest_take(guest))) {
        Flow *flow = &flows[packet->header.dst_port % N];

        g_assert_cmpuint(packet->header.dst_port, ==, flow->port);
        g_assert_cmpuint(packet->header.op, !=, HELIX_VSOCK_OP_RST);
        g_assert_cmpuint(packet->header.buf_alloc, ==, buf_alloc);
        flow->host_fwd_cnt = packet->header.fwd_cnt;
        flow->held += packet->payload->len;
        g_assert_cmpuint(flow->held, <=, flow->buf_alloc); /* the host kept to its credit */
        check(&flow->down, packet->payload->data, packet->payload->len);
        if (packet->header.op == HELIX_VSOCK_OP_CREDIT_REQUEST) {
            guest_credit(guest, flow->port, Q, flow->buf_alloc, flow->last_sent_fwd_cnt = flow->fwd_cnt);
        }
        packet_free(packet);
    }
}

static void guest_sends(Guest *guest, Flow *flow, GRand *rand)
{
    guint8 bytes[3000];
    gsize room = flow->host_buf_alloc - ((guint32)flow->up.sent - flow->host_fwd_cnt);
    gsize draw = some(rand, sizeof bytes), n = MIN(MIN(room, flow->up.total - flow->up.sent), draw);
    HelixVsockHeader header = guest_header(HELIX_VSOCK_OP_RW, flow->port, Q);

    if (!n) {
        return;
    }
    fill(&flow->up, bytes, n);
    header.len = (guint32)n;
    header.buf_alloc = flow->buf_alloc;
    header.fwd_cnt = flow->last_sent_fwd_cnt = flow->fwd_cnt;
    flow->up.sent += n;
    guest_send(guest, &header, bytes, n);
    g_assert_cmpuint(flow->user->n_closed, ==, 0);
}

static void guest_consumes(Guest *guest, Flow *flow, GRand *rand)
{
    gsize draw = some(rand, 9000), n = MIN(flow->held, draw);

    flow->held -= n;
    flow->fwd_cnt += (guint32)n;
    /* As Linux does: an update when its buffer ran empty, or when much was freed. */
    if (flow->fwd_cnt != flow->last_sent_fwd_cnt && (!flow->held || g_rand_int_range(rand, 0, 4) == 0)) {
        guest_credit(guest, flow->port, Q, flow->buf_alloc, flow->last_sent_fwd_cnt = flow->fwd_cnt);
    }
}

static void host_writes(Flow *flow, GRand *rand)
{
    guint8 bytes[7000];
    gsize draw = some(rand, sizeof bytes), n = MIN(flow->down.total - flow->down.sent, draw), taken;

    if (flow->want_write && flow->user->n_writable == flow->told_writable) {
        return; /* was told to wait, and waits */
    }
    flow->want_write = FALSE;
    fill(&flow->down, bytes, n);
    flow->down.sent += n; /* so that check() may see them at once */
    taken = n ? user_write(flow->user, bytes, n) : 0;
    flow->down.sent -= n - taken;
    if (taken < n) {
        flow->want_write = TRUE;
        flow->told_writable = flow->user->n_writable;
    }
}

static void host_reads(Flow *flow, GRand *rand)
{
    User *user = flow->user;

    check(&flow->up, user->input->data, user->input->len);
    g_byte_array_set_size(user->input, 0);
    user->appetite = (gsize)g_rand_int_range(rand, 0, 6000);
    if (user->appetite) {
        user_resume(user);
    }
}

static gboolean done(Flow *flows)
{
    for (guint i = 0; i < N; i++) {
        if (flows[i].up.got < flows[i].up.total || flows[i].down.got < flows[i].down.total) {
            return FALSE;
        }
    }
    return TRUE;
}

static void run_traffic(guint32 seed, guint32 buf_alloc, guint largest_buffer)
{
    GRand *rand = g_rand_new_with_seed(seed);
    Guest *guest = guest_new(buf_alloc, 0);
    Flow flows[N] = { 0 };
    guint rounds = 0;

    for (guint i = 0; i < N; i++) {
        Flow *flow = &flows[i];
        HelixVsockConnection *conn;

        flow->port = 1200 + i;
        flow->user = guest_connect(guest, flow->port, Q);
        conn = guest_connection(guest, flow->port, Q);
        flow->buf_alloc = (guint32)g_rand_int_range(rand, 1, 20000);
        flow->host_buf_alloc = buf_alloc;
        flow->up = (Side){ .seed = seed + i, .total = some(rand, MIN(40000, 200 * buf_alloc)) };
        flow->down = (Side){ .seed = ~seed + i, .total = some(rand, MIN(40000, 200 * largest_buffer)) };
        if (i & 1) { /* the counters wrap on the way */
            flow->fwd_cnt = conn->tx_cnt = conn->peer_fwd_cnt = 0u - (guint32)g_rand_int_range(rand, 0, 30000);
        }
        guest_credit(guest, flow->port, Q, flow->buf_alloc, flow->last_sent_fwd_cnt = flow->fwd_cnt);
        flow->user->appetite = 0;
    }
    while (!done(flows)) {
        Flow *flow = &flows[g_rand_int_range(rand, 0, N)];

        g_assert_cmpuint(rounds++, <, 3000000); /* else it stalled */
        switch (g_rand_int_range(rand, 0, 6)) {
        case 0:
            guest_sends(guest, flow, rand);
            break;
        case 1:
            guest_consumes(guest, flow, rand);
            break;
        case 2:
            host_writes(flow, rand);
            break;
        case 3:
            host_reads(flow, rand);
            break;
        case 4: /* buffers are scarce, and sometimes too small for a byte */
            if (guest->buffers.length < 8) {
                guest_add_buffers(guest, 1, (guint)g_rand_int_range(rand, 0, (gint)largest_buffer + 1));
            }
            break;
        default:
            guest_reads_packets(guest, flows, buf_alloc);
            break;
        }
        g_assert_false(g_main_context_iteration(NULL, FALSE));
    }
    guest_free(guest);
    g_rand_free(rand);
}

TEST("/vsock/random/traffic", test_traffic)
{
    static const struct {
        guint32 buf_alloc;
        guint largest_buffer;
    } settings[] = {
        { 1, 5 }, { 13, 200 }, { 4096, 1 }, { 4096, 4096 }, { 256 * 1024, 4096 }, { 256 * 1024, 100000 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(settings); i++) {
        for (guint32 seed = 0; seed < 6; seed++) {
            g_test_message("buf_alloc %u, buffers to %u, seed %u", settings[i].buf_alloc, settings[i].largest_buffer,
                           seed);
            run_traffic(seed * 7919 + i, settings[i].buf_alloc, settings[i].largest_buffer);
        }
    }
}

/* Any packet in any state, users that close when they like: no crash, no leak, bounded. */
TEST("/vsock/random/nonsense", test_nonsense)
{
    GRand *rand = g_rand_new_with_seed(4711);
    guint8 payload[2000];

    memset(payload, 0x5a, sizeof payload);
    for (guint round = 0; round < 60; round++) {
        Guest *guest = guest_new(1000, 16);
        User *connecting = user_new();
        guint asked = 0;

        for (guint i = 0; i < 4000; i++) {
            guint op = (guint)g_rand_int_range(rand, 0, 9);
            guint src = (guint)g_rand_int_range(rand, 1, 6), dst = (guint)g_rand_int_range(rand, 1, 6);
            HelixVsockHeader header = guest_header(op, src, dst);
            gsize len = (gsize)g_rand_int_range(rand, 0, 300);
            User *user = g_queue_peek_nth(&guest->accepted,
                                          (guint)g_rand_int_range(rand, 0, 20) % MAX(1u, guest->accepted.length));

            header.len = (guint32)g_rand_int_range(rand, 0, (gint)len + 2);
            header.flags = (guint32)g_rand_int_range(rand, 0, 5);
            header.fwd_cnt = g_rand_int(rand);
            header.buf_alloc = g_rand_int(rand) >> g_rand_int_range(rand, 0, 32);
            guest->refuse = g_rand_int_range(rand, 0, 10) == 0;
            switch (g_rand_int_range(rand, 0, 12)) {
            case 0:
                guest_add_buffers(guest, 1, (guint)g_rand_int_range(rand, 0, 100));
                break;
            case 1:
                if (user && user->channel) {
                    user_write(user, payload, (gsize)g_rand_int_range(rand, 0, sizeof payload));
                }
                break;
            case 2:
                if (user && user->channel && g_rand_boolean(rand)) {
                    user_close(user, g_rand_boolean(rand));
                }
                break;
            case 3:
                if (user && user->channel && g_rand_boolean(rand)) {
                    user->channel->carrier->shutdown_write(user->channel);
                } else if (user && user->channel) {
                    user->channel->carrier->shutdown_read(user->channel);
                }
                if (!guest->next_user) {
                    guest->next_user = user_new();
                    guest->next_user->takes_write_closed = TRUE;
                }
                break;
            case 4:
                if (user && user->channel) {
                    user->appetite = (gsize)g_rand_int_range(rand, 0, 500);
                    user->resume_inside = g_rand_boolean(rand);
                    user->abort_inside = g_rand_int_range(rand, 0, 20) == 0;
                    user_resume(user);
                }
                break;
            case 5:
                if (!connecting->channel && g_rand_int_range(rand, 0, 10) == 0) {
                    if (connecting->n_connected == asked) {
                        asked++;
                        connecting->n_closed = connecting->n_eof = connecting->n_write_closed = 0;
                        helix_vsock_connect(guest->vsock, 3, user_connected, connecting);
                    }
                } else if (connecting->channel && g_rand_boolean(rand)) {
                    user_close(connecting, FALSE);
                }
                break;
            case 6:
                header.dst_port = 0x40000000 + (guint)g_rand_int_range(rand, 0, 3);
                header.src_port = 3;
                guest_send(guest, &header, payload, len);
                break;
            case 7:
                if (g_rand_int_range(rand, 0, 200) == 0) {
                    guest_reset(guest);
                }
                break;
            default:
                guest_send(guest, &header, payload, len);
                break;
            }
            g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), <=, 16);
            guest_drop_packets(guest);
        }
        if (connecting->channel) {
            user_close(connecting, TRUE);
        }
        g_clear_pointer(&guest->next_user, user_free);
        guest_free(guest);
        g_assert_cmpuint(connecting->n_connected, ==, asked);
        user_free(connecting);
    }
    g_rand_free(rand);
}
