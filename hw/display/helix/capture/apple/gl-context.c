/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-context.c - the context that copies textures: it shares the renderer's objects and leaves the renderer's state
 * alone.
 */
#include "gl-blit-private.h"

HelixGlCurrent helix_gl_save_current(void)
{
    return (HelixGlCurrent){ eglQueryAPI(), eglGetCurrentDisplay(), eglGetCurrentContext(),
                             eglGetCurrentSurface(EGL_DRAW), eglGetCurrentSurface(EGL_READ) };
}

gboolean helix_gl_blit_enter(HelixGlBlit *blit)
{
    return eglBindAPI(EGL_OPENGL_ES_API) &&
        eglMakeCurrent(blit->display, EGL_NO_SURFACE, EGL_NO_SURFACE, blit->context);
}

void helix_gl_blit_leave(HelixGlBlit *blit, const HelixGlCurrent *saved)
{
    eglBindAPI(saved->api);
    if (saved->context != EGL_NO_CONTEXT) {
        eglMakeCurrent(saved->display, saved->draw, saved->read, saved->context);
    } else {
        eglMakeCurrent(blit->display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    }
}

gboolean helix_gl_failed(GError **error, const char *what)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "%s (EGL error 0x%x)", what, eglGetError());
    return FALSE;
}

HelixGlBlit *helix_gl_blit_new(void)
{
    HelixGlBlit *blit = g_new0(HelixGlBlit, 1);

    blit->display = EGL_NO_DISPLAY;
    blit->context = EGL_NO_CONTEXT;
    return blit;
}

gboolean helix_gl_blit_usable(GError **error)
{
    if (!epoxy_has_egl()) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                            "there is no EGL: the renderer must run on ANGLE");
        return FALSE;
    }
    return eglGetCurrentContext() != EGL_NO_CONTEXT ||
        helix_gl_failed(error, "the renderer has no EGL context current");
}

void helix_gl_blit_reset(HelixGlBlit *blit)
{
    HelixGlCurrent saved;

    if (blit->context == EGL_NO_CONTEXT) {
        return;
    }
    saved = helix_gl_save_current();
    if (blit->source_framebuffer && helix_gl_blit_enter(blit)) {
        glDeleteFramebuffers(1, &blit->source_framebuffer);
    }
    helix_gl_blit_leave(blit, &saved);
    eglDestroyContext(blit->display, blit->context);
    blit->context = EGL_NO_CONTEXT;
    blit->source_framebuffer = 0;
}

void helix_gl_blit_free(HelixGlBlit *blit)
{
    helix_gl_blit_reset(blit);
    g_free(blit);
}

static gboolean check_display(HelixGlBlit *blit, GError **error)
{
    static const char *const needed[] = { "EGL_ANGLE_iosurface_client_buffer", "EGL_KHR_surfaceless_context" };

    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!epoxy_has_egl_extension(blit->display, needed[i])) {
            g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "EGL has no %s: the renderer must run on ANGLE",
                        needed[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/*
 * A configuration for pbuffers on IOSurfaces and a GLES 3 context. Without EGL_BIND_TO_TEXTURE_RGBA, which ANGLE does
 * not ask for with IOSurfaces: the configurations of its Core OpenGL back end have not got it.
 */
static gboolean choose_config(HelixGlBlit *blit, GError **error)
{
    static const EGLint attributes[] = {
        EGL_SURFACE_TYPE,
        EGL_PBUFFER_BIT,
        EGL_RENDERABLE_TYPE,
        EGL_OPENGL_ES3_BIT_KHR,
        EGL_RED_SIZE,
        8,
        EGL_GREEN_SIZE,
        8,
        EGL_BLUE_SIZE,
        8,
        EGL_ALPHA_SIZE,
        8,
        EGL_NONE,
    };
    EGLint n = 0;

    if (!eglChooseConfig(blit->display, attributes, &blit->config, 1, &n) || n < 1) {
        return helix_gl_failed(error, "EGL has no configuration for RGBA pbuffers and OpenGL ES 3");
    }
    if (!eglGetConfigAttrib(blit->display, blit->config, EGL_BIND_TO_TEXTURE_TARGET_ANGLE, &blit->texture_target)) {
        return helix_gl_failed(error, "EGL does not say what texture target IOSurfaces take");
    }
    return TRUE;
}

gboolean helix_gl_blit_make_context(HelixGlBlit *blit, GError **error)
{
    static const EGLint attributes[] = { EGL_CONTEXT_CLIENT_VERSION, 3, EGL_NONE };
    EGLContext renderer = eglGetCurrentContext();
    EGLenum api = eglQueryAPI();

    if (blit->context != EGL_NO_CONTEXT) {
        return TRUE;
    }
    blit->display = eglGetCurrentDisplay();
    if (!check_display(blit, error) || !choose_config(blit, error)) {
        return FALSE;
    }
    if (!eglBindAPI(EGL_OPENGL_ES_API)) {
        return helix_gl_failed(error, "EGL has no OpenGL ES");
    }
    blit->context = eglCreateContext(blit->display, blit->config, renderer, attributes);
    eglBindAPI(api);
    return blit->context != EGL_NO_CONTEXT ||
        helix_gl_failed(error, "EGL makes no OpenGL ES 3 context beside the renderer's");
}
