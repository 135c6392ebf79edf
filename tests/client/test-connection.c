/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-connection.c - hosts that are not there, break the protocol, refuse, fall silent, or come back. */
#include <string.h>
#include "fixture.h"

static void expect_failure(Fixture *f, gint code, const char *text)
{
    HelixClientEvent *event = fixture_expect(f, HELIX_CLIENT_EVENT_FAILED);

    g_test_message("%s", event->error->message);
    g_assert_error(event->error, HELIX_CLIENT_ERROR, code);
    g_assert_nonnull(strstr(event->error->message, text));
    helix_client_event_free(event);
    g_assert_cmpint(helix_client_wait_room(f->client, FALSE), ==, HELIX_CLIENT_WAIT_FAILED);
}

TEST("/connection/no-socket", test_no_socket)
{
    g_autoptr(HelixClient) client = helix_client_new();
    g_autofree char *long_path = g_strnfill(200, 'x');
    HelixClientConfig config = { .bitrate = 1000000 };
    GError *error = NULL;

    helix_client_set_socket_path(client, "/nonexistent/socket");
    g_assert_false(helix_client_connect(client, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CONNECT);
    g_clear_error(&error);
    /* Remembered for a connection that may be made later. */
    helix_client_configure(client, &config);
    helix_client_set_socket_path(client, long_path);
    g_assert_false(helix_client_connect(client, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_ADDRESS);
    g_clear_error(&error);
}

TEST("/connection/not-a-host", test_not_a_host)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.bad_magic = TRUE;
    fixture_make(&f, &script);
    fixture_connect(&f);
    expect_failure(&f, HELIX_CLIENT_ERROR_NOT_A_HOST, "protocol");
    fixture_tear_down(&f);
}

TEST("/connection/silent", test_silent)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.mute = TRUE;
    fixture_make(&f, &script);
    helix_client_set_timeout(f.client, 100);
    fixture_connect(&f);
    expect_failure(&f, HELIX_CLIENT_ERROR_TIMEOUT, "has not answered");
    fixture_tear_down(&f);
}

TEST("/connection/closed", test_closed)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.close_at = 0;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    expect_failure(&f, HELIX_CLIENT_ERROR_CLOSED, "closed");
    fixture_tear_down(&f);
}

TEST("/connection/wrong-pts", test_wrong_pts)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.wrong_pts_at = 0;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    expect_failure(&f, HELIX_CLIENT_ERROR_PROTOCOL, "pts");
    fixture_tear_down(&f);
}

/* ---- refusals ---- */

TEST("/connection/config-refused", test_config_refused)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.refuse_config_at = 0;
    script.refuse_config_code = HELIX_CODE_INVALID;
    fixture_make(&f, &script);
    fixture_connect(&f);
    expect_failure(&f, HELIX_CLIENT_ERROR_CONFIG, "settings");
    fixture_tear_down(&f);
}

/* A change that is refused changes nothing. */
TEST("/connection/change-refused", test_change_refused)
{
    HelixClientConfig change = { .width = 64, .height = 48, .fps_num = 30, .fps_den = 1, .bitrate = 1, .tag = 9 };
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    script.refuse_config_at = 1;
    script.refuse_config_code = HELIX_CODE_INVALID;
    fixture_set_up(&f, &script);
    helix_client_configure(f.client, &change);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_CONFIG_REFUSED);
    g_assert_cmpuint(event->asked.tag, ==, 9);
    g_assert_cmpint(event->code, ==, HELIX_CLIENT_HOST_INVALID);
    g_assert_nonnull(event->message);
    helix_client_event_free(event);
    fixture_submit(&f, 1, 1000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    fixture_tear_down(&f);
}

