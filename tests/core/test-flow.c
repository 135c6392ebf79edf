/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backpressure, limits of a connection, and the statistics. */
#include <string.h>
#include "protocol/bytes.h"
#include "protocol/error.h"
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST

/* What a guest that does not read can still send before its own socket is full; the host has stopped reading then. */
static guint stuff_pings(Client *client)
{
    guint8 payload[HELIX_MAX_PING] = { 0 };
    guint sent = 0;

    client->timeout_ms = 300;
    while (client_ping(client, 0, payload, sizeof payload)) {
        sent++;
        g_assert_cmpuint(sent, <, 1000000);
    }
    client->timeout_ms = CLIENT_TIMEOUT_MS;
    return sent;
}

/* It is not read from, not cut off, and nobody else notices; when it reads again, everything is there. */
RIG_TEST("/flow/guest-does-not-read", test_guest_does_not_read)
{
    g_autoptr(Client) other = rig_connect(rig);
    guint sent = stuff_pings(client), received = 0;
    guint64 taken;

    expect_quiet(other);
    g_assert_true(client_resource(other, 0, 1, 1));
    message_free(expect_frame(other, 0, 1));
    taken = rig_stat(rig, "bytes.from_guest");
    g_usleep(50000);
    g_assert_cmpuint(rig_stat(rig, "bytes.from_guest"), ==, taken);
    while (received < sent) {
        g_autoptr(Message) message = expect_message(client, HELIX_MSG_PONG, 0);

        g_assert_cmpuint(message->size, ==, HELIX_MAX_PING);
        received++;
    }
}

/* A guest in that state that goes away is noticed. */
TEST("/flow/guest-does-not-read-and-goes", test_guest_does_not_read_and_goes)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    Client *client = rig_connect(rig);

    stuff_pings(client);
    client_free(client);
    g_assert_true(rig_wait_stat(rig, "connections.now", 0));
}

/* A request is in flight until its answer has left: unread answers count. */
TEST("/flow/in-flight-until-left", test_in_flight_until_left)
{
    enum { WIDTH = 3840, HEIGHT = 2160 }; /* the null encoder's IDR of this has tens of kilobytes */
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_in_flight = 2 });
    g_autoptr(Client) client = rig_connect(rig);
    guint frames = 0, busy = 0, sent = 0;

    /* Full of answers, the socket takes no more: some of these find two before them whose answers could not leave. */
    for (; sent < 60; sent++) {
        g_assert_true(client_frame(
            client, &(FrameRequest){ .resource = 1, .width = WIDTH, .height = HEIGHT, .pts = sent, .force_key = 1 }));
    }
    for (guint i = 0; i < sent; i++) {
        g_autoptr(Message) message = client_receive(client);

        g_assert_nonnull(message);
        if (message->type == HELIX_MSG_FRAME_RESPONSE) {
            g_assert_cmpint(message_pts(message), ==, i); /* in order, whatever came between */
            frames++;
        } else {
            g_assert_cmpint(message_error_code(message), ==, HELIX_CODE_BUSY);
            busy++;
        }
    }
    g_assert_cmpuint(frames, >=, 2);
    g_assert_cmpuint(frames + busy, ==, sent);
    expect_quiet(client);
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.in_flight"), ==, 0);
}

/* Requests far beyond the limit behind a hung encoder: refused in order, and not collected without end. */
RIG_TEST("/flow/flood", test_flood)
{
    g_autoptr(Client) other = rig_connect(rig);
    guint sent = 0, answered = 0;
    guint64 requests;

    scripted_hold(TRUE);
    client->timeout_ms = 300;
    while (client_resource(client, 0, 1, sent)) {
        sent++;
        g_assert_cmpuint(sent, <, 1000000);
    }
    client->timeout_ms = CLIENT_TIMEOUT_MS;
    requests = rig_stat(rig, "frames.requests");
    g_assert_cmpuint(requests, <=, 1024);
    expect_quiet(other);
    scripted_hold(FALSE);
    for (; answered < sent; answered++) {
        g_autoptr(Message) message = client_receive(client);

        g_assert_nonnull(message);
    }
}

