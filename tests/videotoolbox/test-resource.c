/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-resource.c - QEMU's look-up on a Mac, hw/display/helix/capture/resource-resolver.c as it is: what the GPU
 * copies, what is read back instead and says why, what is refused; whatever context was current before, virglrenderer's
 * is afterwards, as it was.
 */
#include <string.h>

#include "cases.h"
#include "protocol/error.h"
#include "loop/loop-budget.h"
#include "gpu-rig.h"
#include "qemu-rig.h"
#include "capture/texture-hooks.h"

#define ID 7u
#define IOSURFACES (1u << HELIX_SURFACE_IOSURFACE)
#define R8G8B8A8 67u /* virgl's; 104 is its sRGB twin */

static VirtIOGPU gpu;
static struct virtio_gpu_simple_resource entry;
static HelixSurfacePool *pool;

/* A GPU with resource ID: picture @index in a texture kept bottom up. */
static void start(guint index)
{
    qemu_rig_start(&gpu, true);
    qemu_rig_add(&gpu, &entry, ID);
    pool = helix_surface_pool_new(4);
    double_virgl_renderer.forced = 0;
    double_virgl = (DoubleVirglOrders){ .tex_id = gpu_texture_new(WIDTH, HEIGHT, index, TRUE),
                                        .width = WIDTH,
                                        .height = HEIGHT,
                                        .flags = 1,
                                        .format = R8G8B8A8 };
}

static void end(void)
{
    helix_resource_cancel_all();
    glDeleteTextures(1, &double_virgl.tex_id);
    helix_surface_pool_unref(pool);
    gpu_check_clear();
}

static HelixCaptureTarget target; /* of the next look-ups */

static HelixPicture wanted(void)
{
    HelixPicture picture = gpu_whole(WIDTH, HEIGHT);

    target = (HelixCaptureTarget){ .surface_kinds = IOSURFACES | 1u << HELIX_SURFACE_MEMORY };
    return picture;
}

/* In a turn of its own, as a host has it: what is read back is read at once, not in pieces after what came before. */
static void resolve(const HelixPicture *picture, GpuAnswer *answer)
{
    helix_loop_next_iteration();
    *answer = (GpuAnswer){ .done = FALSE };
    helix_resource_resolver.resolve(&gpu, picture, &target, pool, gpu_take_answer, answer);
}

static HelixSurface *must_resolve(const HelixPicture *picture, HelixHostPath path)
{
    GpuAnswer answer;

    resolve(picture, &answer);
    gpu_wait_answer(&answer);
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.surface->path, ==, path);
    return answer.surface;
}

static void must_fail(const HelixPicture *picture, int code, const char *words)
{
    GpuAnswer answer;

    resolve(picture, &answer);
    gpu_wait_answer(&answer);
    g_assert_error(answer.error, HELIX_ERROR, code);
    if (!strstr(answer.error->message, words)) {
        g_error("no \"%s\" in: %s", words, answer.error->message);
    }
    g_clear_error(&answer.error);
}

/* What came by way of the CPU: every pixel of picture @index, in the texture's order, red first. */
static void check_memory(HelixSurface *surface, guint index)
{
    gsize stride = WIDTH * 4;
    g_autofree guint8 *pixels = g_malloc(stride * HEIGHT);

    stream_draw_bgra(pixels, stride, WIDTH, HEIGHT, index);
    g_assert_cmpint(surface->kind, ==, HELIX_SURFACE_MEMORY);
    g_assert_cmpuint(surface->fourcc, ==, HELIX_FORMAT_AB24);
    g_assert_cmpuint(surface->cpu_bytes, >=, stride * HEIGHT);
    for (guint y = 0; y < HEIGHT; y++) {
        const guint8 *row = surface->data + surface->offset[0] + (gsize)y * surface->stride[0];

        for (guint x = 0; x < WIDTH; x++) {
            const guint8 *pixel = pixels + y * stride + x * 4;

            g_assert_true(row[x * 4] == pixel[2] && row[x * 4 + 1] == pixel[1] && row[x * 4 + 2] == pixel[0]);
        }
    }
    helix_surface_unref(surface);
}

