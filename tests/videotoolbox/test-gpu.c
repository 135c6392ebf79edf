/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-gpu.c - textures blitted into IOSurfaces: real pixels, drawn by Mesa through the EGL layer, and the whole way
 * from a texture to a decoded picture.
 */
#include <string.h>

#include "cases.h"
#include "encode/videotoolbox/encoder-videotoolbox.h"
#include "protocol/error.h"
#include "loop/loop-budget.h"
#include "gpu-rig.h"

TEST("/blit", test_blit)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);

    for (guint i = 0; i < 4; i++) {
        gboolean bottom_up = i & 1;
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = bottom_up };
        HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
        HelixSurface *surface;

        double_egl.rectangle = i >= 2;
        if (i == 2) {
            helix_gpu_copier_reset(copier);
        }
        texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, i, bottom_up);
        g_assert_true(eglBindAPI(i == 3 ? EGL_OPENGL_API : EGL_OPENGL_ES_API)); /* not ours to change */
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        gpu_check_exact(surface, i, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surface);
        /* cropped, and of odd size: the edge is repeated */
        picture.crop_x = 33;
        picture.crop_y = 20;
        picture.width = 101;
        picture.height = 77;
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        gpu_check_exact(surface, i, 33, 20, 101, 77);
        helix_surface_unref(surface);
        picture.width = 100;
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        gpu_check_exact(surface, i, 33, 20, 100, 77);
        helix_surface_unref(surface);
        glDeleteTextures(1, &texture.tex_id);
    }
    g_assert_true(eglBindAPI(EGL_OPENGL_ES_API));
    gpu_check_end(copier);
}

/* Scaled to the coded size, both ways up; what is bright at the top left stays there. */
TEST("/scale", test_scale)
{
    static const guint sizes[][2] = { { 160, 96 }, { 640, 384 }, { 200, 200 } };
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);

    for (guint i = 0; i < 2 * G_N_ELEMENTS(sizes); i++) {
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = i & 1 };
        HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
        HelixSurface *surface;
        g_autofree guint8 *pixels = NULL;
        guint64 wrong = 0;

        gpu_target.coded_width = sizes[i / 2][0];
        gpu_target.coded_height = sizes[i / 2][1];
        texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 2, texture.bottom_up);
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        g_assert_cmpuint(surface->width, ==, sizes[i / 2][0]);
        g_assert_cmpuint(surface->height, ==, sizes[i / 2][1]);
        pixels = g_malloc((gsize)surface->width * surface->height * 4);
        stream_draw_bgra(pixels, (gsize)surface->width * 4, surface->width, surface->height, 2);
        for (guint y = 0; y < surface->height; y++) {
            for (guint x = 0; x < surface->width; x++) {
                wrong += ABS(gpu_pixel_at(surface, x, y)[1] - pixels[((gsize)y * surface->width + x) * 4 + 1]) > 6;
            }
        }
        /* the bright corner's border may lie a pixel beside */
        g_assert_cmpuint(wrong, <, 3 * (surface->width + surface->height));
        helix_surface_unref(surface);
        glDeleteTextures(1, &texture.tex_id);
    }
    gpu_check_end(copier);
}

/*
 * Nothing is handed on before the fence; the main loop goes on meanwhile; answers come in order; entries are used
 * again.
 */
static gboolean count_turn(gpointer turns)
{
    ++*(guint *)turns;
    return G_SOURCE_CONTINUE;
}

TEST("/fence", test_fence)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    GLuint textures[3];
    GpuAnswer answers[3];
    guint turns = 0, source = g_timeout_add(1, count_turn, &turns);
    HelixSurface *again;

    double_egl.pending_polls = 20;
    for (guint i = 0; i < 3; i++) {
        textures[i] = texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, i, FALSE);
        g_assert_true(gpu_copy(copier, &texture, &picture, &answers[i], NULL));
        g_assert_false(answers[i].done);
        glDeleteTextures(1, &textures[i]); /* the guest frees it right away: the copy was submitted */
    }
    gpu_wait_answer(&answers[2]);
    g_assert_cmpuint(turns, >, 10);
    g_source_remove(source);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(answers[i].done);
        gpu_check_exact(answers[i].surface, i, 0, 0, WIDTH, HEIGHT);
    }
    double_egl.pending_polls = 0;
    again = answers[1].surface;
    g_assert_true(answers[0].surface->native != again->native);
    helix_surface_unref(again);
    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 9, FALSE);
    again = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    g_assert_cmpuint(double_egl_seen.pbuffers, ==, 3);
    gpu_check_exact(again, 9, 0, 0, WIDTH, HEIGHT);
    gpu_check_exact(answers[0].surface, 0, 0, 0, WIDTH, HEIGHT);
    gpu_check_exact(answers[2].surface, 2, 0, 0, WIDTH, HEIGHT);
    helix_surface_unref(again);
    helix_surface_unref(answers[0].surface);
    /* a surface outlives the copier */
    helix_gpu_copier_free(copier);
    gpu_check_exact(answers[2].surface, 2, 0, 0, WIDTH, HEIGHT);
    helix_surface_unref(answers[2].surface);
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(helix_gpu_copier_new(NULL));
}

