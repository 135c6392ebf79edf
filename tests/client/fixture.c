/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.c - see fixture.h. */
#include <string.h>
#include "fixture.h"

void fixture_make(Fixture *f, const Script *script)
{
    memset(f, 0, sizeof(*f));
    f->host = script_host_new(script);
    f->client = helix_client_new();
    helix_client_set_timeout(f->client, 5000);
    helix_client_set_socket_path(f->client, script_host_path(f->host));
}

void fixture_connect(Fixture *f)
{
    HelixClientConfig config = { .width = 64, .height = 48, .fps_num = 30, .fps_den = 1, .realtime = 1, .tag = 1 };
    GError *error = NULL;

    helix_client_connect(f->client, &error);
    g_assert_no_error(error);
    helix_client_configure(f->client, &config);
}

void fixture_wait_negotiated(Fixture *f)
{
    g_assert_cmpint(helix_client_wait_room(f->client, FALSE), ==, HELIX_CLIENT_WAIT_READY);
}

void fixture_set_up(Fixture *f, const Script *script)
{
    fixture_make(f, script);
    fixture_connect(f);
    fixture_wait_negotiated(f);
}

void fixture_tear_down(Fixture *f)
{
    helix_client_unref(f->client);
    script_host_free(f->host);
}

static void on_released(gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

HelixClientFrame *fixture_frame(Fixture *f, guint32 id, guint x, guint y)
{
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_XR24,
        .width = 64,
        .height = 48,
        .crop_x = x,
        .crop_y = y,
        .crop_width = 60,
        .crop_height = 40,
        .stride = { 256 },
        .modifier = HELIX_CLIENT_MODIFIER_INVALID,
    };
    HelixClientFrame *frame = helix_client_frame_new_resource(id, &image);

    helix_client_frame_set_release(frame, on_released, &f->released);
    return frame;
}

void fixture_submit(Fixture *f, guint32 id, guint64 pts)
{
    helix_client_submit(f->client, fixture_frame(f, id, 3, 2), pts, 0, FALSE, GUINT_TO_POINTER(id));
}

static gboolean is_of_frame(const HelixClientEvent *event)
{
    return event->type != HELIX_CLIENT_EVENT_CONFIGURED && event->type != HELIX_CLIENT_EVENT_CONFIG_REFUSED &&
        event->type < HELIX_CLIENT_EVENT_DISCONNECTED;
}

HelixClientEvent *fixture_next(Fixture *f)
{
    for (;;) {
        HelixClientEvent *event = helix_client_wait_event(f->client);

        g_assert_nonnull(event);
        if (is_of_frame(event)) {
            return event;
        }
        helix_client_event_free(event);
    }
}

HelixClientEvent *fixture_expect(Fixture *f, HelixClientEventType type)
{
    HelixClientEvent *event = helix_client_wait_event(f->client);

    while (event && event->type == HELIX_CLIENT_EVENT_CONFIGURED && type != HELIX_CLIENT_EVENT_CONFIGURED) {
        helix_client_event_free(event);
        event = helix_client_wait_event(f->client);
    }
    g_assert_nonnull(event);
    g_assert_cmpint(event->type, ==, type);
    return event;
}

void fixture_wait_released(Fixture *f, gint n)
{
    for (guint i = 0; i < 6000 && g_atomic_int_get(&f->released) < n; i++) {
        g_usleep(10 * 1000);
    }
    g_assert_cmpint(g_atomic_int_get(&f->released), ==, n);
}

HelixClientStats fixture_stats(Fixture *f)
{
    HelixClientStats stats;

    helix_client_get_stats(f->client, &stats);
    return stats;
}