static void must_read_back(const HelixPicture *picture, guint index, const char *why)
{
    check_memory(must_resolve(picture, HELIX_HOST_PATH_READBACK), index);
    if (why ? !strstr(qemu_rig.no_copy, why) : qemu_rig.no_copy[0] != 0) {
        g_error("\"%s\" was traced, not \"%s\"", qemu_rig.no_copy, why ? why : "");
    }
}

/* By the GPU, from no current context and from another one; virglrenderer's is current afterwards, with all that was
 * bound. */
TEST("/resource/copy", test_copy)
{
    static const EGLint version[] = { EGL_CONTEXT_CLIENT_VERSION, 3, EGL_NONE };
    EGLContext other = eglCreateContext(gpu_display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, version);
    const EGLContext before[] = { EGL_NO_CONTEXT, other, gpu_renderer };
    HelixPicture picture = wanted();

    g_assert_true(other != EGL_NO_CONTEXT);
    start(3);
    for (guint i = 0; i < G_N_ELEMENTS(before); i++) {
        HelixSurface *surface;
        GLuint bound;
        GLint value = 0;

        glGenTextures(1, &bound);
        glBindTexture(GL_TEXTURE_2D, bound);
        glViewport(1, 2, 3, 4);
        g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, before[i]));
        surface = must_resolve(&picture, HELIX_HOST_PATH_GL_BLIT);
        g_assert_true(eglGetCurrentContext() == gpu_renderer);
        glGetIntegerv(GL_TEXTURE_BINDING_2D, &value);
        g_assert_cmpint(value, ==, (GLint)bound);
        glGetIntegerv(GL_DRAW_FRAMEBUFFER_BINDING, &value);
        g_assert_cmpint(value, ==, 0);
        g_assert_cmpuint(glGetError(), ==, GL_NO_ERROR);
        gpu_check_exact(surface, 3, 0, 0, WIDTH, HEIGHT);
        g_assert_cmpuint(surface->cpu_bytes, ==, 0);
        helix_surface_unref(surface);
        glDeleteTextures(1, &bound);
        g_assert_cmpuint(double_virgl_renderer.forced, ==, 1 + i);
        g_assert_cmpuint(qemu_rig.drained, ==, 1 + i);
    }
    g_assert_true(eglDestroyContext(gpu_display, other));
    end();
}

/* The GPU does not take it, for whatever reason: it is read back, what is wrong is traced, and the next one is copied
 * again. */
TEST("/resource/not-copied", test_not_copied)
{
    static const struct {
        DoubleEglOrders egl;
        const char *why;
    } orders[] = {
        { { .no_egl = TRUE }, "no EGL" },
        { { .no_pbuffer = TRUE }, "" },
        { { .no_fence = TRUE }, "" },
        { { .hide_extension = "EGL_ANGLE_iosurface_client_buffer" }, "EGL_ANGLE_iosurface_client_buffer" },
    };
    HelixPicture picture = wanted();

    start(5);
    for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
        helix_resource_cancel_all(); /* what one copy leaves for the next is gone */
        double_egl = orders[i].egl;
        must_read_back(&picture, 5, orders[i].why);
        g_assert_true(qemu_rig.no_copy[0] != 0);
        double_egl = (DoubleEglOrders){ 0 };
        helix_surface_unref(must_resolve(&picture, HELIX_HOST_PATH_GL_BLIT));
    }
    double_cv.no_iosurface = TRUE;
    target.coded_width = 64; /* a size of which no IOSurface is there yet */
    target.coded_height = 48;
    must_read_back(&picture, 5, "IOSurface");
    double_cv.no_iosurface = FALSE;
    picture = wanted();
    /* It is there when it is described, and its texture is not when it is to be copied. */
    double_virgl.missing_after = 1;
    must_read_back(&picture, 5, "resource 7 has no texture");
    double_virgl.missing = FALSE;
    /* Nobody tries: the encoder reads memory only, or the copy would convert the colours. */
    double_virgl_renderer.forced = 0;
    target.surface_kinds = 1u << HELIX_SURFACE_MEMORY;
    must_read_back(&picture, 5, NULL);
    picture = wanted();
    double_virgl.format = 104;
    check_memory(must_resolve(&picture, HELIX_HOST_PATH_READBACK), 5);
    g_assert_cmpstr(qemu_rig.no_copy, ==, "");
    g_assert_cmpuint(double_egl_seen.fences, ==, 0);
    /* Not even that is to be had. */
    double_virgl.no_read = TRUE;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "can't read resource 7 back");
    end();
}

