/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale.c - 2, 4, 8 streams at once over UNIX sockets, x264: frames a second of all together against one stream alone,
 * and the slowest stream against the fastest.
 *
 *     bench-scale [ROUNDS [SECONDS [WIDTH HEIGHT]]]
 */
#include <stdlib.h>

#include "desktop.h"
#include "measure.h"
#include "served.h"

#define MOST 8u
#define IN_FLIGHT 3u

typedef struct Stream {
    Served *served;
    guint width, height;
    gint64 begin, end; /* answers between these times count */
    guint frames;
} Stream;

static gpointer play(gpointer data)
{
    Stream *stream = data;
    Client *client = served_connect(stream->served);
    guint asked = 0, answered = 0;

    while (now_ns() < stream->end) {
        while (asked - answered < IN_FLIGHT) {
            served_ask(client, stream->width, stream->height, asked++ % DESKTOP_PICTURES);
        }
        served_answer(client);
        answered++;
        if (now_ns() >= stream->begin && now_ns() < stream->end) {
            stream->frames++;
        }
    }
    client_free(client);
    return NULL;
}

/* Frames a second of @n streams together; @fairness: those of the slowest stream over those of the fastest. */
static double run(Served *served, guint width, guint height, guint n, double seconds, double *fairness)
{
    Stream streams[MOST];
    GThread *threads[MOST];
    guint total = 0, least = G_MAXUINT, most = 0;
    gint64 begin = now_ns() + 300000000;

    for (guint i = 0; i < n; i++) {
        streams[i] = (Stream){ served, width, height, begin, begin + (gint64)(seconds * 1e9), 0 };
        threads[i] = g_thread_new("client", play, &streams[i]);
    }
    for (guint i = 0; i < n; i++) {
        g_thread_join(threads[i]);
        total += streams[i].frames;
        least = MIN(least, streams[i].frames);
        most = MAX(most, streams[i].frames);
    }
    *fairness = (double)least / MAX(most, 1);
    return total / seconds;
}

int main(int argc, char **argv)
{
    static const struct {
        guint n;
        const char *rate, *fairness;
    } cases[] = { { 2, "2 streams", "2 streams, slowest" },
                  { 4, "4 streams", "4 streams, slowest" },
                  { 8, "8 streams", "8 streams, slowest" } };
    guint rounds = argc > 1 ? (guint)atoi(argv[1]) : 5;
    double seconds = argc > 2 ? atof(argv[2]) : 1.5;
    guint width = argc > 4 ? (guint)atoi(argv[3]) : 1280, height = argc > 4 ? (guint)atoi(argv[4]) : 720;
    Served *served = served_new("x264", width, height, FALSE);
    Figure *rates[3], *fairnesses[3];

    for (guint i = 0; i < 3; i++) {
        rates[i] = figure_new(cases[i].rate, "fps");
        fairnesses[i] = figure_new(cases[i].fairness, "of the fastest");
    }
    for (guint round = 0; round < rounds; round++) {
        for (guint i = 0; i < 3; i++) {
            double alone, fairness, one = run(served, width, height, 1, seconds, &alone);

            figure_add(rates[i], run(served, width, height, cases[i].n, seconds, &fairness), one);
            figure_add(fairnesses[i], fairness, 1);
        }
    }
    figures_print(rates[0], rates[1], rates[2], fairnesses[0], fairnesses[1], fairnesses[2], NULL);
    served_free(served);
    return 0;
}
