/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host3d.c - blobs that lie on the host: a texture that virgl makes first, and a blob of any size made of it. No page
 * of the guest's is behind it, so the drawing comes there by virgl's own copy.
 */
#include "host3d.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <drm/virtgpu_drm.h>
#include <drm_fourcc.h>
#include <xf86drm.h>

#define WIDTH 640
#define HEIGHT 360
#define SMALL_BLOB 4096u

/* virgl's commands, as the kernel passes them through: a word of number and length, then the arguments. */
#define VIRGL_COPY_REGION 17u
#define VIRGL_PIPE_CREATE 48u
#define VIRGL_COMMAND(number, words) ((number) | (uint32_t)(words) << 16)
#define B8G8R8X8 2u
#define TARGET_2D 2u
#define BIND_PICTURE (1u << 1 | 1u << 3)

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return -1;
}

/* A texture of WIDTH x HEIGHT as a blob that is said to have @size bytes. -1 without a word if the device makes none.
 */
static int blob_new(Gpu *gpu, uint64_t size, uint64_t blob_id, Buffer *buffer)
{
    uint32_t command[] = {
        VIRGL_COMMAND(VIRGL_PIPE_CREATE, 11),
        TARGET_2D,
        B8G8R8X8,
        BIND_PICTURE,
        WIDTH,
        HEIGHT,
        1,
        1,
        0,
        0,
        0,
        (uint32_t)blob_id,
    };
    struct drm_virtgpu_resource_create_blob create = {
        .blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
        .size = size,
        .cmd = (uintptr_t)command,
        .cmd_size = sizeof(command),
        .blob_id = blob_id,
    };

    *buffer = (Buffer){
        .gpu = gpu,
        .kind = BUFFER_CLASSIC,
        .width = WIDTH,
        .height = HEIGHT,
        .fourcc = DRM_FORMAT_XRGB8888,
        .stride = WIDTH * 4,
        .dmabuf = -1,
    };
    if (drmIoctl(gpu->render, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create) < 0) {
        return -1;
    }
    buffer->handle = create.bo_handle;
    buffer->resource_id = create.res_handle;
    return 0;
}

/* By virgl, from one resource to the other; waits until it is done. */
static int copy(const Buffer *from, const Buffer *to)
{
    uint32_t handles[] = { from->handle, to->handle };
    uint32_t command[] = {
        VIRGL_COMMAND(VIRGL_COPY_REGION, 13),
        to->resource_id,
        0,
        0,
        0,
        0,
        from->resource_id,
        0,
        0,
        0,
        0,
        WIDTH,
        HEIGHT,
        1,
    };
    struct drm_virtgpu_execbuffer execute = {
        .size = sizeof(command),
        .command = (uintptr_t)command,
        .bo_handles = (uintptr_t)handles,
        .num_bo_handles = 2,
    };
    struct drm_virtgpu_3d_wait wait = { .handle = to->handle };

    if (drmIoctl(from->gpu->render, DRM_IOCTL_VIRTGPU_EXECBUFFER, &execute) < 0) {
        return fail("VIRTGPU_EXECBUFFER");
    }
    return drmIoctl(from->gpu->render, DRM_IOCTL_VIRTGPU_WAIT, &wait) < 0 ? fail("VIRTGPU_WAIT") : 0;
}

static PlayerRequest request_for(const Buffer *blob, unsigned number)
{
    return (PlayerRequest) {
        .number = number,
        .area = { 0, 0, WIDTH, HEIGHT },
        .wire = {
            .session = 1, .flags = HELIX_REQUEST_EXT, .resource_id = blob->resource_id, .width = WIDTH, .height = HEIGHT,
            .fourcc = blob->fourcc, .stride = blob->stride, .planes = 1, .stride_of = { blob->stride },
        },
    };
}

static int play_one(Player *player, const PlayerRequest *request)
{
    return player_send(player, request) < 0 || player_collect(player, 0) < 0 ? -1 : 0;
}

/* What a blob's request may say that is not so; 0 is as it should be. */
static int play_refusals(Player *player, const Buffer *blob)
{
    static const struct {
        int code;
        uint8_t source;
        uint32_t width, height, crop_x, crop_y;
    } refusals[] = {
        { HELIX_CODE_GEOMETRY, HELIX_SOURCE_AUTO, WIDTH + 2, HEIGHT, 0, 0 },
        { HELIX_CODE_GEOMETRY, HELIX_SOURCE_TEXTURE, WIDTH, HEIGHT + 1, 0, 0 },
        { HELIX_CODE_GEOMETRY, HELIX_SOURCE_AUTO, 8192, 4352, 0, 0 },
        { HELIX_CODE_GEOMETRY, HELIX_SOURCE_AUTO, WIDTH, HEIGHT, 1, 0 },
        { HELIX_CODE_GEOMETRY, HELIX_SOURCE_AUTO, WIDTH, HEIGHT, 0, 0xffffffff },
        { HELIX_CODE_GEOMETRY, HELIX_SOURCE_AUTO, 16, 16, 0xfffffff0, 0 },
        { HELIX_CODE_NOT_READABLE, HELIX_SOURCE_PAGES, WIDTH, HEIGHT, 0, 0 },
    };

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        PlayerRequest request = request_for(blob, 1);

        request.expect_error = refusals[i].code;
        request.wire.source = refusals[i].source;
        request.wire.width = refusals[i].width;
        request.wire.height = refusals[i].height;
        request.wire.crop_x = refusals[i].crop_x;
        request.wire.crop_y = refusals[i].crop_y;
        /* the guest's own word on the whole resource agrees with the picture */
        request.wire.res_width = refusals[i].crop_x + refusals[i].width;
        request.wire.res_height = refusals[i].crop_y + refusals[i].height;
        if (play_one(player, &request) < 0) {
            fprintf(stderr, "refusal %zu of a blob of HOST3D\n", i);
            return -1;
        }
    }
    return 0;
}

static int play_blob(Context *context, Player *player, uint64_t size, unsigned number)
{
    BufferSpec spec = { .kind = BUFFER_CLASSIC, .width = WIDTH, .height = HEIGHT };
    BufferArea area = { 0, 0, WIDTH, HEIGHT };
    Buffer drawing, blob;
    PlayerRequest good;
    int ret = -1;

    if (blob_new(&context->gpu, size, number, &blob) < 0) {
        return fail("VIRTGPU_RESOURCE_CREATE_BLOB of HOST3D");
    }
    good = request_for(&blob, number);
    if (buffer_new(&context->gpu, &spec, &drawing) == 0) {
        if (buffer_draw(&drawing, number, &area) == 0 && buffer_upload(&drawing) == 0 && copy(&drawing, &blob) == 0 &&
            play_one(player, &good) == 0 && play_refusals(player, &blob) == 0) {
            ret = play_one(player, &good);
        }
        buffer_free(&drawing);
    }
    buffer_free(&blob);
    return ret;
}

int play_host3d(Context *context, Player *player)
{
    if (player_configure(player, 1, WIDTH, HEIGHT) < 0 || play_blob(context, player, WIDTH * HEIGHT * 4, 41) < 0) {
        return -1;
    }
    return play_blob(context, player, SMALL_BLOB, 42);
}
