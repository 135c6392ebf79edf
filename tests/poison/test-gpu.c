/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-gpu.c - what VideoToolbox is handed on a Mac, on doubles of its frameworks: IOSurfaces that the GPU copies into,
 * and pixel buffers made of host memory, in odd sizes, in parts, and scaled. No byte that nobody wrote is in a row of
 * theirs.
 */
#include <string.h>

#include "cases.h"
#include "encode/videotoolbox/encoder-videotoolbox.h"
#include "gpu-rig.h"
#include "poison.h"

typedef struct Case {
    guint32 crop_x, crop_y, width, height; /* of a texture of WIDTH x HEIGHT, or the picture's size */
    guint32 coded_width, coded_height;     /* 0: its own */
    gboolean bottom_up;
} Case;

static const Case cases[] = {
    { 0, 0, WIDTH, HEIGHT, 0, 0, FALSE }, { 0, 0, WIDTH, HEIGHT, 0, 0, TRUE }, { 33, 20, 101, 77, 0, 0, FALSE },
    { 33, 20, 101, 77, 0, 0, TRUE },      { 1, 1, 100, 77, 0, 0, FALSE },      { 0, 0, WIDTH, HEIGHT, 200, 200, FALSE },
    { 33, 20, 101, 77, 640, 384, TRUE },
};

/* ---- by the GPU ---- */

static void see_iosurface(PoisonSeen *seen, IOSurfaceRef io)
{
    guint8 *row = IOSurfaceGetBaseAddress(io);

    for (gsize y = 0; y < IOSurfaceGetHeight(io); y++, row += IOSurfaceGetBytesPerRow(io)) {
        poison_see(seen, row, IOSurfaceGetWidth(io) * 4);
        memset(row, poison_number(), IOSurfaceGetBytesPerRow(io)); /* until it is used again */
    }
}

static void run_copy(PoisonSeen *seen, gconstpointer data)
{
    const Case *c = data;
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = c->bottom_up };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);

    double_cv.fill = poison_number();
    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 3, c->bottom_up);
    picture.crop_x = c->crop_x;
    picture.crop_y = c->crop_y;
    picture.width = c->width;
    picture.height = c->height;
    gpu_target.coded_width = c->coded_width;
    gpu_target.coded_height = c->coded_height;
    for (guint i = 0; i < 3; i++) {
        HelixSurface *surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);

        see_iosurface(seen, surface->native);
        helix_surface_unref(surface);
    }
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
    double_cv.fill = 0;
}

TEST("/poison/copy", test_copy)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        poison_compare("copied by the GPU", run_copy, &cases[i]);
    }
}

/* ---- from host memory ---- */

static void see_buffer(PoisonSeen *seen, CVPixelBufferRef buffer, gboolean nv12)
{
    gsize width = CVPixelBufferGetWidth(buffer), height = CVPixelBufferGetHeight(buffer);

    g_assert_cmpint(CVPixelBufferLockBaseAddress(buffer, 0), ==, kCVReturnSuccess);
    for (guint plane = 0; plane < (nv12 ? 2 : 1); plane++) {
        const guint8 *row = nv12 ? CVPixelBufferGetBaseAddressOfPlane(buffer, plane)
                                 : CVPixelBufferGetBaseAddress(buffer);
        gsize stride = nv12 ? CVPixelBufferGetBytesPerRowOfPlane(buffer, plane) : CVPixelBufferGetBytesPerRow(buffer);

        for (gsize y = 0; y < (plane ? height / 2 : height); y++, row += stride) {
            poison_see(seen, row, nv12 ? width : width * 4);
        }
    }
    CVPixelBufferUnlockBaseAddress(buffer, 0);
}

static void run_memory(PoisonSeen *seen, guint32 fourcc, const Case *c)
{
    guint32 coded_width = c->coded_width ? c->coded_width : (c->width + 1) & ~1u;
    guint32 coded_height = c->coded_height ? c->coded_height : (c->height + 1) & ~1u;
    const HelixEncoderConfig config = { .width = coded_width, .height = coded_height };
    HelixVtInput *input = helix_vt_input_new(&config);
    HelixSurfacePool *pool = helix_surface_pool_new(1);

    double_cv.fill = poison_number();
    for (guint n = 0; n < 3; n++) {
        g_autoptr(HelixSurface) surface = helix_surface_pool_take(pool, fourcc, c->width, c->height, NULL);
        guint64 cpu_bytes = 0;
        CVPixelBufferRef buffer;

        for (guint i = 0; i < surface->n_planes; i++) {
            guint32 rows = i ? (c->height + 1) / 2 : c->height, pair = (c->width + 1) & ~1u;
            guint32 bytes = fourcc == HELIX_FORMAT_NV12 ? (i ? pair : c->width) : c->width * 4;

            for (guint32 y = 0; y < rows; y++) {
                memset(surface->data + surface->offset[i] + (gsize)y * surface->stride[i], (int)(y * 7 + n), bytes);
            }
            helix_surface_clear_edges(surface, i, 0, rows);
        }
        buffer = helix_vt_input_wrap(input, surface, &cpu_bytes, NULL);
        g_assert_nonnull(buffer);
        see_buffer(seen, buffer, fourcc == HELIX_FORMAT_NV12);
        CFRelease(buffer);
    }
    helix_vt_input_free(input);
    helix_surface_pool_unref(pool);
    gpu_check_clear();
    double_cv.fill = 0;
}

static void run_rgb(PoisonSeen *seen, gconstpointer data)
{
    run_memory(seen, HELIX_FORMAT_XR24, data);
}

static void run_nv12(PoisonSeen *seen, gconstpointer data)
{
    run_memory(seen, HELIX_FORMAT_NV12, data);
}

TEST("/poison/memory", test_memory)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        poison_compare("RGB in host memory", run_rgb, &cases[i]);
        poison_compare("NV12 in host memory", run_nv12, &cases[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gpu_start_renderer();
    g_test_add_func("/poison/itself", poison_test_itself);
    test_cases_add();
    return g_test_run();
}
