/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-real.c - the library, as programs link it, in front of the real core with x264. */
#include <fcntl.h>
#include <string.h>
#include "../../desktop/client/helix-client.h"
#include "cases.h"
#include "real-host.h"

#define WIDTH 320u
#define HEIGHT 192u

static HelixClient *make_client(const RealHost *host, gboolean reconnect)
{
    HelixClientConfig config = {
        .width = WIDTH, .height = HEIGHT, .fps_num = 30, .fps_den = 1, .bitrate = 1000000, .realtime = 1, .tag = 1
    };
    HelixClient *client = helix_client_new();
    GError *error = NULL;

    helix_client_set_socket_path(client, host->path);
    helix_client_set_reconnect(client, reconnect);
    helix_client_configure(client, &config); /* before there is a connection, too */
    helix_client_connect(client, &error);
    g_assert_no_error(error);
    return client;
}

/* The next event of @type, those of other types but the end freed. */
static HelixClientEvent *wait_for(HelixClient *client, HelixClientEventType type)
{
    for (;;) {
        HelixClientEvent *event = helix_client_wait_event(client);

        g_assert_nonnull(event);
        if (event->type == HELIX_CLIENT_EVENT_FAILED) {
            g_error("%s", event->error->message);
        }
        if (event->type == type) {
            return event;
        }
        helix_client_event_free(event);
    }
}

static void submit_id(HelixClient *client, guint32 id, guint64 pts, gboolean force)
{
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_XR24, .width = WIDTH, .height = HEIGHT, .stride = { WIDTH * 4 }
    };

    helix_client_submit(client, helix_client_frame_new_resource(id, &image), pts, 0, force, NULL);
}

/* Whether @unit has a NAL unit of @type (H.264, table 7-1). */
static gboolean has_nal(GBytes *unit, guint8 type)
{
    gsize len;
    const guint8 *data = g_bytes_get_data(unit, &len);

    for (gsize i = 0; i + 4 <= len; i++) {
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1 && (data[i + 3] & 0x1f) == type) {
            return TRUE;
        }
    }
    return FALSE;
}

TEST("/real/resources", test_resources)
{
    HelixClientEvent *event;
    HelixClient *client;
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, FALSE);
    event = wait_for(client, HELIX_CLIENT_EVENT_CONFIGURED);
    g_assert_cmpuint(event->host.active.width, ==, WIDTH);
    g_assert_cmpuint(event->host.active.bitrate, ==, 1000000);
    g_assert_nonnull(strstr(event->host.encoder, "264"));
    helix_client_event_free(event);
    for (guint i = 0; i < 10; i++) {
        submit_id(client, 1 + i % 3, i * 33333333ull, i == 5);
        event = wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT);
        g_assert_cmpuint(event->pts, ==, i * 33333333ull);
        g_assert_true(event->keyframe == (i == 0 || i == 5));
        g_assert_true(has_nal(event->unit, 5) == event->keyframe); /* a slice of an IDR picture */
        g_assert_true(has_nal(event->unit, 7) == event->keyframe); /* the SPS before it */
        g_assert_cmpint(event->encode_us, >, 0);
        g_assert_cmpint(event->took_us, >, 0);
        helix_client_event_free(event);
    }
    /* A screen that stands still: the last one again. */
    helix_client_submit_repeat(client, 10 * 33333333ull, 0, TRUE, NULL);
    event = wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_true(event->keyframe && event->was_repeat);
    helix_client_event_free(event);
    /* There is no such resource: that frame fails, the next does not. */
    submit_id(client, 60000, 11 * 33333333ull, FALSE);
    event = wait_for(client, HELIX_CLIENT_EVENT_ERROR);
    g_assert_cmpint(event->code, ==, HELIX_CLIENT_HOST_NOT_FOUND);
    helix_client_event_free(event);
    submit_id(client, 1, 12 * 33333333ull, FALSE);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_unref(client);
    real_host_stop(&host);
}

static void set_flag(gpointer flag)
{
    g_atomic_int_set((gint *)flag, 1);
}

TEST("/real/pixels", test_pixels)
{
    static guint8 pixels[WIDTH * HEIGHT * 4];
    HelixClientImage image = { .format = HELIX_CLIENT_FORMAT_XR24,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .stride = { WIDTH * 4 },
                               .data = { pixels } };
    HelixClientFrame *frame;
    HelixClient *client;
    gint released = 0;
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, FALSE);
    frame = helix_client_frame_new_pixels(&image, NULL);
    helix_client_frame_set_release(frame, set_flag, &released);
    helix_client_submit(client, frame, 0, 0, FALSE, NULL);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    g_assert_cmpint(g_atomic_int_get(&released), ==, 1);
    helix_client_unref(client);
    real_host_stop(&host);
}

