/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-gpu.c - textures to IOSurfaces: real pixels drawn by Mesa through the EGL layer, Metal's messages to its double, and the
 * whole way from a texture to a decoded picture.
 */
#include <string.h>

#include "apple/gpu-copy.h"
#include "apple/slot.h"
#include "apple/virgl-texture.h"
#include "core/encoder-videotoolbox.h"
#include "core/error.h"
#include "gpu.h"
#include "streams.h"

#define WIDTH   320u
#define HEIGHT  192u

static EGLDisplay display;
static EGLContext renderer;     /* stands for virglrenderer's ctx0 */

/* ---- the renderer ---- */

static void start_renderer(void)
{
    static const EGLint attributes[] = { EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES3_BIT_KHR,
                                         EGL_NONE };
    static const EGLint version[] = { EGL_CONTEXT_CLIENT_VERSION, 3, EGL_NONE };
    EGLConfig config;
    EGLint n = 0;

    display = eglGetPlatformDisplayEXT(EGL_PLATFORM_SURFACELESS_MESA, NULL, NULL);
    g_assert_true(eglInitialize(display, NULL, NULL));
    double_egl_install();
    g_assert_true(eglBindAPI(EGL_OPENGL_ES_API));
    g_assert_true(eglChooseConfig(display, attributes, &config, 1, &n) && n == 1);
    renderer = eglCreateContext(display, config, EGL_NO_CONTEXT, version);
    g_assert_true(renderer != EGL_NO_CONTEXT);
    g_assert_true(eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, renderer));
}

/* A texture with the test picture, as a guest's command stream would have drawn it. */
static GLuint texture_new(guint width, guint height, guint index, gboolean bottom_up)
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

            memcpy(row + x * 4, (const guint8[]) { pixel[2], pixel[1], pixel[0], pixel[3] }, 4);
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

typedef struct Answer {
    gboolean done;
    HelixSurface *surface;
    GError *error;
} Answer;

static void take_answer(gpointer data, HelixSurface *surface, GError *error)
{
    Answer *answer = data;

    g_assert_false(answer->done);
    g_assert_true(!surface != !error);
    *answer = (Answer) { TRUE, surface, error };
}

static void wait_answer(Answer *answer)
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

static gboolean copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, Answer *answer,
                     GError **error)
{
    State before = look(), after;
    gboolean taken;

    *answer = (Answer) { .done = FALSE };
    taken = helix_gpu_copier_copy(copier, texture, picture, take_answer, answer, error);
    after = look();
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    g_assert_true(taken || !answer->done);
    return taken;
}

static HelixSurface *must_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                               HelixHostPath path)
{
    GError *error = NULL;
    Answer answer;

    g_assert_true(copy(copier, texture, picture, &answer, &error));
    g_assert_no_error(error);
    wait_answer(&answer);
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.surface->kind, ==, HELIX_SURFACE_IOSURFACE);
    g_assert_cmpint(answer.surface->path, ==, path);
    g_assert_cmpuint(answer.surface->cpu_bytes, ==, 0);
    g_assert_true(answer.surface->borrows_guest == (path == HELIX_HOST_PATH_IOSURFACE));
    return answer.surface;
}

static void check_end(HelixGpuCopier *copier)
{
    char *kinds = NULL;
    guint live;

    helix_gpu_copier_free(copier);
    double_metal_idle();
    live = double_live_objects(&kinds);
    if (live) {
        g_error("%u objects leaked:\n%s", live, kinds);
    }
    g_free(kinds);
    g_assert_cmpuint(double_egl_seen.pbuffers, ==, 0);
    g_assert_cmpuint(double_egl_seen.fences, ==, 0);
    double_egl = (DoubleEglOrders) { 0 };
    double_metal = (DoubleMetalOrders) { 0 };
    double_metal_seen = (DoubleMetalSeen) { 0 };
    double_vt_reset();
}

static const guint8 *pixel_at(const HelixSurface *surface, guint x, guint y)
{
    return (const guint8 *)IOSurfaceGetBaseAddress(surface->native) + y * IOSurfaceGetBytesPerRow(surface->native) + x * 4;
}

