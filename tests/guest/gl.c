/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl.c - draws with the GPU as a compositor does: a GBM buffer, imported as an EGLImage, attached to a framebuffer.
 *
 * Row 0 of such a framebuffer is the first row of the DMA-BUF, so the drawing's y runs downwards here as everywhere
 * else.
 */
#include "gl.h"
#include "pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <GLES2/gl2ext.h>
#include <gbm.h>

struct GlState {
    struct gbm_device *gbm;
    EGLDisplay display;
    EGLContext context;
    PFNEGLCREATEIMAGEKHRPROC create_image;
    PFNEGLDESTROYIMAGEKHRPROC destroy_image;
    PFNGLEGLIMAGETARGETTEXTURE2DOESPROC image_target_texture;
};

struct GlBuffer {
    struct gbm_bo *bo;
    EGLImageKHR image;
    GLuint texture, framebuffer;
};

static int fail(const char *what)
{
    fprintf(stderr, "%s (EGL 0x%x)\n", what, eglGetError());
    return -1;
}

static int start_egl(struct GlState *gl)
{
    static const EGLint attributes[] = { EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE };
    PFNEGLGETPLATFORMDISPLAYEXTPROC get_display = (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress(
        "eglGetPlatformDisplayEXT");

    if (!get_display) {
        return fail("EGL without eglGetPlatformDisplayEXT");
    }
    gl->display = get_display(EGL_PLATFORM_GBM_KHR, gl->gbm, NULL);
    if (gl->display == EGL_NO_DISPLAY || !eglInitialize(gl->display, NULL, NULL)) {
        return fail("no EGL display on GBM");
    }
    eglBindAPI(EGL_OPENGL_ES_API);
    gl->context = eglCreateContext(gl->display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
    if (gl->context == EGL_NO_CONTEXT || !eglMakeCurrent(gl->display, EGL_NO_SURFACE, EGL_NO_SURFACE, gl->context)) {
        return fail("no surfaceless GLES2 context");
    }
    gl->create_image = (PFNEGLCREATEIMAGEKHRPROC)eglGetProcAddress("eglCreateImageKHR");
    gl->destroy_image = (PFNEGLDESTROYIMAGEKHRPROC)eglGetProcAddress("eglDestroyImageKHR");
    gl->image_target_texture = (PFNGLEGLIMAGETARGETTEXTURE2DOESPROC)eglGetProcAddress("glEGLImageTargetTexture2DOES");
    if (!gl->create_image || !gl->destroy_image || !gl->image_target_texture) {
        return fail("EGL without EGLImage");
    }
    printf("# GL renderer: %s\n", (const char *)glGetString(GL_RENDERER));
    return 0;
}

static int gl_open(Gpu *gpu)
{
    struct GlState *gl;

    if (gpu->gl) {
        return 0;
    }
    gl = calloc(1, sizeof(*gl));
    gl->gbm = gbm_create_device(gpu->render);
    if (!gl->gbm || start_egl(gl) < 0) {
        gl_close(gl);
        return -1;
    }
    gpu->gl = gl;
    return 0;
}

void gl_close(struct GlState *gl)
{
    if (!gl) {
        return;
    }
    if (gl->display) {
        eglMakeCurrent(gl->display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
        eglTerminate(gl->display);
    }
    if (gl->gbm) {
        gbm_device_destroy(gl->gbm);
    }
    free(gl);
}

static int import(struct GlState *gl, Buffer *buffer)
{
    struct GlBuffer *target = buffer->gl;
    EGLint attributes[] = {
        EGL_WIDTH,
        buffer->width,
        EGL_HEIGHT,
        buffer->height,
        EGL_LINUX_DRM_FOURCC_EXT,
        (EGLint)buffer->fourcc,
        EGL_DMA_BUF_PLANE0_FD_EXT,
        buffer->dmabuf,
        EGL_DMA_BUF_PLANE0_OFFSET_EXT,
        0,
        EGL_DMA_BUF_PLANE0_PITCH_EXT,
        (EGLint)buffer->stride,
        EGL_NONE,
    };

    target->image = gl->create_image(gl->display, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL, attributes);
    if (target->image == EGL_NO_IMAGE_KHR) {
        return fail("eglCreateImage of the GBM buffer");
    }
    glGenTextures(1, &target->texture);
    glBindTexture(GL_TEXTURE_2D, target->texture);
    gl->image_target_texture(GL_TEXTURE_2D, target->image);
    glGenFramebuffers(1, &target->framebuffer);
    glBindFramebuffer(GL_FRAMEBUFFER, target->framebuffer);
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, target->texture, 0);
    if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE) {
        return fail("framebuffer on the GBM buffer is not complete");
    }
    return 0;
}

int gl_buffer_new(Buffer *buffer)
{
    struct GlBuffer *target;

    if (gl_open(buffer->gpu) < 0) {
        return -1;
    }
    target = calloc(1, sizeof(*target));
    buffer->gl = target;
    target->bo = gbm_bo_create(buffer->gpu->gl->gbm, (uint32_t)buffer->width, (uint32_t)buffer->height, buffer->fourcc,
                               GBM_BO_USE_RENDERING);
    if (!target->bo) {
        fprintf(stderr, "gbm_bo_create %dx%d %.4s failed\n", buffer->width, buffer->height,
                (const char *)&buffer->fourcc);
        return -1;
    }
    buffer->stride = gbm_bo_get_stride(target->bo);
    buffer->size = (uint64_t)buffer->stride * (uint64_t)buffer->height;
    buffer->dmabuf = gbm_bo_get_fd(target->bo);
    if (buffer->dmabuf < 0) {
        fprintf(stderr, "gbm_bo_get_fd failed\n");
        return -1;
    }
    return import(buffer->gpu->gl, buffer);
}

void gl_buffer_free(Buffer *buffer)
{
    struct GlBuffer *target = buffer->gl;

    if (!target) {
        return;
    }
    glDeleteFramebuffers(1, &target->framebuffer);
    glDeleteTextures(1, &target->texture);
    if (target->image) {
        buffer->gpu->gl->destroy_image(buffer->gpu->gl->display, target->image);
    }
    if (target->bo) {
        gbm_bo_destroy(target->bo);
    }
    free(target);
    buffer->gl = NULL;
}

static void draw_rects(unsigned number, const BufferArea *area)
{
    PatternRect rects[PATTERN_MAX_RECTS];
    int n = pattern_rects(number, area->width, area->height, rects);

    for (int i = 0; i < n; i++) {
        glScissor(area->x + rects[i].x, area->y + rects[i].y, rects[i].w, rects[i].h);
        glClearColor(rects[i].r / 255.0f, rects[i].g / 255.0f, rects[i].b / 255.0f, 0.5f);
        glClear(GL_COLOR_BUFFER_BIT);
    }
}

int gl_buffer_draw(Buffer *buffer, unsigned number, const BufferArea *area)
{
    BufferArea whole = { 0, 0, buffer->width, buffer->height };

    glBindFramebuffer(GL_FRAMEBUFFER, buffer->gl->framebuffer);
    glEnable(GL_SCISSOR_TEST);
    if (area->width != buffer->width || area->height != buffer->height) {
        draw_rects(PATTERN_MAX_NUMBER - number, &whole);
    }
    draw_rects(number, area);
    /* Only handed to the GPU: a reader of the buffer has to wait for its fence. */
    glFlush();
    return glGetError() == GL_NO_ERROR ? 0 : fail("drawing");
}

int gl_buffer_verify(Buffer *buffer, unsigned number, const BufferArea *area)
{
    uint32_t stride = (uint32_t)area->width * 4;
    size_t size = (size_t)stride * (size_t)area->height;
    uint8_t *read = malloc(size), *want = malloc(size);
    size_t wrong = 0;

    glBindFramebuffer(GL_FRAMEBUFFER, buffer->gl->framebuffer);
    glPixelStorei(GL_PACK_ALIGNMENT, 1);
    glReadPixels(area->x, area->y, area->width, area->height, GL_RGBA, GL_UNSIGNED_BYTE, read);
    pattern_paint(number, area->width, area->height, want, stride, 1, 0);
    for (size_t i = 0; i < size; i += 4) {
        wrong += memcmp(read + i, want + i, 3) != 0;
    }
    if (wrong) {
        fprintf(stderr, "the guest's GL drew %zu of %zu pixels wrong\n", wrong, size / 4);
    }
    free(read);
    free(want);
    return wrong ? -1 : 0;
}
