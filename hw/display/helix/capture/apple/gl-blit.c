/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-blit.c - a texture of ANGLE copied to an IOSurface, by EGL_ANGLE_iosurface_client_buffer and glBlitFramebuffer().
 */
#include "gl-blit-private.h"

/* A lost context reports an error each time it is asked. */
#define MOST_ERRORS 8

GLenum helix_gl_blit_target(const HelixGlBlit *blit)
{
    return blit->texture_target == EGL_TEXTURE_RECTANGLE_ANGLE ? GL_TEXTURE_RECTANGLE_ANGLE : GL_TEXTURE_2D;
}

static gboolean prepare_entry(HelixGlBlit *blit, HelixPooledIOSurface *entry, GError **error)
{
    const EGLint attributes[] = {
        EGL_WIDTH,
        (EGLint)entry->width,
        EGL_HEIGHT,
        (EGLint)entry->height,
        EGL_IOSURFACE_PLANE_ANGLE,
        0,
        EGL_TEXTURE_TARGET,
        blit->texture_target,
        EGL_TEXTURE_INTERNAL_FORMAT_ANGLE,
        GL_BGRA_EXT,
        EGL_TEXTURE_FORMAT,
        EGL_TEXTURE_RGBA,
        EGL_TEXTURE_TYPE_ANGLE,
        GL_UNSIGNED_BYTE,
        EGL_NONE,
    };

    if (entry->pbuffer != EGL_NO_SURFACE) {
        return TRUE;
    }
    entry->pbuffer = eglCreatePbufferFromClientBuffer(blit->display, EGL_IOSURFACE_ANGLE,
                                                      (EGLClientBuffer)entry->surface, blit->config, attributes);
    if (entry->pbuffer == EGL_NO_SURFACE) {
        return helix_gl_failed(error, "EGL makes no surface on an IOSurface");
    }
    glGenTextures(1, &entry->texture);
    glGenFramebuffers(1, &entry->framebuffer);
    return TRUE;
}

/* Also after the context is gone: GL names are gone with it, the pbuffer belongs to the display. */
void helix_gl_blit_forget(HelixGlBlit *blit, HelixPooledIOSurface *entry)
{
    HelixGlCurrent saved;

    if (entry->pbuffer == EGL_NO_SURFACE) {
        return;
    }
    if (helix_gl_blit_enter(blit, &saved)) {
        glDeleteFramebuffers(1, &entry->framebuffer);
        glDeleteTextures(1, &entry->texture);
    }
    helix_gl_blit_leave(blit, &saved);
    eglDestroySurface(blit->display, entry->pbuffer);
    entry->pbuffer = EGL_NO_SURFACE;
    entry->texture = entry->framebuffer = 0;
}

static gboolean attach(GLenum which, GLuint framebuffer, GLenum target, GLuint texture, GError **error)
{
    glBindFramebuffer(which, framebuffer);
    glFramebufferTexture2D(which, GL_COLOR_ATTACHMENT0, target, texture, 0);
    if (glCheckFramebufferStatus(which) != GL_FRAMEBUFFER_COMPLETE) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                    "the renderer's texture or the IOSurface can't be "
                    "drawn with");
        return FALSE;
    }
    return TRUE;
}

/* Blit a rectangle of the picture to a rectangle of the IOSurface. */
static void copy_rect(const HelixBlit *from, HelixRect source, HelixRect to, GLenum filter)
{
    GLint top = (GLint)(from->source.y + source.y), bottom = top + (GLint)source.height;
    GLint left = (GLint)(from->source.x + source.x);

    if (from->bottom_up) {
        top = (GLint)from->texture_height - top;
        bottom = (GLint)from->texture_height - bottom;
    }
    glBlitFramebuffer(left, top, left + (GLint)source.width, bottom, (GLint)to.x, (GLint)to.y, (GLint)(to.x + to.width),
                      (GLint)(to.y + to.height), GL_COLOR_BUFFER_BIT, filter);
}

static void copy_all(const HelixBlit *from, const HelixPooledIOSurface *entry)
{
    guint32 width = from->source.width, height = from->source.height;

    if (entry->width != ((width + 1) & ~1u) || entry->height != ((height + 1) & ~1u)) {
        copy_rect(from, (HelixRect){ 0, 0, width, height }, (HelixRect){ 0, 0, entry->width, entry->height },
                  GL_LINEAR);
        return;
    }
    copy_rect(from, (HelixRect){ 0, 0, width, height }, (HelixRect){ 0, 0, width, height }, GL_NEAREST);
    if (entry->width > width) {
        copy_rect(from, (HelixRect){ width - 1, 0, 1, height }, (HelixRect){ width, 0, 1, height }, GL_NEAREST);
    }
    if (entry->height > height) {
        copy_rect(from, (HelixRect){ 0, height - 1, width, 1 }, (HelixRect){ 0, height, width, 1 }, GL_NEAREST);
    }
    if (entry->width > width && entry->height > height) {
        copy_rect(from, (HelixRect){ width - 1, height - 1, 1, 1 }, (HelixRect){ width, height, 1, 1 }, GL_NEAREST);
    }
}

/* The contents of the IOSurface are undefined while it is bound: it is released before the fence. */
static gboolean draw(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *entry, GError **error)
{
    gboolean ok;

    if (!blit->source_framebuffer) {
        glGenFramebuffers(1, &blit->source_framebuffer);
    }
    glBindTexture(helix_gl_blit_target(blit), entry->texture);
    if (!eglBindTexImage(blit->display, entry->pbuffer, EGL_BACK_BUFFER)) {
        return helix_gl_failed(error, "EGL does not bind the IOSurface to a texture");
    }
    ok = attach(GL_DRAW_FRAMEBUFFER, entry->framebuffer, helix_gl_blit_target(blit), entry->texture, error) &&
        attach(GL_READ_FRAMEBUFFER, blit->source_framebuffer, GL_TEXTURE_2D, from->texture, error);
    if (ok) {
        copy_all(from, entry);
    }
    /* Detach the renderer's texture, which would stay alive here after the guest has destroyed it. */
    glBindFramebuffer(GL_READ_FRAMEBUFFER, blit->source_framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, 0, 0);
    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, entry->framebuffer);
    glFramebufferTexture2D(GL_DRAW_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, helix_gl_blit_target(blit), 0, 0);
    if (!eglReleaseTexImage(blit->display, entry->pbuffer, EGL_BACK_BUFFER) && ok) {
        ok = helix_gl_failed(error, "EGL does not give the IOSurface back");
    }
    return ok;
}

/* Whether there were errors. */
static gboolean take_errors(void)
{
    int n = 0;

    while (n < MOST_ERRORS && glGetError() != GL_NO_ERROR) {
        n++;
    }
    return n > 0;
}

static gboolean copy(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *entry, GError **error)
{
    HelixGlState state = helix_gl_save_state(blit);
    gboolean ok;

    take_errors(); /* the renderer's */
    ok = prepare_entry(blit, entry, error) && draw(blit, from, entry, error);
    helix_gl_restore_state(blit, &state);
    if (take_errors() && ok) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "OpenGL does not copy texture %u", from->texture);
        return FALSE;
    }
    return ok;
}

HelixGlFence *helix_gl_blit_begin(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *entry, GError **error)
{
    if (!helix_gl_blit_take_context(blit, error) || !copy(blit, from, entry, error)) {
        return NULL;
    }
    return helix_gl_blit_make_fence(blit, error);
}
