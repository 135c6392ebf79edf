/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-resources.c - every kind of resource that virglrenderer makes is looked up: its picture is right to the byte, or
 * it is refused by the error that says so. Each is asked for as a texture and as pages, and read by the main loop and
 * by the read-back thread.
 */
#include "cases.h"
#include "qemu/osdep.h"

#include <virglrenderer.h>

#include "capture/pixel-layout.h"
#include "capture/texture-hooks.h"
#include "lookup.h"
#include "protocol/error.h"
#include "virgl-world.h"

#define ID LOOKUP_ID
#define BGRA 1u
#define R8 64u
#define LAST_FORMAT 511u /* virglrenderer 1.3 has fewer */
#define Y_0_TOP 1u
#define MAPPABLE (1u << 1 | 1u << 2) /* persistent, coherent */

static VirtIOGPU gpu;
static const HelixReadbackThread *the_thread;
static const HelixCaptureTarget memory;

/* ---- one resource ---- */

/* GL allocates nothing for more mipmaps than there are sizes. */
static bool has_texture(const VirglWanted *wanted)
{
    return wanted->target == TEXTURE_2D && wanted->samples <= 1 && wanted->height > 1 &&
        MAX(wanted->width, wanted->height) >> wanted->level > 0;
}

static bool has_alpha(uint32_t fourcc)
{
    return fourcc == HELIX_FORMAT_AR24 || fourcc == HELIX_FORMAT_AB24;
}

static void check_answer(LookupAnswer *answer, const HelixPixelLayout *layout, const char *what)
{
    if (!layout->fourcc) {
        if (answer->surface) {
            g_error("%s: a picture of what is none", what);
        }
        g_assert_error(answer->error, HELIX_ERROR, HELIX_CODE_NOT_READABLE);
        g_assert_nonnull(strstr(answer->error->message, "resource 7"));
    } else {
        if (answer->error) {
            g_error("%s: %s", what, answer->error->message);
        }
        g_assert_cmpuint(answer->surface->fourcc, ==, layout->fourcc);
        if (!lookup_is_drawn(answer->surface, 0, 0, layout->byte, has_alpha(layout->fourcc))) {
            g_error("%s: not the picture that was drawn", what);
        }
    }
    g_clear_error(&answer->error);
    helix_surface_unref(answer->surface);
}

static const HelixPixelLayout none;

/*
 * Look up what is there by each source and reader: @expected is what each of HELIX_SOURCE_ makes of it, a picture in
 * that layout or `none`, refused.
 */
static void look_up(const HelixPixelLayout expected[3], guint32 width, guint32 height, const char *what)
{
    HelixPicture picture = lookup_whole(width, height);

    for (guint threaded = 0; threaded < 2; threaded++) {
        helix_readback_thread = threaded ? the_thread : NULL;
        for (guint8 source = HELIX_SOURCE_AUTO; source <= HELIX_SOURCE_PAGES; source++) {
            LookupAnswer answer;

            picture.source = source;
            answer = lookup_resolve(&picture, &memory);
            check_answer(&answer, &expected[source], what);
        }
    }
}

/* FALSE: virglrenderer does not make it. */
static bool make_and_look_up(const VirglWanted *wanted)
{
    g_autofree char *what = g_strdup_printf(
        "target %u, format %u, %u x %u x %u, %u samples, flags %#x, bind %#x, last level %u", wanted->target,
        wanted->format, wanted->width, wanted->height, wanted->depth | wanted->array, wanted->samples, wanted->flags,
        wanted->bind, wanted->level);
    const HelixPixelLayout layout = has_texture(wanted) ? helix_pixel_layout(wanted->format) : none;
    struct virtio_gpu_simple_resource entry;

    if (!virgl_world_create(&gpu, &entry, ID, wanted)) {
        return false;
    }
    if (layout.fourcc) {
        g_autofree guint8 *pixels = lookup_draw(wanted->width, wanted->height);

        virgl_world_write(ID, wanted->width, wanted->height, pixels);
    }
    look_up((HelixPixelLayout[]){ layout, layout, none }, wanted->width, wanted->height, what);
    virgl_world_destroy(&gpu, &entry);
    return true;
}

/* ---- classic resources ---- */

