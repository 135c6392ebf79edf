/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode.c - frames a second of the whole host path from pictures in host memory, against a bare loop of libavcodec with
 * the same settings on frames already converted.
 *
 *     bench-encode [ROUNDS [FRAMES [WIDTH HEIGHT]]]
 *
 * That the settings are the same is seen from the access units: each pair of runs must yield the same number of bytes,
 * but for what x264's rate control owes to the timing of its slice threads.
 */
#include <stdlib.h>

#include "bare.h"
#include "desktop.h"
#include "measure.h"
#include "served.h"

#define IN_FLIGHT 3u            /* one is encoded, one waits behind it, one is asked for */

static double run_host(Served *served, guint width, guint height, guint frames, gsize *bytes)
{
    Client *client = served_connect(served);
    guint asked = 0;
    gint64 begin;

    *bytes = 0;
    served_ask(client, width, height, asked++);
    *bytes += served_answer(client);        /* the encoder is open now */
    begin = now_ns();
    for (guint answered = 1; answered < frames; answered++) {
        while (asked < frames && asked - answered < IN_FLIGHT) {
            served_ask(client, width, height, asked++ % DESKTOP_PICTURES);
        }
        *bytes += served_answer(client);
    }
    begin = now_ns() - begin;
    client_free(client);
    return (frames - 1) / ((double)begin / 1e9);
}

static double run_bare(AVFrame **pictures, guint width, guint height, guint frames, gsize *bytes)
{
    Bare *bare = bare_new(width, height);
    gint64 begin;

    *bytes = bare_encode(bare, pictures[0]);
    begin = now_ns();
    for (guint i = 1; i < frames; i++) {
        *bytes += bare_encode(bare, pictures[i % DESKTOP_PICTURES]);
    }
    begin = now_ns() - begin;
    bare_free(bare);
    return (frames - 1) / ((double)begin / 1e9);
}

int main(int argc, char **argv)
{
    guint rounds = argc > 1 ? (guint)atoi(argv[1]) : 7, frames = argc > 2 ? (guint)atoi(argv[2]) : 160;
    guint width = argc > 4 ? (guint)atoi(argv[3]) : 1920, height = argc > 4 ? (guint)atoi(argv[4]) : 1080;
    Served *served = served_new("x264", width, height, FALSE);
    AVFrame **pictures = bare_frames(width, height);
    Figure *figure = figure_new("rate", "fps");

    for (guint round = 0; round < rounds; round++) {
        double ours = 0, rival = 0;
        gsize our_bytes, rival_bytes;

        if (round % 2) {
            ours = run_host(served, width, height, frames, &our_bytes);
        }
        rival = run_bare(pictures, width, height, frames, &rival_bytes);
        if (round % 2 == 0) {
            ours = run_host(served, width, height, frames, &our_bytes);
        }
        if (our_bytes > rival_bytes * 101 / 100 || rival_bytes > our_bytes * 101 / 100) {
            die("the host made %" G_GSIZE_FORMAT " bytes, the bare loop %" G_GSIZE_FORMAT ": their settings differ", our_bytes,
                rival_bytes);
        }
        figure_add(figure, ours, rival);
    }
    figures_print(figure, NULL);
    served_free(served);
    return 0;
}