/* What an answer sets off takes its time: it counts as ours, so that a reader of the picture sees this iteration's
 * budget.
 */
static void answer_slowly(gpointer data, HelixSurface *surface, GError *error)
{
    gint64 spent = helix_loop_spent_us();

    g_usleep(2000);
    g_assert_cmpint(helix_loop_spent_us() - spent, >=, 1000);
    gpu_take_answer(data, surface, error);
}

TEST("/turn", test_turn)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    GpuAnswer answer = { .done = FALSE };

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < 2; i++) {
        double_egl.no_status = i == 1; /* an error as well */
        answer = (GpuAnswer){ .done = FALSE };
        g_assert_true(helix_gpu_copier_copy(copier, &texture, &picture, &gpu_target, answer_slowly, &answer, NULL));
        gpu_wait_answer(&answer);
        helix_surface_unref(answer.surface);
        g_clear_error(&answer.error);
    }
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

static gint64 leap_ns;

/* A turn is over whenever somebody looks. */
static gint64 leap(void)
{
    return leap_ns += 2 * HELIX_LOOP_BUDGET_US * G_GINT64_CONSTANT(1000);
}

static guint count_done(const GpuAnswer *answers, guint n)
{
    guint done = 0;

    for (guint i = 0; i < n; i++) {
        done += answers[i].done;
    }
    return done;
}

/* Many copies are over at once: no iteration of the main loop takes more answers than its budget has time for. */
TEST("/turn/answers", test_answers_in_turns)
{
    enum { N = 8 };
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    GpuAnswer answers[N];
    guint done = 0;

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < N; i++) {
        g_assert_true(gpu_copy(copier, &texture, &picture, &answers[i], NULL));
    }
    glFinish();
    helix_loop_set_clock(leap);
    while (done < N) {
        guint before = done;

        helix_loop_next_iteration();
        g_main_context_iteration(NULL, TRUE);
        done = count_done(answers, N);
        g_assert_cmpuint(done - before, <=, 1);
    }
    helix_loop_set_clock(NULL);
    for (guint i = 0; i < N; i++) {
        gpu_check_exact(answers[i].surface, 1, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(answers[i].surface);
    }
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

static void expect_refused(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, int code)
{
    GError *error = NULL;
    GpuAnswer answer;

    g_assert_false(gpu_copy(copier, texture, picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, code);
    g_clear_error(&error);
}

TEST("/refused", test_refused)
{
    static const DoubleEglOrders orders[] = {
        { .hide_extension = "EGL_ANGLE_iosurface_client_buffer" },
        { .no_config = TRUE },
        { .no_target = TRUE },
        { .no_pbuffer = TRUE },
        { .no_bind = TRUE },
        { .no_release = TRUE },
        { .no_fence = TRUE },
        { .core_opengl = TRUE, .no_fence = TRUE },
    };
    static const HelixPicture outside[] = {
        { .width = WIDTH + 1, .height = 1 },
        { .width = 1, .height = HEIGHT, .crop_y = 1 },
        { .width = 0, .height = 1 },
        { .width = 1, .height = 0 },
        { .width = 1, .height = 1, .crop_x = G_MAXUINT32 },
        { .width = G_MAXUINT32, .height = G_MAXUINT32, .crop_x = G_MAXUINT32 },
    };
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    HelixGpuCopier *copier = NULL;
    GpuAnswer answer;

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
        copier = helix_gpu_copier_new(NULL);
        double_egl = orders[i];
        expect_refused(copier, &texture, &picture, HELIX_CODE_NOT_READABLE);
        /* whatever it was, the next copy works */
        double_egl = (DoubleEglOrders){ 0 };
        helix_surface_unref(gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
        gpu_check_end(copier);
    }
    copier = helix_gpu_copier_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(outside); i++) {
        expect_refused(copier, &texture, &outside[i], HELIX_CODE_GEOMETRY);
    }
    gpu_target.coded_width = gpu_target.coded_height = G_MAXUINT32; /* no encoder will be opened for that */
    helix_surface_unref(gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    glDeleteTextures(1, &texture.tex_id);
    expect_refused(copier, &texture, &picture, HELIX_CODE_NOT_READABLE); /* gone */
    texture.tex_id = 0;
    expect_refused(copier, &texture, &picture, HELIX_CODE_NOT_READABLE);
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT));
    helix_gpu_copier_reset(copier);
    texture.tex_id = 1;
    g_assert_false(helix_gpu_copier_copy(copier, &texture, &picture, &gpu_target, gpu_take_answer, &answer, NULL));
    g_assert_true(eglGetCurrentContext() == EGL_NO_CONTEXT);
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, gpu_renderer));
    gpu_check_end(copier);
}

