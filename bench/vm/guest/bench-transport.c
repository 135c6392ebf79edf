/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-transport WHAT REPETITIONS COUNT SIZE ADDRESS...: the guest's end of the rows that measure transports.
 *
 * WHAT is echo (the p50 of COUNT round trips, microseconds), sink (guest to host) or source (host to guest), both in
 * MiB/s. At the other end of each ADDRESS (transport.h) is bench-peer. In every repetition each address has its turn,
 * so that what one of them measured has a partner of the same moment.
 *
 * Prints one line of JSON: for each address, in the order given, an array of the repetitions' values.
 */
#include "transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP 16 /* caches, and the emulator's translated code */

static double echo(int fd, uint32_t count, uint32_t size, char *buffer)
{
    double *took = calloc(count, sizeof(*took)), p50;

    transport_begin(fd, JOB_ECHO, size, count);
    for (uint32_t i = 0; i < count; i++) {
        took[i] = transport_round(fd, buffer, size);
    }
    p50 = quantile(took, count, 0.5);
    free(took);
    return p50;
}

/* To the last byte's arrival at the other end. */
static double transfer(int fd, bool to_host, uint32_t count, uint32_t size, char *buffer)
{
    double begin = now_us();
    bool good = true;

    transport_begin(fd, to_host ? JOB_SINK : JOB_SOURCE, size, count);
    for (uint32_t i = 0; good && i < count; i++) {
        good = to_host ? write_all(fd, buffer, size) : read_all(fd, buffer, size);
    }
    if (!good || (to_host && !read_all(fd, buffer, 1))) {
        die("transfer");
    }
    return (double)count * size / (1 << 20) / ((now_us() - begin) / 1e6);
}

static double measure(const char *what, int fd, uint32_t count, uint32_t size, char *buffer)
{
    return strcmp(what, "echo") ? transfer(fd, !strcmp(what, "sink"), count, size, buffer)
                                : echo(fd, count, size, buffer);
}

int main(int argc, char **argv)
{
    int repetitions = argc > 5 ? atoi(argv[2]) : 0, n = argc - 5;
    uint32_t count = argc > 5 ? (uint32_t)atoi(argv[3]) : 0, size = argc > 5 ? (uint32_t)atoi(argv[4]) : 0;
    char *buffer = calloc(1, SIZE_MOST);
    double **values;
    int *fd;

    if (repetitions < 1 || !count || !size || size > SIZE_MOST ||
        (strcmp(argv[1], "echo") && strcmp(argv[1], "sink") && strcmp(argv[1], "source"))) {
        fprintf(stderr, "usage: bench-transport echo|sink|source REPETITIONS COUNT SIZE ADDRESS...\n");
        return 2;
    }
    values = calloc((size_t)n, sizeof(*values));
    fd = calloc((size_t)n, sizeof(*fd));
    for (int i = 0; i < n; i++) {
        values[i] = calloc((size_t)repetitions, sizeof(**values));
        fd[i] = transport_open(argv[5 + i]);
        measure(argv[1], fd[i], WARM_UP, size, buffer);
    }
    for (int r = 0; r < repetitions; r++) {
        for (int i = 0; i < n; i++) {
            values[i][r] = measure(argv[1], fd[i], count, size, buffer);
        }
    }
    print_arrays(values, n, repetitions);
    return 0;
}
