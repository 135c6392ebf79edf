/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.c - a scripted guest for the vsock tests.
 */
#include "guest.h"

#include <string.h>

/* ---- the device's side ---- */

static gssize rx_room(gpointer device)
{
    Guest *guest = device;

    return g_queue_is_empty(&guest->buffers) ? -1 : (gssize)GPOINTER_TO_UINT(g_queue_peek_head(&guest->buffers)) - 1;
}

static void rx_put(gpointer device, const HelixVsockHeader *header, const guint8 *payload, gsize len)
{
    Guest *guest = device;
    Packet *packet = g_new0(Packet, 1);
    guint8 bytes[HELIX_VSOCK_HEADER_SIZE];

    g_assert_false(g_queue_is_empty(&guest->buffers));
    g_assert_cmpuint(len + 1, <=, GPOINTER_TO_UINT(g_queue_pop_head(&guest->buffers)));
    g_assert_cmpuint(header->len, ==, len);
    helix_vsock_header_write(header, bytes);
    helix_vsock_header_parse(&packet->header, bytes);
    packet->payload = g_byte_array_new();
    g_byte_array_append(packet->payload, payload, (guint)len);
    g_queue_push_tail(&guest->packets, packet);
    guest->placed++;
}

static void rx_notify(gpointer device)
{
    ((Guest *)device)->notified++;
}

static const HelixVsockOps guest_ops = {
    .rx_room = rx_room,
    .rx_put = rx_put,
    .rx_notify = rx_notify,
};

static gboolean accept_connection(gpointer data, guint32 port, HelixChannel *channel)
{
    Guest *guest = data;
    User *user;

    if (guest->hybrid) {
        return helix_hybrid_accept(guest->hybrid, port, channel, NULL);
    }
    user = guest->next_user ? guest->next_user : user_new();
    guest->next_user = NULL;
    if (guest->refuse) {
        user_free(user);
        return FALSE;
    }
    user->port = port;
    g_queue_push_tail(&guest->accepted, user);
    user_attach(user, channel);
    if (user->writes_on_accept) {
        user->written = user_write(user, user->output, user->output_len);
    }
    return TRUE;
}

Guest *guest_new(guint32 buf_alloc, guint max_connections)
{
    Guest *guest = g_new0(Guest, 1);
    HelixVsockConfig config = {
        .guest_cid = GUEST_CID,
        .buf_alloc = buf_alloc,
        .max_connections = max_connections,
        .connect_timeout_ms = 30,
        .close_timeout_ms = 30,
        .ops = &guest_ops,
        .device = guest,
        .accept = accept_connection,
        .accept_data = guest,
    };

    guest->vsock = helix_vsock_new(&config);
    return guest;
}

void guest_free(Guest *guest)
{
    User *user;

    helix_vsock_free(guest->vsock);
    helix_hybrid_free(guest->hybrid);
    while ((user = g_queue_pop_head(&guest->accepted))) {
        g_assert_null(user->channel);
        user_free(user);
    }
    guest_drop_packets(guest);
    g_queue_clear(&guest->buffers);
    g_free(guest);
}

/* ---- the guest's side ---- */

void guest_add_buffers_quietly(Guest *guest, guint n, guint room)
{
    while (n--) {
        g_queue_push_tail(&guest->buffers, GUINT_TO_POINTER(room + 1));
    }
}

void guest_add_buffers(Guest *guest, guint n, guint room)
{
    guest_add_buffers_quietly(guest, n, room);
    helix_vsock_rx_available(guest->vsock);
}

HelixVsockHeader guest_header(guint op, guint32 src, guint32 dst)
{
    return (HelixVsockHeader){
        .src_cid = GUEST_CID,
        .dst_cid = HELIX_VSOCK_HOST_CID,
        .src_port = src,
        .dst_port = dst,
        .type = HELIX_VSOCK_TYPE_STREAM,
        .op = (guint16)op,
        .buf_alloc = 256 * 1024,
    };
}

void guest_send(Guest *guest, const HelixVsockHeader *header, const void *payload, gsize len)
{
    guint8 bytes[HELIX_VSOCK_HEADER_SIZE], again[HELIX_VSOCK_HEADER_SIZE];
    HelixVsockHeader parsed;
    guint8 *copy = g_malloc(len); /* of its exact size, so that a sanitizer sees a read beyond it */

    if (len) {
        memcpy(copy, payload, len);
    }
    helix_vsock_header_write(header, bytes);
    helix_vsock_header_parse(&parsed, bytes);
    helix_vsock_header_write(&parsed, again);
    g_assert_cmpmem(bytes, sizeof bytes, again, sizeof again);
    helix_vsock_receive(guest->vsock, &parsed, copy, len);
    g_free(copy);
}

void guest_op(Guest *guest, guint op, guint32 src, guint32 dst)
{
    HelixVsockHeader header = guest_header(op, src, dst);

    guest_send(guest, &header, NULL, 0);
}

void guest_shutdown(Guest *guest, guint32 src, guint32 dst, guint32 flags)
{
    HelixVsockHeader header = guest_header(HELIX_VSOCK_OP_SHUTDOWN, src, dst);

    header.flags = flags;
    guest_send(guest, &header, NULL, 0);
}

void guest_data(Guest *guest, guint32 src, guint32 dst, const void *payload, gsize len)
{
    HelixVsockHeader header = guest_header(HELIX_VSOCK_OP_RW, src, dst);

    header.len = (guint32)len;
    guest_send(guest, &header, payload, len);
}