/* The formats that are pictures, and all others: depth, compressed, wide, narrow, planar. */
TEST("/lookup/formats", test_formats)
{
    guint made = 0, known = 0;

    for (uint32_t format = 0; format <= LAST_FORMAT; format++) {
        if (make_and_look_up(&(VirglWanted){ TEXTURE_2D, format, 36, 20 }) ||
            make_and_look_up(&(VirglWanted){ TEXTURE_2D, format, 36, 20, .bind = VIRGL_RES_BIND_SAMPLER_VIEW }) ||
            make_and_look_up(&(VirglWanted){ TEXTURE_2D, format, 36, 20, .bind = VIRGL_RES_BIND_DEPTH_STENCIL })) {
            made++;
            known += helix_pixel_layout(format).fourcc != 0;
        }
    }
    g_test_message("%u formats made, %u of them with pictures", made, known);
    g_assert_cmpuint(known, >=, 6);
    g_assert_cmpuint(made, >, 2 * known);
}

/* Every target, with samples, layers, mipmaps, flipped, and lines. */
TEST("/lookup/targets", test_targets)
{
    static const guint32 samples[] = { 0, 1, 2, 4, 8 }, sizes[][2] = { { 64, 64 }, { 33, 7 }, { 1, 2 }, { 64, 1 } };
    guint made[TEXTURE_CUBE_ARRAY + 1] = { 0 };

    for (uint32_t target = BUFFER; target <= TEXTURE_CUBE_ARRAY; target++) {
        for (guint i = 0; i < G_N_ELEMENTS(samples) * G_N_ELEMENTS(sizes) * 8; i++) {
            const guint32 *size = sizes[i / 8 % G_N_ELEMENTS(sizes)];
            const VirglWanted wanted = {
                .target = target,
                .format = BGRA,
                .width = size[0],
                .height = size[1],
                .samples = samples[i / 8 / G_N_ELEMENTS(sizes)],
                .flags = i & 1 ? Y_0_TOP : 0,
                .level = i & 2 ? 2 : 0,
                .depth = i & 4 && target == TEXTURE_3D ? 4 : 0,
                .array = target == TEXTURE_CUBE           ? 6
                    : target == TEXTURE_CUBE_ARRAY        ? 12
                    : i & 4 && target >= TEXTURE_1D_ARRAY ? 4
                                                          : 0,
            };

            made[target] += make_and_look_up(&wanted);
        }
    }
    for (uint32_t target = BUFFER; target <= TEXTURE_CUBE_ARRAY; target++) {
        g_test_message("target %u: %u kinds made", target, made[target]);
        g_assert_cmpuint(made[target], >, 0);
    }
}

/* What a guest says that it will do with a texture or a buffer does not matter, but for where there is none. */
TEST("/lookup/binds", test_binds)
{
    guint made = 0;

    for (guint target = BUFFER; target <= TEXTURE_2D; target += TEXTURE_2D) {
        for (guint bit = 0; bit < 32; bit++) {
            const uint32_t bind = 1u << bit;

            made += make_and_look_up(&(VirglWanted){ target, target ? BGRA : R8, 64, target ? 16 : 1, .bind = bind });
            made += make_and_look_up(&(VirglWanted){ target, target ? BGRA : R8, 64, target ? 16 : 1,
                                                     .bind = bind | VIRGL_RES_BIND_SAMPLER_VIEW });
        }
    }
    g_test_message("%u kinds made", made);
    g_assert_cmpuint(made, >, 10);
}

/* The largest that are made: odd sides, and as long as virglrenderer allows. */
TEST("/lookup/sizes", test_sizes)
{
    static const guint32 sizes[][2] = { { 2, 3 }, { 1921, 3 }, { 8192, 2 }, { 3, 8192 }, { 1, 8191 } };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_assert_true(make_and_look_up(&(VirglWanted){ TEXTURE_2D, BGRA, sizes[i][0], sizes[i][1] }));
    }
}

/* ---- blobs ---- */

static const HelixPixelLayout as_asked = { HELIX_FORMAT_XR24, { 0, 1, 2, 3 } };

/* Memory of the guest, in two pieces. */
TEST("/lookup/guest-blob", test_guest_blob)
{
    g_autofree guint8 *pixels = lookup_draw(64, 16);
    const struct iovec iov[] = { { pixels, 1000 }, { pixels + 1000, 64 * 16 * 4 - 1000 } };
    struct virtio_gpu_simple_resource entry;

    g_assert_true(virgl_world_create_blob(&gpu, &entry, ID, VIRGL_RENDERER_BLOB_MEM_GUEST, NULL, iov, 2));
    look_up((HelixPixelLayout[]){ as_asked, none, as_asked }, 64, 16, "a blob of guest memory");
    virgl_world_destroy(&gpu, &entry);
}

