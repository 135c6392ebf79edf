/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig.c - a real host on a thread of its own, for tests that are its guests. */
#include <string.h>
#include <glib/gstdio.h>

#include "protocol/bytes.h"
#include "rig.h"
#include "stat.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)

/* ---- the host's thread ---- */

static void on_log(gpointer data, const char *line)
{
    Rig *rig = data;

    g_mutex_lock(&rig->lock);
    g_string_append(rig->log, line);
    g_string_append_c(rig->log, '\n');
    g_mutex_unlock(&rig->lock);
}

static void on_frame(gpointer data, const HelixFrameRecord *record)
{
    Rig *rig = data;

    g_mutex_lock(&rig->lock);
    g_array_append_vals(rig->records, record, 1);
    g_mutex_unlock(&rig->lock);
}

static const HelixHostHooks hooks = { .log = on_log, .frame = on_frame };

static gpointer host_thread(gpointer data)
{
    Rig *rig = data;

    g_main_loop_run(rig->loop);
    return NULL;
}

typedef struct Call {
    Rig *rig;
    void (*call)(Rig *rig, gpointer data);
    gpointer data;
    gboolean done;
    GMutex lock;
    GCond cond;
} Call;

static gboolean run_call(gpointer data)
{
    Call *call = data;

    g_mutex_lock(&call->lock);
    call->call(call->rig, call->data);
    call->done = TRUE;
    g_cond_signal(&call->cond);
    g_mutex_unlock(&call->lock);
    return G_SOURCE_REMOVE;
}

void rig_call(Rig *rig, void (*function)(Rig *rig, gpointer data), gpointer data)
{
    Call call = { .rig = rig, .call = function, .data = data };
    GSource *source = g_idle_source_new();

    g_mutex_init(&call.lock);
    g_cond_init(&call.cond);
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, run_call, &call, NULL);
    g_mutex_lock(&call.lock); /* from here on, for ThreadSanitizer, which does not see the loop's own lock */
    g_source_attach(source, rig->context);
    g_source_unref(source);
    while (!call.done) {
        g_cond_wait(&call.cond, &call.lock);
    }
    g_mutex_unlock(&call.lock);
    g_mutex_clear(&call.lock);
    g_cond_clear(&call.cond);
}

/* ---- life ---- */

Rig *rig_new(const RigOptions *options)
{
    Rig *rig = g_new0(Rig, 1);
    HelixHostConfig config = {
        .encoder_class = scripted_wrap(&helix_encoder_null),
        .resolver = &fake_capture_resolver,
        .resolver_data = &rig->capture,
        .hooks = &hooks,
        .hooks_data = rig,
    };
    g_autofree char *address = NULL;
    g_autoptr(GError) error = NULL;

    if (options) {
        config.max_in_flight = options->max_in_flight;
        config.max_streams = options->max_streams;
        config.max_connections = options->max_connections;
        config.max_memory = options->max_memory;
    }
    g_mutex_init(&rig->lock);
    rig->log = g_string_new(NULL);
    rig->records = g_array_new(FALSE, FALSE, sizeof(HelixFrameRecord));
    rig->context = config.context = rig->capture.context = g_main_context_new();
    rig->loop = g_main_loop_new(rig->context, FALSE);
    rig->folder = g_dir_make_tmp("helix-rig-XXXXXX", &error);
    g_assert_no_error(error);
    rig->path = g_build_filename(rig->folder, "socket", NULL);
    address = g_strconcat("unix:", rig->path, NULL);
    rig->host = helix_host_new(&config, &error);
    g_assert_no_error(error);
    rig->listener = helix_listener_new(rig->context, address, helix_host_accept, rig->host, &error);
    g_assert_no_error(error);
    rig->thread = g_thread_new("host", host_thread, rig);
    return rig;
}

static void end(Rig *rig, gpointer data)
{
    g_main_loop_quit(rig->loop);
}

