/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu-rig.c - a renderer on Mesa for the tests of GPU copies. */
#include <string.h>

#include "gpu-rig.h"

EGLDisplay gpu_display;
EGLContext gpu_renderer; /* stands for virglrenderer's ctx0 */

/* ---- the renderer ---- */

void gpu_start_renderer(void)
{
    static const EGLint attributes[] = { EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES3_BIT_KHR,
                                         EGL_NONE };
    static const EGLint version[] = { EGL_CONTEXT_CLIENT_VERSION, 3, EGL_NONE };
    EGLConfig config;
    EGLint n = 0;

    gpu_display = eglGetPlatformDisplayEXT(EGL_PLATFORM_SURFACELESS_MESA, NULL, NULL);
    g_assert_true(eglInitialize(gpu_display, NULL, NULL));
    double_egl_install();
    g_assert_true(eglBindAPI(EGL_OPENGL_ES_API));
    g_assert_true(eglChooseConfig(gpu_display, attributes, &config, 1, &n) && n == 1);
    gpu_renderer = eglCreateContext(gpu_display, config, EGL_NO_CONTEXT, version);
    g_assert_true(gpu_renderer != EGL_NO_CONTEXT);
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, gpu_renderer));
    double_virgl_renderer = (DoubleVirglRenderer){ .display = gpu_display, .context = gpu_renderer };
}

/* A texture with the test picture, as a guest's command stream would have drawn it. */
GLuint gpu_texture_new(guint width, guint height, guint index, gboolean bottom_up)
{
    gsize stride = (gsize)width * 4;
    g_autofree guint8 *pixels = g_malloc(stride * height), *rows = g_malloc(stride * height);
    GLint before = 0;
    GLuint texture;

    stream_draw_bgra(pixels, stride, width, height, index);
    for (guint y = 0; y < height; y++) {
        guint8 *row = rows + (bottom_up ? height - 1 - y : y) * stride;

        for (guint x = 0; x < width; x++) {
            const guint8 *pixel = pixels + y * stride + x * 4;

            memcpy(row + x * 4, (const guint8[]){ pixel[2], pixel[1], pixel[0], pixel[3] }, 4);
        }
    }
    glGetIntegerv(GL_TEXTURE_BINDING_2D, &before);
    glGenTextures(1, &texture);
    glBindTexture(GL_TEXTURE_2D, texture);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, (GLsizei)width, (GLsizei)height, 0, GL_RGBA, GL_UNSIGNED_BYTE, rows);
    glBindTexture(GL_TEXTURE_2D, (GLuint)before);
    return texture;
}

/* ---- a resolver's answer ---- */

void gpu_take_answer(gpointer data, HelixSurface *surface, GError *error)
{
    GpuAnswer *answer = data;

    g_assert_false(answer->done);
    g_assert_true(!surface != !error);
    *answer = (GpuAnswer){ TRUE, surface, error };
}

void gpu_wait_answer(GpuAnswer *answer)
{
    while (!answer->done) {
        g_main_context_iteration(NULL, TRUE);
    }
}

/* What must be as it was whatever a copy does. */
typedef struct State {
    EGLContext context;
    EGLSurface draw, read;
    EGLenum api;
    GLint values[8];
    GLenum error;
} State;

static State look(void)
{
    static const GLenum names[] = { GL_TEXTURE_BINDING_2D, GL_DRAW_FRAMEBUFFER_BINDING, GL_READ_FRAMEBUFFER_BINDING,
                                    GL_ACTIVE_TEXTURE };
    State state;

    memset(&state, 0, sizeof(state));
    state.context = eglGetCurrentContext();
    state.draw = eglGetCurrentSurface(EGL_DRAW);
    state.read = eglGetCurrentSurface(EGL_READ);
    state.api = eglQueryAPI();
    state.error = glGetError();
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        glGetIntegerv(names[i], &state.values[i]);
    }
    glGetIntegerv(GL_VIEWPORT, &state.values[4]);
    return state;
}

gboolean gpu_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, GpuAnswer *answer,
                  GError **error)
{
    State before = look(), after;
    gboolean taken;

    *answer = (GpuAnswer){ .done = FALSE };
    taken = helix_gpu_copier_copy(copier, texture, picture, &gpu_target, gpu_take_answer, answer, error);
    after = look();
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    g_assert_true(taken || !answer->done);
    return taken;
}

HelixSurface *gpu_must_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                            HelixHostPath path)
{
    GError *error = NULL;
    GpuAnswer answer;

    g_assert_true(gpu_copy(copier, texture, picture, &answer, &error));
    g_assert_no_error(error);
    gpu_wait_answer(&answer);
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.surface->kind, ==, HELIX_SURFACE_IOSURFACE);
    g_assert_cmpint(answer.surface->path, ==, path);
    g_assert_cmpuint(answer.surface->cpu_bytes, ==, 0);
    g_assert_true(answer.surface->borrows_guest == (path == HELIX_HOST_PATH_IOSURFACE));
    return answer.surface;
}

void gpu_check_end(HelixGpuCopier *copier)
{
    helix_gpu_copier_free(copier);
    gpu_check_clear();
}

void gpu_check_clear(void)
{
    char *kinds = NULL;
    guint live;

    gpu_target = (HelixCaptureTarget){ 0 };
    double_metal_idle();
    live = double_live_objects(&kinds);
    if (live) {
        g_error("%u objects leaked:\n%s", live, kinds);
    }
    g_free(kinds);
    g_assert_cmpuint(double_egl_seen.pbuffers, ==, 0);
    g_assert_cmpuint(double_egl_seen.fences, ==, 0);
    double_egl = (DoubleEglOrders){ 0 };
    double_metal = (DoubleMetalOrders){ 0 };
    double_metal_seen = (DoubleMetalSeen){ 0 };
    double_vt_reset();
}

const guint8 *gpu_pixel_at(const HelixSurface *surface, guint x, guint y)
{
    return (const guint8 *)IOSurfaceGetBaseAddress(surface->native) + y * IOSurfaceGetBytesPerRow(surface->native) +
        x * 4;
}

/* Every pixel of @surface is that of the test picture at @x, @y; beyond its edge, the edge's. */
void gpu_check_exact(const HelixSurface *surface, guint index, guint x, guint y, guint width, guint height)
{
    gsize stride = WIDTH * 4;
    g_autofree guint8 *pixels = g_malloc(stride * HEIGHT);

    stream_draw_bgra(pixels, stride, WIDTH, HEIGHT, index);
    g_assert_cmpuint(surface->width, ==, (width + 1) & ~1u);
    g_assert_cmpuint(surface->height, ==, (height + 1) & ~1u);
    for (guint row = 0; row < surface->height; row++) {
        for (guint column = 0; column < surface->width; column++) {
            const guint8 *expected = pixels + (y + MIN(row, height - 1)) * stride + (x + MIN(column, width - 1)) * 4;

            if (memcmp(expected, gpu_pixel_at(surface, column, row), 4) != 0) {
                g_error("pixel %u, %u differs", column, row);
            }
        }
    }
}

HelixCaptureTarget gpu_target;

HelixPicture gpu_whole(guint width, guint height)
{
    return (HelixPicture){ .resource_id = 7, .width = width, .height = height, .fourcc = HELIX_FORMAT_XR24 };
}

id gpu_metal_texture(guint format, guint index)
{
    id texture = double_metal_texture_new(WIDTH, HEIGHT, format, NULL);
    gsize stride;
    guint8 *data = double_metal_texture_data(texture, &stride);

    stream_draw_bgra(data, stride, WIDTH, HEIGHT, index);
    return texture;
}
