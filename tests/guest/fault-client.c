/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault-client ADDRESS DIRECTORY WHAT [NUMBER]: guests that misbehave, and those that must not notice (issue: faults in
 * a running VM). What comes back is kept as the film WHAT.h264 in DIRECTORY, to be compared with what was drawn.
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
 *
 * Prints why it failed to stderr and exits 1.
 */
#include "buffer.h"
#include "film.h"
#include "pattern.h"
#include "player.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SMALL_WIDTH     320
#define SMALL_HEIGHT    180
#define FRAME_MS        66
#define SILENT_FRAMES   1500
#define POISON          0xa5
#define POISON_BUFFERS  4
#define HUGE_SIDE       16384

typedef struct Job {
    Gpu gpu;
    bool has_gpu;
    Player player;
    unsigned count;             /* the argument NUMBER */
    unsigned same_ids;          /* resource ids that were used again */
} Job;

static volatile sig_atomic_t ending;

static void on_term(int number)
{
    (void)number;
    ending = 1;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(int64_t ms)
{
    if (ms > 0) {
        nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * 1000000 }, NULL);
    }
}

static BufferArea whole(const Buffer *buffer)
{
    return (BufferArea) { 0, 0, buffer->width, buffer->height };
}

static PlayerRequest request_for(const Buffer *buffer, unsigned number)
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

/* Classic resources are there on every device; the CPU paints them. */
static int make(Job *job, int width, int height, unsigned number, Buffer *buffer)
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

/* ---- guests that misbehave ---- */

static int run_stream(Job *job)
{
    Buffer buffer;
    int ret = make(job, 640, 360, 1, &buffer);

    if (ret < 0 || player_configure(&job->player, 1, 640, 360) < 0) {
        return -1;
    }
    for (unsigned i = 0; !ending && ret == 0; i++) {
        PlayerRequest request = request_for(&buffer, 1);

        ret = player_send(&job->player, &request) < 0 ? -1 : player_collect(&job->player, 2);
        if (i == 3) {
            printf("started\n");
        }
    }
    return ret < 0 ? -1 : player_collect(&job->player, 0);
}

static int run_silent(Job *job)
{
    Wire *wire = &job->player.wire;
    unsigned units = 0, busy = 0;
    Buffer buffer;

    if (make(job, 640, 360, 2, &buffer) < 0 || player_configure(&job->player, 1, 640, 360) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < SILENT_FRAMES; i++) {
        WireRequest request = request_for(&buffer, 2).wire;

        request.pts = i;
        request.force_key = 1;
        if (wire_send_request(wire, &request) < 0) {
            return -1;
        }
    }
    printf("silent\n");
    sleep_ms((int64_t)job->count * 1000);
    for (unsigned i = 0; i < SILENT_FRAMES; i++) {
        WireMessage message;

        if (wire_receive(wire, &message, 60000) < 0) {
            fprintf(stderr, "answer %u did not come\n", i);
            return -1;
        }
        if (message.type == HELIX_MSG_FRAME_RESPONSE && wire_get64(message.payload + HELIX_RESPONSE_PTS) < (int64_t)i) {
            fprintf(stderr, "answer %u is out of order\n", i);
            return -1;
        }
        units += message.type == HELIX_MSG_FRAME_RESPONSE;
        busy += message.type == HELIX_MSG_ERROR && (int)wire_get32(message.payload) == HELIX_CODE_BUSY;
        wire_message_clear(&message);
    }
    printf("# of %u requests %u gave access units, %u were too many\n", SILENT_FRAMES, units, busy);
    buffer_free(&buffer);
    return units && units + busy == SILENT_FRAMES ? 0 : -1;
}

/*
 * The request and the buffer's end race: the drawing, another drawing of the same guest, or an error. Two pictures ahead
 * keep the stream busy, so that with a slow encoder the look-up comes when all is over.
 */
