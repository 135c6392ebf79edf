/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gl.h - the GL half of buffer.h: GBM buffers drawn with GLES2 on the render node, without a display. */
#ifndef HELIX_TEST_GL_H
#define HELIX_TEST_GL_H

#include "buffer.h"

int gl_buffer_new(Buffer *buffer);
void gl_buffer_free(Buffer *buffer);
int gl_buffer_draw(Buffer *buffer, unsigned number, const BufferArea *area);
int gl_buffer_verify(Buffer *buffer, unsigned number, const BufferArea *area);
void gl_close(struct GlState *gl);

#endif