/* Another bit rate, then one that no encoder has: the stream goes on with the first. */
TEST("/real/configure", test_configure)
{
    HelixClientConfig config = {
        .width = WIDTH, .height = HEIGHT, .fps_num = 30, .fps_den = 1, .bitrate = 2000000, .realtime = 1, .tag = 2
    };
    HelixClientEvent *event;
    HelixClient *client;
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, FALSE);
    submit_id(client, 1, 0, FALSE);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_configure(client, &config);
    event = wait_for(client, HELIX_CLIENT_EVENT_CONFIGURED);
    g_assert_cmpuint(event->asked.tag, ==, 2);
    g_assert_cmpuint(event->host.active.bitrate, ==, 2000000);
    helix_client_event_free(event);
    config.min_qp = 40;
    config.max_qp = 20;
    config.tag = 3;
    helix_client_configure(client, &config);
    event = wait_for(client, HELIX_CLIENT_EVENT_CONFIG_REFUSED);
    g_assert_cmpuint(event->asked.tag, ==, 3);
    helix_client_event_free(event);
    submit_id(client, 1, 1000, FALSE);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_unref(client);
    real_host_stop(&host);
}

TEST("/real/reconnect", test_reconnect)
{
    HelixClientEvent *event;
    HelixClient *client;
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, TRUE);
    submit_id(client, 1, 0, FALSE);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    real_host_kill(&host);
    event = wait_for(client, HELIX_CLIENT_EVENT_DISCONNECTED);
    g_assert_nonnull(event->error);
    helix_client_event_free(event);
    real_host_again(&host);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_CONNECTED));
    submit_id(client, 2, 1000, FALSE);
    event = wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_true(event->keyframe);
    helix_client_event_free(event);
    helix_client_unref(client);
    real_host_stop(&host);
}

/* ---- snapshots ---- */

static HelixClientSnapshot *snapshot_id(HelixClient *client, guint32 id, gint *released)
{
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_XR24, .width = WIDTH, .height = HEIGHT, .stride = { WIDTH * 4 }
    };
    HelixClientFrame *frame = helix_client_frame_new_resource(id, &image);
    HelixClientSnapshot *snapshot;
    GError *error = NULL;

    helix_client_frame_set_release(frame, set_flag, released);
    snapshot = helix_client_snapshot_new(client, frame, &error);
    g_assert_no_error(error);
    return snapshot;
}

/* The first access unit of a stream whose frame is resource @id, or a part of a snapshot of it. */
static GBytes *first_unit(guint32 id, gboolean by_snapshot)
{
    HelixClientEvent *event;
    HelixClient *client;
    gint released = 0;
    GBytes *unit;
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, FALSE);
    if (by_snapshot) {
        g_autoptr(HelixClientSnapshot) snapshot = snapshot_id(client, id, &released);

        g_assert_cmpint(helix_client_snapshot_wait(snapshot, -1), ==, HELIX_CLIENT_SNAPSHOT_KEPT);
        helix_client_submit(client, helix_client_frame_new_snapshot(snapshot, 0, 0, 0, 0), 0, 0, FALSE, NULL);
    } else {
        submit_id(client, id, 0, FALSE);
    }
    event = wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    unit = g_bytes_ref(event->unit);
    helix_client_event_free(event);
    helix_client_unref(client);
    real_host_stop(&host);
    return unit;
}

/* Its pixels are the resource's to the bit, or the encoder would write something else. */
TEST("/real/snapshot", test_snapshot)
{
    g_autoptr(GBytes) direct = first_unit(5, FALSE), kept = first_unit(5, TRUE), other = first_unit(6, TRUE);

    g_assert_true(g_bytes_equal(direct, kept));
    g_assert_false(g_bytes_equal(direct, other));
}

TEST("/real/snapshot-refused", test_snapshot_refused)
{
    HelixClientSnapshot *snapshot;
    HelixClientEvent *event;
    const char *message;
    HelixClient *client;
    gint released = 0;
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, FALSE);
    snapshot = snapshot_id(client, 70000, &released);
    helix_client_submit(client, helix_client_frame_new_snapshot(snapshot, 0, 0, 0, 0), 0, 0, FALSE, NULL);
    g_assert_cmpint(helix_client_snapshot_wait(snapshot, -1), ==, HELIX_CLIENT_SNAPSHOT_REFUSED);
    g_assert_cmpint(helix_client_snapshot_get_code(snapshot, &message), ==, HELIX_CLIENT_HOST_NOT_FOUND);
    g_assert_nonnull(strstr(message, "70000"));
    event = wait_for(client, HELIX_CLIENT_EVENT_ERROR);
    g_assert_cmpint(event->code, ==, HELIX_CLIENT_HOST_NOT_FOUND);
    helix_client_event_free(event);
    helix_client_submit(client, helix_client_frame_new_snapshot(snapshot, 0, 0, 0, 0), 1, 0, FALSE, NULL);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_SKIPPED));
    helix_client_snapshot_unref(snapshot);
    snapshot = snapshot_id(client, 5, &released);
    helix_client_submit(client, helix_client_frame_new_snapshot(snapshot, WIDTH - 16, 0, 17, 16), 2, 0, FALSE, NULL);
    event = wait_for(client, HELIX_CLIENT_EVENT_ERROR);
    g_assert_cmpint(event->code, ==, HELIX_CLIENT_HOST_GEOMETRY);
    helix_client_event_free(event);
    helix_client_submit(client, helix_client_frame_new_snapshot(snapshot, WIDTH - 16, 0, 16, 16), 3, 0, FALSE, NULL);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_snapshot_unref(snapshot);
    helix_client_unref(client);
    real_host_stop(&host);
}

