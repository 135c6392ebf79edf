/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-gpu-readback.c - textures on a real virglrenderer that the GPU converts into memory: the same picture as read
 * and converted by the CPU, to a level. TEST_FASTER, "gpu" or "cpu", says what the measuring at start finds.
 */
#include "cases.h"
#include "qemu/osdep.h"

#include <virglrenderer.h>

#include "capture/pixel-layout.h"
#include "capture/texture-hooks.h"
#include "encode/convert.h"
#include "encode/convert-cost.h"
#include "lookup.h"
#include "virgl-world.h"

#define BGRA 1u
#define Y_0_TOP 1u

static VirtIOGPU gpu;

static bool gpu_is_faster(void)
{
    return g_strcmp0(g_getenv("TEST_FASTER"), "gpu") == 0;
}

gint64 __wrap_helix_convert_cost_ns(guint32 width, guint32 height);

gint64 __wrap_helix_convert_cost_ns(guint32 width, guint32 height)
{
    return gpu_is_faster() ? G_MAXINT64 / 2 : -G_MAXINT64 / 2;
}

/* ---- a picture by both ways ---- */

typedef struct Part {
    VirglWanted wanted;
    guint32 x, y, width, height;
    guint32 coded_width, coded_height; /* 0: its own size */
} Part;

static HelixPicture picture_of(const Part *part)
{
    HelixPicture picture = lookup_whole(part->width, part->height);

    picture.crop_x = part->x;
    picture.crop_y = part->y;
    return picture;
}

static HelixSurface *by_gpu(const Part *part)
{
    const HelixCaptureTarget target = { .coded_width = part->coded_width,
                                        .coded_height = part->coded_height,
                                        .wants_nv12 = TRUE };
    HelixPicture picture = picture_of(part);
    LookupAnswer answer = lookup_resolve(&picture, &target);

    g_assert_no_error(answer.error);
    return answer.surface;
}

static void compare(const guint8 *a, gsize a_stride, const guint8 *b, gsize b_stride, guint32 width, guint32 rows,
                    guint most)
{
    for (guint32 y = 0; y < rows; y++) {
        for (guint32 x = 0; x < width; x++) {
            g_assert_cmpint(ABS((gint)a[y * a_stride + x] - (gint)b[y * b_stride + x]), <=, (gint)most);
        }
    }
}

/* The picture is read as ever, and the CPU converts it; @surface is what the GPU made. */
static void check(const Part *part, const HelixSurface *surface, guint most)
{
    static const HelixCaptureTarget memory;
    HelixPicture picture = picture_of(part);
    LookupAnswer pixels = lookup_resolve(&picture, &memory);
    HelixConverter *converter = helix_converter_new(surface->width, surface->height);
    HelixNv12 nv12;

    g_assert_no_error(pixels.error);
    g_assert_cmpint(pixels.surface->path, ==, HELIX_HOST_PATH_READBACK);
    g_assert_cmpint(surface->path, ==, HELIX_HOST_PATH_GPU_READBACK);
    g_assert_cmpuint(surface->fourcc, ==, HELIX_FORMAT_NV12);
    g_assert_cmpuint(surface->width, ==, part->coded_width ? part->coded_width : (part->width + 1) & ~1u);
    g_assert_cmpuint(surface->height, ==, part->coded_height ? part->coded_height : (part->height + 1) & ~1u);
    g_assert_cmpuint(surface->cpu_bytes, ==, (guint64)surface->width * surface->height * 3 / 2);
    g_assert_true(helix_converter_run(converter, pixels.surface, &nv12, NULL));
    for (guint i = 0; i < 2; i++) {
        compare(surface->data + surface->offset[i], surface->stride[i], nv12.plane[i], nv12.stride[i], surface->width,
                surface->height >> i, most);
    }
    helix_converter_free(converter);
    converter = helix_converter_new(surface->width, surface->height);
    g_assert_true(helix_converter_run(converter, surface, &nv12, NULL)); /* as an encoder takes it */
    g_assert_true(nv12.in_place && nv12.cpu_bytes == 0);
    helix_converter_free(converter);
    helix_surface_unref(pixels.surface);
}

static void run_part(const Part *part, guint most)
{
    const VirglWanted *wanted = &part->wanted;
    g_autofree guint8 *pixels = lookup_draw(wanted->width, wanted->height);
    struct virtio_gpu_simple_resource entry;
    HelixSurface *surface;

    if (!virgl_world_create(&gpu, &entry, LOOKUP_ID, wanted)) {
        g_test_message("virglrenderer does not make format %u", wanted->format);
        return;
    }
    virgl_world_write(LOOKUP_ID, wanted->width, wanted->height, pixels);
    surface = by_gpu(part);
    if (gpu_is_faster()) {
        check(part, surface, most);
    } else {
        g_assert_cmpint(surface->path, ==, HELIX_HOST_PATH_READBACK);
        g_assert_cmpuint(surface->fourcc, !=, HELIX_FORMAT_NV12);
    }
    helix_surface_unref(surface);
    virgl_world_destroy(&gpu, &entry);
}

/* ---- tests ---- */

