/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture-cases.c - streams of drawings, and the cases where one stream is not enough; see picture-cases.h. */
#include "picture-cases.h"
#include "host3d.h"
#include "pattern.h"
#include "snapshot-cases.h"

#include <drm_fourcc.h>
#include <stdio.h>
#include <time.h>

#define EXT HELIX_REQUEST_EXT
#define RELEASE HELIX_REQUEST_RELEASE

BufferArea picture_whole(const Buffer *buffer)
{
    return (BufferArea){ 0, 0, buffer->width, buffer->height };
}

PlayerRequest picture_request(const Buffer *buffer, const BufferArea *area, uint8_t source, uint8_t flags,
                              unsigned number)
{
    return (PlayerRequest) {
        .number = number,
        .area = *area,
        .wire = {
            .session = 1,
            .flags = flags,
            .resource_id = buffer->resource_id,
            .width = (uint32_t)area->width,
            .height = (uint32_t)area->height,
            .fourcc = buffer->fourcc,
            .stride = buffer->stride,
            .source = source,
            .planes = buffer->chroma ? 2 : 1,
            .crop_x = (uint32_t)area->x,
            .crop_y = (uint32_t)area->y,
            .res_width = (uint32_t)buffer->width,
            .res_height = (uint32_t)buffer->height,
            .offset = { buffer->offset, buffer->chroma },
            .stride_of = { buffer->stride, buffer->chroma ? buffer->stride : 0 },
        },
    };
}

int picture_draw(Buffer *buffer, unsigned number, const BufferArea *area)
{
    return buffer_draw(buffer, number, area) < 0 || buffer_upload(buffer) < 0 || buffer_wait(buffer) < 0 ? -1 : 0;
}

int ring_new(Gpu *gpu, const BufferSpec *spec, Buffer ring[RING])
{
    for (int i = 0; i < RING; i++) {
        if (buffer_new(gpu, spec, &ring[i]) < 0) {
            while (i > 0) {
                buffer_free(&ring[--i]);
            }
            return -1;
        }
    }
    return 0;
}

void ring_free(Buffer ring[RING])
{
    for (int i = 0; i < RING; i++) {
        buffer_free(&ring[i]);
    }
}

int play_picture(Player *player, const Picture *picture, Buffer ring[RING], unsigned first)
{
    BufferArea area = picture->area.width ? picture->area : picture_whole(&ring[0]);

    for (unsigned i = 0; i < picture->frames; i++) {
        Buffer *buffer = &ring[i % RING];
        PlayerRequest request = picture_request(buffer, &area, picture->source, picture->flags, first + i);

        request.spoil = picture->spoil ? buffer : NULL;
        if (picture_draw(buffer, first + i, &area) < 0 || (i == 0 && buffer_verify(buffer, first, &area) < 0) ||
            player_send(player, &request) < 0 || player_collect(player, IN_FLIGHT - 1) < 0) {
            return -1;
        }
    }
    return player_collect(player, 0);
}

/* ---- cases that are more than one stream of pictures ---- */

/* What a whole device can be asked for: the cheapest kind it has. */
static BufferSpec plain_spec(Context *context, int width, int height)
{
    return (BufferSpec){ .kind = context->gpu.has_3d ? BUFFER_GL : BUFFER_CLASSIC, .width = width, .height = height };
}

/* Texture and pages of one resource hold different pictures; source says which one is meant, and 0 the texture. */
static int play_sources(Context *context, Player *player)
{
    static const uint8_t sources[] = { HELIX_SOURCE_TEXTURE, HELIX_SOURCE_PAGES, HELIX_SOURCE_AUTO };
    BufferSpec spec = { .kind = BUFFER_CLASSIC, .width = 640, .height = 360 };
    Buffer buffer;
    BufferArea area;
    int ret = -1;

    if (buffer_new(&context->gpu, &spec, &buffer) < 0) {
        return -1;
    }
    area = picture_whole(&buffer);
    if (player_configure(player, 1, spec.width, spec.height) == 0) {
        ret = 0;
    }
    for (unsigned i = 0; i < 9 && ret == 0; i++) {
        uint8_t source = sources[i % 3];
        unsigned texture = 100 + i, pages = 200 + i;
        PlayerRequest request = picture_request(&buffer, &area, source, EXT,
                                                source == HELIX_SOURCE_PAGES ? pages : texture);

        if (picture_draw(&buffer, texture, &area) < 0 || gpu_settle(&context->gpu) < 0 ||
            buffer_draw(&buffer, pages, &area) < 0 || player_send(player, &request) < 0 ||
            player_collect(player, 0) < 0) {
            ret = -1;
        }
    }
    buffer_free(&buffer);
    return ret;
}

