/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault-cases.c - guests that misbehave; see fault-client.c. */
#include "fault-client.h"

#include <stdio.h>
#include <string.h>

#define SILENT_FRAMES 1500
#define POISON 0xa5
#define POISON_BUFFERS 4
#define HUGE_SIDE 16384

int run_stream(Job *job)
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

int run_silent(Job *job)
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
 * The request and the buffer's end race: the drawing, another drawing of the same guest, or an error. Two pictures
 * ahead keep the stream busy, so that with a slow encoder the look-up comes when all is over.
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
    if (i % 4) { /* with virtio_gpu.virglhack=0 it gets the id just freed, if the device has let go of it */
        sleep_ms(i % 8 > 4 ? 10 : 0);
        ret |= make(job, sizes[i % 4 - 1][0], sizes[i % 4 - 1][1], i, &other);
        job->same_ids += other.resource_id == request.wire.resource_id;
    }
    ret |= player_collect(&job->player, 0);
    buffer_free(&other);
    return ret;
}

int run_vanish(Job *job)
{
    Buffer ahead;
    int ret = make(job, 640, 360, 0, &ahead) < 0 ? -1 : player_configure(&job->player, 1, 640, 360);

    for (unsigned i = 0; i < job->count && ret == 0; i++) {
        ret = vanish_once(job, &ahead, i);
    }
    printf("# %u of %u ids were used again\n", job->same_ids, job->count * 3 / 4);
    return ret;
}

/* What a request is answered with, whatever that is. Every other picture has a size that none had before: its memory is
 * new. */
int run_codes(Job *job)
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

int run_released(Job *job)
{
    return play_poison(job, true);
}

int run_poison(Job *job)
{
    return play_poison(job, false);
}

int run_streams(Job *job)
{
    enum { ROUNDS = 10 };
    Buffer buffers[PLAYER_MAX_PENDING];
    int ret = 0;

    for (unsigned i = 0; i < job->count && ret == 0; i++) {
        ret = make(job, SMALL_WIDTH, SMALL_HEIGHT, i, &buffers[i]) < 0 ||
                player_configure(&job->player, (uint16_t)(i + 1), SMALL_WIDTH, SMALL_HEIGHT) < 0
            ? -1
            : 0;
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

int run_huge(Job *job)
{
    static const struct {
        uint32_t x, y, width, height;
        int error;
    } parts[] = {
        { 0, 0, HUGE_SIDE, HUGE_SIDE, HELIX_CODE_GEOMETRY },
        { 0, 0, 8194, 64, HELIX_CODE_GEOMETRY },
        { 0, 0, 8192, 8192, HELIX_CODE_GEOMETRY },
        { 8192, 12032, 8192, 4352, 0 }, /* the most that H.264 takes */
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

int run_hold(Job *job)
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

/* ---- everything, many times ---- */

/* A connection that asks for some frames, of which some cannot be had, and is left with the last unanswered. */
static int soak_connection(Job *job, const Buffer *buffers, unsigned from, unsigned frames)
{
    const Buffer *buffer = &buffers[from / 10 % 3];
    Wire wire;
    int ret = wire_open(&wire, job->address);

    for (unsigned i = from; i < from + frames && ret == 0; i++) {
        WireRequest request = request_for(i % 7 ? buffer : &buffers[i % 3], i).wire;
        WireMessage message;

        request.pts = i;
        request.force_key = i % 11 == 0;
        request.resource_id += i % 13 == 0 ? 1000000 : 0;
        request.width += i % 17 == 0 ? 10000 : 0;
        ret = wire_send_request(&wire, &request);
        if (ret == 0 && (i + 1 < from + frames || i % 20 < 10)) {
            ret = wire_receive(&wire, &message, 60000);
            wire_message_clear(&message);
        }
    }
    wire_close(&wire);
    return ret;
}

int run_soak(Job *job)
{
    static const int sizes[3][2] = { { 320, 180 }, { 640, 360 }, { 322, 182 } };
    Buffer buffers[3];
    int ret = 0;

    for (unsigned i = 0; i < 3 && ret == 0; i++) {
        ret = make(job, sizes[i][0], sizes[i][1], i, &buffers[i]);
    }
    /* One process, so that the GPU's contexts stay the same; the host looks at QEMU between rounds. */
    for (unsigned i = 0; ret == 0; i += 10) {
        if (i % job->count == 0) {
            printf("round %u\n", i / job->count);
            if (getchar() == EOF) {
                break;
            }
        }
        ret = soak_connection(job, buffers, i, 10);
    }
    for (unsigned i = 0; i < 3; i++) {
        buffer_free(&buffers[i]);
    }
    return ret;
}