/* Every pixel of @surface is that of the test picture at @x, @y; beyond its edge, the edge's. */
static void check_exact(const HelixSurface *surface, guint index, guint x, guint y, guint width, guint height)
{
    gsize stride = WIDTH * 4;
    g_autofree guint8 *pixels = g_malloc(stride * HEIGHT);

    stream_draw_bgra(pixels, stride, WIDTH, HEIGHT, index);
    g_assert_cmpuint(surface->width, ==, (width + 1) & ~1u);
    g_assert_cmpuint(surface->height, ==, (height + 1) & ~1u);
    for (guint row = 0; row < surface->height; row++) {
        for (guint column = 0; column < surface->width; column++) {
            const guint8 *expected = pixels + (y + MIN(row, height - 1)) * stride + (x + MIN(column, width - 1)) * 4;

            if (memcmp(expected, pixel_at(surface, column, row), 4) != 0) {
                g_error("pixel %u, %u differs", column, row);
            }
        }
    }
}

static HelixPicture whole(guint width, guint height)
{
    return (HelixPicture) { .resource_id = 7, .width = width, .height = height, .fourcc = HELIX_FORMAT_XR24 };
}

/* ---- GL ---- */

static void test_blit(void)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);

    for (guint i = 0; i < 4; i++) {
        gboolean bottom_up = i & 1;
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = bottom_up };
        HelixPicture picture = whole(WIDTH, HEIGHT);
        HelixSurface *surface;

        double_egl.rectangle = i >= 2;
        if (i == 2) {
            helix_gpu_copier_reset(copier);
        }
        texture.tex_id = texture_new(WIDTH, HEIGHT, i, bottom_up);
        g_assert_true(eglBindAPI(i == 3 ? EGL_OPENGL_API : EGL_OPENGL_ES_API));         /* not ours to change */
        surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        check_exact(surface, i, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surface);
        /* cropped, and of odd size: the edge is repeated */
        picture.crop_x = 33;
        picture.crop_y = 20;
        picture.width = 101;
        picture.height = 77;
        surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        check_exact(surface, i, 33, 20, 101, 77);
        helix_surface_unref(surface);
        picture.width = 100;
        surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        check_exact(surface, i, 33, 20, 100, 77);
        helix_surface_unref(surface);
        glDeleteTextures(1, &texture.tex_id);
    }
    g_assert_true(eglBindAPI(EGL_OPENGL_ES_API));
    check_end(copier);
}

/* Scaled to the coded size, both ways up; what is bright at the top left stays there. */
static void test_scale(void)
{
    static const guint sizes[][2] = { { 160, 96 }, { 640, 384 }, { 200, 200 } };
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);

    for (guint i = 0; i < 2 * G_N_ELEMENTS(sizes); i++) {
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = i & 1 };
        HelixPicture picture = whole(WIDTH, HEIGHT);
        HelixSurface *surface;
        g_autofree guint8 *pixels = NULL;
        guint64 wrong = 0;

        picture.coded_width = sizes[i / 2][0];
        picture.coded_height = sizes[i / 2][1];
        texture.tex_id = texture_new(WIDTH, HEIGHT, 2, texture.bottom_up);
        surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        g_assert_cmpuint(surface->width, ==, sizes[i / 2][0]);
        g_assert_cmpuint(surface->height, ==, sizes[i / 2][1]);
        pixels = g_malloc((gsize)surface->width * surface->height * 4);
        stream_draw_bgra(pixels, (gsize)surface->width * 4, surface->width, surface->height, 2);
        for (guint y = 0; y < surface->height; y++) {
            for (guint x = 0; x < surface->width; x++) {
                wrong += ABS(pixel_at(surface, x, y)[1] - pixels[((gsize)y * surface->width + x) * 4 + 1]) > 6;
            }
        }
        /* the bright corner's border may lie a pixel beside */
        g_assert_cmpuint(wrong, <, 3 * (surface->width + surface->height));
        helix_surface_unref(surface);
        glDeleteTextures(1, &texture.tex_id);
    }
    check_end(copier);
}

/* Nothing is handed on before the fence; the main loop goes on meanwhile; answers come in order; slots are used again. */
static gboolean count_turn(gpointer turns)
{
    ++*(guint *)turns;
    return G_SOURCE_CONTINUE;
}