/* What the host refuses for now is an event; what no later frame escapes is the end. */
TEST("/connection/frame-refused", test_frame_refused)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    script.error_from = script.error_to = 1;
    script.error_code = HELIX_CODE_ENCODE;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    fixture_submit(&f, 2, 2000);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ERROR);
    g_assert_cmpint(event->code, ==, HELIX_CLIENT_HOST_ENCODE);
    g_assert_true(helix_client_code_is_transient(event->code));
    helix_client_event_free(event);
    g_assert_true(helix_client_needs_repeat(f.client));
    g_assert_cmpuint(fixture_stats(&f).errors, ==, 1);
    fixture_tear_down(&f);
    script.error_code = HELIX_CODE_NOT_PERMITTED;
    script.error_from = script.error_to = 0;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    expect_failure(&f, HELIX_CLIENT_ERROR_REFUSED, "refuses a frame");
    fixture_tear_down(&f);
}

/* A frame that is submitted again another way counts as none that failed. */
TEST("/connection/take-back", test_take_back)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    script.error_from = script.error_to = 0;
    script.error_code = HELIX_CODE_NOT_FOUND; /* not final: a resource may be gone */
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ERROR);
    g_assert_true(helix_client_code_is_about_path(event->code));
    g_assert_cmpuint(fixture_stats(&f).errors, ==, 1);
    g_assert_cmpuint(GPOINTER_TO_UINT(helix_client_event_take_back(event)), ==, 1);
    g_assert_cmpuint(fixture_stats(&f).errors, ==, 0);
    g_assert_cmpuint(fixture_stats(&f).dropped, ==, 0);
    helix_client_event_free(event);
    fixture_tear_down(&f);
}

/* ---- hosts that come back ---- */

TEST("/connection/reconnect", test_reconnect)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    script.close_at = 1;
    script.once = TRUE;
    fixture_make(&f, &script);
    helix_client_set_reconnect(f.client, TRUE);
    fixture_connect(&f);
    fixture_submit(&f, 1, 1000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    fixture_submit(&f, 2, 2000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_LOST));
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_DISCONNECTED);
    g_assert_error(event->error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CLOSED);
    helix_client_event_free(event);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_CONNECTED));
    /* The new host has no frame, and is given one within CLIENT_FIRST_FRAME_MS, or asks for it. */
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_REPEAT));
    g_assert_true(helix_client_needs_initial_frame(f.client));
    fixture_submit(&f, 3, 3000);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_cmpuint(GPOINTER_TO_UINT(event->frame_data), ==, 3);
    helix_client_event_free(event);
    g_assert_cmpuint(fixture_stats(&f).reconnects, ==, 1);
    g_assert_cmpuint(fixture_stats(&f).lost, ==, 1);
    g_assert_cmpuint(script_host_connections(f.host), ==, 2);
    fixture_tear_down(&f);
}

typedef struct States {
    GMutex lock;
    GString *seen;
    const HelixClient *client;
} States;

static void on_state(HelixClient *client, HelixClientState state, const GError *error, gpointer data)
{
    States *states = data;

    g_assert_true(client == states->client);
    g_assert_true((error != NULL) == (state != HELIX_CLIENT_CONNECTED));
    g_mutex_lock(&states->lock);
    g_string_append_c(states->seen,
                      state == HELIX_CLIENT_DISCONNECTED    ? 'd'
                          : state == HELIX_CLIENT_CONNECTED ? 'c'
                                                            : 'f');
    g_mutex_unlock(&states->lock);
}

/* With a function for it the state is no event. */
TEST("/connection/state-function", test_state_function)
{
    States states = { .seen = g_string_new(NULL) };
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.close_at = 0;
    script.once = TRUE;
    fixture_make(&f, &script);
    states.client = f.client;
    helix_client_set_state_func(f.client, on_state, &states);
    helix_client_set_reconnect(f.client, TRUE);
    fixture_connect(&f);
    fixture_submit(&f, 1, 1000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_LOST));
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_REPEAT));
    g_mutex_lock(&states.lock);
    g_assert_cmpstr(states.seen->str, ==, "dc");
    g_mutex_unlock(&states.lock);
    fixture_tear_down(&f);
    g_string_free(states.seen, TRUE);
}
