/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-capture SECONDS FILE ELEMENT...: run a pipeline (gst-launch's words) whose last element is called "out" and has
 * handoffs, for SECONDS from its first buffer there on, and say what it cost.
 *
 * FILE gets the bytes of every buffer ("-": none). Prints one line of JSON: frames and seconds between the first buffer
 * and the last, CPU seconds of this process meanwhile, CPU seconds of the whole guest, for each buffer when it came (ns
 * of the guest's monotonic clock) and its size, and how long that was after its time stamp (ns; a live source's buffers
 * leave it then).
 */
#include <gst/base/gstbasesink.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define START_SECONDS 40

typedef struct Arrival {
    gint64 ns, late_ns;
    gsize size;
} Arrival;

static GMainLoop *loop;
static GMutex lock;
static GArray *arrivals;
static FILE *file;
static double own_begin, own_end, guest_begin, guest_end;
static gint64 length_ns;

static void die(const char *what)
{
    fprintf(stderr, "bench-capture: %s\n", what);
    exit(1);
}

static gint64 now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double own_cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Seconds that the guest's processors were not idle. */
static double guest_cpu(void)
{
    unsigned long long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    FILE *stat = fopen("/proc/stat", "r");

    if (!stat ||
        fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq) !=
            7) {
        die("/proc/stat");
    }
    fclose(stat);
    return (double)(user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK);
}

static gboolean end(gpointer data)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gboolean end_if_nothing_came(gpointer data)
{
    g_mutex_lock(&lock);
    if (!arrivals->len) {
        g_main_loop_quit(loop);
    }
    g_mutex_unlock(&lock);
    return G_SOURCE_REMOVE;
}

/* The pipeline's clock is the monotonic one. */
static gint64 due_ns(GstElement *sink, GstBuffer *buffer)
{
    const GstSegment *segment = &((GstBaseSink *)sink)->segment;

    return (gint64)(gst_element_get_base_time(sink) +
                    gst_segment_to_running_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer)));
}

static void on_buffer(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
    Arrival arrival = { .ns = now_ns(), .size = gst_buffer_get_size(buffer) };

    arrival.late_ns = arrival.ns - due_ns(sink, buffer);
    g_mutex_lock(&lock);
    if (!arrivals->len) {
        own_begin = own_cpu();
        guest_begin = guest_cpu();
        g_timeout_add((guint)(length_ns / 1000000), end, NULL); /* a still screen sends no more */
    }
    if (!arrivals->len || arrival.ns - g_array_index(arrivals, Arrival, 0).ns <= length_ns) {
        own_end = own_cpu();
        g_array_append_val(arrivals, arrival);
        if (file) {
            GstMapInfo map;

            if (!gst_buffer_map(buffer, &map, GST_MAP_READ) || fwrite(map.data, 1, map.size, file) != map.size) {
                die("a buffer could not be written");
            }
            gst_buffer_unmap(buffer, &map);
        }
    }
    if (arrival.ns - g_array_index(arrivals, Arrival, 0).ns >= length_ns) {
        g_main_loop_quit(loop);
    }
    g_mutex_unlock(&lock);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;
        char *debug = NULL;

        gst_message_parse_error(message, &error, &debug);
        fprintf(stderr, "%s\n", debug ? debug : "");
        die(error->message);
    }
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
        g_main_loop_quit(loop);
    }
    return G_SOURCE_CONTINUE;
}

static void print_result(void)
{
    guint n = arrivals->len;
    Arrival *all = (Arrival *)(gpointer)arrivals->data;

    printf("{\"frames\": %u, \"seconds\": %.6f, \"cpu\": %.6f, \"guest_cpu\": %.3f, \"arrivals\": [", n ? n - 1 : 0,
           n ? (double)(all[n - 1].ns - all[0].ns) / 1e9 : 0.0, own_end - own_begin, guest_end - guest_begin);
    for (guint i = 0; i < n; i++) {
        printf("%s[%" G_GINT64_FORMAT ", %" G_GSIZE_FORMAT "]", i ? ", " : "", all[i].ns, all[i].size);
    }
    printf("], \"late_ns\": [");
    for (guint i = 0; i < n; i++) {
        printf("%s%" G_GINT64_FORMAT, i ? ", " : "", all[i].late_ns);
    }
    printf("]}\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    GstElement *pipeline, *out;

    gst_init(NULL, NULL);
    if (argc < 4 || atof(argv[1]) <= 0) {
        fprintf(stderr, "usage: bench-capture SECONDS FILE|- ELEMENT...\n");
        return 2;
    }
    length_ns = (gint64)(atof(argv[1]) * 1e9);
    file = strcmp(argv[2], "-") ? fopen(argv[2], "wb") : NULL;
    if (strcmp(argv[2], "-") && !file) {
        die("the file could not be made");
    }
    arrivals = g_array_new(FALSE, FALSE, sizeof(Arrival));
    loop = g_main_loop_new(NULL, FALSE);
    pipeline = gst_parse_launchv((const char **)argv + 3, &error);
    out = pipeline && !error ? gst_bin_get_by_name(GST_BIN(pipeline), "out") : NULL;
    if (!out) {
        die(error ? error->message : "no element is called out");
    }
    g_signal_connect(out, "handoff", G_CALLBACK(on_buffer), NULL);
    gst_bus_add_watch(gst_element_get_bus(pipeline), on_message, NULL);
    g_timeout_add_seconds(START_SECONDS, end_if_nothing_came, NULL); /* no timer that wakes a still guest */
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_main_loop_run(loop);
    guest_end = guest_cpu();
    if (file) {
        g_mutex_lock(&lock);
        fflush(file);
        g_mutex_unlock(&lock);
    }
    print_result();
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return 0;
}
