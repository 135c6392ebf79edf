/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture-client ADDRESS DIRECTORY [3d] [blob] [card] [case=PREFIX]: the guest's half of the picture test.
 *
 * Draws known pictures (pattern.h) into every kind of virtio-gpu resource, sends their ids to the frame module over
 * ADDRESS ("vsock:2:5000") and writes what comes back as one film a case into DIRECTORY (film.h). 3d, blob and card say
 * what the GPU must have: a device that turns out otherwise is an error, not a shorter test.
 *
 * Prints "case NAME ok" or "case NAME FAILED", why on stderr, and "done" at the end; exits 1 if a case failed.
 */
#include "picture-cases.h"

#include <drm_fourcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELEASE HELIX_REQUEST_RELEASE
#define TIMING HELIX_REQUEST_TIMING
#define EXT HELIX_REQUEST_EXT

#define ANY NEED_NOTHING
#define GL(width, height, fourcc) { BUFFER_GL, width, height, fourcc, 0, 0 }
#define CLASSIC(width, height, fourcc) { BUFFER_CLASSIC, width, height, fourcc, 0, 0 }
#define DUMB(width, height) { BUFFER_DUMB, width, height, 0, 0, 0 }
#define BLOB(width, height, fourcc, pad, from) { BUFFER_BLOB, width, height, fourcc, pad, from }
#define ALL { 0 }
#define INNER { 160, 90, 640, 360 }
#define ODD { 37, 23, 641, 361 }
#define AUTO HELIX_SOURCE_AUTO
#define TEXTURE HELIX_SOURCE_TEXTURE
#define PAGES HELIX_SOURCE_PAGES

static const Picture pictures[] = {
    /* the GPU draws: right in the texture only */
    { "gl-64x64", NEED_3D, GL(64, 64, 0), ALL, AUTO, 0, 12, false },
    { "gl-1280x720", NEED_3D, GL(1280, 720, 0), ALL, AUTO, RELEASE | TIMING, 24, true },
    { "gl-1920x1080", NEED_3D, GL(1920, 1080, 0), ALL, AUTO, RELEASE, 9, true },
    { "gl-641x361-odd", NEED_3D, GL(641, 361, 0), ALL, AUTO, 0, 9, false },
    { "gl-1366x768-alpha", NEED_3D, GL(1366, 768, DRM_FORMAT_ARGB8888), ALL, TEXTURE, EXT, 6, false },
    { "gl-640x360-red-first", NEED_3D, GL(640, 360, DRM_FORMAT_ABGR8888), ALL, AUTO, 0, 6, false },
    { "gl-crop", NEED_3D, GL(1280, 720, 0), INNER, AUTO, EXT | RELEASE, 9, true },
    { "gl-crop-odd", NEED_3D, GL(1280, 720, 0), ODD, AUTO, EXT, 6, false },
    /* the CPU draws, TRANSFER_TO_HOST makes the texture right */
    { "classic-64x64", ANY, CLASSIC(64, 64, 0), ALL, AUTO, 0, 12, false },
    { "classic-1280x720", ANY, CLASSIC(1280, 720, 0), ALL, AUTO, RELEASE | TIMING, 9, true },
    { "classic-641x361-odd", ANY, CLASSIC(641, 361, 0), ALL, TEXTURE, EXT, 9, false },
    { "classic-pages", ANY, CLASSIC(641, 361, 0), ALL, PAGES, EXT | RELEASE, 9, true },
    { "classic-red-first", ANY, CLASSIC(640, 360, DRM_FORMAT_ABGR8888), ALL, AUTO, 0, 6, false },
    { "classic-crop", ANY, CLASSIC(1280, 720, 0), INNER, AUTO, EXT, 6, false },
    { "classic-pages-crop", ANY, CLASSIC(1280, 720, 0), ODD, PAGES, EXT, 6, false },
    { "dumb-1280x720", NEED_CARD, DUMB(1280, 720), ALL, AUTO, RELEASE, 9, true },
    { "dumb-641x361-odd", NEED_CARD, DUMB(641, 361), ALL, AUTO, 0, 6, false },
    { "dumb-crop", NEED_CARD, DUMB(1280, 720), INNER, AUTO, EXT, 6, false },
    { "dumb-pages", NEED_CARD, DUMB(800, 600), ALL, PAGES, EXT, 6, false },
    /* guest memory only; the host learns size and stride from the request */
    { "blob-1280x720", NEED_BLOB, BLOB(1280, 720, 0, 0, 0), ALL, AUTO, RELEASE | TIMING, 9, true },
    { "blob-stride", NEED_BLOB, BLOB(641, 361, 0, 60, 0), ALL, AUTO, 0, 9, false },
    { "blob-offset-red-first", NEED_BLOB, BLOB(640, 360, DRM_FORMAT_XBGR8888, 256, 4160), ALL, PAGES, EXT, 6, false },
    { "blob-crop", NEED_BLOB, BLOB(1280, 720, DRM_FORMAT_ARGB8888, 128, 0), ODD, AUTO, EXT | RELEASE, 6, true },
    { "blob-nv12", NEED_BLOB, BLOB(1280, 720, DRM_FORMAT_NV12, 0, 0), ALL, AUTO, RELEASE, 9, true },
    { "blob-nv12-odd", NEED_BLOB, BLOB(641, 361, DRM_FORMAT_NV12, 62, 0), ALL, AUTO, 0, 6, false },
    { "blob-nv12-planes", NEED_BLOB, BLOB(640, 360, DRM_FORMAT_NV12, 128, 4096), ALL, AUTO, EXT, 6, false },
    { "blob-nv12-crop", NEED_BLOB, BLOB(1280, 720, DRM_FORMAT_NV12, 0, 0), INNER, AUTO, EXT | RELEASE, 6, true },
};