static int vanish_once(Job *job, Buffer *ahead, unsigned i)
{
    static const int sizes[][2] = { { 640, 360 }, { 320, 180 }, { 1280, 720 } };
    PlayerRequest request = request_for(ahead, 0);
    Buffer buffer, other = { .dmabuf = -1 };
    int ret = make(job, 640, 360, i, &buffer);

    if (ret < 0 || player_send(&job->player, &request) < 0 || player_send(&job->player, &request) < 0) {
        return -1;
    }
    request = request_for(&buffer, i % 4 ? FILM_ANY : i);
    request.may_fail = HELIX_CODE_NOT_FOUND;
    request.may_fail_too = HELIX_CODE_GEOMETRY;
    ret = player_send(&job->player, &request);
    buffer_free(&buffer);
    if (i % 4) {        /* with virtio_gpu.virglhack=0 it gets the id just freed, if the device has let go of it */
        ret |= i % 8 > 4 ? gpu_settle(&job->gpu) : 0;
        ret |= make(job, sizes[i % 4 - 1][0], sizes[i % 4 - 1][1], i, &other);
        job->same_ids += other.resource_id == request.wire.resource_id;
    }
    ret |= player_collect(&job->player, 0);
    buffer_free(&other);
    return ret;
}

static int run_vanish(Job *job)
{
    Buffer ahead;
    int ret = make(job, 640, 360, 0, &ahead) < 0 ? -1 : player_configure(&job->player, 1, 640, 360);

    for (unsigned i = 0; i < job->count && ret == 0; i++) {
        ret = vanish_once(job, &ahead, i);
    }
    printf("# %u of %u ids were used again\n", job->same_ids, job->count * 3 / 4);
    return ret;
}

/* What a request is answered with, whatever that is. Every other picture has a size that none had before: its memory is new. */
static int run_codes(Job *job)
{
    Wire *wire = &job->player.wire;

    for (unsigned i = 0; i < job->count; i++) {
        WireMessage message;
        WireRequest request;
        Buffer buffer;

        if (make(job, 640, i % 2 ? 360 + 2 * (int)i : 360, i, &buffer) < 0) {
            return -1;
        }
        request = request_for(&buffer, i).wire;
        if (wire_send_request(wire, &request) < 0 || wire_receive(wire, &message, 60000) < 0) {
            return -1;
        }
        if (message.type == HELIX_MSG_ERROR) {
            printf("code %d %s\n", (int)wire_get32(message.payload), message.payload + HELIX_ERROR_MESSAGE);
        } else {
            printf("code 0\n");
        }
        wire_message_clear(&message);
        buffer_free(&buffer);
    }
    return 0;
}

/* Fill memory like that of the buffer just freed with what must not be seen. */
static int spread_poison(Job *job, int width, int height)
{
    Buffer buffers[POISON_BUFFERS];
    int made = 0, ret = 0;

    for (; made < POISON_BUFFERS && ret == 0; made++) {
        BufferSpec spec = { .kind = BUFFER_CLASSIC, .width = width, .height = height };

        ret = buffer_new(&job->gpu, &spec, &buffers[made]);
        if (ret == 0) {
            memset(buffers[made].map, POISON, buffers[made].size);
        }
    }
    while (made > 0) {
        buffer_free(&buffers[--made]);
    }
    return ret;
}

static int play_poison(Job *job, bool wait_for_release)
{
    const int width = 1920, height = 1080;
    int ret = player_configure(&job->player, 1, width, height);

    for (unsigned i = 0; i < job->count && ret == 0; i++) {
        Buffer buffer;
        PlayerRequest request;

        ret = make(job, width, height, i, &buffer);
        if (ret < 0) {
            break;
        }
        request = request_for(&buffer, i);
        request.wire.flags = HELIX_REQUEST_EXT | HELIX_REQUEST_RELEASE;
        request.wire.source = i % 2 ? HELIX_SOURCE_TEXTURE : HELIX_SOURCE_PAGES;
        request.may_fail = wait_for_release ? 0 : HELIX_CODE_NOT_FOUND;
        ret = player_send(&job->player, &request);
        if (ret == 0 && wait_for_release) {
            ret = player_collect_release(&job->player);
        }
        buffer_free(&buffer);
        ret |= spread_poison(job, width, height);
        ret |= player_collect(&job->player, 0);
    }
    return ret;
}

