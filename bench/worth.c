/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worth.c - what each part of encode/ is worth: the host as it is, against the host without that part (without.h).
 *
 *     bench-worth [ROUNDS [SECONDS [PROCESSORS [WIDTH HEIGHT [STREAMS]]]]]
 *
 * Runs on the first PROCESSORS processors of those that this process may use. Each round measures the host with all
 * parts and without each, alternately:
 *   - "busy": 1, 2, 4, ... STREAMS streams that have three requests in flight: frames a second of all together;
 *   - "steady": a stream at 60 frames a second with one request in flight, alone and beside STREAMS - 1 busy ones: the
 *     median time from a request to its answer.
 */
#include <sched.h>
#include <stdlib.h>

#include "desktop.h"
#include "measure.h"
#include "served.h"
#include "without.h"

#define MAX_STREAMS 32u
#define MAX_CASES 8u
#define IN_FLIGHT 3u
#define WARM_UP_NS 150000000 /* encoders open, and caches fill */
#define STEADY_NS (1000000000 / 60)

typedef struct Stream {
    Served *served;
    guint width, height;
    gboolean steady;
    gint64 begin, end; /* answers between these times count */
    guint frames;
    GArray *latencies; /* double, ms */
} Stream;

static void limit_processors(guint n)
{
    cpu_set_t all, some;

    CPU_ZERO(&some);
    if (sched_getaffinity(0, sizeof(all), &all) < 0) {
        die("the processors of this process are unknown");
    }
    for (guint i = 0; i < CPU_SETSIZE && (guint)CPU_COUNT(&some) < n; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &some);
        }
    }
    if ((guint)CPU_COUNT(&some) < n || sched_setaffinity(0, sizeof(some), &some) < 0) {
        die("this process may not use %u processors", n);
    }
}

static gpointer play(gpointer data)
{
    Stream *stream = data;
    Client *client = served_connect(stream->served);
    guint in_flight = stream->steady ? 1 : IN_FLIGHT, asked = 0, answered = 0;
    gint64 sent[IN_FLIGHT], next = now_ns();

    while (now_ns() < stream->end) {
        while (asked - answered < in_flight) {
            sent[asked % IN_FLIGHT] = now_ns();
            served_ask(client, stream->width, stream->height, asked++ % DESKTOP_PICTURES);
        }
        served_answer(client);
        if (now_ns() >= stream->begin && now_ns() < stream->end) {
            double latency = (double)(now_ns() - sent[answered % IN_FLIGHT]) / 1e6;

            g_array_append_val(stream->latencies, latency);
            stream->frames++;
        }
        answered++;
        next += STEADY_NS;
        if (stream->steady) {
            g_usleep((gulong)MAX(next - now_ns(), 0) / 1000);
        }
    }
    client_free(client);
    return NULL;
}

/* What one figure is about. */
typedef struct Case {
    guint streams;
    gboolean steady; /* one of them is */
    Figure *figures[WITHOUT_N];
} Case;

/* Frames a second of all streams or, with a steady one, the median of its latencies in ms. */
static double run(const Case *this, Served *served, guint width, guint height, double seconds)
{
    Stream streams[MAX_STREAMS];
    GThread *threads[MAX_STREAMS];
    guint total = 0;
    gint64 begin = now_ns() + WARM_UP_NS;
    double latency = seconds * 1e3; /* if no answer came */

    for (guint i = 0; i < this->streams; i++) {
        streams[i] = (Stream){ .served = served,
                               .width = width,
                               .height = height,
                               .steady = this->steady && i == 0,
                               .begin = begin,
                               .end = begin + (gint64)(seconds * 1e9),
                               .latencies = g_array_new(FALSE, FALSE, sizeof(double)) };
        threads[i] = g_thread_new("client", play, &streams[i]);
    }
    for (guint i = 0; i < this->streams; i++) {
        g_thread_join(threads[i]);
        total += streams[i].frames;
    }
    if (streams[0].frames > 0) {
        latency = quantile((double *)(gpointer)streams[0].latencies->data, streams[0].latencies->len, 0.5);
    }
    for (guint i = 0; i < this->streams; i++) {
        g_array_free(streams[i].latencies, TRUE);
    }
    return this->steady ? latency : MAX(total, 1) / seconds;
}

static void case_begin(Case *this, guint streams, gboolean steady)
{
    *this = (Case){ .streams = streams, .steady = steady };
    for (guint what = WITHOUT_NOTHING + 1; what < WITHOUT_N; what++) {
        char *name = g_strdup_printf("%s, %u %s", without_names[what], streams, steady ? "steady" : "busy");

        this->figures[what] = figure_new(name, steady ? "ms" : "fps");
    }
}

static void case_round(Case *this, Served *served, guint width, guint height, double seconds, guint round)
{
    guint first = (guint)g_random_int_range(0, WITHOUT_N);
    double results[WITHOUT_N];

    if (round == 0) { /* the process gets memory from the system that it then keeps */
        (void)run(this, served, width, height, seconds / 2);
    }
    for (guint i = 0; i < WITHOUT_N; i++) {
        guint what = (i + first) % WITHOUT_N;

        without_set((Without)what);
        results[what] = run(this, served, width, height, seconds);
    }
    for (guint what = WITHOUT_NOTHING + 1; what < WITHOUT_N; what++) {
        figure_add(this->figures[what], results[WITHOUT_NOTHING], results[what]);
    }
}

static void print(Case *cases, guint n)
{
    g_autoptr(GPtrArray) figures = g_ptr_array_new();

    for (guint i = 0; i < n; i++) {
        for (guint what = WITHOUT_NOTHING + 1; what < WITHOUT_N; what++) {
            g_ptr_array_add(figures, cases[i].figures[what]);
        }
    }
    figures_print_all((Figure *const *)figures->pdata, figures->len);
}

int main(int argc, char **argv)
{
    guint rounds = argc > 1 ? (guint)atoi(argv[1]) : 5, n_cases = 0;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;
    guint width = argc > 5 ? (guint)atoi(argv[4]) : 1280, height = argc > 5 ? (guint)atoi(argv[5]) : 720;
    guint streams = argc > 6 ? CLAMP((guint)atoi(argv[6]), 1, MAX_STREAMS) : 8;
    Case cases[MAX_CASES];
    Served *served;

    if (argc > 3) {
        limit_processors((guint)atoi(argv[3]));
    }
    served = served_new("x264", width, height, FALSE);
    for (guint n = 1; n <= streams; n *= 2) {
        case_begin(&cases[n_cases++], n, FALSE);
    }
    case_begin(&cases[n_cases++], 1, TRUE);
    if (streams > 1) {
        case_begin(&cases[n_cases++], streams, TRUE);
    }
    for (guint round = 0; round < rounds; round++) {
        for (guint i = 0; i < n_cases; i++) {
            case_round(&cases[i], served, width, height, seconds, round);
        }
    }
    print(cases, n_cases);
    served_free(served);
    return 0;
}