TEST("/resource/refused", test_refused)
{
    HelixPicture picture = wanted();
    GError *error = NULL;
    GpuAnswer answer;

    start(1);
    picture.width++;
    must_fail(&picture, HELIX_CODE_GEOMETRY, "321x192 at 0,0 is not within resource 7, which is 320x192");
    g_assert_false(
        helix_texture_copier->copy(ID, &picture, &target, gpu_take_answer, &answer, &error)); /* its own check */
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
    g_clear_error(&error);
    picture = wanted();
    picture.resource_id = ID + 1;
    must_fail(&picture, HELIX_CODE_NOT_FOUND, "no resource 8");
    picture = wanted();
    double_virgl.format = 2000;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "format 2000");
    double_virgl.format = R8G8B8A8;
    gpu.renderer_state = RS_START;
    must_fail(&picture, HELIX_CODE_NOT_FOUND, "no resource 7");
    gpu.renderer_state = RS_INITED;
    qemu_rig.vcpu_thread = true;
    must_fail(&picture, HELIX_CODE_INTERNAL, "outside of the main loop");
    qemu_rig.vcpu_thread = false;
    gpu.processing_cmdq = 1;
    must_fail(&picture, HELIX_CODE_INTERNAL, "outside of the main loop");
    gpu.processing_cmdq = 0;
    picture.source = HELIX_SOURCE_PAGES;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "no guest pages: request source 1");
    helix_surface_unref(must_resolve(
        &(HelixPicture){ .resource_id = ID, .width = WIDTH, .height = HEIGHT, .fourcc = HELIX_FORMAT_XR24 },
        HELIX_HOST_PATH_GL_BLIT));
    end();
}

/* The GPU is reset, or fails, while it copies: the requester is told, and what comes then is copied by a new copier. */
TEST("/resource/reset", test_reset)
{
    HelixPicture picture = wanted();
    GpuAnswer answers[2];

    start(6);
    double_egl.pending_polls = G_MAXUINT;
    resolve(&picture, &answers[0]);
    resolve(&picture, &answers[1]);
    g_assert_false(answers[0].done || answers[1].done);
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT)); /* as QEMU may exit */
    helix_resource_cancel_all();
    g_assert_true(eglGetCurrentContext() == EGL_NO_CONTEXT);
    for (guint i = 0; i < 2; i++) {
        g_assert_true(answers[i].done);
        g_assert_error(answers[i].error, HELIX_ERROR, HELIX_CODE_NOT_FOUND);
        g_clear_error(&answers[i].error);
    }
    g_assert_cmpuint(double_egl_seen.pbuffers, ==, 0);
    helix_resource_cancel_all(); /* nothing is there to be reset, or to go on with */
    helix_resource_resume();
    double_egl.pending_polls = 0;
    double_egl.no_status = TRUE;
    must_fail(&picture, HELIX_CODE_INTERNAL, "the GPU failed");
    double_egl.no_status = FALSE;
    helix_surface_unref(must_resolve(&picture, HELIX_HOST_PATH_GL_BLIT));
    end();
}

/* What lies beyond the resource is refused before its pages are asked for, of which there may be thousands. */
static void check_sizes_first(const HelixPicture *good)
{
    const HelixPicture wrong[] = {
        { .crop_x = WIDTH },
        { .crop_y = HEIGHT },
        { .width = HELIX_MAX_DIMENSION + 1 },
        { .height = HELIX_MAX_DIMENSION + 1 },
    };
    guint detached = double_virgl_renderer.detached;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        HelixPicture picture = *good;

        picture.crop_x = wrong[i].crop_x;
        picture.crop_y = wrong[i].crop_y;
        picture.width = MAX(wrong[i].width, picture.width);
        picture.height = MAX(wrong[i].height, picture.height);
        must_fail(&picture, HELIX_CODE_GEOMETRY, "resource 7");
    }
    g_assert_cmpuint(double_virgl_renderer.detached, ==, detached);
}