/* ---- a socket to begin with ---- */

static HelixClient *client_on(const char *path, int fd, gboolean reconnect)
{
    HelixClientConfig config = { .width = WIDTH, .height = HEIGHT, .fps_num = 30, .fps_den = 1, .realtime = 1 };
    HelixClient *client = helix_client_new();

    helix_client_set_socket_path(client, path);
    helix_client_set_reconnect(client, reconnect);
    helix_client_set_socket(client, fd);
    helix_client_configure(client, &config);
    return client;
}

static int open_socket(const RealHost *host)
{
    HelixClient *opener = client_on(host->path, -1, FALSE);
    GError *error = NULL;
    int fd = helix_client_open_socket(opener, &error);

    g_assert_no_error(error);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    helix_client_unref(opener);
    return fd;
}

/* The address is not looked at until it is needed: there is nothing. */
TEST("/real/socket", test_socket)
{
    HelixClientEvent *event;
    HelixClient *client;
    RealHost host;
    GError *error = NULL;
    int fd;

    real_host_start(&host, NULL);
    fd = open_socket(&host);
    g_assert_cmpint(fcntl(fd, F_SETFL, 0), ==, 0);
    client = client_on("/nowhere", fd, FALSE);
    g_assert_true(helix_client_connect(client, NULL));
    submit_id(client, 5, 0, TRUE);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_unref(client);

    client = client_on("/nowhere", -1, FALSE);
    g_assert_cmpint(helix_client_open_socket(client, &error), ==, -1);
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CONNECT);
    g_clear_error(&error);
    helix_client_set_socket(client, open("/dev/null", O_RDWR | O_CLOEXEC)); /* no socket */
    g_assert_true(helix_client_connect(client, NULL));
    event = helix_client_wait_event(client);
    g_assert_cmpint(event->type, ==, HELIX_CLIENT_EVENT_FAILED);
    helix_client_event_free(event);
    helix_client_unref(client);

    fd = open_socket(&host); /* never used: closed with the client */
    client = client_on("/nowhere", fd, FALSE);
    helix_client_unref(client);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
    real_host_stop(&host);
}

/* The host closed it meanwhile: with reconnect that is as with any other connection. */
TEST("/real/socket-closed", test_socket_closed)
{
    HelixClient *client;
    RealHost host;
    int fd;

    real_host_start(&host, NULL);
    fd = open_socket(&host);
    real_host_kill(&host);
    client = client_on(host.path, fd, TRUE);
    g_assert_true(helix_client_connect(client, NULL));
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_DISCONNECTED));
    real_host_again(&host);
    submit_id(client, 5, 0, TRUE);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_unref(client);
    real_host_stop(&host);
}

/* What the host had is lost with it; what it was not asked for yet the next one takes. */
TEST("/real/snapshot-reconnect", test_snapshot_reconnect)
{
    HelixClientSnapshot *kept, *pending;
    HelixClient *client;
    gint released[2] = { 0, 0 };
    RealHost host;

    real_host_start(&host, NULL);
    client = make_client(&host, TRUE);
    kept = snapshot_id(client, 5, &released[0]);
    g_assert_cmpint(helix_client_snapshot_wait(kept, -1), ==, HELIX_CLIENT_SNAPSHOT_KEPT);
    real_host_kill(&host);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_DISCONNECTED));
    g_assert_cmpint(helix_client_snapshot_wait(kept, -1), ==, HELIX_CLIENT_SNAPSHOT_LOST);
    helix_client_submit(client, helix_client_frame_new_snapshot(kept, 0, 0, 0, 0), 0, 0, FALSE, NULL);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_LOST));
    pending = snapshot_id(client, 6, &released[1]);
    g_assert_cmpint(helix_client_snapshot_wait(pending, 0), ==, HELIX_CLIENT_SNAPSHOT_PENDING);
    g_assert_cmpint(g_atomic_int_get(&released[1]), ==, 0);
    real_host_again(&host);
    g_assert_cmpint(helix_client_snapshot_wait(pending, -1), ==, HELIX_CLIENT_SNAPSHOT_KEPT);
    helix_client_submit(client, helix_client_frame_new_snapshot(pending, 0, 0, 0, 0), 1, 0, FALSE, NULL);
    helix_client_event_free(wait_for(client, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    helix_client_unref(client);
    g_assert_cmpint(helix_client_snapshot_wait(pending, -1), ==, HELIX_CLIENT_SNAPSHOT_LOST);
    helix_client_snapshot_unref(pending);
    helix_client_snapshot_unref(kept);
    real_host_stop(&host);
}
