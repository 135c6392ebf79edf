/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-iosurface-pool.c - the IOSurfaces that copies go into: when one is used again, how many there may be, and when
 * they go.
 */
#include "cases.h"
#include "capture/apple/iosurface-pool.h"
#include "protocol/error.h"
#include "gpu-rig.h"

/*
 * VideoToolbox holds on to IOSurfaces, to more than it should: they are not drawn into. When it lets go they are, and
 * not before that is there a limit.
 */
TEST("/iosurface-pool/held", test_held)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    CVPixelBufferRef holders[36];
    IOSurfaceRef held[G_N_ELEMENTS(holders)];
    HelixSurface *surface;
    GpuAnswer answer;
    GError *error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(holders); i++) {
        texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, i, FALSE);
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        for (guint j = 0; j < i; j++) {
            g_assert_true(surface->native != held[j]);
        }
        held[i] = surface->native;
        g_assert_cmpint(CVPixelBufferCreateWithIOSurface(NULL, surface->native, NULL, &holders[i]), ==, 0);
        helix_surface_unref(surface);
        glDeleteTextures(1, &texture.tex_id);
    }
    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 0, FALSE);
    g_assert_false(gpu_copy(copier, &texture, &picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&error);
    for (guint i = 0; i < G_N_ELEMENTS(holders); i++) { /* what it may still read is what was drawn */
        surface = helix_iosurface_wrap(held[i]);
        gpu_check_exact(surface, i, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surface);
    }
    CFRelease(holders[17]);
    for (guint i = 0; i < 3; i++) {
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        gpu_check_exact(surface, 0, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surface);
    }
    for (guint i = 0; i < G_N_ELEMENTS(holders); i++) {
        if (i != 17) {
            CFRelease(holders[i]);
        }
    }
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

/* A system on which an IOSurface with a texture counts as used: a few go round, and one that is held besides is not
 * drawn into. */
TEST("/iosurface-pool/texture-counts", test_texture_counts)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    CVPixelBufferRef holder = NULL;
    HelixSurface *surface;
    IOSurfaceRef held;

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
    double_cv.texture_is_use = TRUE;
    surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
    g_assert_cmpint(CVPixelBufferCreateWithIOSurface(NULL, surface->native, NULL, &holder), ==, 0);
    held = surface->native;
    helix_surface_unref(surface);
    for (guint i = 0; i < 30; i++) {
        surface = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        gpu_check_exact(surface, 1, 0, 0, WIDTH, HEIGHT);
        g_assert_true(surface->native != held);
        helix_surface_unref(surface);
    }
    g_assert_cmpuint(double_egl_seen.pbuffers, <=, 7);
    for (guint i = 0; i < 40; i++) { /* nor do they keep other sizes from room */
        picture = gpu_whole(16 + 2 * i, 16);
        helix_surface_unref(gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    }
    CFRelease(holder);
    double_cv.texture_is_use = FALSE;
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

/* As many as the pool may hold, then an error; sizes no longer used make room. */
TEST("/iosurface-pool/pool", test_pool)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    g_autoptr(GPtrArray) surfaces = g_ptr_array_new_with_free_func((GDestroyNotify)helix_surface_unref);
    HelixPicture picture = gpu_whole(16, 16);
    GError *error = NULL;
    GpuAnswer answer;

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < 36; i++) {
        g_ptr_array_add(surfaces, gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    }
    g_assert_false(gpu_copy(copier, &texture, &picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&error);
    g_ptr_array_set_size(surfaces, 0);
    for (guint i = 0; i < 40; i++) {
        picture = gpu_whole(16 + 2 * i, 16);
        helix_surface_unref(gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    }
    g_assert_cmpuint(double_egl_seen.pbuffers, <=, 36);
    double_cv.no_iosurface = TRUE;
    picture = gpu_whole(8, 8);
    g_assert_false(gpu_copy(copier, &texture, &picture, &answer, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL);
    g_clear_error(&error);
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

/* The time after which IOSurfaces are looked through has passed; FALSE: nothing is there to be let go. */
static gboolean pass_time(HelixGpuCopier *copier)
{
    GSource *source = g_main_context_find_source_by_user_data(NULL, copier);

    if (!source) {
        return FALSE;
    }
    g_source_set_ready_time(source, 0);
    g_main_context_iteration(NULL, FALSE);
    g_assert_true(eglGetCurrentContext() == gpu_renderer);
    return TRUE;
}

/* Unused IOSurfaces are released after a while, whatever the system says of them; used ones stay. */
TEST("/iosurface-pool/idle", test_idle)
{
    HelixGpuCopier *copier = helix_gpu_copier_new(NULL);
    HelixTexture texture = { .id = 7, .width = WIDTH, .height = HEIGHT };
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);
    HelixSurface *surfaces[3];

    texture.tex_id = gpu_texture_new(WIDTH, HEIGHT, 1, FALSE);
    for (guint i = 0; i < 2; i++) {
        g_assert_false(pass_time(copier));
        for (guint j = 0; j < 3; j++) {
            surfaces[j] = gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT);
        }
        double_cv.always_in_use = i == 1;
        helix_surface_unref(surfaces[0]);
        helix_surface_unref(surfaces[2]);
        g_assert_true(pass_time(copier));
        g_assert_cmpuint(double_egl_seen.pbuffers, ==, 3); /* used a moment ago */
        g_assert_true(pass_time(copier));
        g_assert_cmpuint(double_egl_seen.pbuffers, ==, 1);
        gpu_check_exact(surfaces[1], 1, 0, 0, WIDTH, HEIGHT);
        helix_surface_unref(surfaces[1]);
        g_assert_true(pass_time(copier));
        g_assert_cmpuint(double_egl_seen.pbuffers, ==, 0);
        double_cv.always_in_use = FALSE;
    }
    helix_surface_unref(gpu_must_copy(copier, &texture, &picture, HELIX_HOST_PATH_GL_BLIT));
    glDeleteTextures(1, &texture.tex_id);
    gpu_check_end(copier);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gpu_start_renderer();
    test_cases_add();
    return g_test_run();
}