static int run_released(Job *job)
{
    return play_poison(job, true);
}

static int run_poison(Job *job)
{
    return play_poison(job, false);
}

static int run_streams(Job *job)
{
    enum { ROUNDS = 10 };
    Buffer buffers[PLAYER_MAX_PENDING];
    int ret = 0;

    for (unsigned i = 0; i < job->count && ret == 0; i++) {
        ret = make(job, SMALL_WIDTH, SMALL_HEIGHT, i, &buffers[i]) < 0 ||
            player_configure(&job->player, (uint16_t)(i + 1), SMALL_WIDTH, SMALL_HEIGHT) < 0 ? -1 : 0;
    }
    for (unsigned round = 0; round < ROUNDS && ret == 0; round++) {
        for (unsigned i = 0; i <= job->count && ret == 0; i++) {
            PlayerRequest request = request_for(&buffers[i % job->count], i);

            request.wire.session = (uint16_t)(i + 1);
            request.expect_error = i == job->count ? HELIX_CODE_NO_ENCODER : 0;
            ret = player_send(&job->player, &request);
        }
        ret |= player_collect(&job->player, 0);
    }
    return ret;
}

static int run_huge(Job *job)
{
    static const struct {
        uint32_t x, y, width, height;
        int error;
    } parts[] = {
        { 0, 0, HUGE_SIDE, HUGE_SIDE, HELIX_CODE_GEOMETRY },
        { 0, 0, 8194, 64, HELIX_CODE_GEOMETRY },
        { 0, 0, 8192, 8192, HELIX_CODE_GEOMETRY },
        { 8192, 12032, 8192, 4352, 0 },     /* the most that H.264 takes */
        { 1, 1, 640, 360, 0 },
    };
    Buffer buffer;
    int64_t made = now_ms();
    int ret = buffer_new_unbacked(&job->gpu, HUGE_SIDE, HUGE_SIDE, 4096, &buffer);

    if (ret == 0) {
        ret = gpu_settle(&job->gpu);
    }
    printf("# the GPU made the resource in %lld ms\n", (long long)(now_ms() - made));

    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]) && ret == 0; i++) {
        PlayerRequest request = request_for(&buffer, FILM_ANY);
        int64_t begin = now_ms();

        request.expect_error = parts[i].error;
        request.wire.flags = HELIX_REQUEST_EXT;
        request.wire.crop_x = parts[i].x;
        request.wire.crop_y = parts[i].y;
        request.wire.width = parts[i].width;
        request.wire.height = parts[i].height;
        request.wire.res_width = request.wire.res_height = HUGE_SIDE;
        ret = player_send(&job->player, &request) < 0 ? -1 : player_collect(&job->player, 0);
        printf("# %u x %u of 16384 x 16384: answered in %lld ms\n", parts[i].width, parts[i].height,
               (long long)(now_ms() - begin));
    }
    buffer_free(&buffer);
    return ret;
}

static int run_hold(Job *job)
{
    WireMessage message;

    if (player_configure(&job->player, 1, SMALL_WIDTH, SMALL_HEIGHT) < 0) {
        return -1;
    }
    printf("holding\n");
    while (wire_receive(&job->player.wire, &message, 3600000) == 0) {
        wire_message_clear(&message);
    }
    printf("ended\n");
    return 0;
}

/* ---- main ---- */

static const struct {
    const char *name;
    int (*run)(Job *job);
    bool without_gpu;
} whats[] = {
    { "once", run_once, false },
    { "bystander", run_bystander, false },
    { "pixels", run_pixels, true },
    { "stream", run_stream, false },
    { "silent", run_silent, false },
    { "vanish", run_vanish, false },
    { "codes", run_codes, false },
    { "released", run_released, false },
    { "poison", run_poison, false },
    { "streams", run_streams, false },
    { "huge", run_huge, false },
    { "hold", run_hold, true },
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
    job.count = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGTERM, &action, NULL);
    return run(&job, argv[3], argv[1], argv[2]) < 0 ? 1 : 0;
}
