/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lookup.c - QEMU's look-up as it is, on a real virglrenderer: textures read in pieces and by the thread, guest
 * pages, blobs, the 2D device's image, in odd sizes and parts. No byte that nobody wrote reaches an encoder, and a
 * resource that virglrenderer or GL does not read is error -3, whatever they say of it.
 */
#include "cases.h"
#include "qemu/osdep.h"

#include <virglrenderer.h>

#include "protocol/error.h"
#include "loop/loop-budget.h"
#include "poison.h"
#include "capture/texture-hooks.h"
#include "lookup.h"
#include "virgl-world.h"

#define ID LOOKUP_ID
#define BGRA 1u
#define BGRX 2u
#define RGBA 67u
#define BGRA_SRGB 100u
#define Y_0_TOP 1u

static VirtIOGPU gpu;
static const HelixCaptureTarget memory;
static const HelixReadbackThread *the_thread;

/* A picture that is right, twice from the pool's memory. */
static void see_twice(PoisonSeen *seen, const HelixPicture *picture, HelixHostPath path, bool alpha)
{
    static const guint8 in_order[4] = { 0, 1, 2, 3 };

    for (guint i = 0; i < 2; i++) {
        LookupAnswer answer = lookup_resolve(picture, &memory);

        g_assert_no_error(answer.error);
        g_assert_cmpint(answer.surface->path, ==, path);
        if (picture->fourcc != HELIX_FORMAT_NV12) {
            g_assert_true(lookup_is_drawn(answer.surface, picture->crop_x, picture->crop_y, in_order, alpha));
        }
        poison_see_surface(seen, answer.surface);
        helix_surface_unref(answer.surface);
    }
}

/* ---- textures ---- */

typedef struct Texture {
    const char *what;
    VirglWanted wanted;
    guint32 crop_x, crop_y, less; /* of the picture than the texture, on each side */
    bool thread;
} Texture;

static const Texture textures[] = {
    { "in pieces", { TEXTURE_2D, BGRA, 640, 360 }, 0, 0, 0, false },
    { "in pieces, odd", { TEXTURE_2D, BGRA, 333, 77 }, 0, 0, 0, false },
    { "in pieces, padding bytes", { TEXTURE_2D, BGRX, 333, 77 }, 0, 0, 0, false },
    { "in pieces, a part", { TEXTURE_2D, RGBA, 333, 77 }, 5, 3, 7, false },
    { "in pieces, bottom up", { TEXTURE_2D, BGRA, 333, 77, 0, Y_0_TOP }, 0, 0, 0, false },
    { "in pieces, a part, bottom up", { TEXTURE_2D, RGBA, 333, 77, 0, Y_0_TOP }, 5, 3, 7, false },
    { "in pieces, sRGB", { TEXTURE_2D, BGRA_SRGB, 33, 35 }, 0, 0, 0, false },
    { "in pieces, many", { TEXTURE_2D, BGRA, 1921, 1081 }, 0, 0, 0, false },
    { "by the thread", { TEXTURE_2D, BGRA, 640, 360 }, 0, 0, 0, true },
    { "by the thread, odd", { TEXTURE_2D, BGRA, 333, 77 }, 0, 0, 0, true },
    { "by the thread, padding bytes", { TEXTURE_2D, BGRX, 333, 77 }, 0, 0, 0, true },
    { "by the thread, a part", { TEXTURE_2D, RGBA, 333, 77 }, 5, 3, 7, true },
};

static void run_texture(PoisonSeen *seen, gconstpointer data)
{
    const Texture *texture = data;
    const VirglWanted *wanted = &texture->wanted;
    g_autofree guint8 *pixels = lookup_draw(wanted->width, wanted->height);
    HelixPicture picture = lookup_whole(wanted->width - texture->less, wanted->height - texture->less);
    struct virtio_gpu_simple_resource entry;
    guint64 before = the_thread->count();

    picture.crop_x = texture->crop_x;
    picture.crop_y = texture->crop_y;
    helix_readback_thread = texture->thread ? the_thread : NULL;
    g_assert_true(virgl_world_create(&gpu, &entry, ID, wanted));
    virgl_world_write(ID, wanted->width, wanted->height, pixels);
    see_twice(seen, &picture, HELIX_HOST_PATH_READBACK, wanted->format != BGRX);
    g_assert_cmpuint(the_thread->count() - before, ==, texture->thread ? 2 : 0);
    virgl_world_destroy(&gpu, &entry);
}