void rig_free(Rig *rig)
{
    if (!rig) {
        return;
    }
    scripted_hold(FALSE);
    rig_call(rig, end, NULL);
    g_thread_join(rig->thread);
    helix_listener_free(rig->listener);
    helix_host_free(rig->host);
    rig->capture.closed = TRUE;
    while (rig->capture.waiting.length) {
        fake_capture_release(&rig->capture); /* answers that no request waits for */
    }
    g_assert_cmpuint(scripted_n_opened(), ==, scripted_n_closed());
    g_assert_cmpint(g_rmdir(rig->folder), ==, 0);
    g_main_loop_unref(rig->loop);
    g_main_context_unref(rig->context);
    g_string_free(rig->log, TRUE);
    g_array_unref(rig->records);
    g_mutex_clear(&rig->lock);
    g_free(rig->folder);
    g_free(rig->path);
    g_free(rig);
}

Client *rig_connect(Rig *rig)
{
    Client *client = client_connect(rig->path);

    g_assert_nonnull(client);
    return client;
}

void rig_run(void (*test)(Rig *rig, Client *client))
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    test(rig, client);
}

/* ---- control ---- */

static void call_set_running(Rig *rig, gpointer data)
{
    helix_host_set_running(rig->host, GPOINTER_TO_INT(data));
}

void rig_set_running(Rig *rig, gboolean running)
{
    rig_call(rig, call_set_running, GINT_TO_POINTER(running));
}

static void call_reset(Rig *rig, gpointer data)
{
    helix_host_gpu_reset_end(rig->host);
}

void rig_reset(Rig *rig)
{
    rig_call(rig, call_reset, NULL);
}

static void call_hold(Rig *rig, gpointer data)
{
    rig->capture.hold = GPOINTER_TO_INT(data);
}

void rig_hold_look_ups(Rig *rig, gboolean hold)
{
    rig_call(rig, call_hold, GINT_TO_POINTER(hold));
}

static void call_release(Rig *rig, gpointer data)
{
    fake_capture_release(&rig->capture);
}

void rig_release_look_up(Rig *rig)
{
    rig_call(rig, call_release, NULL);
}

static void call_borrow(Rig *rig, gpointer data)
{
    rig->capture.borrow = GPOINTER_TO_INT(data);
}

void rig_borrow(Rig *rig, gboolean borrow)
{
    rig_call(rig, call_borrow, GINT_TO_POINTER(borrow));
}

/* ---- what the host tells ---- */

static void call_stats(Rig *rig, gpointer data)
{
    *(char **)data = helix_host_stats_json(rig->host);
}

char *rig_stats(Rig *rig)
{
    char *json = NULL;

    rig_call(rig, call_stats, &json);
    return json;
}

guint64 rig_stat(Rig *rig, const char *path)
{
    g_autofree char *json = rig_stats(rig);

    return stat_number(json, path);
}

gboolean rig_wait_stat(Rig *rig, const char *path, guint64 value)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    while (rig_stat(rig, path) != value) {
        if (g_get_monotonic_time() > deadline) {
            return FALSE;
        }
        g_usleep(2000);
    }
    return TRUE;
}

gboolean rig_log_has(Rig *rig, const char *text)
{
    gboolean has;

    g_mutex_lock(&rig->lock);
    has = strstr(rig->log->str, text) != NULL;
    g_mutex_unlock(&rig->lock);
    return has;
}

HelixFrameRecord rig_record(Rig *rig, guint i)
{
    HelixFrameRecord record;

    g_mutex_lock(&rig->lock);
    g_assert_cmpuint(i, <, rig->records->len);
    record = g_array_index(rig->records, HelixFrameRecord, i);
    g_mutex_unlock(&rig->lock);
    return record;
}

void send_frames(Client *client, guint16 session, guint first, guint n)
{
    for (guint i = first; i < first + n; i++) {
        g_assert_true(client_resource(client, session, 1 + i, i));
    }
}

/* ---- expectations ---- */

