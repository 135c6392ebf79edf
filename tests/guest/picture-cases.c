/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture-cases.c - streams of drawings, and the cases where one stream is not enough; see picture-cases.h. */
#include "picture-cases.h"
#include "pattern.h"

#include <drm_fourcc.h>
#include <stdio.h>

#define EXT     HELIX_REQUEST_EXT
#define RELEASE HELIX_REQUEST_RELEASE

static BufferArea whole(const Buffer *buffer)
{
    return (BufferArea) { 0, 0, buffer->width, buffer->height };
}

/* The request that names @area of @buffer. */
static PlayerRequest request_for(const Buffer *buffer, const BufferArea *area, uint8_t source, uint8_t flags, unsigned number)
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
            .planes = 1,
            .crop_x = (uint32_t)area->x,
            .crop_y = (uint32_t)area->y,
            .res_width = (uint32_t)buffer->width,
            .res_height = (uint32_t)buffer->height,
            .offset = { buffer->offset },
            .stride_of = { buffer->stride },
        },
    };
}

static int draw(Buffer *buffer, unsigned number, const BufferArea *area)
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
    BufferArea area = picture->area.width ? picture->area : whole(&ring[0]);

    for (unsigned i = 0; i < picture->frames; i++) {
        Buffer *buffer = &ring[i % RING];
        PlayerRequest request = request_for(buffer, &area, picture->source, picture->flags, first + i);

        request.spoil = picture->spoil ? buffer : NULL;
        if (draw(buffer, first + i, &area) < 0 || (i == 0 && buffer_verify(buffer, first, &area) < 0) ||
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
    return (BufferSpec) { .kind = context->gpu.has_3d ? BUFFER_GL : BUFFER_CLASSIC, .width = width, .height = height };
}

/* Texture and pages of one resource hold different pictures: source says which one is meant, and 0 means the texture. */
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
    area = whole(&buffer);
    if (player_configure(player, 1, spec.width, spec.height) == 0) {
        ret = 0;
    }
    for (unsigned i = 0; i < 9 && ret == 0; i++) {
        uint8_t source = sources[i % 3];
        unsigned texture = 100 + i, pages = 200 + i;
        PlayerRequest request = request_for(&buffer, &area, source, EXT, source == HELIX_SOURCE_PAGES ? pages : texture);

        if (draw(&buffer, texture, &area) < 0 || gpu_settle(&context->gpu) < 0 || buffer_draw(&buffer, pages, &area) < 0 ||
            player_send(player, &request) < 0 || player_collect(player, 0) < 0) {
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
        BufferArea area = whole(buffer);
        PlayerRequest request = request_for(buffer, &area, 0, 0, 50 + i);

        request.wire.session = i % 2 ? 300 : 7;
        if (draw(buffer, 50 + i, &area) < 0 || player_send(player, &request) < 0 || player_collect(player, 3) < 0) {
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

/* REPEAT encodes the last picture again, although the buffer has another drawing by then; PIXEL_DATA needs no resource. */
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
    area = whole(&buffer);
    request = request_for(&buffer, &area, 0, 0, 20);
    if (player_configure(player, 1, 640, 360) == 0 && draw(&buffer, 20, &area) == 0 && player_send(player, &request) == 0 &&
        player_collect(player, 0) == 0 && draw(&buffer, 21, &area) == 0) {
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
        area = whole(&buffer);
        request = request_for(&buffer, &area, i % 2 ? HELIX_SOURCE_PAGES : HELIX_SOURCE_AUTO, EXT | RELEASE, 70 + i);
        if (spec.kind == BUFFER_GL) {
            request.wire.source = HELIX_SOURCE_AUTO;
        }
        ret = draw(&buffer, 70 + i, &area) < 0 || player_send(player, &request) < 0 || player_collect_release(player) < 0;
        buffer_free(&buffer);
        if (ret || player_collect(player, 0) < 0) {
            return -1;
        }
    }
    return 0;
}

static int expect(Player *player, const Buffer *buffer, int code, WireRequest change)
{
    BufferArea area = whole(buffer);
    PlayerRequest request = request_for(buffer, &area, change.source, change.flags, 1);

    request.expect_error = code;
    request.wire.resource_id = change.resource_id;
    request.wire.width = change.width ? change.width : request.wire.width;
    request.wire.height = change.height ? change.height : request.wire.height;
    request.wire.crop_x = change.crop_x;
    request.wire.crop_y = change.crop_y;
    request.wire.stride = change.stride ? change.stride : request.wire.stride;
    request.wire.stride_of[0] = request.wire.stride;
    request.wire.offset[0] = change.offset[0];
    if (change.res_width) {
        request.wire.res_width = change.res_width;
        request.wire.res_height = change.res_height;
    }
    return player_send(player, &request) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
}

/* Requests that must be refused, each followed by the proof that the stream is unharmed. */
static int play_errors(Context *context, Player *player)
{
    BufferSpec texture_spec = plain_spec(context, 640, 360), pages_spec = { .kind = BUFFER_CLASSIC, .width = 640, .height = 360 };
    Buffer texture, pages;
    BufferArea area = { 0, 0, 640, 360 };
    PlayerRequest good;
    uint32_t id, page_id;
    int ret = -1;

    if (context->gpu.has_blob) {
        pages_spec.kind = BUFFER_BLOB;
    }
    if (buffer_new(&context->gpu, &texture_spec, &texture) < 0) {
        return -1;
    }
    if (buffer_new(&context->gpu, &pages_spec, &pages) < 0) {
        buffer_free(&texture);
        return -1;
    }
    id = texture.resource_id;
    page_id = pages.resource_id;
    good = request_for(&texture, &area, 0, 0, 33);
    if (player_configure(player, 1, 640, 360) == 0 && draw(&texture, 33, &area) == 0 &&
        expect(player, &texture, HELIX_CODE_NOT_FOUND, (WireRequest) { .resource_id = 0 }) == 0 &&
        expect(player, &texture, HELIX_CODE_NOT_FOUND, (WireRequest) { .flags = HELIX_REQUEST_REPEAT }) == 0 &&
        expect(player, &texture, HELIX_CODE_NOT_FOUND, (WireRequest) { .resource_id = 0x7ffffff0 }) == 0 &&
        player_send(player, &good) == 0 && player_collect(player, 0) == 0 &&
        expect(player, &texture, HELIX_CODE_GEOMETRY, (WireRequest) { .resource_id = id, .width = 642 }) == 0 &&
        expect(player, &texture, HELIX_CODE_GEOMETRY, (WireRequest) { .resource_id = id, .height = 361 }) == 0 &&
        expect(player, &texture, HELIX_CODE_GEOMETRY, (WireRequest) { .resource_id = id, .width = 8192, .height = 8192 }) == 0 &&
        expect(player, &texture, HELIX_CODE_GEOMETRY,
               (WireRequest) { .resource_id = id, .flags = EXT, .crop_x = 2, .res_width = 642, .res_height = 360 }) == 0 &&
        expect(player, &texture, HELIX_CODE_GEOMETRY,
               (WireRequest) { .resource_id = id, .flags = EXT, .crop_y = 0xffffffff }) == 0 &&
        expect(player, &pages, HELIX_CODE_GEOMETRY,
               (WireRequest) { .resource_id = page_id, .flags = EXT, .source = HELIX_SOURCE_PAGES, .stride = 2556 }) == 0 &&
        expect(player, &pages, HELIX_CODE_GEOMETRY,
               (WireRequest) { .resource_id = page_id, .flags = EXT, .source = HELIX_SOURCE_PAGES, .stride = 0xfffffff0 }) == 0 &&
        expect(player, &pages, HELIX_CODE_GEOMETRY, (WireRequest) { .resource_id = page_id, .flags = EXT,
               .source = HELIX_SOURCE_PAGES, .offset = { 0xffffff00 } }) == 0 &&
        expect(player, &pages, HELIX_CODE_GEOMETRY, (WireRequest) { .resource_id = page_id, .flags = EXT,
               .source = HELIX_SOURCE_PAGES, .height = 420, .res_width = 640, .res_height = 420 }) == 0) {
        good.number = 34;
        ret = draw(&texture, 34, &area) < 0 || player_send(player, &good) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
    }
    buffer_free(&texture);
    buffer_free(&pages);
    /* freed resources are gone for the host too */
    if (ret == 0) {
        good.expect_error = HELIX_CODE_NOT_FOUND;
        ret = player_send(player, &good) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
    }
    return ret;
}

const SpecialCase special_cases[] = {
    { "source", play_sources },
    { "many-sizes", play_sizes },
    { "two-streams", play_two_streams },
    { "repeat-and-pixels", play_repeat_and_pixels },
    { "destroyed-after-release", play_destroyed },
    { "errors", play_errors },
};

const size_t n_special_cases = sizeof(special_cases) / sizeof(special_cases[0]);