static void test_fence(void)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = whole(WIDTH, HEIGHT);
    GLuint textures[3];
    Answer answers[3];
    guint turns = 0, source = g_timeout_add(1, count_turn, &turns);
    HelixSurface *again;

    double_egl.pending_polls = 20;
    for (guint i = 0; i < 3; i++) {
        textures[i] = texture.tex_id = texture_new(WIDTH, HEIGHT, i, FALSE);
        g_assert_true(copy(copier, &texture, &picture, &answers[i], NULL));
        g_assert_false(answers[i].done);
        glDeleteTextures(1, &textures[i]);      /* the guest frees it right away: the copy was submitted */
    }
    wait_answer(&answers[2]);
    g_assert_cmpuint(turns, >, 10);
    g_source_remove(source);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(answers[i].done);
        check_exact(answers[i].surface, i, 0, 0, WIDTH, HEIGHT);
    }
    double_egl.pending_polls = 0;
    again = answers[1].surface;
    g_assert_true(answers[0].surface->native != again->native);
    helix_surface_unref(again);
    texture.tex_id = texture_new(WIDTH, HEIGHT, 9, FALSE);
    again = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    g_assert_cmpuint(double_egl_seen.pbuffers, ==, 3);
    check_exact(again, 9, 0, 0, WIDTH, HEIGHT);
    check_exact(answers[0].surface, 0, 0, 0, WIDTH, HEIGHT);
    check_exact(answers[2].surface, 2, 0, 0, WIDTH, HEIGHT);
    helix_surface_unref(again);
    helix_surface_unref(answers[0].surface);
    /* a surface outlives the copier */
    helix_gpu_copier_free(copier);
    check_exact(answers[2].surface, 2, 0, 0, WIDTH, HEIGHT);
    helix_surface_unref(answers[2].surface);
    glDeleteTextures(1, &texture.tex_id);
    check_end(helix_gpu_copier_new(NULL));
}

/* VideoToolbox holds on to an IOSurface: it is not drawn into. */
static void test_held(void)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = whole(WIDTH, HEIGHT);
    CVPixelBufferRef holder = NULL;
    HelixSurface *surface;
    gpointer first;

    texture.tex_id = texture_new(WIDTH, HEIGHT, 1, FALSE);
    surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    first = surface->native;
    g_assert_cmpint(CVPixelBufferCreateWithIOSurface(NULL, surface->native, NULL, &holder), ==, 0);
    helix_surface_unref(surface);
    surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    g_assert_true(surface->native != first);
    helix_surface_unref(surface);
    CFRelease(holder);
    /* A system on which every IOSurface with a texture counts as used: a few go round. */
    double_cv.always_in_use = TRUE;
    for (guint i = 0; i < 30; i++) {
        HelixSurface *next = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);

        helix_surface_unref(next);
    }
    g_assert_cmpuint(double_egl_seen.pbuffers, <=, 7);
    glDeleteTextures(1, &texture.tex_id);
    check_end(copier);
}