/* A copy is whole whatever the renderer clips, which is as before, and no context changes for it. */
TEST("/renderer-state", test_renderer_state)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    guint waits = double_egl_seen.waits;
    HelixSurface *surface;
    GLint box[4];

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 6, FALSE);
    glEnable(GL_SCISSOR_TEST);
    glScissor(3, 5, 7, 11);
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    gpu_check_exact(surface, 6, 0, 0, WIDTH, HEIGHT);
    g_assert_true(glIsEnabled(GL_SCISSOR_TEST));
    glGetIntegerv(GL_SCISSOR_BOX, box);
    g_assert_true(box[0] == 3 && box[1] == 5 && box[2] == 7 && box[3] == 11);
    g_assert_cmpuint(double_egl_seen.waits, ==, waits);
    glDisable(GL_SCISSOR_TEST);
    helix_surface_unref(surface);
    glDeleteTextures(1, &texture.tex_id);
    /* objects are freed in the renderer's context also when none is current, and if that fails they go with it */
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT));
    double_egl.no_current = TRUE;
    helix_gpu_copier_free(copier);
    g_assert_true(eglGetCurrentContext() == EGL_NO_CONTEXT);
    g_assert_false(double_egl.no_current);
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, gpu_renderer));
    gpu_check_clear();
}

/* ANGLE's Core OpenGL back end: fences are OpenGL's. While they are asked, the renderer's context stays the current
 * one. */
TEST("/core-opengl", test_core_opengl)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    HelixSurface *surface;
    GpuAnswer answer;

    double_egl = (DoubleEglOrders){ .core_opengl = TRUE, .rectangle = TRUE, .pending_polls = 5 };
    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 4, FALSE);
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    gpu_check_exact(surface, 4, 0, 0, WIDTH, HEIGHT);
    helix_surface_unref(surface);
    g_assert_true(eglGetCurrentContext() == gpu_renderer);
    for (guint i = 0; i < 2; i++) {
        double_egl.no_status = i == 0;
        double_egl.pending_polls = i == 0 ? 0 : G_MAXUINT;
        g_assert_true(gpu_copy(copier, &texture, &picture, &answer, NULL));
        if (i == 1) {
            helix_gpu_copier_reset(copier);
        }
        gpu_wait_answer(&answer);
        g_assert_error(answer.error, HELIX_ERROR, (i == 0 ? HELIX_CODE_INTERNAL : HELIX_CODE_NOT_FOUND));
        g_clear_error(&answer.error);
    }
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

/* Core OpenGL: no EGL at all, so no call into it, and the texture is read back. */
TEST("/no-egl", test_no_egl)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .tex_id = 1 };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    GError *error = NULL;
    GpuAnswer answer;

    texture.metal = gpu_metal_texture(0, 1);
    double_egl.no_egl = TRUE;
    g_assert_false(helix_gpu_copier_copy(copier, &texture, &picture, &gpu_target, gpu_take_answer, &answer, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE);
    g_assert_nonnull(strstr(error->message, "no EGL"));
    g_clear_error(&error);
    helix_gpu_copier_reset(copier);
    CFRelease(texture.metal);
    gpu_check_end(copier);
}

