/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu-rig.h - a renderer with textures to copy, and what must be true of every copy. */
#ifndef HELIX_TEST_GPU_RIG_H
#define HELIX_TEST_GPU_RIG_H

#include "capture/apple/gpu-copy.h"
#include "gpu.h"
#include "streams.h"

#define WIDTH 320u
#define HEIGHT 192u

/* What stands for virglrenderer's ctx0; current after gpu_start_renderer(). */
extern EGLDisplay gpu_display;
extern EGLContext gpu_renderer;
void gpu_start_renderer(void);

/* A texture with test picture @index, as a guest's command stream would have drawn it. */
GLuint gpu_texture_new(guint width, guint height, guint index, gboolean bottom_up);
/* The same of WIDTH x HEIGHT in Metal; @format 0 is BGRA. */
id gpu_metal_texture(guint format, guint index);

/* What a look-up was answered with. */
typedef struct GpuAnswer {
    gboolean done;
    HelixSurface *surface;
    GError *error;
} GpuAnswer;

void gpu_take_answer(gpointer data, HelixSurface *surface, GError *error);
void gpu_wait_answer(GpuAnswer *answer);

/* What copies are made for; gpu_check_clear() sets it to 0. */
extern HelixCaptureTarget gpu_target;

/* The whole of a texture as a picture. */
HelixPicture gpu_whole(guint width, guint height);
/* Begin a copy, and check that the renderer's state is what it was. */
gboolean gpu_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, GpuAnswer *answer,
                  GError **error);
/* Copy and wait: it goes by @path and the CPU touches no pixel. */
HelixSurface *gpu_must_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                            HelixHostPath path);
/* Free @copier, check that nothing is left over, and take all orders back; or that after the copier has gone. */
void gpu_check_end(HelixGpuCopier *copier);
void gpu_check_clear(void);

const guint8 *gpu_pixel_at(const HelixSurface *surface, guint x, guint y);
/* Every pixel of @surface is that of test picture @index at @x, @y; beyond @width and @height, the edge's. */
void gpu_check_exact(const HelixSurface *surface, guint index, guint x, guint y, guint width, guint height);

#endif