void guest_credit(Guest *guest, guint32 src, guint32 dst, guint32 buf_alloc, guint32 fwd_cnt)
{
    HelixVsockHeader header = guest_header(HELIX_VSOCK_OP_CREDIT_UPDATE, src, dst);

    header.buf_alloc = buf_alloc;
    header.fwd_cnt = fwd_cnt;
    guest_send(guest, &header, NULL, 0);
}

void guest_reset(Guest *guest)
{
    while (!helix_vsock_reset(guest->vsock)) {
    }
}

Packet *guest_take(Guest *guest)
{
    return g_queue_pop_head(&guest->packets);
}

void packet_free(Packet *packet)
{
    if (packet) {
        g_byte_array_unref(packet->payload);
        g_free(packet);
    }
}

void guest_expect_at(const char *where, Guest *guest, guint op, guint32 src, guint32 dst)
{
    g_autoptr(Packet) packet = guest_take(guest);

    if (!packet || packet->header.op != op || packet->header.src_port != src || packet->header.dst_port != dst) {
        g_error("%s: expected op %u from port %u to %u, got %s op %u from port %u to %u", where, op, src, dst,
                packet ? "a packet:" : "nothing:", packet ? packet->header.op : 0u,
                packet ? packet->header.src_port : 0u, packet ? packet->header.dst_port : 0u);
    }
}

void guest_expect_nothing_at(const char *where, Guest *guest)
{
    g_autoptr(Packet) packet = guest_take(guest);

    if (packet) {
        g_error("%s: expected no packet, got op %u from port %u to %u", where, packet->header.op,
                packet->header.src_port, packet->header.dst_port);
    }
}

void guest_drop_packets(Guest *guest)
{
    Packet *packet;

    while ((packet = guest_take(guest))) {
        packet_free(packet);
    }
}

User *guest_connect(Guest *guest, guint32 src, guint32 dst)
{
    g_assert_true(g_queue_is_empty(&guest->packets));
    if (g_queue_is_empty(&guest->buffers)) {
        guest_add_buffers_quietly(guest, 1, 4096);
    }
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, src, dst);
    guest_expect(guest, HELIX_VSOCK_OP_RESPONSE, dst, src);
    return g_queue_peek_tail(&guest->accepted);
}

HelixVsockConnection *guest_connection(Guest *guest, guint32 src, guint32 dst)
{
    guint64 key = (guint64)dst << 32 | src;

    return g_hash_table_lookup(guest->vsock->by_key, &key);
}

/* ---- the host's user ---- */

static void enter(User *user)
{
    g_assert_false(user->in_callback);
    g_assert_cmpuint(user->n_closed, ==, 0);
    user->in_callback = TRUE;
}

static gsize user_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    User *user = channel->user_data;
    gsize n = MIN(MIN(len, user->appetite), user->bite ? user->bite : G_MAXSIZE);

    enter(user);
    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(user->n_eof, ==, 0);
    user->n_input++;
    g_byte_array_append(user->input, data, (guint)n);
    user->appetite -= n;
    user->in_callback = FALSE;
    if (user->resume_inside && n) {
        channel->carrier->resume_input(channel);
    }
    if (user->close_inside || user->abort_inside) {
        user_close(user, user->abort_inside);
    }
    return n;
}

static void user_eof(HelixChannel *channel)
{
    User *user = channel->user_data;

    enter(user);
    user->n_eof++;
    user->in_callback = FALSE;
}

static void user_writable(HelixChannel *channel)
{
    User *user = channel->user_data;

    enter(user);
    user->n_writable++;
    if (user->written < user->output_len) {
        user->written += user_write(user, user->output + user->written, user->output_len - user->written);
    }
    user->in_callback = FALSE;
}

static void user_write_closed(HelixChannel *channel)
{
    User *user = channel->user_data;

    enter(user);
    g_assert_cmpuint(user->n_write_closed, ==, 0);
    user->n_write_closed++;
    user->in_callback = FALSE;
}

static void user_closed(HelixChannel *channel)
{
    User *user = channel->user_data;

    enter(user);
    user->n_closed++;
    user->channel = NULL;
    user->in_callback = FALSE;
}

static const HelixChannelUser user_vtable = {
    .input = user_input,
    .input_eof = user_eof,
    .writable = user_writable,
    .closed = user_closed,
};

static const HelixChannelUser half_vtable = {
    .input = user_input,
    .input_eof = user_eof,
    .writable = user_writable,
    .write_closed = user_write_closed,
    .closed = user_closed,
};

User *user_new(void)
{
    User *user = g_new0(User, 1);

    user->input = g_byte_array_new();
    user->appetite = G_MAXSIZE;
    return user;
}

void user_free(User *user)
{
    g_byte_array_unref(user->input);
    g_free(user);
}

void user_attach(User *user, HelixChannel *channel)
{
    user->channel = channel;
    helix_channel_attach(channel, user->takes_write_closed ? &half_vtable : &user_vtable, user);
}

void user_connected(gpointer data, HelixChannel *channel, guint32 local_port)
{
    User *user = data;

    user->n_connected++;
    user->port = local_port;
    if (channel) {
        user_attach(user, channel);
    }
}

void user_resume(User *user)
{
    guint n_input = user->n_input;

    user->channel->carrier->resume_input(user->channel);
    g_assert_cmpuint(user->n_input, ==, n_input); /* never from inside the call */
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

gsize user_write(User *user, const void *data, gsize len)
{
    return user->channel->carrier->write(user->channel, data, len);
}

void user_close(User *user, gboolean abort)
{
    HelixChannel *channel = user->channel;

    user->channel = NULL;
    helix_channel_close(channel, abort);
}
