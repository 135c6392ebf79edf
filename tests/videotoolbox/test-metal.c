/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-metal.c - Metal textures copied by Metal or used in place, and what goes by GL instead.
 */
#include "cases.h"
#include "protocol/error.h"
#include "gpu-rig.h"

TEST("/metal/copy", test_metal_copy)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    HelixSurface *surface;
    GpuAnswer answer;

    texture.metal = gpu_metal_texture(0, 4);
    for (guint i = 0; i < 3; i++) {
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
        gpu_check_exact(surface, 4, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surface);
    }
    g_assert_cmpuint(double_metal_seen.queues, ==, 1);
    picture.crop_x = 31;
    picture.crop_y = 10;
    picture.width = 120;
    picture.height = 80;
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
    gpu_check_exact(surface, 4, 31, 10, 120, 80);
    helix_surface_unref(surface);
    /* The renderer has not drawn yet: the copy waits for it, and keeps the texture the guest frees meanwhile. */
    double_egl.hold_event = TRUE;
    double_metal.delay_us = 3000;
    g_assert_true(gpu_copy(copier, &texture, &picture, &answer, NULL));
    CFRelease(texture.metal);
    g_usleep(5000);
    while (g_main_context_iteration(NULL, FALSE)) {
        continue;
    }
    g_assert_false(answer.done);
    double_metal_event_signal(double_egl_event, 1);
    gpu_wait_answer(&answer);
    gpu_check_exact(answer.surface, 4, 31, 10, 120, 80);
    helix_surface_unref(answer.surface);
    g_assert_cmpuint(double_metal_seen.unordered, ==, 0);
    gpu_check_end(copier);
}

/* An IOSurface behind the texture: nothing is copied, if nothing is to be changed. */
TEST("/metal/in-place", test_in_place)
{
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const gint32 numbers[] = { WIDTH, HEIGHT, 4, kCVPixelFormatType_32BGRA };
    const void *values[4];
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    CFDictionaryRef properties;
    HelixSurface *surface;
    GpuAnswer answer;
    IOSurfaceRef io;

    for (guint i = 0; i < 4; i++) {
        values[i] = CFNumberCreate(NULL, kCFNumberSInt32Type, &numbers[i]);
    }
    properties = CFDictionaryCreate(NULL, keys, values, 4, &kCFTypeDictionaryKeyCallBacks,
                                    &kCFTypeDictionaryValueCallBacks);
    io = IOSurfaceCreate(properties);
    stream_draw_bgra(IOSurfaceGetBaseAddress(io), IOSurfaceGetBytesPerRow(io), WIDTH, HEIGHT, 6);
    texture.metal = double_metal_texture_new(WIDTH, HEIGHT, 0, io);
    /* Not before the renderer has drawn it, and the guest may let go of it meanwhile. */
    double_egl.pending_polls = 3;
    g_assert_true(gpu_copy(copier, &texture, &picture, &answer, NULL));
    g_assert_false(answer.done);
    g_assert_cmpuint(double_egl_seen.fences, ==, 1);
    gpu_wait_answer(&answer);
    g_assert_no_error(answer.error);
    helix_surface_unref(answer.surface);
    double_egl.pending_polls = 0;
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_IOSURFACE);
    g_assert_true(surface->native == io);
    CFRelease(texture.metal);
    CFRelease(io);
    gpu_check_exact(surface, 6, 0, 0, WIDTH, HEIGHT); /* it lives as long as the surface */
    g_assert_cmpuint(double_metal_seen.copies, ==, 0);
    texture.metal = double_metal_texture_new(WIDTH, HEIGHT, 0, surface->native);
    helix_surface_unref(surface);
    picture.width /= 2; /* a part of it is copied */
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
    gpu_check_exact(surface, 6, 0, 0, WIDTH / 2, HEIGHT);
    helix_surface_unref(surface);
    picture.width = WIDTH;
    for (guint i = 0; i < 5; i++) {
        double_egl = (DoubleEglOrders){ .no_fence = i == 0,
                                        .hide_extension = i == 1 ? "EGL_KHR_fence_sync" : NULL,
                                        .no_status = i == 2,
                                        .pending_polls = i >= 3 ? G_MAXUINT : 0 };
        if (i < 2) { /* nothing would say when it is drawn: it is copied */
            surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
            gpu_check_exact(surface, 6, 0, 0, WIDTH, HEIGHT);
            helix_surface_unref(surface);
            continue;
        }
        g_assert_true(gpu_copy(copier, &texture, &picture, &answer, NULL));
        if (i == 4) {
            helix_gpu_copier_reset(copier);
        }
        gpu_wait_answer(&answer);
        g_assert_error(answer.error, HELIX_ERROR, (i == 4 ? HELIX_CODE_NOT_FOUND : HELIX_CODE_INTERNAL));
        g_clear_error(&answer.error);
    }
    CFRelease(texture.metal);
    for (guint i = 0; i < 4; i++) {
        CFRelease(values[i]);
    }
    CFRelease(properties);
    gpu_check_end(copier);
}

