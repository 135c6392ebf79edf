/* SPDX-License-Identifier: GPL-2.0-or-later */
/* served.h - the host on a thread of its own; its resource ids are pictures of desktop.h in host memory. */
#ifndef HELIX_BENCH_SERVED_H
#define HELIX_BENCH_SERVED_H

#include "client.h"
#include "stream/host.h"
#include "transport/listener.h"

typedef struct Served {
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    HelixHost *host;
    HelixListener *listener;
    HelixSurfacePool *pool;
    HelixSurface **pictures; /* resource id n is picture (n - 1) % DESKTOP_PICTURES */
    gboolean copy; /* each look-up copies the picture, as a readback does; else it returns the picture itself */
    char *folder, *path;
} Served;

Served *served_new(const char *encoder, guint width, guint height, gboolean copy);
void served_free(Served *served);

/* Connect and have session 1 take frames as a realtime stream with everything automatic. */
Client *served_connect(Served *served);
/* Ask for picture @n in session 1. */
void served_ask(Client *client, guint width, guint height, guint n);
/* The next answer of a frame: bytes of its access unit. Ends the program if it is none. */
gsize served_answer(Client *client);

#endif
