/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-lookup.c - from a request to its picture while the guest changes what the request names:
 * hw/display/helix/capture/resource-resolver.c, readback.c, guest-pages.c and resource-lifetime.c as they are, behind
 * stand-ins for QEMU's headers, for virglrenderer and for the thread that reads textures.
 *
 * An input makes resources, asks for pictures, and says what the guest does between two iterations of the main loop:
 * other pages, fewer pages, none, another resource under the same id at the same address, a reset, an unplugged GPU;
 * that a vCPU is inside of the GPU; and when the thread has read what it was given. Memory that the guest took away is
 * poisoned. Every request is answered once: with an error, or with a picture whose rows are all of one resource, as it
 * was while it was read. Nothing is read outside of a texture or its pages. What the hash of pages tells may be taken
 * away, as a guest that tries can.
 */
#include "lookup-world.h"

#define MOST_ASKED 6u

typedef struct Asked {
    HelixPicture picture;
    guint id, made, pages, pixels, answers; /* versions when it was asked for */
    uint32_t format;
    bool blob;
} Asked;

static Asked asks[MOST_ASKED];
static guint n_asked;
static bool asking_now;
static HelixSurfacePool *pool;

/* ---- requests ---- */

/* Whether @row of the picture is @bytes, put into the order of @layout. */
static bool is_row(const guint8 *row, const guint8 *bytes, guint32 row_bytes, const HelixPixelLayout *layout)
{
    if (layout->byte[0] == 0) {
        return memcmp(row, bytes, row_bytes) == 0;
    }
    for (guint32 i = 0; i < row_bytes; i++) {
        if (row[i] != bytes[(i & ~3u) + layout->byte[i & 3]]) {
            return false;
        }
    }
    return true;
}

/* Every row is one that the resource held since it was asked for; with a hash that tells, as it was then. */
static void check_pages(const Asked *asked, const HelixSurface *surface, const Held *held)
{
    const struct iovec boundless = { NULL, SIZE_MAX / 2 };
    const HelixResource anything = { .id = asked->id, .iov = &boundless, .iov_cnt = 1 };
    bool as_said = asked->blob || helix_pages_hold_nv12(&asked->picture);
    HelixPixelLayout layout = helix_pixel_layout(asked->format);
    HelixPlane planes[2];
    unsigned n;

    layout = as_said ? (HelixPixelLayout){ asked->picture.fourcc, { 0, 1, 2, 3 } } : layout;
    g_assert_cmpuint(surface->fourcc, ==, layout.fourcc);
    g_assert_true(world.hash_useless || held->pages == asked->pages);
    n = helix_pages_plan(&anything, &asked->picture, layout.fourcc, planes, NULL);
    g_assert_cmpuint(surface->n_planes, ==, n);
    for (unsigned i = 0; i < n; i++) {
        for (guint32 y = 0; y < planes[i].rows; y++) {
            const guint8 *row = surface->data + surface->offset[i] + (gsize)y * surface->stride[i];
            guint version = asked->pages;

            while (version <= held->pages &&
                   !is_row(row, page_bytes(version, planes[i].start + y * planes[i].stride), planes[i].row_bytes,
                           &layout)) {
                version++;
            }
            g_assert_cmpuint(version, <=, held->pages);
        }
    }
}

static void check_texture(const Asked *asked, const HelixSurface *surface, const Held *held)
{
    HelixPixelLayout layout = helix_pixel_layout(asked->format);

    g_assert_cmpuint(surface->fourcc, ==, layout.fourcc); /* whatever the guest said of it */
    for (guint32 y = 0; y < surface->height; y++) {
        g_assert_true(is_row(surface->data + surface->offset[0] + (gsize)y * surface->stride[0],
                             texture_row(asked->pixels, asked->picture.crop_x, asked->picture.crop_y + y),
                             surface->width * 4, &layout));
    }
}

static void answered(gpointer data, HelixSurface *surface, GError *error)
{
    Asked *asked = data;
    const Held *held = &world.held[asked->id - 1];

    g_assert_cmpuint(asked->answers++, ==, 0);
    g_assert_true(!surface != !error);
    if (error) {
        g_assert_true(error->domain == HELIX_ERROR);
        g_assert_true(error->code == HELIX_CODE_NOT_FOUND || error->code == HELIX_CODE_NOT_READABLE ||
                      error->code == HELIX_CODE_GEOMETRY || error->code == HELIX_CODE_INTERNAL);
        g_error_free(error);
        return;
    }
    g_assert_true((held->there && held->made == asked->made) || world.thread_gives);
    g_assert_true(!world.guest_inside || !asking_now); /* refused */
    g_assert_true(surface->width == asked->picture.width && surface->height == asked->picture.height);
    if (surface->path == HELIX_HOST_PATH_PAGES) {
        check_pages(asked, surface, held);
    } else if (surface->path == HELIX_HOST_PATH_READBACK) {
        check_texture(asked, surface, held);
    } else {
        g_assert_true(surface->path == HELIX_HOST_PATH_TEXTURE && surface->borrows_guest);
    }
    helix_surface_unref(surface);
}

