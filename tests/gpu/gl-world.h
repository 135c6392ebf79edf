/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gl-world.h - OpenGL without a screen, and textures in memory that the CPU sees: memfds, imported as DMA-BUFs are. */
#ifndef HELIX_TEST_GL_WORLD_H
#define HELIX_TEST_GL_WORLD_H

#include <epoxy/egl.h>
#include <epoxy/gl.h>
#include <glib.h>

/* A context of desktop GL, current. FALSE: EGL makes none here, or @imports and it imports no DMA-BUFs. Once in a
 * program. */
gboolean gl_world_start(gboolean imports);

typedef struct GlMemory {
    GLuint texture;
    EGLImageKHR image;
    guint8 *data; /* @stride bytes a row */
    gsize size;
    guint32 stride;
} GlMemory;

/* A texture of DRM format @fourcc whose rows have @row bytes, and padding; all bytes are @fill. */
GlMemory gl_memory_new(guint32 fourcc, guint32 width, guint32 height, guint32 row, guint8 fill);
void gl_memory_free(GlMemory *memory);

#endif