TEST("/poison/textures", test_textures)
{
    for (guint i = 0; i < G_N_ELEMENTS(textures); i++) {
        poison_compare(textures[i].what, run_texture, &textures[i]);
    }
    helix_readback_thread = the_thread;
}

/* ---- the thread's answers ---- */

#define N_ORDERS 20u

static gint64 leap_ns;

/* A turn is over whenever somebody looks. */
static gint64 leap(void)
{
    return leap_ns += 2 * HELIX_LOOP_BUDGET_US * G_GINT64_CONSTANT(1000);
}

static void count_answer(void *data, bool good)
{
    g_assert_true(good);
    ++*(guint *)data;
}

/* Many textures are read before the main loop looks: no turn of it takes more answers than its budget has time for. */
TEST("/poison/answers", test_answers)
{
    static const VirglWanted wanted = { TEXTURE_2D, BGRA, 16, 2 };
    static guint8 to[N_ORDERS][16 * 2 * 4];
    g_autofree guint8 *pixels = lookup_draw(wanted.width, wanted.height);
    struct virtio_gpu_simple_resource entry;
    HelixResource resource;
    guint answered = 0;

    helix_readback_thread = the_thread;
    g_assert_true(virgl_world_create(&gpu, &entry, ID, &wanted));
    virgl_world_write(ID, wanted.width, wanted.height, pixels);
    g_assert_true(helix_resource_find(&gpu, ID, false, &resource, NULL));
    for (guint i = 0; i < N_ORDERS; i++) {
        to[i][0] = (guint8)~pixels[0];
        g_assert_true(the_thread->begin(&(HelixReadbackOrder){
            .texture = resource.texture_id,
            .width = wanted.width,
            .rows = wanted.height,
            .to = to[i],
            .stride = wanted.width * 4,
            .done = count_answer,
            .data = &answered,
        }));
    }
    while (__atomic_load_n(&to[N_ORDERS - 1][0], __ATOMIC_RELAXED) != pixels[0]) { /* all others are read by then */
        g_usleep(1000);
    }
    helix_loop_set_clock(leap);
    while (answered < N_ORDERS) {
        guint before = answered;

        helix_loop_next_iteration();
        g_main_context_iteration(NULL, TRUE);
        g_assert_cmpuint(answered - before, <=, 1);
    }
    helix_loop_set_clock(NULL);
    virgl_world_destroy(&gpu, &entry);
}

/* ---- what can't be read ---- */

static const Texture unreadable[] = {
    { "four samples", { TEXTURE_2D, BGRA, 64, 32, 4 } },
    { "four samples, bottom up", { TEXTURE_2D, BGRA, 64, 32, 4, Y_0_TOP } },
    { "four samples, padding bytes", { TEXTURE_2D, BGRX, 640, 360, 4 } },
    { "an array of four samples", { TEXTURE_2D_ARRAY, BGRA, 64, 32, 4, .array = 4 } },
    { "an array", { TEXTURE_2D_ARRAY, BGRA, 64, 32, .array = 4 } },
    { "three dimensions", { TEXTURE_3D, BGRA, 64, 32, .depth = 4 } },
    { "a cube", { TEXTURE_CUBE, BGRA, 64, 64, .array = 6 } },
    { "a rectangle", { TEXTURE_RECT, BGRA, 64, 32 } },
    { "one dimension", { TEXTURE_1D, BGRA, 64, 1 } },
    { "a buffer", { BUFFER, BGRA, 8192, 1 } },
    { "a buffer as small as the texture of its name", { BUFFER, BGRA, 64, 1 } },
};