/* Every format that has a picture, either way up. */
TEST("/gpu-readback/formats", test_formats)
{
    for (uint32_t format = 0; format < 256; format++) {
        for (uint32_t flags = 0; helix_pixel_layout(format).fourcc && flags <= Y_0_TOP; flags++) {
            run_part(&(Part){ { TEXTURE_2D, format, 70, 34, .flags = flags }, 0, 0, 70, 34, 0, 0 }, 1);
        }
    }
}

TEST("/gpu-readback/parts", test_parts)
{
    static const Part parts[] = {
        { { TEXTURE_2D, BGRA, 333, 77 }, 0, 0, 333, 77, 0, 0 },
        { { TEXTURE_2D, BGRA, 333, 77 }, 5, 3, 201, 71, 0, 0 },
        { { TEXTURE_2D, BGRA, 333, 77, .flags = Y_0_TOP }, 5, 3, 201, 71, 0, 0 },
        { { TEXTURE_2D, BGRA, 333, 77, .flags = Y_0_TOP }, 0, 0, 333, 77, 334, 78 },
        { { TEXTURE_2D, BGRA, 1, 2 }, 0, 0, 1, 2, 0, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        run_part(&parts[i], 1);
    }
}

/* Noise shows how each pixel is weighed. */
TEST("/gpu-readback/scaled", test_scaled)
{
    run_part(&(Part){ { TEXTURE_2D, BGRA, 256, 128 }, 0, 0, 256, 128, 128, 64 }, 2);
    run_part(&(Part){ { TEXTURE_2D, BGRA, 256, 128, .flags = Y_0_TOP }, 0, 0, 256, 128, 128, 64 }, 2);
}

/* What the GPU does not convert is read as ever: a part too large for its planes. */
TEST("/gpu-readback/not-converted", test_not_converted)
{
    static const Part part = { { TEXTURE_2D, BGRA, 640, 64 }, 0, 0, 640, 64, 16, 16 };
    struct virtio_gpu_simple_resource entry;
    HelixSurface *surface;

    g_assert_true(virgl_world_create(&gpu, &entry, LOOKUP_ID, &part.wanted));
    surface = by_gpu(&part);
    g_assert_cmpint(surface->path, ==, HELIX_HOST_PATH_READBACK);
    helix_surface_unref(surface);
    virgl_world_destroy(&gpu, &entry);
}

/* A picture that an encoder still reads outlives its resource, and later pictures do not change it. */
TEST("/gpu-readback/kept", test_kept)
{
    static const Part part = { { TEXTURE_2D, BGRA, 64, 32 }, 0, 0, 64, 32, 0, 0 };
    g_autofree guint8 *pixels = lookup_draw(64, 32), *black = g_malloc0(64 * 32 * 4);
    struct virtio_gpu_simple_resource entry;
    HelixSurface *kept[8];

    if (!gpu_is_faster()) {
        g_test_skip("the CPU is faster");
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        g_assert_true(virgl_world_create(&gpu, &entry, LOOKUP_ID, &part.wanted));
        virgl_world_write(LOOKUP_ID, 64, 32, i ? black : pixels);
        kept[i] = by_gpu(&part);
        virgl_world_destroy(&gpu, &entry);
    }
    g_assert_true(virgl_world_create(&gpu, &entry, LOOKUP_ID, &part.wanted));
    virgl_world_write(LOOKUP_ID, 64, 32, pixels);
    check(&part, kept[0], 1);
    virgl_world_write(LOOKUP_ID, 64, 32, black);
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        if (i) {
            check(&part, kept[i], 1);
        }
        helix_surface_unref(kept[i]);
    }
    virgl_world_destroy(&gpu, &entry);
}

/* The thread measures first, and has the verdict soon after. */
static void wait_for_verdict(void)
{
    static const Part part = { { TEXTURE_2D, BGRA, 16, 16 }, 0, 0, 16, 16, 0, 0 };
    struct virtio_gpu_simple_resource entry;
    bool there = false;

    gpu.fence_poll = &gpu; /* virglrenderer is up */
    helix_readback_thread->prepare(&gpu);
    while (!g_atomic_int_get(&qemu_rig.measured)) {
        g_usleep(1000);
    }
    g_test_message("720p by the GPU: %" G_GINT64_FORMAT " us", qemu_rig.gpu_us);
    g_assert_true(virgl_world_create(&gpu, &entry, LOOKUP_ID, &part.wanted));
    for (guint i = 0; !there && i < (gpu_is_faster() ? 10000 : 100); i++) {
        HelixSurface *surface = by_gpu(&part);

        there = surface->path == HELIX_HOST_PATH_GPU_READBACK;
        helix_surface_unref(surface);
        g_usleep(1000);
    }
    g_assert_true(there == gpu_is_faster());
    virgl_world_destroy(&gpu, &entry);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    if (!virgl_world_start()) {
        g_print("1..0 # SKIP EGL does not draw without a screen here\n");
        return 77;
    }
    lookup_start(&gpu);
    wait_for_verdict();
    test_cases_add();
    status = g_test_run();
    lookup_end();
    return status;
}
