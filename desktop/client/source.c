/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.c - a client's events in a GMainContext. */
#include "helix-client.h"

typedef struct ClientSource {
    GSource source;
    HelixClient *client;
} ClientSource;

static gboolean dispatch(GSource *source, GSourceFunc func, gpointer data)
{
    HelixClient *client = ((ClientSource *)source)->client;
    HelixClientEvent *event = helix_client_next_event(client);

    /* One a turn, so that other sources are not kept waiting. */
    if (event) {
        ((HelixClientEventFunc)(void (*)(void))func)(client, event, data);
    }
    return G_SOURCE_CONTINUE;
}

static void finalize(GSource *source)
{
    helix_client_unref(((ClientSource *)source)->client);
}

GSource *helix_client_source_new(HelixClient *client, HelixClientEventFunc func, gpointer data,
                                 GDestroyNotify free_data)
{
    static GSourceFuncs funcs = { .dispatch = dispatch, .finalize = finalize };
    int fd = helix_client_get_fd(client);
    GSource *source;

    if (fd < 0) {
        return NULL;
    }
    source = g_source_new(&funcs, sizeof(ClientSource));
    ((ClientSource *)source)->client = helix_client_ref(client);
    g_source_add_unix_fd(source, fd, G_IO_IN);
    g_source_set_callback(source, (GSourceFunc)(void (*)(void))func, data, free_data);
    g_source_set_name(source, "helix-client");
    return source;
}
