/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host that is retired ends by itself, without waiting for its threads, whatever is on the stack. */
#include "protocol/error.h"
#include "stream/host-private.h"
#include "rig.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)

static gint gone; /* atomic */

static void count_gone(gpointer data)
{
    g_atomic_int_inc(&gone);
}

static gboolean wait_gone(void)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    while (!g_atomic_int_get(&gone)) {
        if (g_get_monotonic_time() > deadline) {
            return FALSE;
        }
        g_usleep(1000);
    }
    return TRUE;
}

static void retire(Rig *rig, gpointer data)
{
    helix_listener_free(g_steal_pointer(&rig->listener));
    helix_host_retire(g_steal_pointer(&rig->host), count_gone, NULL);
}

/* A client with one picture in the encoder, which does not return. */
static Client *busy_client(Rig *rig)
{
    Client *client = rig_connect(rig);

    scripted_hold(TRUE);
    g_assert_true(client_resource(client, 0, 1, 1));
    g_assert_true(scripted_wait_begun(1));
    return client;
}

static void open_next(Rig *rig, gpointer data)
{
    const HelixHostConfig config = { .context = rig->context,
                                     .encoder_class = &helix_encoder_null,
                                     .resolver = &fake_capture_resolver,
                                     .resolver_data = &rig->capture };
    g_autofree char *address = g_strconcat("unix:", rig->path, NULL);
    g_autoptr(GError) error = NULL;

    rig->host = helix_host_new(&config, &error);
    g_assert_no_error(error);
    rig->listener = helix_listener_new(rig->context, address, helix_host_accept, rig->host, &error);
    g_assert_no_error(error);
}

/* The loop goes on, connections end, another host takes the socket and serves; the thread's end is the first host's. */
TEST("/retire/busy", test_busy)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = busy_client(rig);
    g_autoptr(Client) next = NULL;

    g_atomic_int_set(&gone, 0);
    rig_call(rig, retire, NULL); /* returns while the encoder is held */
    expect_end(client);
    g_assert_cmpint(g_atomic_int_get(&gone), ==, 0);
    g_assert_cmpuint(scripted_n_closed(), ==, 0);
    next = client_connect(rig->path);
    g_assert_null(next); /* nobody listens */
    rig_call(rig, open_next, NULL);
    next = rig_connect(rig);
    g_assert_true(client_resource(next, 0, 1, 2));
    message_free(expect_frame(next, 0, 2));
    g_assert_cmpint(g_atomic_int_get(&gone), ==, 0);
    scripted_hold(FALSE);
    g_assert_true(wait_gone());
    g_assert_cmpuint(scripted_n_closed(), ==, 1);
}

RIG_TEST("/retire/idle", test_idle)
{
    expect_quiet(client);
    g_atomic_int_set(&gone, 0);
    rig_call(rig, retire, NULL);
    expect_end(client);
    g_assert_true(wait_gone());
}

/* ---- from inside of a look-up ---- */

static Rig *looked_up_in;

static void resolve_and_retire(gpointer data, const HelixPicture *picture, const HelixCaptureTarget *target,
                               HelixSurfacePool *pool, HelixResolved done, gpointer done_data)
{
    retire(looked_up_in, NULL);
    done(done_data, NULL, g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND, "the GPU was unplugged"));
}

static const HelixResolver retiring_resolver = { resolve_and_retire };

static void set_resolver(Rig *rig, gpointer data)
{
    rig->host->streams.resolver = &retiring_resolver;
}

/* The request is answered still, and none after it is looked up. */
RIG_TEST("/retire/inside", test_inside)
{
    g_atomic_int_set(&gone, 0);
    looked_up_in = rig;
    rig_call(rig, set_resolver, NULL);
    g_assert_true(client_resource(client, 0, 1, 1));
    expect_error(client, 0, HELIX_MSG_FRAME_REQUEST, HELIX_CODE_NOT_FOUND);
    expect_end(client);
    g_assert_true(wait_gone());
}

/* ---- at the program's exit ---- */

static HelixHost *retired;

static void retire_and_keep(Rig *rig, gpointer data)
{
    retired = rig->host;
    retire(rig, data);
}

static gpointer let_encoder_go(gpointer data)
{
    scripted_hold(FALSE);
    return NULL;
}

/* The encoder ends while the host is being freed: before, the loop would free the host. */
static void free_retired(Rig *rig, gpointer data)
{
    GThread **thread = data;

    *thread = g_thread_new("lets-go", let_encoder_go, NULL);
    helix_host_free(retired);
}

/* Freed after all: waits, and is gone once. */
TEST("/retire/freed", test_freed)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = busy_client(rig);
    GThread *thread;

    g_atomic_int_set(&gone, 0);
    rig_call(rig, retire_and_keep, NULL);
    expect_end(client);
    g_assert_cmpint(g_atomic_int_get(&gone), ==, 0);
    rig_call(rig, free_retired, &thread);
    g_thread_join(thread);
    g_assert_cmpint(g_atomic_int_get(&gone), ==, 1);
    g_assert_cmpuint(scripted_n_closed(), ==, 1);
}
