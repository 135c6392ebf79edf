/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-context.c - the renderer's context, in which textures are copied, and the state of it that a copy changes.
 */
#include "gl-blit-private.h"

/* ---- contexts ---- */

gboolean helix_gl_blit_enter(HelixGlBlit *blit, HelixGlCurrent *saved)
{
    *saved = (HelixGlCurrent){ .api = eglQueryAPI(),
                               .display = eglGetCurrentDisplay(),
                               .context = eglGetCurrentContext(),
                               .draw = eglGetCurrentSurface(EGL_DRAW),
                               .read = eglGetCurrentSurface(EGL_READ) };
    saved->is_renderer = saved->context == blit->context && blit->context != EGL_NO_CONTEXT;
    return saved->is_renderer ||
        (blit->context != EGL_NO_CONTEXT && eglBindAPI(EGL_OPENGL_ES_API) &&
         eglMakeCurrent(blit->display, EGL_NO_SURFACE, EGL_NO_SURFACE, blit->context));
}

void helix_gl_blit_leave(HelixGlBlit *blit, const HelixGlCurrent *saved)
{
    if (saved->is_renderer) {
        return;
    }
    eglBindAPI(saved->api);
    if (saved->context != EGL_NO_CONTEXT) {
        eglMakeCurrent(saved->display, saved->draw, saved->read, saved->context);
    } else if (blit->display != EGL_NO_DISPLAY) {
        eglMakeCurrent(blit->display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    }
}

/* ---- state ---- */

HelixGlState helix_gl_save_state(const HelixGlBlit *blit)
{
    const gboolean rectangle = blit->texture_target == EGL_TEXTURE_RECTANGLE_ANGLE;
    HelixGlState state = { 0 };

    glGetIntegerv(rectangle ? GL_TEXTURE_BINDING_RECTANGLE_ANGLE : GL_TEXTURE_BINDING_2D, &state.texture);
    glGetIntegerv(GL_DRAW_FRAMEBUFFER_BINDING, &state.draw_framebuffer);
    glGetIntegerv(GL_READ_FRAMEBUFFER_BINDING, &state.read_framebuffer);
    state.scissor = glIsEnabled(GL_SCISSOR_TEST);
    glDisable(
        GL_SCISSOR_TEST); /* all else that drawing obeys does not hold for glBlitFramebuffer() (OpenGL ES 3.0, 4.3.2) */
    return state;
}

void helix_gl_restore_state(const HelixGlBlit *blit, const HelixGlState *state)
{
    glBindTexture(helix_gl_blit_target(blit), (GLuint)state->texture);
    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, (GLuint)state->draw_framebuffer);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, (GLuint)state->read_framebuffer);
    if (state->scissor) {
        glEnable(GL_SCISSOR_TEST);
    }
}

/* ---- the renderer's display ---- */

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
    if (blit->source_framebuffer && helix_gl_blit_enter(blit, &saved)) {
        glDeleteFramebuffers(1, &blit->source_framebuffer);
        helix_gl_blit_leave(blit, &saved);
    }
    blit->context = EGL_NO_CONTEXT;
    blit->source_framebuffer = 0;
}

void helix_gl_blit_free(HelixGlBlit *blit)
{
    helix_gl_blit_reset(blit);
    g_free(blit);
}

static gboolean check_display(EGLDisplay display, GError **error)
{
    if (!epoxy_has_egl_extension(display, "EGL_ANGLE_iosurface_client_buffer")) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                            "EGL has no EGL_ANGLE_iosurface_client_buffer: the renderer must run on ANGLE");
        return FALSE;
    }
    return TRUE;
}

/*
 * A configuration for pbuffers on IOSurfaces. Without EGL_BIND_TO_TEXTURE_RGBA, which ANGLE does not ask for with
 * IOSurfaces: the configurations of its Core OpenGL back end have not got it.
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

gboolean helix_gl_blit_take_context(HelixGlBlit *blit, GError **error)
{
    if (blit->context != EGL_NO_CONTEXT) {
        return blit->context == eglGetCurrentContext() ||
            helix_gl_failed(error, "another context than the renderer's is current");
    }
    blit->display = eglGetCurrentDisplay();
    if (!check_display(blit->display, error) || !choose_config(blit, error)) {
        return FALSE;
    }
    blit->context = eglGetCurrentContext();
    return TRUE;
}
