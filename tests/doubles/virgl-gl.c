/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virgl-gl.c - what QEMU's shell asks of virglrenderer beside the look-up: to make its context current, and the bytes
 * of a texture or of the pages behind it.
 */
#include <string.h>

#include <epoxy/gl.h>
#include <virglrenderer.h>

#include "gpu.h"

DoubleVirglRenderer double_virgl_renderer;

/* Mesa's EGL stands for whatever the renderer draws with: tests' orders about EGL are not for it. */
void virgl_renderer_force_ctx_0(void)
{
    DoubleEglOrders orders = double_egl;

    double_virgl_renderer.forced++;
    double_egl.no_egl = double_egl.no_current = FALSE;
    g_assert_true(
        eglMakeCurrent(double_virgl_renderer.display, EGL_NO_SURFACE, EGL_NO_SURFACE, double_virgl_renderer.context));
    double_egl = orders;
}

void virgl_renderer_resource_detach_iov(int handle, struct iovec **iov, int *count)
{
    double_virgl_renderer.detached++;
    *iov = double_virgl.iov;
    *count = double_virgl.iov_cnt;
    double_virgl.iov = NULL;
    double_virgl.iov_cnt = 0;
}

int virgl_renderer_resource_attach_iov(int handle, struct iovec *iov, int count)
{
    g_assert_null(double_virgl.iov);
    double_virgl.iov = iov;
    double_virgl.iov_cnt = count;
    return 0;
}

/* The public header leaves struct virgl_box open. */
struct virgl_box {
    uint32_t x, y, z, w, h, d;
};

/* Rows in the guest's order: turned over if the texture is kept bottom up. */
int virgl_renderer_transfer_read_iov(uint32_t handle, uint32_t ctx, uint32_t level, uint32_t stride,
                                     uint32_t layer_stride, struct virgl_box *box, uint64_t offset, struct iovec *iov,
                                     int iov_cnt)
{
    gboolean bottom_up = double_virgl.flags & 1;
    gsize row = (gsize)box->w * 4;
    g_autofree guint8 *pixels = g_malloc(row * box->h);
    GLint before = 0;
    GLuint framebuffer;

    g_assert_true(iov_cnt == 1 && iov->iov_len >= (gsize)stride * box->h);
    if (double_virgl.no_read) {
        return 22;
    }
    glGetIntegerv(GL_READ_FRAMEBUFFER_BINDING, &before);
    glGenFramebuffers(1, &framebuffer);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, double_virgl.tex_id, 0);
    glReadPixels((GLint)box->x, (GLint)(bottom_up ? double_virgl.height - box->y - box->h : box->y), (GLsizei)box->w,
                 (GLsizei)box->h, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, (GLuint)before);
    glDeleteFramebuffers(1, &framebuffer);
    g_assert_cmpuint(glGetError(), ==, GL_NO_ERROR);
    for (uint32_t y = 0; y < box->h; y++) {
        memcpy((guint8 *)iov->iov_base + (gsize)y * stride, pixels + (bottom_up ? box->h - 1 - y : y) * row, row);
    }
    return 0;
}
