/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-frames WHAT REPETITIONS COUNT WIDTH HEIGHT [ECHO]: frames of a GL texture by the raw protocol, timed.
 *
 *     latency   COUNT times a FRAME_REQUEST and its answer, and in turn a round trip of 64 bytes to bench-peer at
 *               address ECHO: p50 of both, p99 of both, in microseconds
 *     start     COUNT connections, each to its first IDR, less what the host says its encode took: p50 in microseconds
 *     stream    COUNT frames with two requests in flight: frames a second
 *
 * Prints one line of JSON: an array for each of these, with a value for each repetition.
 */
#include "transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tests/guest/buffer.h"
#include "../../../tests/guest/wire.h"

#define HOST "vsock:2:5000"
#define ECHO_BYTES 64u
#define WARM_UP 20u
#define ANSWER_MS 20000
#define FRAME_NS 16666667
#define PICTURES 4u
#define BITRATE 6000000u

static Buffer pictures[PICTURES];
static int64_t next_pts;

static void fail(const char *what)
{
    fprintf(stderr, "bench-frames: %s\n", what);
    exit(1);
}

static void configure(Wire *wire)
{
    WireConfig config = { .fps_num = 60, .fps_den = 1, .profile = 100, .bitrate = BITRATE };
    WireMessage message;

    if (wire_send_config(wire, 1, HELIX_CONFIG_ANSWER, &config) < 0 || wire_receive(wire, &message, ANSWER_MS) < 0 ||
        message.type != HELIX_MSG_CONFIG_RESP) {
        fail("the host did not take the configuration");
    }
    wire_message_clear(&message);
}

static void ask(Wire *wire, uint8_t flags)
{
    const Buffer *picture = &pictures[next_pts / FRAME_NS % PICTURES];
    WireRequest request = { .session = 1,
                            .flags = flags,
                            .resource_id = picture->resource_id,
                            .pts = next_pts,
                            .width = (uint32_t)picture->width,
                            .height = (uint32_t)picture->height,
                            .fourcc = picture->fourcc,
                            .stride = picture->stride,
                            .duration = FRAME_NS };

    next_pts += FRAME_NS;
    if (wire_send_request(wire, &request) < 0) {
        fail("a request could not be sent");
    }
}

/* The answer to the oldest request; returns what the host says its encode took if it was asked, in microseconds. */
static double answered(Wire *wire, bool timing)
{
    WireMessage message;
    double encode = 0;

    if (wire_receive(wire, &message, ANSWER_MS) < 0 || message.type != HELIX_MSG_FRAME_RESPONSE) {
        fail("a frame was not answered with an access unit");
    }
    if (timing) {
        if (!(message.flags & HELIX_RESPONSE_TIMING)) {
            fail("the host did not tell its times");
        }
        encode = (double)(wire_get64(message.payload + message.size - 8) -
                          wire_get64(message.payload + message.size - 16)) /
            1e3;
    }
    wire_message_clear(&message);
    return encode;
}

static Wire connect_host(void)
{
    Wire wire;

    if (wire_open(&wire, HOST) < 0) {
        fail("no connection to the host");
    }
    configure(&wire);
    return wire;
}

static void latency(int repetitions, uint32_t count, const char *echo)
{
    char bytes[ECHO_BYTES] = { 0 };
    Wire wire = connect_host();
    int peer = transport_open(echo);
    double *values[4], *frame = calloc(count, sizeof(*frame)), *ping = calloc(count, sizeof(*ping));

    for (int i = 0; i < 4; i++) {
        values[i] = calloc((size_t)repetitions, sizeof(double));
    }
    for (int r = -1; r < repetitions; r++) {
        uint32_t n = r < 0 ? WARM_UP : count;

        transport_begin(peer, JOB_ECHO, ECHO_BYTES, n);
        for (uint32_t i = 0; i < n; i++) {
            double begin = now_us();

            ask(&wire, 0);
            answered(&wire, false);
            frame[i < count ? i : 0] = now_us() - begin;
            ping[i < count ? i : 0] = transport_round(peer, bytes, ECHO_BYTES);
        }
        for (int i = 0; i < 4 && r >= 0; i++) {
            values[i][r] = quantile(i % 2 ? ping : frame, count, i < 2 ? 0.5 : 0.99);
        }
    }
    print_arrays(values, 4, repetitions);
    wire_close(&wire);
}

static void start(int repetitions, uint32_t count)
{
    double *values = calloc((size_t)repetitions, sizeof(double)), *took = calloc(count, sizeof(*took));

    for (int r = 0; r < repetitions; r++) {
        for (uint32_t i = 0; i < count; i++) {
            double begin = now_us();
            Wire wire = connect_host();

            ask(&wire, HELIX_REQUEST_TIMING);
            took[i] = -answered(&wire, true);
            took[i] += now_us() - begin;
            wire_close(&wire);
        }
        values[r] = quantile(took, count, 0.5);
    }
    print_arrays(&values, 1, repetitions);
}

static void stream(int repetitions, uint32_t count)
{
    double *values = calloc((size_t)repetitions, sizeof(double));
    Wire wire = connect_host();

    for (int r = 0; r < repetitions; r++) {
        double begin = now_us();

        ask(&wire, 0);
        for (uint32_t i = 1; i < count; i++) {
            ask(&wire, 0);
            answered(&wire, false);
        }
        answered(&wire, false);
        values[r] = count / ((now_us() - begin) / 1e6);
    }
    print_arrays(&values, 1, repetitions);
    wire_close(&wire);
}

int main(int argc, char **argv)
{
    int repetitions = argc > 5 ? atoi(argv[2]) : 0;
    uint32_t count = argc > 5 ? (uint32_t)atoi(argv[3]) : 0;
    BufferSpec spec = { .kind = BUFFER_GL };
    Gpu gpu;

    if (repetitions < 1 || !count) {
        fprintf(stderr, "usage: bench-frames latency|start|stream REPETITIONS COUNT WIDTH HEIGHT [ECHO]\n");
        return 2;
    }
    spec.width = atoi(argv[4]);
    spec.height = atoi(argv[5]);
    if (gpu_open(&gpu) < 0) {
        fail("no virtio-gpu");
    }
    for (unsigned i = 0; i < PICTURES; i++) {
        BufferArea all = { 0, 0, spec.width, spec.height };

        if (buffer_new(&gpu, &spec, &pictures[i]) < 0 || buffer_draw(&pictures[i], i, &all) < 0 ||
            buffer_wait(&pictures[i]) < 0) {
            fail("no picture");
        }
    }
    if (!strcmp(argv[1], "latency") && argc == 7) {
        latency(repetitions, count, argv[6]);
    } else if (!strcmp(argv[1], "start")) {
        start(repetitions, count);
    } else {
        stream(repetitions, count);
    }
    return 0;
}