Message *expect_message(Client *client, guint8 type, guint16 session)
{
    Message *message = client_receive(client);

    if (!message) {
        g_error("type 0x%02x expected: %s", type, client->eof ? "the host closed" : "nothing came");
    }
    if (message->type != type && message->type == HELIX_MSG_ERROR) {
        g_error("type 0x%02x expected: error %d, %s", type, message_error_code(message), message_error_text(message));
    }
    g_assert_cmphex(message->type, ==, type);
    g_assert_cmpuint(message->session, ==, session);
    return message;
}

guint32 message_u32(const Message *message, guint offset)
{
    g_assert_cmpuint(message->size, >=, offset + 4);
    return helix_get_u32(message->payload + offset);
}

Message *expect_config(Client *client, const ConfigRequest *request)
{
    ConfigRequest flagged = *request;

    flagged.flags = HELIX_CONFIG_ANSWER;
    g_assert_true(client_config(client, &flagged));
    return expect_message(client, HELIX_MSG_CONFIG_RESP, request->session);
}

Message *expect_frame(Client *client, guint16 session, gint64 pts)
{
    Message *message = expect_message(client, HELIX_MSG_FRAME_RESPONSE, session);
    gsize size = 0;

    g_assert_cmpint(message_pts(message), ==, pts);
    g_assert_nonnull(message_unit(message, &size));
    g_assert_cmpuint(size, >, 4);
    return message;
}

void expect_frames(Client *client, guint16 session, gint64 first, guint n)
{
    for (guint i = 0; i < n; i++) {
        message_free(expect_frame(client, session, first + i));
    }
}

void film(Client *client, guint16 session, guint first, guint n)
{
    send_frames(client, session, first, n);
    expect_frames(client, session, first, n);
}

Message *expect_dropped(Client *client, guint16 session, gint64 pts)
{
    Message *message = expect_message(client, HELIX_MSG_FRAME_RESPONSE, session);

    g_assert_cmpint(message_pts(message), ==, pts);
    g_assert_cmphex(message->flags & HELIX_RESPONSE_DROPPED, !=, 0);
    g_assert_cmpuint(message->payload[HELIX_RESPONSE_NAL_COUNT], ==, 0);
    g_assert_cmpuint(message->size, ==, HELIX_RESPONSE_SIZE);
    return message;
}

void expect_error(Client *client, guint16 session, guint8 answered_type, int code)
{
    g_autoptr(Message) message = expect_message(client, HELIX_MSG_ERROR, session);

    if (message_error_code(message) != code) {
        g_error("error %d expected: %d, %s", code, message_error_code(message), message_error_text(message));
    }
    g_assert_cmphex(message->flags, ==, answered_type);
    g_assert_cmpuint(strlen(message_error_text(message)), >, 10);
}

void expect_snapshot(Client *client, guint16 session, guint32 number, int code)
{
    g_autoptr(Message) message = expect_message(client, HELIX_MSG_SNAPSHOT_DONE, session);
    const char *text = (const char *)message->payload + HELIX_SNAPSHOT_DONE_MESSAGE;

    g_assert_cmpuint(message->size, ==, HELIX_SNAPSHOT_DONE_SIZE);
    g_assert_cmphex(message->flags, ==, 0);
    if ((gint32)message_u32(message, HELIX_SNAPSHOT_DONE_CODE) != code) {
        g_error("code %d expected: %d, %s", code, (gint32)message_u32(message, HELIX_SNAPSHOT_DONE_CODE), text);
    }
    g_assert_cmpuint(message_u32(message, HELIX_SNAPSHOT_DONE_NUMBER), ==, number);
    g_assert_cmpint(text[0] != 0, ==, code != 0);
}

void expect_pong(Client *client, guint16 session, const void *payload, gsize size)
{
    g_autoptr(Message) message = expect_message(client, HELIX_MSG_PONG, session);

    g_assert_cmpmem(message->payload, message->size, payload, size);
}

void expect_end(Client *client)
{
    g_autoptr(Message) message = client_receive(client);

    g_assert_null(message);
    g_assert_true(client->eof);
}

void expect_quiet(Client *client)
{
    static const guint8 probe[] = "quiet?";

    g_assert_true(client_ping(client, 999, probe, sizeof probe));
    expect_pong(client, 999, probe, sizeof probe);
}