/* As many as the pool may hold, then an error; sizes no longer used make room. */
static void test_pool(void)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    g_autoptr(GPtrArray) surfaces = g_ptr_array_new_with_free_func((GDestroyNotify)helix_surface_unref);
    HelixPicture picture = whole(16, 16);
    GError *error = NULL;
    Answer answer;

    texture.tex_id = texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < 36; i++) {
        g_ptr_array_add(surfaces, must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    }
    g_assert_false(copy(copier, &texture, &picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&error);
    g_ptr_array_set_size(surfaces, 0);
    for (guint i = 0; i < 40; i++) {
        picture = whole(16 + 2 * i, 16);
        helix_surface_unref(must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    }
    g_assert_cmpuint(double_egl_seen.pbuffers, <=, 36);
    double_cv.no_iosurface = TRUE;
    picture = whole(8, 8);
    g_assert_false(copy(copier, &texture, &picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&error);
    glDeleteTextures(1, &texture.tex_id);
    check_end(copier);
}

static void expect_refused(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, int code)
{
    GError *error = NULL;
    Answer answer;

    g_assert_false(copy(copier, texture, picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, code);
    g_clear_error(&error);
}

static void test_refused(void)
{
    static const DoubleEglOrders orders[] = {
        { .hide_extension = "EGL_ANGLE_iosurface_client_buffer" }, { .hide_extension = "EGL_KHR_fence_sync" },
        { .hide_extension = "EGL_KHR_surfaceless_context" }, { .no_config = TRUE }, { .no_target = TRUE },
        { .no_context = TRUE }, { .no_current = TRUE }, { .no_pbuffer = TRUE }, { .no_bind = TRUE }, { .no_release = TRUE },
        { .no_fence = TRUE },
    };
    static const HelixPicture outside[] = {
        { .width = WIDTH + 1, .height = 1 }, { .width = 1, .height = HEIGHT, .crop_y = 1 }, { .width = 0, .height = 1 },
        { .width = 1, .height = 0 }, { .width = 1, .height = 1, .crop_x = G_MAXUINT32 },
        { .width = G_MAXUINT32, .height = G_MAXUINT32, .crop_x = G_MAXUINT32 },
    };
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = whole(WIDTH, HEIGHT);
    HelixGpuCopier *copier = NULL;
    Answer answer;

    texture.tex_id = texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
        copier = helix_gpu_copier_new(NULL);
        double_egl = orders[i];
        expect_refused(copier, &texture, &picture, HELIX_CODE_NOT_READABLE);
        /* whatever it was, the next copy works */
        double_egl = (DoubleEglOrders) { 0 };
        helix_surface_unref(must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
        check_end(copier);
    }
    copier = helix_gpu_copier_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(outside); i++) {
        expect_refused(copier, &texture, &outside[i], HELIX_CODE_GEOMETRY);
    }
    picture.coded_width = picture.coded_height = G_MAXUINT32;           /* no encoder will be opened for that */
    helix_surface_unref(must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    glDeleteTextures(1, &texture.tex_id);
    expect_refused(copier, &texture, &picture, HELIX_CODE_NOT_READABLE);        /* gone */
    texture.tex_id = 0;
    expect_refused(copier, &texture, &picture, HELIX_CODE_NOT_READABLE);
    g_assert_true(eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT));
    helix_gpu_copier_reset(copier);
    texture.tex_id = 1;
    g_assert_false(helix_gpu_copier_copy(copier, &texture, &picture, take_answer, &answer, NULL));
    g_assert_true(eglGetCurrentContext() == EGL_NO_CONTEXT);
    g_assert_true(eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, renderer));
    check_end(copier);
}

/* A GPU that fails or never ends, and one that is reset: answered, and the slot is not used again. */
static void test_gpu_lost(void)
{
    static const int codes[] = { HELIX_CODE_INTERNAL, HELIX_CODE_INTERNAL, HELIX_CODE_NOT_FOUND, HELIX_CODE_NOT_FOUND };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
        HelixPicture picture = whole(WIDTH, HEIGHT);
        Answer answer;

        texture.tex_id = texture_new(WIDTH, HEIGHT, 1, FALSE);
        double_egl.no_status = i == 0;
        double_egl.pending_polls = i ? G_MAXUINT : 0;
        g_assert_true(copy(copier, &texture, &picture, &answer, NULL));
        if (i == 2) {
            helix_gpu_copier_reset(copier);
        } else if (i == 3) {
            helix_gpu_copier_free(copier);
            copier = helix_gpu_copier_new(NULL);
        }
        g_assert_true(i < 2 || answer.done);
        wait_answer(&answer);
        g_assert_error(answer.error, HELIX_ERROR, codes[i]);
        g_clear_error(&answer.error);
        g_assert_cmpuint(double_egl_seen.pbuffers, ==, 0);
        double_egl = (DoubleEglOrders) { 0 };
        helix_surface_unref(must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
        glDeleteTextures(1, &texture.tex_id);
        check_end(copier);
    }
}

/* ---- Metal ---- */

static id metal_texture(guint format, guint index)
{
    id texture = double_metal_texture_new(WIDTH, HEIGHT, format, NULL);
    gsize stride;
    guint8 *data = double_metal_texture_data(texture, &stride);

    stream_draw_bgra(data, stride, WIDTH, HEIGHT, index);
    return texture;
}

static void test_metal_copy(void)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = whole(WIDTH, HEIGHT);
    HelixSurface *surface;
    Answer answer;

    texture.metal = metal_texture(0, 4);
    for (guint i = 0; i < 3; i++) {
        surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
        check_exact(surface, 4, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surface);
    }
    g_assert_cmpuint(double_metal_seen.queues, ==, 1);
    picture.crop_x = 31;
    picture.crop_y = 10;
    picture.width = 120;
    picture.height = 80;
    surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
    check_exact(surface, 4, 31, 10, 120, 80);
    helix_surface_unref(surface);
    /* The renderer has not drawn yet: the copy waits for it, and keeps the texture the guest frees meanwhile. */
    double_egl.hold_event = TRUE;
    double_metal.delay_us = 3000;
    g_assert_true(copy(copier, &texture, &picture, &answer, NULL));
    CFRelease(texture.metal);
    g_usleep(5000);
    while (g_main_context_iteration(NULL, FALSE)) {
        continue;
    }
    g_assert_false(answer.done);
    double_metal_event_signal(double_egl_event, 1);
    wait_answer(&answer);
    check_exact(answer.surface, 4, 31, 10, 120, 80);
    helix_surface_unref(answer.surface);
    g_assert_cmpuint(double_metal_seen.unordered, ==, 0);
    check_end(copier);
}

/* An IOSurface behind the texture: nothing is copied, if nothing is to be changed. */
static void test_in_place(void)
{
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const gint32 numbers[] = { WIDTH, HEIGHT, 4, kCVPixelFormatType_32BGRA };
    const void *values[4];
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = whole(WIDTH, HEIGHT);
    CFDictionaryRef properties;
    HelixSurface *surface;
    IOSurfaceRef io;

    for (guint i = 0; i < 4; i++) {
        values[i] = CFNumberCreate(NULL, kCFNumberSInt32Type, &numbers[i]);
    }
    properties = CFDictionaryCreate(NULL, keys, values, 4, &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    io = IOSurfaceCreate(properties);
    stream_draw_bgra(IOSurfaceGetBaseAddress(io), IOSurfaceGetBytesPerRow(io), WIDTH, HEIGHT, 6);
    texture.metal = double_metal_texture_new(WIDTH, HEIGHT, 0, io);
    surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_IOSURFACE);
    g_assert_true(surface->native == io);
    CFRelease(texture.metal);
    CFRelease(io);
    check_exact(surface, 6, 0, 0, WIDTH, HEIGHT);       /* it lives as long as the surface */
    g_assert_cmpuint(double_metal_seen.copies, ==, 0);
    texture.metal = double_metal_texture_new(WIDTH, HEIGHT, 0, surface->native);
    helix_surface_unref(surface);
    picture.width /= 2;                                 /* a part of it is copied */
    surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
    check_exact(surface, 6, 0, 0, WIDTH / 2, HEIGHT);
    helix_surface_unref(surface);
    CFRelease(texture.metal);
    for (guint i = 0; i < 4; i++) {
        CFRelease(values[i]);
    }
    CFRelease(properties);
    check_end(copier);
}

/* What Metal's copy can't do is blitted; so is everything if Metal or its event is not to be had. */
static void test_metal_not(void)
{
    for (guint i = 0; i < 9; i++) {
        HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = i == 0 };
        HelixPicture picture = whole(WIDTH, HEIGHT);
        HelixSurface *surface;

        texture.metal = metal_texture(i == 1 ? 70 : 0, 5);
        texture.tex_id = texture_new(WIDTH, HEIGHT, 5, i == 0);
        picture.coded_width = picture.coded_height = i == 2 ? 128 : 0;
        picture.width -= i == 3;
        double_egl.no_event = i == 4;
        double_egl.hide_extension = i == 5 ? "EGL_ANGLE_metal_shared_event_sync" : NULL;
        double_metal.no_queue = i == 6;
        double_metal.no_texture = i == 7;
        double_metal.no_commands = i == 8;
        surface = must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        if (i != 2) {
            check_exact(surface, 5, 0, 0, picture.width, HEIGHT);
        }
        helix_surface_unref(surface);
        g_assert_cmpuint(double_metal_seen.copies, ==, 0);
        CFRelease(texture.metal);
        glDeleteTextures(1, &texture.tex_id);
        check_end(copier);
    }
}