/* One session whose frames change size: each change starts a new SPS and an IDR. */
static int play_sizes(Context *context, Player *player)
{
    static const int sizes[][2] = { { 640, 360 }, { 64, 64 }, { 1280, 720 }, { 321, 239 }, { 640, 360 } };
    unsigned number = 1;

    if (player_configure(player, 1, 1280, 720) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        BufferSpec spec = plain_spec(context, sizes[i][0], sizes[i][1]);
        Picture picture = { .spec = spec, .frames = 4 };
        Buffer ring[RING];
        int ret;

        if (ring_new(&context->gpu, &spec, ring) < 0) {
            return -1;
        }
        ret = play_picture(player, &picture, ring, number);
        ring_free(ring);
        if (ret < 0) {
            return -1;
        }
        number += picture.frames;
    }
    return 0;
}

/* Two sessions of different sizes take turns on one connection. */
static int play_two_streams(Context *context, Player *player)
{
    BufferSpec specs[2] = { plain_spec(context, 640, 360), plain_spec(context, 322, 182) };
    Buffer rings[2][RING];
    int ret = -1;

    if (ring_new(&context->gpu, &specs[0], rings[0]) < 0) {
        return -1;
    }
    if (ring_new(&context->gpu, &specs[1], rings[1]) < 0) {
        ring_free(rings[0]);
        return -1;
    }
    if (player_configure(player, 7, 640, 360) == 0 && player_configure(player, 300, 322, 182) == 0) {
        ret = 0;
    }
    for (unsigned i = 0; i < 16 && ret == 0; i++) {
        Buffer *buffer = &rings[i % 2][i / 2 % RING];
        BufferArea area = picture_whole(buffer);
        PlayerRequest request = picture_request(buffer, &area, 0, 0, 50 + i);

        request.wire.session = i % 2 ? 300 : 7;
        if (picture_draw(buffer, 50 + i, &area) < 0 || player_send(player, &request) < 0 ||
            player_collect(player, 3) < 0) {
            ret = -1;
        }
    }
    if (ret == 0) {
        ret = player_collect(player, 0);
    }
    ring_free(rings[0]);
    ring_free(rings[1]);
    return ret;
}

/* REPEAT encodes the last picture, although the buffer has another drawing by then; PIXEL_DATA needs no resource. */
static int play_repeat_and_pixels(Context *context, Player *player)
{
    static uint8_t pixels[(640 * 4 + 32) * 360];
    BufferSpec spec = plain_spec(context, 640, 360);
    PlayerRequest request;
    Buffer buffer;
    BufferArea area;
    int ret = -1;

    if (buffer_new(&context->gpu, &spec, &buffer) < 0) {
        return -1;
    }
    area = picture_whole(&buffer);
    request = picture_request(&buffer, &area, 0, 0, 20);
    if (player_configure(player, 1, 640, 360) == 0 && picture_draw(&buffer, 20, &area) == 0 &&
        player_send(player, &request) == 0 && player_collect(player, 0) == 0 && picture_draw(&buffer, 21, &area) == 0) {
        request.wire.resource_id = 0;
        request.wire.flags = HELIX_REQUEST_REPEAT;
        request.wire.force_key = 1;
        ret = player_send(player, &request) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
    }
    buffer_free(&buffer);
    for (unsigned i = 0; i < 4 && ret == 0; i++) {
        request.number = 22 + i;
        request.wire.flags = HELIX_REQUEST_PIXEL_DATA;
        request.wire.force_key = 0;
        request.wire.stride = 640 * 4 + 32;
        request.wire.fourcc = i % 2 ? DRM_FORMAT_ABGR8888 : DRM_FORMAT_XRGB8888;
        request.wire.pixels = pixels;
        request.wire.pixel_size = sizeof(pixels);
        pattern_paint(request.number, 640, 360, pixels, request.wire.stride, fourcc_red_first(request.wire.fourcc), 0);
        ret = player_send(player, &request) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
    }
    return ret;
}

