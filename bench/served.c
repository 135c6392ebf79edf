/* SPDX-License-Identifier: GPL-2.0-or-later */
/* served.c - the host on a thread of its own. */
#include <string.h>
#include <glib/gstdio.h>

#include "protocol/error.h"
#include "desktop.h"
#include "measure.h"
#include "served.h"

/* ---- pictures ---- */

static void resolve(gpointer self, const HelixPicture *picture, const HelixCaptureTarget *target,
                    HelixSurfacePool *pool, HelixResolved done, gpointer data)
{
    Served *served = self;
    HelixSurface *drawn = served->pictures[(picture->resource_id - 1) % DESKTOP_PICTURES], *copy;
    GError *error = NULL;

    if (picture->width != drawn->width || picture->height != drawn->height) {
        g_set_error(&error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "pictures are %u x %u", drawn->width, drawn->height);
        done(data, NULL, error);
        return;
    }
    if (!served->copy) {
        done(data, helix_surface_ref(drawn), NULL);
        return;
    }
    copy = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, drawn->width, drawn->height, &error);
    if (copy) {
        memcpy(copy->data, drawn->data, drawn->size);
        copy->path = HELIX_HOST_PATH_READBACK;
    }
    done(data, copy, error);
}

static const HelixResolver resolver = { .resolve = resolve };

/* ---- start and end ---- */

static gpointer run(gpointer data)
{
    g_main_loop_run(((Served *)data)->loop);
    return NULL;
}

Served *served_new(const char *encoder, guint width, guint height, gboolean copy)
{
    Served *served = g_new0(Served, 1);
    HelixHostConfig config = { .encoder = encoder, .resolver = &resolver, .resolver_data = served };
    g_autofree char *address = NULL;
    GError *error = NULL;

    served->pool = helix_surface_pool_new(0);
    served->copy = copy;
    served->pictures = g_new(HelixSurface *, DESKTOP_PICTURES);
    for (guint i = 0; i < DESKTOP_PICTURES; i++) {
        served->pictures[i] = desktop_surface(served->pool, width, height, i);
    }
    served->context = config.context = g_main_context_new();
    served->loop = g_main_loop_new(served->context, FALSE);
    served->folder = g_dir_make_tmp("helix-bench-XXXXXX", NULL);
    served->path = g_build_filename(served->folder, "socket", NULL);
    address = g_strconcat("unix:", served->path, NULL);
    served->host = helix_host_new(&config, &error);
    if (served->host) {
        served->listener = helix_listener_new(served->context, address, helix_host_accept, served->host, &error);
    }
    if (!served->listener) {
        die("%s", error->message);
    }
    served->thread = g_thread_new("host", run, served);
    return served;
}

static gboolean end(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

void served_free(Served *served)
{
    GSource *source = g_idle_source_new();

    g_source_set_callback(source, end, served->loop, NULL);
    g_source_attach(source, served->context);
    g_source_unref(source);
    g_thread_join(served->thread);
    helix_listener_free(served->listener);
    helix_host_free(served->host);
    g_main_loop_unref(served->loop);
    g_main_context_unref(served->context);
    g_rmdir(served->folder);
    for (guint i = 0; i < DESKTOP_PICTURES; i++) {
        helix_surface_unref(served->pictures[i]);
    }
    helix_surface_pool_unref(served->pool);
    g_free(served->pictures);
    g_free(served->path);
    g_free(served->folder);
    g_free(served);
}

/* ---- the client ---- */

Client *served_connect(Served *served)
{
    Client *client = client_connect(served->path);

    if (!client || !client_config(client, &(ConfigRequest){ .session = 1, .realtime = 1 })) {
        die("the host does not take a connection");
    }
    return client;
}

void served_ask(Client *client, guint width, guint height, guint n)
{
    FrameRequest request = { .session = 1, .resource = n + 1, .width = width, .height = height, .pts = n };

    if (!client_frame(client, &request)) {
        die("the host takes no request");
    }
}

gsize served_answer(Client *client)
{
    g_autoptr(Message) message = client_receive(client);
    gsize size = 0;

    if (!message || message->type != HELIX_MSG_FRAME_RESPONSE || !message_unit(message, &size)) {
        die("no answer with an access unit: %s",
            message && message->type == HELIX_MSG_ERROR ? message_error_text(message)
                                                        : "the connection ended or timed out");
    }
    return size;
}
