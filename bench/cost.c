/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cost.c - memory and threads of streams: resident memory and threads of this process while streams run, less those
 * before.
 *
 *     bench-cost host|bare STREAMS [WIDTH HEIGHT]
 *
 * "host" runs streams through the whole host, whose pictures are copied into surfaces of its own as a readback would;
 * "bare" runs as many encoders of libavcodec with the same settings. The difference is the host's own cost. Each needs
 * a process of its own, because freed memory may stay with the process. Prints {"kib", "threads"} of all streams; the
 * cost of one is the difference between two numbers of streams, because some memory is the host's, not a stream's.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "desktop.h"
#include "measure.h"
#include "served.h"

#define FRAMES 60u
#define IN_FLIGHT 3u

typedef struct Usage {
    long kib, threads;
} Usage;

static Usage usage(void)
{
    g_autofree char *status = NULL;
    const char *kib, *threads;

    malloc_trim(0); /* freed memory does not count now, and must count when it is used again */
    if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
        die("no /proc/self/status");
    }
    kib = strstr(status, "VmRSS:");
    threads = strstr(status, "Threads:");
    if (!kib || !threads) {
        die("/proc/self/status has no VmRSS or Threads");
    }
    return (Usage){ atol(kib + strlen("VmRSS:")), atol(threads + strlen("Threads:")) };
}

static Usage run_host(guint n, guint width, guint height)
{
    Served *served = served_new("x264", width, height, TRUE);
    g_autofree Client **clients = g_new(Client *, n);
    Usage before, during;

    for (guint i = 0; i < n; i++) {
        clients[i] = served_connect(served);
    }
    before = usage();
    for (guint frame = 0; frame < FRAMES; frame++) {
        for (guint i = 0; i < n; i++) {
            served_ask(clients[i], width, height, frame % DESKTOP_PICTURES);
            if (frame >= IN_FLIGHT - 1) {
                served_answer(clients[i]);
            }
        }
    }
    during = usage(); /* with requests under way */
    for (guint i = 0; i < n; i++) {
        for (guint frame = 1; frame < IN_FLIGHT; frame++) {
            served_answer(clients[i]);
        }
        client_free(clients[i]);
    }
    served_free(served);
    return (Usage){ during.kib - before.kib, during.threads - before.threads };
}

static Usage run_bare(guint n, guint width, guint height)
{
    AVFrame **pictures = bare_frames(width, height);
    g_autofree Bare **bare = g_new(Bare *, n);
    Usage before = usage(), during;

    for (guint i = 0; i < n; i++) {
        bare[i] = bare_new(width, height);
    }
    for (guint frame = 0; frame < FRAMES; frame++) {
        for (guint i = 0; i < n; i++) {
            bare_encode(bare[i], pictures[frame % DESKTOP_PICTURES]);
        }
    }
    during = usage();
    for (guint i = 0; i < n; i++) {
        bare_free(bare[i]);
    }
    return (Usage){ during.kib - before.kib, during.threads - before.threads };
}

int main(int argc, char **argv)
{
    guint n = argc > 2 ? (guint)atoi(argv[2]) : 0;
    guint width = argc > 4 ? (guint)atoi(argv[3]) : 1920, height = argc > 4 ? (guint)atoi(argv[4]) : 1080;
    Usage cost;

    if (n == 0 || (strcmp(argv[1], "host") != 0 && strcmp(argv[1], "bare") != 0)) {
        die("usage: bench-cost host|bare STREAMS [WIDTH HEIGHT]");
    }
    mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* fixed: large blocks go back when they are freed */
    cost = strcmp(argv[1], "host") == 0 ? run_host(n, width, height) : run_bare(n, width, height);
    printf("{\"kib\": %ld, \"threads\": %ld}\n", cost.kib, cost.threads);
    return 0;
}