/* The resource is gone as soon as the host says that it has read it, and its memory serves another one. */
static int play_destroyed(Context *context, Player *player)
{
    BufferKind kinds[3] = { context->gpu.has_3d ? BUFFER_GL : BUFFER_CLASSIC, BUFFER_CLASSIC,
                            context->gpu.has_blob ? BUFFER_BLOB : BUFFER_CLASSIC };

    if (player_configure(player, 1, 1280, 720) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < 9; i++) {
        BufferSpec spec = { .kind = kinds[i % 3], .width = 1280, .height = 720 };
        PlayerRequest request;
        Buffer buffer;
        BufferArea area;
        int ret;

        if (buffer_new(&context->gpu, &spec, &buffer) < 0) {
            return -1;
        }
        area = picture_whole(&buffer);
        request = picture_request(&buffer, &area, i % 2 ? HELIX_SOURCE_PAGES : HELIX_SOURCE_AUTO, EXT | RELEASE,
                                  70 + i);
        if (spec.kind == BUFFER_GL) {
            request.wire.source = HELIX_SOURCE_AUTO;
        }
        ret = picture_draw(&buffer, 70 + i, &area) < 0 || player_send(player, &request) < 0 ||
            player_collect_release(player) < 0;
        buffer_free(&buffer);
        if (ret || player_collect(player, 0) < 0) {
            return -1;
        }
    }
    return 0;
}

/*
 * The resource is given up while its request is on the way: the host may find it or not, but what it sends must be
 * right, and the memory belongs to another buffer's drawing by then.
 */
static int play_destroyed_early(Context *context, Player *player)
{
    BufferKind kinds[2] = { context->gpu.has_blob ? BUFFER_BLOB : BUFFER_CLASSIC, BUFFER_CLASSIC };

    if (player_configure(player, 1, 1280, 720) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < 16; i++) {
        BufferSpec spec = { .kind = kinds[i % 2], .width = 1280, .height = 720 };
        BufferArea area = { 0, 0, 1280, 720 };
        PlayerRequest request;
        Buffer buffer, next;
        int ret;

        if (buffer_new(&context->gpu, &spec, &buffer) < 0) {
            return -1;
        }
        request = picture_request(&buffer, &area, i % 4 < 2 ? HELIX_SOURCE_AUTO : HELIX_SOURCE_PAGES, EXT, 300 + i);
        request.may_fail = HELIX_CODE_NOT_FOUND;
        ret = picture_draw(&buffer, 300 + i, &area) < 0 || player_send(player, &request) < 0;
        buffer_free(&buffer);
        if (ret || buffer_new(&context->gpu, &spec, &next) < 0) {
            return -1;
        }
        ret = buffer_draw(&next, 400 + i, &area) < 0 || player_collect(player, 0) < 0;
        buffer_free(&next);
        if (ret) {
            return -1;
        }
    }
    printf("# %s: %u of 16 requests came too late for their resource\n", player->name, 16 - player->film.units);
    return 0;
}

/* A request that must be refused; what is 0 here is as it should be. */
typedef struct Refusal {
    int code;
    bool pages;   /* of the resource that is read from its pages, else of the texture */
    bool unknown; /* another resource id: this one */
    uint32_t resource_id;
    uint8_t flags;
    uint32_t width, height, crop_x, crop_y, res_width, res_height, stride, offset;
} Refusal;

static const Refusal refusals[] = {
    { .code = HELIX_CODE_NOT_FOUND, .unknown = true, .resource_id = 0 },
    { .code = HELIX_CODE_NOT_FOUND, .unknown = true, .resource_id = 0, .flags = HELIX_REQUEST_REPEAT },
    { .code = HELIX_CODE_NOT_FOUND, .unknown = true, .resource_id = 0x7ffffff0 },
    { .code = HELIX_CODE_GEOMETRY, .width = 642 },
    { .code = HELIX_CODE_GEOMETRY, .height = 361 },
    { .code = HELIX_CODE_GEOMETRY, .width = 8192, .height = 8192 },
    { .code = HELIX_CODE_GEOMETRY, .flags = EXT, .crop_x = 2, .res_width = 642, .res_height = 360 },
    { .code = HELIX_CODE_GEOMETRY, .flags = EXT, .crop_y = 0xffffffff },
    { .code = HELIX_CODE_GEOMETRY, .pages = true, .flags = EXT, .stride = 640 * 4 - 4 },
    { .code = HELIX_CODE_GEOMETRY, .pages = true, .flags = EXT, .stride = 0xfffffff0 },
    { .code = HELIX_CODE_GEOMETRY, .pages = true, .flags = EXT, .offset = 0xffffff00 },
    { .code = HELIX_CODE_GEOMETRY, .pages = true, .flags = EXT, .height = 420, .res_width = 640, .res_height = 420 },
};