static void test_metal_fails(void)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = whole(WIDTH, HEIGHT);
    Answer answer;

    texture.metal = metal_texture(0, 5);
    double_metal.fail = TRUE;
    g_assert_true(copy(copier, &texture, &picture, &answer, NULL));
    wait_answer(&answer);
    g_assert_error(answer.error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&answer.error);
    CFRelease(texture.metal);
    check_end(copier);
}

/* ---- virglrenderer's look-up ---- */

static void test_lookup(void)
{
    char metal;
    HelixTexture texture;

    double_virgl = (DoubleVirglOrders) { .tex_id = 3, .width = 10, .height = 20, .flags = 1, .native = &metal, .native_type = 2 };
    g_assert_true(helix_virgl_texture(9, &texture));
    g_assert_null(texture.metal);               /* version 0 has no handle, whatever lies there */
    g_assert_cmpuint(texture.id, ==, 9);
    g_assert_cmpuint(texture.tex_id, ==, 3);
    g_assert_cmpuint(texture.width, ==, 10);
    g_assert_cmpuint(texture.height, ==, 20);
    g_assert_true(texture.bottom_up);
    double_virgl.version = 1;
    double_virgl.flags = 2;
    g_assert_true(helix_virgl_texture(9, &texture));
    g_assert_true(texture.metal == &metal);
    g_assert_false(texture.bottom_up);
    double_virgl.native_type = 1;               /* Direct3D's */
    g_assert_true(helix_virgl_texture(9, &texture));
    g_assert_null(texture.metal);
    double_virgl.tex_id = 0;
    g_assert_false(helix_virgl_texture(9, &texture));
    double_virgl.missing = TRUE;
    g_assert_false(helix_virgl_texture(9, &texture));
}

