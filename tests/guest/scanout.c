/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scanout WIDTH HEIGHT FIRST COUNT MS: shows drawings FIRST, FIRST + 1, ... (pattern.h) on the GPU's own screen, each
 * for MS milliseconds, but the first one until a line is read, and the last one until standard input ends: for programs
 * that film the scanout (ffmpeg's kmsgrab).
 *
 * Every drawing has a buffer of its own, drawn before the first is shown: a program that reads one later than it was
 * shown still reads that drawing. Prints "showing" with the first picture, and "last" with the last.
 */
#include "buffer.h"
#include "pattern.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xf86drmMode.h>

#define MOST 16

typedef struct Screen {
    uint32_t connector, crtc;
    drmModeModeInfo mode;
} Screen;

static bool take_mode(const drmModeConnector *connector, int width, int height, Screen *screen)
{
    for (int i = 0; connector && connector->connection == DRM_MODE_CONNECTED && i < connector->count_modes; i++) {
        if (connector->modes[i].hdisplay == width && connector->modes[i].vdisplay == height) {
            screen->connector = connector->connector_id;
            screen->mode = connector->modes[i];
            return true;
        }
    }
    return false;
}

static int find_screen(int card, int width, int height, Screen *screen)
{
    drmModeRes *resources = drmModeGetResources(card);
    bool found = false;

    for (int i = 0; resources && i < resources->count_connectors && !found; i++) {
        drmModeConnector *connector = drmModeGetConnector(card, resources->connectors[i]);

        found = take_mode(connector, width, height, screen);
        drmModeFreeConnector(connector);
    }
    screen->crtc = found && resources->count_crtcs ? resources->crtcs[0] : 0;
    drmModeFreeResources(resources);
    if (!screen->crtc) {
        fprintf(stderr, "no screen of the virtio-gpu has the mode %dx%d\n", width, height);
        return -1;
    }
    return 0;
}

static int make_picture(Gpu *gpu, int width, int height, unsigned number, Buffer *buffer, uint32_t *fb)
{
    const BufferArea area = { 0, 0, width, height };
    const BufferSpec spec = { .kind = BUFFER_DUMB, .width = width, .height = height };

    if (buffer_new(gpu, &spec, buffer) < 0 || buffer_draw(buffer, number, &area) < 0 || buffer_upload(buffer) < 0) {
        return -1;
    }
    if (drmModeAddFB(gpu->card, (uint32_t)width, (uint32_t)height, 24, 32, buffer->stride, buffer->handle, fb)) {
        perror("drmModeAddFB");
        return -1;
    }
    return 0;
}

/* Waits for @ms, or for a line if that is 0. */
static bool input_ended(int ms)
{
    struct pollfd poll_fd = { .fd = 0, .events = POLLIN };

    return poll(&poll_fd, 1, ms ? ms : -1) == 1 && getchar() == EOF;
}

static int show(Gpu *gpu, Screen *screen, const uint32_t *fbs, int count, int ms)
{
    for (int i = 0; i < count; i++) {
        if (drmModeSetCrtc(gpu->card, screen->crtc, fbs[i], 0, 0, &screen->connector, 1, &screen->mode)) {
            perror("drmModeSetCrtc");
            return -1;
        }
        if (i == 0 || i == count - 1) {
            printf("%s\n", i ? "last" : "showing");
            fflush(stdout);
        }
        if (input_ended(i == 0 || i == count - 1 ? 0 : ms)) {
            return 0;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    int width = argc == 6 ? atoi(argv[1]) : 0, height = argc == 6 ? atoi(argv[2]) : 0;
    int first = argc == 6 ? atoi(argv[3]) : 0, count = argc == 6 ? atoi(argv[4]) : 0;
    Buffer buffers[MOST];
    uint32_t fbs[MOST];
    Screen screen = { 0 };
    Gpu gpu;

    if (width < PATTERN_MIN_SIZE || height < PATTERN_MIN_SIZE || count < 2 || count > MOST) {
        fprintf(stderr, "usage: %s WIDTH HEIGHT FIRST COUNT MS, COUNT from 2 to %d\n", argv[0], MOST);
        return 2;
    }
    if (gpu_open(&gpu) < 0 || find_screen(gpu.card, width, height, &screen) < 0) {
        return 1;
    }
    for (int i = 0; i < count; i++) {
        if (make_picture(&gpu, width, height, (unsigned)(first + i), &buffers[i], &fbs[i]) < 0) {
            return 1;
        }
    }
    if (gpu_settle(&gpu) < 0) {
        return 1;
    }
    return show(&gpu, &screen, fbs, count, atoi(argv[5])) < 0; /* the kernel frees what this process had */
}