static int play_refusal(Player *player, const Buffer *buffer, const Refusal *refusal)
{
    BufferArea area = picture_whole(buffer);
    uint8_t source = refusal->pages ? HELIX_SOURCE_PAGES : HELIX_SOURCE_AUTO;
    PlayerRequest request = picture_request(buffer, &area, source, refusal->flags, 1);
    WireRequest *wire = &request.wire;

    request.expect_error = refusal->code;
    wire->resource_id = refusal->unknown ? refusal->resource_id : wire->resource_id;
    wire->width = refusal->width ? refusal->width : wire->width;
    wire->height = refusal->height ? refusal->height : wire->height;
    wire->crop_x = refusal->crop_x;
    wire->crop_y = refusal->crop_y;
    wire->res_width = refusal->res_width ? refusal->res_width : wire->res_width;
    wire->res_height = refusal->res_height ? refusal->res_height : wire->res_height;
    wire->stride = refusal->stride ? refusal->stride : wire->stride;
    wire->stride_of[0] = wire->stride;
    wire->offset[0] = refusal->offset;
    return player_send(player, &request) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
}

/* Each refusal with a picture before the first and behind the last: the stream is unharmed by them. */
static int play_refusals(Player *player, Buffer *texture, Buffer *pages)
{
    BufferArea area = picture_whole(texture);
    PlayerRequest good = picture_request(texture, &area, 0, 0, 33);

    if (player_configure(player, 1, 640, 360) < 0) {
        return -1;
    }
    /* nothing was encoded yet, so REPEAT has nothing to repeat */
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].code == HELIX_CODE_GEOMETRY && player->film.units == 0 &&
            (picture_draw(texture, 33, &area) < 0 || player_send(player, &good) < 0 || player_collect(player, 0) < 0)) {
            return -1;
        }
        if (play_refusal(player, refusals[i].pages ? pages : texture, &refusals[i]) < 0) {
            return -1;
        }
    }
    good.number = 34;
    return picture_draw(texture, 34, &area) < 0 || player_send(player, &good) < 0 || player_collect(player, 0) < 0 ? -1
                                                                                                                   : 0;
}

static int play_errors(Context *context, Player *player)
{
    BufferSpec texture_spec = plain_spec(context, 640, 360);
    BufferKind pages_kind = context->gpu.has_blob ? BUFFER_BLOB : BUFFER_CLASSIC;
    BufferSpec pages_spec = { .kind = pages_kind, .width = 640, .height = 360 };
    Buffer texture, pages;
    PlayerRequest gone;
    int ret;

    if (buffer_new(&context->gpu, &texture_spec, &texture) < 0) {
        return -1;
    }
    if (buffer_new(&context->gpu, &pages_spec, &pages) < 0) {
        buffer_free(&texture);
        return -1;
    }
    gone = picture_request(&pages, &(BufferArea){ 0, 0, 640, 360 }, 0, 0, 1);
    gone.expect_error = HELIX_CODE_NOT_FOUND;
    ret = play_refusals(player, &texture, &pages);
    buffer_free(&texture);
    buffer_free(&pages);
    /*
     * A freed resource is gone for the host too (not the GBM buffer's: Mesa keeps those for reuse). The kernel says so
     * on the GPU's queue, and nothing orders that against the vsock device's.
     */
    nanosleep(&(struct timespec){ .tv_nsec = 500 * 1000 * 1000 }, NULL);
    return ret < 0 || player_send(player, &gone) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
}

const SpecialCase special_cases[] = {
    { "source", NEED_NOTHING, play_sources },
    { "many-sizes", NEED_NOTHING, play_sizes },
    { "two-streams", NEED_NOTHING, play_two_streams },
    { "repeat-and-pixels", NEED_NOTHING, play_repeat_and_pixels },
    { "destroyed-after-release", NEED_NOTHING, play_destroyed },
    { "destroyed-early", NEED_NOTHING, play_destroyed_early },
    { "errors", NEED_NOTHING, play_errors },
    { "snapshot", NEED_NOTHING, play_snapshots },
    { "host3d", NEED_3D | NEED_BLOB, play_host3d },
};

const size_t n_special_cases = sizeof(special_cases) / sizeof(special_cases[0]);