/* Small numbers mostly, as only they fit; sometimes any. */
static guint32 number(Input *input, guint16 odd, guint bit)
{
    return odd & (1u << bit) ? input_u32(input) : input_u8(input) * world.scale;
}

static gboolean may_lie_within(const Held *held, const HelixPicture *picture)
{
    guint64 right = (guint64)picture->crop_x + picture->width, bottom = (guint64)picture->crop_y + picture->height;

    if (picture->width > HELIX_MAX_DIMENSION || picture->height > HELIX_MAX_DIMENSION) {
        return FALSE;
    }
    if (held->res.blob_size) {
        return right <= held->res.blob_size && bottom <= held->res.blob_size; /* a byte a pixel at least */
    }
    return helix_pages_hold_nv12(picture) || (right <= held->width && bottom <= held->height);
}

static void ask(Input *input)
{
    static const guint32 formats[] = { HELIX_FORMAT_XR24, HELIX_FORMAT_NV12, HELIX_FORMAT_AB24 };
    const guint collected = world.n_collected;
    guint8 what = input_u8(input);
    guint16 odd = input_u8(input) ? input_u16(input) : 0;
    Asked *asked = &asks[n_asked];
    HelixPicture *picture = &asked->picture;
    HelixCaptureTarget target = { .surface_kinds = what & 64 ? 1u << HELIX_SURFACE_TEXTURE : 0 };
    const Held *held;

    memset(asked, 0, sizeof *asked);
    asked->id = 1 + (what & 3) % N_RESOURCES;
    picture->resource_id = asked->id;
    picture->source = (what >> 2) % 3;
    picture->planes = (what >> 4) & 3;
    picture->fourcc = formats[input_u8(input) % G_N_ELEMENTS(formats)];
    picture->width = number(input, odd, 0);
    picture->height = number(input, odd, 1);
    picture->stride = number(input, odd, 2);
    picture->crop_x = number(input, odd, 3);
    picture->crop_y = number(input, odd, 4);
    picture->res_width = number(input, odd, 5);
    picture->res_height = number(input, odd, 6);
    for (guint i = 0; i < picture->planes; i++) {
        picture->offset[i] = number(input, odd, 7 + i);
        picture->stride_of[i] = number(input, odd, 10 + i);
    }
    if (!picture->width || !picture->height) {
        return; /* the session has refused it */
    }
    n_asked++;
    held = &world.held[asked->id - 1];
    asked->made = held->made;
    asked->pages = held->pages;
    asked->pixels = held->pixels;
    asked->format = held->format;
    asked->blob = held->res.blob_size;
    world.asking = asked->id;
    asking_now = true;
    helix_resource_resolver.resolve(&world.gpu, picture, &target, pool, answered, asked);
    asking_now = false;
    g_assert_true(asked->answers || !world.guest_inside);
    /* What the sizes alone rule out costs no look at the pages. */
    g_assert_true(world.n_collected == collected || may_lie_within(held, picture));
}

/* ---- a run ---- */

static void step(Input *input)
{
    guint8 what = input_u8(input);
    guint index = (what >> 4) % N_RESOURCES;

    switch (what & 15) {
    case 0:
        if (n_asked < MOST_ASKED) {
            ask(input);
        }
        break;
    case 1:
        world_turn();
        break;
    case 2:
        resource_create(index, input);
        break;
    case 3:
        resource_destroy(&world.held[index]);
        break;
    case 4:
        resource_give_pages(&world.held[index], input);
        break;
    case 5:
        resource_shrink_pages(&world.held[index], input);
        break;
    case 6:
        resource_drop_pages(&world.held[index]);
        break;
    case 7:
        world.spent = what & 16;
        break;
    case 8:
        helix_resource_reset_begins();
        resource_destroy_all();
        helix_resource_reset_ends();
        helix_resource_cancel_all();
        break;
    case 9:
        world.stopped = true;
        break;
    case 10:
        world.stopped = false;
        helix_resource_resume();
        break;
    case 11:
        world.gpu.processing_cmdq = what & 16;
        world.vcpu = what & 32;
        break;
    case 12:
        world_thread_turn(what & 16);
        break;
    case 13:
        helix_resource_pause();
        break;
    case 14:
        helix_resource_plugged(&world.gpu, what & 16);
        break;
    case 15:
        world_guest_inside(what & 16);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = { data, size };

    world_begin(&input);
    n_asked = 0;
    pool = helix_surface_pool_new(1);
    helix_surface_pool_set_limit(pool, 64u << 20);
    while (input.size) {
        step(&input);
    }
    world.stopped = false;
    helix_resource_resume();
    for (guint i = 0; world_turn() || world_thread_turn(i & 1); i++) {
        g_assert_cmpuint(i, <, 10000); /* each turn reads something */
    }
    for (guint i = 0; i < n_asked; i++) {
        g_assert_cmpuint(asks[i].answers, ==, 1);
    }
    helix_surface_pool_trim(pool);
    g_assert_cmpuint(helix_surface_pool_bytes(pool), ==, 0);
    helix_surface_pool_unref(pool);
    world_end();
    return 0;
}
