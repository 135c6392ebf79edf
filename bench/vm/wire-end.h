/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire-end.h - what the two ends of a transport say to each other in the rows that measure transports.
 *
 * The guest's end (guest/bench-transport.c) sends a job, the host's end (peer.c) does it and waits for the next one.
 */
#ifndef HELIX_BENCH_WIRE_END_H
#define HELIX_BENCH_WIRE_END_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define JOB_ECHO 1u   /* the host sends back each @size bytes, @count times */
#define JOB_SINK 2u   /* the host reads @count times @size bytes, then sends one byte */
#define JOB_SOURCE 3u /* the host writes @count times @size bytes */
#define SIZE_MOST (1u << 20)

typedef struct Job {
    uint32_t what, size, count;
} Job;

static inline bool read_all(int fd, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)to + done, size - done);

        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static inline bool write_all(int fd, const void *from, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, (const char *)from + done, size - done);

        if (put <= 0) {
            return false;
        }
        done += (size_t)put;
    }
    return true;
}

#endif