TEST("/flow/connection-limit", test_connection_limit)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_connections = 2 });
    g_autoptr(Client) a = rig_connect(rig);
    g_autoptr(Client) b = rig_connect(rig);
    Client *c;

    expect_quiet(a);
    expect_quiet(b);
    c = rig_connect(rig);
    expect_end(c);
    client_free(c);
    g_assert_true(rig_log_has(rig, "2 connections are open, the limit"));
    client_free(g_steal_pointer(&a));
    g_assert_true(rig_wait_stat(rig, "connections.now", 1));
    c = rig_connect(rig);
    expect_quiet(c);
    client_free(c);
}

/* Pictures in host memory have a ceiling: a request beyond it gets an error, and service when there is room again. */
TEST("/flow/memory-limit", test_memory_limit)
{
    enum { SIDE = 8192, GUESTS = 5 }; /* 256 MiB each, asked for before the pixels arrive, which they never do */
    static const guint8 pixels[64 * 48 * 4];
    const FrameRequest small = {
        .flags = HELIX_REQUEST_PIXEL_DATA, .pts = 1, .pixels = pixels, .pixels_size = sizeof pixels
    };
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(GByteArray) head = client_frame_bytes(&(FrameRequest){
        .flags = HELIX_REQUEST_PIXEL_DATA, .width = SIDE, .height = SIDE, .pixels_size = (gsize)SIDE * SIDE * 4 });
    Client *guests[GUESTS];
    g_autoptr(Client) client = NULL;

    for (guint i = 0; i < GUESTS; i++) {
        guests[i] = rig_connect(rig);
        expect_quiet(guests[i]);
        g_assert_true(client_send_bytes(guests[i], head->data, head->len));
    }
    g_assert_true(rig_wait_stat(rig, "bytes.from_guest", GUESTS * (head->len + HELIX_WIRE_HEADER_SIZE + 7)));
    client = rig_connect(rig);
    g_assert_true(client_resource(client, 0, 1, 0)); /* look-ups find room all the same */
    message_free(expect_frame(client, 0, 0));
    g_assert_true(client_frame(client, &small));
    expect_error(client, 0, FRAME, HELIX_CODE_INTERNAL);
    for (guint i = 0; i < GUESTS; i++) {
        client_free(guests[i]);
    }
    g_assert_true(rig_wait_stat(rig, "connections.now", 1));
    g_assert_true(client_frame(client, &small));
    message_free(expect_frame(client, 0, 1));
}

/* A limit of a user's own; what is over it is an error that says so. */
TEST("/flow/own-memory-limit", test_own_memory_limit)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_memory = 1 << 20 });
    g_autoptr(Client) client = rig_connect(rig);

    g_assert_true(client_frame(client, &(FrameRequest){ .resource = 1, .width = 1024, .height = 512, .stride = 4096 }));
    expect_error(client, 0, FRAME, HELIX_CODE_INTERNAL);
    g_assert_true(client_resource(client, 0, 1, 1));
    message_free(expect_frame(client, 0, 1));
    g_assert_cmpuint(rig_stat(rig, "memory.pictures"), <=, 1 << 20);
}

/* The host ends with guests, frames and look-ups in every state: it waits for its encoders and for nothing else. */
TEST("/flow/host-ends", test_host_ends)
{
    Rig *rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);
    g_autoptr(Client) idle = rig_connect(rig);

    scripted_delay_ms(30);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(client_resource(client, 0, 1 + i, i));
    }
    g_assert_true(scripted_wait_begun(1));
    rig_hold_look_ups(rig, TRUE);
    g_assert_true(client_resource(client, 1, 1, 0));
    expect_quiet(idle);
    rig_free(rig);
    while (!client->eof) {
        message_free(client_receive(client));
        g_assert_false(client->timed_out);
    }
    expect_end(idle);
}

