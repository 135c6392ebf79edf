/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault-client ADDRESS DIRECTORY WHAT [NUMBER]: guests that misbehave, and those that must not notice (docs/qemu.md,
 * Faults). What comes back is kept as the film WHAT.h264 in DIRECTORY, to be compared with what was drawn.
 *
 * once          three pictures, as any guest would: the connection after the fault
 * bystander     pictures of 15 a second by resource id until SIGTERM; prints "unit N" for each
 * pixels        the same with the pixels in the requests, which needs no GPU
 * stream        as fast as it goes, to be killed; prints "started"
 * silent N      asks for 1500 frames, reads nothing for N seconds, then reads it all
 * vanish N      N buffers that are gone, or others under the same id, as soon as they were asked for
 * codes N       prints what each of N requests is answered with: "code 0" an access unit
 * released N    N buffers whose pages serve something else as soon as the host said FRAME_RELEASED
 * poison N      the same without waiting for the host's word
 * streams N     N streams at once; one more is refused
 * huge          a texture of 16384 x 16384
 * hold          opens a stream and waits until the connection ends
 * soak N        rounds of N frames by connections of ten, with resizes, frames that cannot be had, and the last left
 *               unanswered; one for each byte of its input
 *
 * Prints why it failed to stderr and exits 1.
 */
#include "fault-client.h"
#include "pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MS 66

volatile sig_atomic_t ending;

static void on_term(int number)
{
    (void)number;
    ending = 1;
}

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int64_t ms)
{
    if (ms > 0) {
        nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
    }
}

static BufferArea whole(const Buffer *buffer)
{
    return (BufferArea){ 0, 0, buffer->width, buffer->height };
}

PlayerRequest request_for(const Buffer *buffer, unsigned number)
{
    return (PlayerRequest) {
        .number = number,
        .area = whole(buffer),
        .wire = {
            .session = 1,
            .resource_id = buffer->resource_id,
            .width = (uint32_t)buffer->width,
            .height = (uint32_t)buffer->height,
            .fourcc = buffer->fourcc,
            .stride = buffer->stride,
        },
    };
}

int make(Job *job, int width, int height, unsigned number, Buffer *buffer)
{
    BufferSpec spec = { .kind = BUFFER_CLASSIC, .width = width, .height = height };
    BufferArea area = { 0, 0, width, height };

    if (buffer_new(&job->gpu, &spec, buffer) < 0) {
        return -1;
    }
    return buffer_draw(buffer, number, &area) < 0 || buffer_upload(buffer) < 0 ? -1 : 0;
}

/* Drawing @number with its pixels in the request; @pixels has room for the small picture. */
static int send_pixels(Job *job, unsigned number, uint8_t *pixels)
{
    PlayerRequest request = {
        .number = number,
        .wire = {
            .session = 1, .flags = HELIX_REQUEST_PIXEL_DATA, .width = SMALL_WIDTH, .height = SMALL_HEIGHT,
            .fourcc = HELIX_FORMAT_XR24, .stride = SMALL_WIDTH * 4, .pixels = pixels,
            .pixel_size = SMALL_WIDTH * SMALL_HEIGHT * 4,
        },
    };

    pattern_paint(number, SMALL_WIDTH, SMALL_HEIGHT, pixels, SMALL_WIDTH * 4, 0, 0xff);
    return player_send(&job->player, &request);
}

/* ---- guests that go on ---- */

/* Pictures at a steady pace; every answer must come, in order. */
static int play_steadily(Job *job, bool by_id)
{
    uint8_t *pixels = malloc(SMALL_WIDTH * SMALL_HEIGHT * 4);
    int64_t begin = now_ms();
    int ret = 0;

    for (unsigned i = 0; !ending && ret == 0; i++) {
        Buffer buffer = { .dmabuf = -1 };
        unsigned number = i % PATTERN_MAX_NUMBER;

        if (by_id) {
            ret = make(job, SMALL_WIDTH, SMALL_HEIGHT, number, &buffer);
            if (ret == 0) {
                PlayerRequest request = request_for(&buffer, number);

                ret = player_send(&job->player, &request);
            }
        } else {
            ret = send_pixels(job, number, pixels);
        }
        if (ret == 0) {
            ret = player_collect(&job->player, 0);
        }
        buffer_free(&buffer);
        printf("unit %u %lld\n", i, (long long)now_ms());
        sleep_ms(begin + (int64_t)(i + 1) * FRAME_MS - now_ms());
    }
    free(pixels);
    return ret;
}

static int run_bystander(Job *job)
{
    return player_configure(&job->player, 1, SMALL_WIDTH, SMALL_HEIGHT) < 0 ? -1 : play_steadily(job, true);
}

static int run_pixels(Job *job)
{
    return player_configure(&job->player, 1, SMALL_WIDTH, SMALL_HEIGHT) < 0 ? -1 : play_steadily(job, false);
}

static int run_once(Job *job)
{
    static uint8_t pixels[SMALL_WIDTH * SMALL_HEIGHT * 4];
    int ret = player_configure(&job->player, 1, SMALL_WIDTH, SMALL_HEIGHT);

    for (unsigned i = 0; i < 3 && ret == 0; i++) {
        Buffer buffer = { .dmabuf = -1 };

        if (job->has_gpu) {
            ret = make(job, SMALL_WIDTH, SMALL_HEIGHT, 700 + i, &buffer);
            if (ret == 0) {
                PlayerRequest request = request_for(&buffer, 700 + i);

                ret = player_send(&job->player, &request);
            }
        } else {
            ret = send_pixels(job, 700 + i, pixels);
        }
        if (ret == 0) {
            ret = player_collect(&job->player, 0);
        }
        buffer_free(&buffer);
    }
    return ret;
}

/* ---- main ---- */

static const struct {
    const char *name;
    int (*run)(Job *job);
    bool without_gpu;
} whats[] = {
    { "once", run_once, false },       { "bystander", run_bystander, false }, { "pixels", run_pixels, true },
    { "stream", run_stream, false },   { "silent", run_silent, false },       { "vanish", run_vanish, false },
    { "codes", run_codes, false },     { "released", run_released, false },   { "poison", run_poison, false },
    { "streams", run_streams, false }, { "huge", run_huge, false },           { "hold", run_hold, true },
    { "soak", run_soak, false },
};

static int run(Job *job, const char *name, const char *address, const char *directory)
{
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        int ret;

        if (strcmp(name, whats[i].name) != 0) {
            continue;
        }
        job->has_gpu = !whats[i].without_gpu && gpu_open(&job->gpu) == 0;
        if (!job->has_gpu && !whats[i].without_gpu && strcmp(name, "once") != 0) {
            return -1;
        }
        if (player_open(&job->player, address, directory, name) < 0) {
            return -1;
        }
        ret = whats[i].run(job);
        return player_close(&job->player) < 0 ? -1 : ret;
    }
    fprintf(stderr, "there is no '%s'\n", name);
    return -1;
}

int main(int argc, char **argv)
{
    static Job job;
    struct sigaction action = { .sa_handler = on_term };

    if (argc < 4) {
        fprintf(stderr, "usage: %s ADDRESS DIRECTORY WHAT [NUMBER]\n", argv[0]);
        return 2;
    }
    job.address = argv[1];
    job.count = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGTERM, &action, NULL);
    return run(&job, argv[3], argv[1], argv[2]) < 0 ? 1 : 0;
}