/* What Metal's copy can't do is blitted; so is everything if Metal or its event is not to be had. */
TEST("/metal/not", test_metal_not)
{
    for (guint i = 0; i < 9; i++) {
        HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
        HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT, .bottom_up = i == 0 };
        HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
        HelixSurface *surface;

        texture.metal = gpu_metal_texture(i == 1 ? 70 : 0, 5);
        texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 5, i == 0);
        gpu_target.coded_width = gpu_target.coded_height = i == 2 ? 128 : 0;
        picture.width -= i == 3;
        double_egl.no_event = i == 4;
        double_egl.hide_extension = i == 5 ? "EGL_ANGLE_metal_shared_event_sync" : NULL;
        double_metal.no_queue = i == 6;
        double_metal.no_texture = i == 7;
        double_metal.no_commands = i == 8;
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        if (i != 2) {
            gpu_check_exact(surface, 5, 0, 0, picture.width, HEIGHT);
        }
        helix_surface_unref(surface);
        g_assert_cmpuint(double_metal_seen.copies, ==, 0);
        if (i >= 4) { /* none of that is for good */
            double_egl = (DoubleEglOrders){ 0 };
            double_metal = (DoubleMetalOrders){ 0 };
            surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_METAL_COPY);
            gpu_check_exact(surface, 5, 0, 0, WIDTH, HEIGHT);
            helix_surface_unref(surface);
        }
        CFRelease(texture.metal);
        glDeleteTextures(1, &texture.tex_id);
        gpu_check_end(copier);
    }
}

TEST("/metal/fails", test_metal_fails)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    GpuAnswer answer;

    texture.metal = gpu_metal_texture(0, 5);
    double_metal.fail = TRUE;
    g_assert_true(gpu_copy(copier, &texture, &picture, &answer, NULL));
    gpu_wait_answer(&answer);
    g_assert_error(answer.error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&answer.error);
    CFRelease(texture.metal);
    gpu_check_end(copier);
}

/* Copies before and behind one whose event never comes; TRUE: they were handed on, and it was not over yet then. */
static gboolean pass_stuck(HelixGpuCopier *copier)
{
    HelixTexture metal = { .id = 7, .width = WIDTH, .height = HEIGHT }, gl = metal;
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    GpuAnswer stuck, answers[2];
    gboolean passed;
    id event;

    metal.metal = gpu_metal_texture(0, 5);
    gl.tex_id = gpu_texture_new(WIDTH, HEIGHT, 6, FALSE);
    g_assert_true(gpu_copy(copier, &gl, &picture, &answers[0], NULL));
    double_egl.hold_event = TRUE;
    g_assert_true(gpu_copy(copier, &metal, &picture, &stuck, NULL));
    event = (id)CFRetain(double_egl_event);
    g_assert_true(gpu_copy(copier, &gl, &picture, &answers[1], NULL));
    for (guint i = 0; i < 2; i++) {
        gpu_wait_answer(&answers[i]);
        g_assert_no_error(answers[i].error);
        gpu_check_exact(answers[i].surface, 6, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(answers[i].surface);
    }
    passed = !stuck.done;
    gpu_wait_answer(&stuck);
    g_assert_error(stuck.error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&stuck.error);
    double_metal_event_signal(event, 1);
    CFRelease(event);
    CFRelease(metal.metal);
    glDeleteTextures(1, &gl.tex_id);
    return passed;
}

/* A machine so busy that nothing ran for two seconds, when the stuck one is given up, gets another try. */
TEST("/metal/stuck", test_metal_stuck)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    gboolean passed = FALSE;

    for (guint i = 0; i < 5 && !passed; i++) {
        passed = pass_stuck(copier);
    }
    g_assert_true(passed);
    gpu_check_end(copier);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gpu_start_renderer();
    test_cases_add();
    return g_test_run();
}