static void run_unreadable(PoisonSeen *seen, gconstpointer data)
{
    const Texture *texture = data;
    HelixPicture picture = lookup_whole(64, texture->wanted.height);
    struct virtio_gpu_simple_resource entry;

    helix_readback_thread = texture->thread ? the_thread : NULL;
    g_assert_true(virgl_world_create(&gpu, &entry, ID, &texture->wanted));
    for (guint8 source = HELIX_SOURCE_AUTO; source <= HELIX_SOURCE_PAGES; source++) {
        LookupAnswer answer;

        picture.source = source;
        answer = lookup_resolve(&picture, &memory);
        g_assert_null(answer.surface);
        g_assert_error(answer.error, HELIX_ERROR, HELIX_CODE_NOT_READABLE);
        poison_see_error(seen, answer.error);
        g_error_free(answer.error);
    }
    virgl_world_destroy(&gpu, &entry);
}

TEST("/poison/unreadable", test_unreadable)
{
    struct virtio_gpu_simple_resource other;

    /* GL's name of a buffer is then a texture's too */
    g_assert_true(virgl_world_create(&gpu, &other, ID + 1, &(VirglWanted){ TEXTURE_2D, BGRA, 64, 32 }));
    for (guint i = 0; i < G_N_ELEMENTS(unreadable); i++) {
        Texture by_thread = unreadable[i];

        poison_compare(unreadable[i].what, run_unreadable, &unreadable[i]);
        by_thread.thread = true;
        poison_compare(by_thread.what, run_unreadable, &by_thread);
    }
    virgl_world_destroy(&gpu, &other);
}

/* virglrenderer says that all is well, and it is not. */
static void run_wrong(PoisonSeen *seen, gconstpointer data)
{
    static const VirglWanted wanted = { TEXTURE_2D, BGRA, 65, 37 };
    static const guint32 rows[] = { 0, 1, 36 };
    HelixPicture picture = lookup_whole(wanted.width, wanted.height);
    struct virtio_gpu_simple_resource entry;

    helix_readback_thread = NULL;
    g_assert_true(virgl_world_create(&gpu, &entry, ID, &wanted));
    for (guint i = 0; i <= G_N_ELEMENTS(rows); i++) {
        LookupAnswer answer;

        virgl_world_reads = i < G_N_ELEMENTS(rows) ? READS_LESS : READS_WITH_ERROR;
        virgl_world_rows = i < G_N_ELEMENTS(rows) ? rows[i] : 0;
        answer = lookup_resolve(&picture, &memory);
        g_assert_null(answer.surface);
        g_assert_error(answer.error, HELIX_ERROR, HELIX_CODE_NOT_READABLE);
        poison_see_error(seen, answer.error);
        g_error_free(answer.error);
    }
    virgl_world_reads = READS_RIGHT;
    virgl_world_destroy(&gpu, &entry);
}

TEST("/poison/wrong", test_wrong)
{
    poison_compare("readings that go wrong", run_wrong, NULL);
}

/* ---- guest pages ---- */

typedef struct Pages {
    const char *what;
    guint32 fourcc, width, height, crop_x, crop_y;
    bool gl, blob;
} Pages;

static const Pages pages[] = {
    { "2D, pages", HELIX_FORMAT_XR24, 333, 77, 0, 0, false, false },
    { "2D, pages, a part", HELIX_FORMAT_XR24, 333, 77, 5, 3, false, false },
    { "2D, pages, NV12", HELIX_FORMAT_NV12, 333, 77, 0, 0, false, false },
    { "2D, a blob", HELIX_FORMAT_AB24, 33, 35, 0, 0, false, true },
    { "2D, a blob, NV12", HELIX_FORMAT_NV12, 65, 37, 4, 2, false, true },
    { "GL, pages", HELIX_FORMAT_XR24, 333, 77, 0, 0, true, false },
    { "GL, pages, NV12", HELIX_FORMAT_NV12, 333, 77, 0, 0, true, false },
};

