/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode.c - frames a second of the host with pictures in host memory, against a bare loop of libavcodec with the same
 * settings on frames that are converted already.
 *
 *     bench-encode [ROUNDS [FRAMES [WIDTH HEIGHT]]]
 *
 * The settings are compared by the first access units, into which x264 writes its options as text.
 */
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "desktop.h"
#include "measure.h"
#include "served.h"

#define IN_FLIGHT 3u /* requests: one is encoded, one waits behind it, one is on its way */

/* x264's options in the SEI of a stream's first access unit (x264_sei_version_write()): "cabac=1 ref=1 ...". */
static char *options_in(const guint8 *unit, gsize size)
{
    static const char mark[] = "options: ";
    const guint8 *text = memmem(unit, size, mark, strlen(mark));

    if (!text) {
        die("x264's options are not in the first access unit");
    }
    text += strlen(mark);
    return g_strndup((const char *)text, strnlen((const char *)text, (gsize)(unit + size - text)));
}

static double run_host(Served *served, guint width, guint height, guint frames, char **options)
{
    Client *client = served_connect(served);
    g_autoptr(Message) first = NULL;
    guint asked = 0;
    const guint8 *unit;
    gint64 begin;
    gsize size;

    served_ask(client, width, height, asked++);
    first = client_receive(client); /* the encoder is open now */
    unit = first ? message_unit(first, &size) : NULL;
    if (!unit) {
        die("the host does not answer");
    }
    *options = options_in(unit, size);
    begin = now_ns();
    for (guint answered = 1; answered < frames; answered++) {
        while (asked < frames && asked - answered < IN_FLIGHT) {
            served_ask(client, width, height, asked++ % DESKTOP_PICTURES);
        }
        served_answer(client);
    }
    begin = now_ns() - begin;
    client_free(client);
    return (frames - 1) / ((double)begin / 1e9);
}

static double run_bare(AVFrame **pictures, guint width, guint height, guint frames, char **options)
{
    Bare *bare = bare_new(width, height);
    gint64 begin;

    bare_encode(bare, pictures[0]);
    *options = options_in(bare->packet->data, (gsize)bare->packet->size);
    begin = now_ns();
    for (guint i = 1; i < frames; i++) {
        bare_encode(bare, pictures[i % DESKTOP_PICTURES]);
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
        g_autofree char *our_options = NULL, *rival_options = NULL;

        if (round % 2) {
            ours = run_host(served, width, height, frames, &our_options);
        }
        rival = run_bare(pictures, width, height, frames, &rival_options);
        if (round % 2 == 0) {
            ours = run_host(served, width, height, frames, &our_options);
        }
        if (strcmp(our_options, rival_options) != 0) {
            die("the settings differ: the host's are %s, the bare loop's %s", our_options, rival_options);
        }
        figure_add(figure, ours, rival);
    }
    figures_print(figure, NULL);
    served_free(served);
    return 0;
}