/* A 5K desktop is scaled by the GPU to what hardware encodes in real time. */
TEST("/5k", test_5k)
{
    HelixEncoderConfig config = { .width = 4096,
                                  .height = 2304,
                                  .bitrate = 40000000,
                                  .fps_num = 60,
                                  .fps_den = 1,
                                  .profile = 100,
                                  .realtime = TRUE };
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = 5120, .height = 2880, .bottom_up = TRUE };
    HelixPicture picture = gpu_whole(5120, 2880);
    HelixEncoder *encoder = helix_encoder_videotoolbox.open(&config, FALSE, NULL);
    AVCodecContext *decoder = stream_decoder_new();
    g_autofree guint8 *pixels = g_malloc((gsize)config.width * config.height * 4);
    HelixAccessUnit unit = { 0 };
    HelixSurface *surface;
    AVFrame *frame;

    g_assert_nonnull(encoder);
    gpu_target.coded_width = config.width;
    gpu_target.coded_height = config.height;
    texture.tex_id = gpu_texture_new(5120, 2880, 3, TRUE);
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    g_assert_cmpuint(surface->width, ==, config.width);
    g_assert_cmpuint(surface->height, ==, config.height);
    g_assert_true(helix_encoder_videotoolbox.encode(encoder, surface, FALSE, &unit, NULL));
    g_assert_cmpuint(unit.cpu_bytes, ==, 0);
    helix_surface_unref(surface);
    frame = stream_decode(decoder, unit.data);
    g_assert_nonnull(frame);
    stream_draw_bgra(pixels, (gsize)config.width * 4, config.width, config.height, 3);
    g_assert_cmpfloat(stream_psnr(frame, pixels, (gsize)config.width * 4), >, 28);
    av_frame_free(&frame);
    g_bytes_unref(unit.data);
    glDeleteTextures(1, &texture.tex_id);
    avcodec_free_context(&decoder);
    helix_encoder_videotoolbox.close(encoder);
    gpu_check_end(copier);
}

/* A GPU that fails or never ends, and one that is reset: answered, and the entry is not used again. */
TEST("/gpu-lost", test_gpu_lost)
{
    static const int codes[] = { HELIX_CODE_INTERNAL, HELIX_CODE_INTERNAL, HELIX_CODE_NOT_FOUND, HELIX_CODE_NOT_FOUND };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
        HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
        GpuAnswer answer;

        texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
        double_egl.no_status = i == 0;
        double_egl.pending_polls = i ? G_MAXUINT : 0;
        g_assert_true(gpu_copy(copier, &texture, &picture, &answer, NULL));
        if (i == 2) {
            helix_gpu_copier_reset(copier);
        } else if (i == 3) {
            helix_gpu_copier_free(copier);
            copier = helix_gpu_copier_new(NULL);
        }
        g_assert_true(i < 2 || answer.done);
        gpu_wait_answer(&answer);
        g_assert_error(answer.error, HELIX_ERROR, codes[i]);
        g_clear_error(&answer.error);
        g_assert_cmpuint(double_egl_seen.pbuffers, ==, 0);
        double_egl = (DoubleEglOrders){ 0 };
        helix_surface_unref(gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
        glDeleteTextures(1, &texture.tex_id);
        gpu_check_end(copier);
    }
}

/* From a texture to a decoded picture. */
TEST("/whole-way", test_whole_way)
{
    HelixEncoderConfig config = { .width = WIDTH,
                                  .height = HEIGHT,
                                  .bitrate = 4000000,
                                  .fps_num = 60,
                                  .fps_den = 1,
                                  .profile = 100,
                                  .realtime = TRUE };
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixEncoder *encoder = helix_encoder_videotoolbox.open(&config, FALSE, NULL);
    AVCodecContext *decoder = stream_decoder_new();
    g_autofree guint8 *pixels = g_malloc(WIDTH * HEIGHT * 4);

    g_assert_nonnull(encoder);
    double_egl.pending_polls = 2;
    for (guint i = 0; i < 12; i++) {
        guint scale = 1 + i % 2;
        HelixTexture texture = { .id = 7, .width = WIDTH * scale, .height = HEIGHT * scale, .bottom_up = i % 3 == 0 };
        HelixPicture picture = gpu_whole(texture.width, texture.height);
        HelixAccessUnit unit = { 0 };
        HelixSurface *surface;
        AVFrame *frame;

        gpu_target.coded_width = WIDTH;
        gpu_target.coded_height = HEIGHT;
        texture.tex_id = gpu_texture_new(texture.width, texture.height, i * scale, texture.bottom_up);
        if (i == 5) {
            texture.metal = gpu_metal_texture(0, i);
            texture.width = picture.width = WIDTH;
            texture.height = picture.height = HEIGHT;
        }
        surface = gpu_must_copy(copier, &texture, &picture,
                                i == 5 ? HELIX_HOST_PATH_METAL_COPY : HELIX_HOST_PATH_GL_BLIT);
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
    gpu_check_end(copier);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gpu_start_renderer();
    test_cases_add();
    return g_test_run();
}