/*
 * What a command stream made, with guest memory beside it or without: a buffer that a guest may map, and textures.
 * Pages beside a texture that is no picture are not read, nor are those of a buffer.
 */
static void look_up_host_blob(const VirglWanted *wanted, bool with_pages)
{
    const HelixPixelLayout format = wanted->target == BUFFER ? none : helix_pixel_layout(wanted->format);
    const HelixPixelLayout layout = has_texture(wanted) ? format : none;
    g_autofree guint8 *pixels = lookup_draw(wanted->width, wanted->height), *pages = lookup_draw(64, 16);
    const struct iovec iov = { pages, 64 * 16 * 4 };
    g_autofree char *what = g_strdup_printf("blob%s, target %u, format %u, %u samples", with_pages ? " with pages" : "",
                                            wanted->target, wanted->format, wanted->samples);
    struct virtio_gpu_simple_resource entry;

    g_assert_true(virgl_world_create_blob(
        &gpu, &entry, ID, with_pages ? VIRGL_RENDERER_BLOB_MEM_HOST3D_GUEST : VIRGL_RENDERER_BLOB_MEM_HOST3D, wanted,
        with_pages ? &iov : NULL, with_pages));
    if (layout.fourcc) {
        virgl_world_write(ID, wanted->width, wanted->height, pixels);
    }
    look_up((HelixPixelLayout[]){ layout, layout, with_pages && format.fourcc ? as_asked : none }, 64, 16, what);
    virgl_world_destroy(&gpu, &entry);
}

TEST("/lookup/host-blobs", test_host_blobs)
{
    static const VirglWanted kinds[] = {
        { BUFFER, R8, 65536, 1, .flags = MAPPABLE },
        { TEXTURE_2D, BGRA, 64, 16 },
        { TEXTURE_2D, BGRA, 64, 16, .flags = Y_0_TOP },
        { TEXTURE_2D, BGRA, 64, 16, .samples = 4 },
        { TEXTURE_2D_ARRAY, BGRA, 64, 16, .array = 4 },
        { TEXTURE_3D, BGRA, 64, 16, .depth = 4 },
        { TEXTURE_2D, R8, 64, 16 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        look_up_host_blob(&kinds[i], false);
        look_up_host_blob(&kinds[i], true);
    }
}

/* ---- ids ---- */

static void expect_not_found(uint32_t id)
{
    HelixPicture picture = lookup_whole(64, 16);
    LookupAnswer answer;

    picture.resource_id = id;
    answer = lookup_resolve(&picture, &memory);
    g_assert_null(answer.surface);
    g_assert_error(answer.error, HELIX_ERROR, HELIX_CODE_NOT_FOUND);
    g_error_free(answer.error);
}

/* An id is valid if both QEMU and virglrenderer have it, and names what has it now. */
TEST("/lookup/ids", test_ids)
{
    static const VirglWanted first = { TEXTURE_2D, BGRA, 64, 16 }, second = { TEXTURE_2D, 67, 64, 16 };
    static const uint32_t nobody[] = { 0, ID, ID + 1, 1u << 31, G_MAXUINT32 };
    struct virtio_gpu_simple_resource entry, stale;

    for (guint i = 0; i < G_N_ELEMENTS(nobody); i++) {
        expect_not_found(nobody[i]);
    }
    qemu_rig_add(&gpu, &stale, ID + 1); /* of QEMU's alone */
    expect_not_found(ID + 1);
    QTAILQ_REMOVE(&gpu.reslist, &stale, next);
    g_assert_true(virgl_world_create(&gpu, &entry, ID, &first));
    QTAILQ_REMOVE(&gpu.reslist, &entry, next); /* of virglrenderer's alone, as after a reset */
    expect_not_found(ID);
    QTAILQ_INSERT_TAIL(&gpu.reslist, &entry, next);
    gpu.renderer_state = RS_START;
    expect_not_found(ID);
    gpu.renderer_state = RS_INITED;
    virgl_world_destroy(&gpu, &entry);
    expect_not_found(ID);
    g_assert_true(make_and_look_up(&first));
    g_assert_true(make_and_look_up(&second)); /* another one with its id, and perhaps its texture's name */
    g_assert_true(make_and_look_up(&(VirglWanted){ TEXTURE_2D, BGRA, 64, 16, .samples = 4 }));
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
    the_thread = helix_readback_thread;
    test_cases_add();
    status = g_test_run();
    lookup_end();
    return status;
}