/* ---- from a texture to a decoded picture ---- */

static void test_whole_way(void)
{
    HelixEncoderConfig config = { .width = WIDTH, .height = HEIGHT, .bitrate = 4000000, .fps_num = 60, .fps_den = 1, .profile = 100,
                                  .realtime = TRUE };
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixEncoder *encoder = helix_encoder_videotoolbox.open(&config, NULL);
    AVCodecContext *decoder = stream_decoder_new();
    g_autofree guint8 *pixels = g_malloc(WIDTH * HEIGHT * 4);

    g_assert_nonnull(encoder);
    double_egl.pending_polls = 2;
    for (guint i = 0; i < 12; i++) {
        guint scale = 1 + i % 2;
        HelixTexture texture = { .id = 7, .width = WIDTH * scale, .height = HEIGHT * scale, .bottom_up = i % 3 == 0 };
        HelixPicture picture = whole(texture.width, texture.height);
        HelixAccessUnit unit = { 0 };
        HelixSurface *surface;
        AVFrame *frame;

        picture.coded_width = WIDTH;
        picture.coded_height = HEIGHT;
        texture.tex_id = texture_new(texture.width, texture.height, i * scale, texture.bottom_up);
        if (i == 5) {
            texture.metal = metal_texture(0, i);
            texture.width = picture.width = WIDTH;
            texture.height = picture.height = HEIGHT;
        }
        surface = must_copy(copier, &texture, &picture, i == 5 ? HELIX_HOST_PATH_METAL_COPY : HELIX_HOST_PATH_GL_BLIT);
        g_assert_true(helix_encoder_videotoolbox.encode(encoder, surface, FALSE, &unit, NULL));
        g_assert_cmpuint(unit.cpu_bytes, ==, 0);
        helix_surface_unref(surface);
        frame = stream_decode(decoder, unit.data);
        g_assert_nonnull(frame);
        stream_draw_bgra(pixels, WIDTH * 4, WIDTH, HEIGHT, i);
        g_assert_cmpfloat(stream_psnr(frame, pixels, WIDTH * 4), >, 28);
        av_frame_free(&frame);
        g_bytes_unref(unit.data);
        if (texture.metal) {
            CFRelease(texture.metal);
        }
        glDeleteTextures(1, &texture.tex_id);
    }
    avcodec_free_context(&decoder);
    helix_encoder_videotoolbox.close(encoder);
    check_end(copier);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    av_log_set_level(AV_LOG_ERROR);
    start_renderer();
    g_test_add_func("/blit", test_blit);
    g_test_add_func("/scale", test_scale);
    g_test_add_func("/fence", test_fence);
    g_test_add_func("/held", test_held);
    g_test_add_func("/pool", test_pool);
    g_test_add_func("/refused", test_refused);
    g_test_add_func("/gpu-lost", test_gpu_lost);
    g_test_add_func("/metal/copy", test_metal_copy);
    g_test_add_func("/metal/in-place", test_in_place);
    g_test_add_func("/metal/not", test_metal_not);
    g_test_add_func("/metal/fails", test_metal_fails);
    g_test_add_func("/lookup", test_lookup);
    g_test_add_func("/whole-way", test_whole_way);
    return g_test_run();
}