/* The backing in pieces that end anywhere. */
static guint split(guint8 *bytes, gsize size, struct iovec *iov, guint most)
{
    guint n = 0;

    for (gsize at = 0; at < size; n++) {
        gsize piece = n + 1 == most ? size - at : MIN(size - at, 1000 + n * 333);

        iov[n] = (struct iovec){ bytes + at, piece };
        at += piece;
    }
    return n;
}

static void run_pages(PoisonSeen *seen, gconstpointer data)
{
    static const VirglWanted wanted = { TEXTURE_2D, BGRX, 333, 77 };
    const Pages *p = data;
    g_autofree guint8 *bytes = lookup_draw(333, 77);
    struct iovec iov[64], *taken = NULL;
    guint n = split(bytes, 333 * 77 * 4, iov, G_N_ELEMENTS(iov));
    struct virtio_gpu_simple_resource entry;
    HelixPicture picture = lookup_whole(p->width - 2 * p->crop_x, p->height - 2 * p->crop_y);

    picture.fourcc = p->fourcc;
    picture.source = HELIX_SOURCE_PAGES;
    picture.crop_x = p->crop_x;
    picture.crop_y = p->crop_y;
    picture.res_width = p->width;
    picture.res_height = p->height;
    picture.stride = 333 * 4;
    if (p->fourcc == HELIX_FORMAT_NV12) {
        picture.planes = 2;
        picture.stride_of[0] = picture.stride_of[1] = 400;
        picture.offset[1] = 400 * 80;
    }
    gpu.gl = p->gl;
    if (p->gl) {
        int count = 0;

        g_assert_true(virgl_world_create(&gpu, &entry, ID, &wanted));
        g_assert_cmpint(virgl_renderer_resource_attach_iov(ID, iov, (int)n), ==, 0);
        see_twice(seen, &picture, HELIX_HOST_PATH_PAGES, false);
        virgl_renderer_resource_detach_iov(ID, &taken, &count);
        g_assert_true(taken == iov);
        virgl_world_destroy(&gpu, &entry);
    } else {
        qemu_rig_add(&gpu, &entry, ID);
        entry.format = BGRX;
        entry.blob_size = p->blob ? 333 * 77 * 4 : 0;
        entry.image = p->blob ? NULL : pixman_image_create_bits(PIXMAN_x8r8g8b8, 333, 77, NULL, 0);
        entry.iov = iov;
        entry.iov_cnt = n;
        see_twice(seen, &picture, HELIX_HOST_PATH_PAGES, false);
        QTAILQ_REMOVE(&gpu.reslist, &entry, next);
        if (entry.image) {
            pixman_image_unref(entry.image);
        }
    }
    gpu.gl = true;
}

TEST("/poison/pages", test_pages)
{
    for (guint i = 0; i < G_N_ELEMENTS(pages); i++) {
        poison_compare(pages[i].what, run_pages, &pages[i]);
    }
}

/* ---- the 2D device's image ---- */

static void run_image(PoisonSeen *seen, gconstpointer data)
{
    g_autofree guint8 *pixels = lookup_draw(333, 77);
    struct virtio_gpu_simple_resource entry;
    HelixPicture picture = lookup_whole(321, 73);

    picture.crop_x = 7;
    picture.crop_y = 1;
    gpu.gl = false;
    qemu_rig_add(&gpu, &entry, ID);
    entry.format = BGRX;
    entry.image = pixman_image_create_bits(PIXMAN_x8r8g8b8, 333, 77, (uint32_t *)(gpointer)pixels, 333 * 4);
    see_twice(seen, &picture, HELIX_HOST_PATH_READBACK, true);
    pixman_image_unref(entry.image);
    QTAILQ_REMOVE(&gpu.reslist, &entry, next);
    gpu.gl = true;
}

TEST("/poison/image", test_image)
{
    poison_compare("the 2D device's image", run_image, NULL);
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
    g_test_add_func("/poison/itself", poison_test_itself);
    test_cases_add();
    status = g_test_run();
    lookup_end();
    return status;
}