TEST("/flow/log-is-bounded", test_log_is_bounded)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    guint lines = 0;

    for (guint i = 0; i < 300; i++) {
        g_autoptr(Client) client = rig_connect(rig);

        g_assert_true(client_send_bytes(client, "no header at all", 16));
        expect_error(client, 0, HELIX_ERROR_FLAGS_CONNECTION, HELIX_CODE_INVALID);
        expect_end(client);
    }
    g_mutex_lock(&rig->lock);
    for (const char *c = rig->log->str; *c; c++) {
        lines += *c == '\n';
    }
    g_mutex_unlock(&rig->lock);
    g_assert_cmpuint(lines, >=, 100);
    g_assert_cmpuint(lines, <, 250);
}

RIG_TEST("/flow/stats", test_stats)
{
    static const guint8 pixels[64 * 48 * 4];
    g_autoptr(Message) frame = NULL;
    HelixFrameRecord record;

    g_assert_true(client_resource(client, 3, 5, 1));
    frame = expect_frame(client, 3, 1);
    g_assert_true(client_frame(client,
                               &(FrameRequest){ .session = 3,
                                                .flags = HELIX_REQUEST_PIXEL_DATA,
                                                .pts = 2,
                                                .pixels = pixels,
                                                .pixels_size = sizeof pixels }));
    message_free(expect_frame(client, 3, 2));
    g_assert_true(client_resource(client, 3, 0, 3));
    expect_error(client, 3, FRAME, HELIX_CODE_NOT_FOUND);

    g_assert_cmpuint(rig_stat(rig, "connections.total"), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "streams.total"), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.session"), ==, 3);
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.encoded"), ==, 2);
    g_assert_cmpuint(rig_stat(rig, "frames.requests"), ==, 3);
    g_assert_cmpuint(rig_stat(rig, "frames.encoded"), ==, 2);
    g_assert_cmpuint(rig_stat(rig, "frames.keyframes"), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "errors.-2"), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "host_paths.readback"), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "host_paths.pixel-data"), ==, 1);
    g_assert_cmpuint(rig_stat(rig, "cpu_bytes.surface"), ==, 2 * sizeof pixels);
    g_assert_cmpuint(rig_stat(rig, "bytes.from_guest"), ==, 3 * 56 + sizeof pixels);
    g_assert_cmpuint(rig_stat(rig, "stage_us.encoded.count"), ==, 2);
    g_assert_cmpuint(rig_stat(rig, "stage_us.returned.max"), <, 20000000);

    record = rig_record(rig, 0);
    g_assert_cmpuint(record.connection, ==, 1);
    g_assert_cmpuint(record.session_id, ==, 3);
    g_assert_cmpuint(record.resource_id, ==, 5);
    g_assert_cmpint(record.pts, ==, 1);
    g_assert_true(record.keyframe);
    g_assert_cmpint(record.received_ns, <=, record.lookup_ns);
    g_assert_cmpint(record.lookup_ns, <=, record.resolved_ns);
    g_assert_cmpint(record.resolved_ns, <=, record.submitted_ns);
    g_assert_cmpint(record.submitted_ns, <=, record.encoded_ns);
    g_assert_cmpint(record.encoded_ns, <=, record.returned_ns);
    g_assert_cmpuint(record.bytes + HELIX_RESPONSE_SIZE + 4, ==, frame->size);
    g_assert_cmpint(rig_record(rig, 2).error, ==, HELIX_CODE_NOT_FOUND);
}

static void set_encoder(Rig *rig, gpointer name)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(helix_host_set_encoder(rig->host, "x265", &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_true(helix_host_set_encoder(rig->host, name, NULL));
}

/* Another encoder is for streams that begin later; those that are there keep theirs. */
RIG_TEST("/flow/other-encoder", test_other_encoder)
{
    guint calls;

    g_assert_true(client_resource(client, 1, 1, 0));
    message_free(expect_frame(client, 1, 0));
    rig_call(rig, set_encoder, (gpointer) "null-texture");
    calls = scripted_n_calls();
    g_assert_true(client_resource(client, 2, 1, 1));
    message_free(expect_frame(client, 2, 1));
    g_assert_cmpuint(scripted_n_calls(), ==, calls);
    g_assert_true(rig_log_has(rig, "64 x 48, null-texture, readback"));
    g_assert_true(client_resource(client, 1, 1, 2));
    message_free(expect_frame(client, 1, 2));
    g_assert_cmpuint(scripted_n_calls(), ==, calls + 1);
}