static int run_picture(Context *context, const Picture *picture)
{
    unsigned releases = picture->flags & RELEASE ? picture->frames : 0;
    BufferArea area = picture->area;
    Buffer ring[RING];
    Player player;
    int ret = -1;

    if (!area.width) {
        area = (BufferArea){ 0, 0, picture->spec.width, picture->spec.height };
    }
    if (ring_new(&context->gpu, &picture->spec, ring) < 0) {
        return -1;
    }
    if (player_open(&player, context->address, context->directory, picture->name) == 0) {
        ret = player_configure(&player, 1, area.width, area.height) < 0 ? -1 : play_picture(&player, picture, ring, 1);
        if (player_close(&player) < 0) {
            ret = -1;
        }
        if (ret == 0 && player.releases != releases) {
            fprintf(stderr, "%s: %u FRAME_RELEASED for %u frames that asked\n", picture->name, player.releases,
                    releases);
            ret = -1;
        }
    }
    ring_free(ring);
    return ret;
}

static int run_special(Context *context, const SpecialCase *special)
{
    Player player;
    int ret;

    if (player_open(&player, context->address, context->directory, special->name) < 0) {
        return -1;
    }
    ret = special->play(context, &player);
    return player_close(&player) < 0 ? -1 : ret;
}

/* ---- main ---- */

static int report(const char *name, int ret)
{
    printf("case %s %s\n", name, ret == 0 ? "ok" : "FAILED");
    fflush(stdout);
    return ret == 0 ? 0 : 1;
}

static bool chosen(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int run_all(Context *context, const char *prefix)
{
    Gpu *gpu = &context->gpu;
    Need have = (gpu->has_3d ? NEED_3D : NEED_2D) | (gpu->has_blob ? NEED_BLOB : 0) | (gpu->card >= 0 ? NEED_CARD : 0);
    int failed = 0;

    for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
        if (!(pictures[i].need & ~have) && chosen(pictures[i].name, prefix)) {
            failed |= report(pictures[i].name, run_picture(context, &pictures[i]));
        }
    }
    for (size_t i = 0; i < n_special_cases; i++) {
        if (!(special_cases[i].need & ~have) && chosen(special_cases[i].name, prefix)) {
            failed |= report(special_cases[i].name, run_special(context, &special_cases[i]));
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    Context context = { 0 };
    bool want_3d = false, want_blob = false, want_card = false;
    const char *prefix = "";
    int failed;

    if (argc < 3) {
        fprintf(stderr, "usage: %s ADDRESS DIRECTORY [3d] [blob] [card] [case=PREFIX]\n", argv[0]);
        return 2;
    }
    context.address = argv[1];
    context.directory = argv[2];
    for (int i = 3; i < argc; i++) {
        want_3d |= strcmp(argv[i], "3d") == 0;
        want_blob |= strcmp(argv[i], "blob") == 0;
        want_card |= strcmp(argv[i], "card") == 0;
        prefix = strncmp(argv[i], "case=", 5) == 0 ? argv[i] + 5 : prefix;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (gpu_open(&context.gpu) < 0) {
        return 1;
    }
    if (context.gpu.has_3d != want_3d || context.gpu.has_blob != want_blob || (want_card && context.gpu.card < 0)) {
        fprintf(stderr, "this GPU has 3d %d, blob %d, card node %d: not what this test is for\n", context.gpu.has_3d,
                context.gpu.has_blob, context.gpu.card >= 0);
        return 1;
    }
    failed = run_all(&context, prefix);
    gpu_close(&context.gpu);
    printf("done\n");
    return failed;
}