/* Where there is no texture, or the guest says so, its pages are read. */
TEST("/resource/pages", test_pages)
{
    g_autofree guint8 *bytes = g_malloc0(WIDTH * HEIGHT * 4);
    struct iovec pages = { bytes, WIDTH * HEIGHT * 4 };
    HelixPicture picture = wanted();
    HelixSurface *surface;

    start(1);
    bytes[0] = 0x5a;
    double_virgl.iov = &pages;
    double_virgl.iov_cnt = 1;
    for (guint i = 0; i < 2; i++) {
        picture.source = HELIX_SOURCE_PAGES;
        surface = must_resolve(&picture, HELIX_HOST_PATH_PAGES);
        g_assert_cmpuint(surface->data[surface->offset[0]], ==, 0x5a);
        helix_surface_unref(surface);
        g_assert_true(double_virgl.iov == &pages); /* given back */
        helix_surface_unref(must_resolve(
            &(HelixPicture){ .resource_id = ID, .width = WIDTH, .height = HEIGHT, .fourcc = HELIX_FORMAT_XR24 },
            HELIX_HOST_PATH_GL_BLIT));
    }
    check_sizes_first(&picture);
    /* A blob without a texture. */
    glDeleteTextures(1, &double_virgl.tex_id);
    double_virgl.tex_id = 0;
    picture.source = HELIX_SOURCE_TEXTURE;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "no texture on the host: request source 2");
    picture.source = 0;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "no guest pages and no texture");
    entry.blob_size = pages.iov_len;
    entry.iov = (struct iovec *)16; /* as QEMU leaves it when the pages were taken away */
    entry.iov_cnt = 1;
    double_virgl.width = double_virgl.height = 0;
    double_virgl.iov = NULL;
    double_virgl.iov_cnt = 0;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "no guest pages and no texture");
    double_virgl.iov = &pages;
    double_virgl.iov_cnt = 1;
    surface = must_resolve(&picture, HELIX_HOST_PATH_PAGES);
    g_assert_cmpuint(surface->data[surface->offset[0]], ==, 0x5a);
    helix_surface_unref(surface);
    end();
}

static guint paused;

static void count_pause(void)
{
    paused++;
}

/* The 2D device's image is no texture of the GPU's. */
TEST("/resource/others", test_others)
{
    HelixPicture picture = wanted();
    HelixSurface *surface;

    start(1);
    gpu.gl = false;
    must_fail(&picture, HELIX_CODE_NOT_READABLE, "no guest pages and no texture");
    entry.format = 2; /* B8G8R8X8 */
    entry.image = pixman_image_create_bits(PIXMAN_x8r8g8b8, WIDTH, HEIGHT, NULL, 0);
    stream_draw_bgra((guint8 *)pixman_image_get_data(entry.image), (gsize)pixman_image_get_stride(entry.image), WIDTH,
                     HEIGHT, 1);
    surface = must_resolve(&picture, HELIX_HOST_PATH_READBACK);
    g_assert_cmpuint(surface->fourcc, ==, HELIX_FORMAT_XR24);
    g_assert_cmpmem(surface->data + surface->offset[0], WIDTH * 4, pixman_image_get_data(entry.image), WIDTH * 4);
    helix_surface_unref(surface);
    /* byte orders that no encoder takes are put right */
    entry.format = 4; /* X8R8G8B8 */
    surface = must_resolve(&picture, HELIX_HOST_PATH_READBACK);
    g_assert_cmpuint(surface->data[surface->offset[0]], ==, ((guint8 *)pixman_image_get_data(entry.image))[3]);
    helix_surface_unref(surface);
    pixman_image_unref(entry.image);
    end();
    /* A Mac has no thread that reads textures; where there is one it waits while QEMU may exit. */
    helix_resource_pause();
    helix_readback_thread = &(const HelixReadbackThread){ .pause = count_pause };
    helix_resource_pause();
    helix_readback_thread = NULL;
    g_assert_cmpuint(paused, ==, 1);
}

int main(int argc, char **argv)
{
    GLint unused;

    g_test_init(&argc, &argv, NULL);
    gpu_start_renderer();
    (void)glGetString(GL_VERSION); /* epoxy asks EGL where a function is when it is called first */
    glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_WIDTH, &unused);
    test_cases_add();
    return g_test_run();
}
