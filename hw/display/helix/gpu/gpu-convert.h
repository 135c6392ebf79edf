/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpu-convert.h - a texture drawn as NV12 by the GPU: crop, scale, flip, RGB to BT.709 limited range, in one pass a
 * plane. The result is that of encode/convert.h to within one level: chroma is the mean of the 2 x 2 pixels it stands
 * for, alpha is ignored, sRGB textures give their bytes as they are.
 *
 * Needs OpenGL 3.3 and a context of its own, current on the calling thread: its state is changed and not restored.
 */
#ifndef HELIX_GPU_CONVERT_H
#define HELIX_GPU_CONVERT_H

#include <epoxy/gl.h>
#include <glib.h>

typedef struct HelixGpuConverter HelixGpuConverter;

/* A picture within a texture of target GL_TEXTURE_2D, of any format whose r, g and b are the picture's. */
typedef struct HelixGpuPicture {
    GLuint texture;
    gboolean bottom_up;          /* the texture's first row is the bottom one */
    guint32 x, y, width, height; /* pixels from the top left corner, whichever row is first */
} HelixGpuPicture;

/* Two planes of an encoder's picture: textures of target GL_TEXTURE_2D that can be drawn into. */
typedef struct HelixGpuPlanes {
    GLuint luma, chroma;                 /* one channel of 8 bits, and two: Cb and Cr */
    guint32 width, height;               /* pixels, even: the picture is scaled to them */
    guint32 padded_width, padded_height; /* even, as large at least: beyond the picture its edge is repeated */
} HelixGpuPlanes;

/* With the current context. NULL with HELIX_CODE_INTERNAL: GL is too old, or does not compile the shaders. */
HelixGpuConverter *helix_gpu_converter_new(GError **error);
/* With the same context current. */
void helix_gpu_converter_free(HelixGpuConverter *converter);

/*
 * Submit the drawing of @picture into @planes; GL's commands that follow see them drawn. A picture one column or row
 * short of the planes' size has its edge repeated, any other is scaled: down by the mean of the pixels that each sample
 * covers, up by linear interpolation. FALSE with HELIX_CODE_GEOMETRY: the picture does not lie within its texture, or
 * the planes not within theirs, or a side is more than 16 times as long as the planes'; with HELIX_CODE_INTERNAL: GL
 * fails.
 */
gboolean helix_gpu_convert(HelixGpuConverter *converter, const HelixGpuPicture *picture, const HelixGpuPlanes *planes,
                           GError **error);

#endif
