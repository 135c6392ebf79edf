/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot-cases.c - a producer with one buffer, which it overwrites as soon as the host says that it has kept the
 * picture. Each snapshot shows its own drawing later; a frame of the resource itself shows the last one, so a host that
 * looked it up late would be noticed.
 */
#include "snapshot-cases.h"

#include <drm_fourcc.h>

#define KEPT 6u /* snapshots of one buffer at a time */
#define WIDTH 640
#define HEIGHT 360

typedef struct Kind {
    unsigned need; /* NEED_ bits */
    BufferSpec spec;
    uint8_t source;
} Kind;

#define SPEC(kind, fourcc) { kind, WIDTH, HEIGHT, fourcc, 0, 0 }

static const Kind kinds[] = {
    { NEED_3D, SPEC(BUFFER_GL, 0), HELIX_SOURCE_AUTO },
    { NEED_3D, SPEC(BUFFER_GL, DRM_FORMAT_ABGR8888), HELIX_SOURCE_TEXTURE },
    { NEED_NOTHING, SPEC(BUFFER_CLASSIC, 0), HELIX_SOURCE_AUTO },
    { NEED_NOTHING, SPEC(BUFFER_CLASSIC, 0), HELIX_SOURCE_PAGES },
    { NEED_CARD, SPEC(BUFFER_DUMB, 0), HELIX_SOURCE_AUTO },
    { NEED_BLOB, SPEC(BUFFER_BLOB, 0), HELIX_SOURCE_PAGES },
    { NEED_BLOB, SPEC(BUFFER_BLOB, DRM_FORMAT_NV12), HELIX_SOURCE_PAGES },
};

/* A frame of snapshot @number: the part of it at @area. */
static PlayerRequest of_snapshot(uint32_t number, const BufferArea *area, unsigned drawing)
{
    return (PlayerRequest) {
        .number = drawing,
        .wire = {
            .session = 1,
            .flags = HELIX_REQUEST_SNAPSHOT | HELIX_REQUEST_EXT,
            .resource_id = number,
            .width = (uint32_t)area->width,
            .height = (uint32_t)area->height,
            .crop_x = (uint32_t)area->x,
            .crop_y = (uint32_t)area->y,
        },
    };
}

/* Drawings @first to @first + KEPT, the last of which no snapshot has; @area of the buffer is drawn. */
static int overwrite_and_play(Player *player, Buffer *buffer, uint8_t source, const BufferArea *area, unsigned first)
{
    BufferArea all = picture_whole(buffer);

    for (uint32_t i = 0; i <= KEPT; i++) {
        PlayerRequest request = picture_request(buffer, &all, source, HELIX_REQUEST_EXT, first + i);

        if (picture_draw(buffer, first + i, area) < 0 || (i < KEPT && player_keep(player, &request, i + 1) < 0)) {
            return -1;
        }
    }
    for (uint32_t i = 0; i < KEPT; i++) {
        PlayerRequest request = of_snapshot(i + 1, area, first + i);

        if (player_send(player, &request) < 0 || wire_send_snapshot_drop(&player->wire, 1, i + 1) < 0 ||
            player_collect(player, 1) < 0) {
            return -1;
        }
    }
    PlayerRequest late = picture_request(buffer, area, source, HELIX_REQUEST_EXT, first + KEPT);

    return player_send(player, &late) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
}

int play_snapshots(Context *context, Player *player)
{
    static const BufferArea areas[] = { { 0, 0, WIDTH, HEIGHT }, { 80, 44, 400, 240 } };
    const Gpu *gpu = &context->gpu;
    unsigned have = (gpu->has_3d ? NEED_3D : 0) | (gpu->has_blob ? NEED_BLOB : 0) | (gpu->card >= 0 ? NEED_CARD : 0);
    unsigned number = 500;

    if (player_configure(player, 1, WIDTH, HEIGHT) < 0) {
        return -1;
    }
    for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++, number += KEPT + 1) {
        const Kind *kind = &kinds[i / 2];
        Buffer buffer;
        int ret;

        if (kind->need & ~have) {
            continue;
        }
        if (buffer_new(&context->gpu, &kind->spec, &buffer) < 0) {
            return -1;
        }
        ret = overwrite_and_play(player, &buffer, kind->source, &areas[i % 2], number);
        buffer_free(&buffer);
        if (ret < 0) {
            return -1;
        }
    }
    return 0;
}
