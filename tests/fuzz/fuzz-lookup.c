/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-lookup.c - from a request to its picture while the guest changes what the request names: hw/display/helix/qemu/resource.c,
 * resource-read.c and resource-pages.c as they are, behind stand-ins for QEMU's headers and for virglrenderer.
 *
 * An input makes resources, asks for pictures, and says what the guest does between two turns of the main loop: other pages, fewer
 * pages, none, another resource under the same id at the same address, a reset. Memory that the guest took away is poisoned. Every
 * request is answered once: with an error, or with a picture whose rows are all what the resource held while it was read. Nothing
 * is read outside of a texture or its pages. What the hash of pages tells may be taken away, as a guest that tries can.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "../../hw/display/helix/core/turn.h"
#include "../../hw/display/helix/qemu/measure.h"
#include "fuzz.h"

#define N_RESOURCES 3u
#define MOST_ELEMENTS 8u
#define MOST_ASKED 6u
#define MOST_BYTES (MOST_ELEMENTS * 65536u * 8)         /* of one backing */
#define STEP 4099u                                      /* from one version's bytes to the next one's */
#define MOST_VERSIONS 64u
#define POISON 0xe7

/* Lies still: what tells one resource from the next under its id is then only what it is, not where. */
typedef struct Held {
    struct virtio_gpu_simple_resource res;
    bool there, texture;
    uint32_t texture_id, width, height, format;
    struct iovec *iov;          /* the pages of a classic one, which the renderer keeps */
    unsigned iov_cnt;
    guint pages, pixels;        /* versions of their contents */
} Held;

typedef struct Asked {
    HelixPicture picture;
    guint id, pages, pixels, answers;           /* versions when it was asked for */
    uint32_t format;
    bool blob;
} Asked;

struct QEMUBH {
    void (*callback)(void *opaque);
    void *opaque;
    bool scheduled;
};

static struct {
    VirtIOGPU gpu;
    Held held[N_RESOURCES];
    Asked asked[MOST_ASKED];
    guint n_asked, n_versions, scale;
    bool stopped, spent, hash_useless, vcpu;
    GPtrArray *taken_away;      /* memory that was the guest's, poisoned */
    HelixSurfacePool *pool;
} world;

static QEMUBH bottom_half;      /* resource-read.c keeps the only one */
static guint8 pattern[MOST_BYTES + MOST_VERSIONS * STEP];

/* ---- QEMU ---- */

AioContext *iohandler_get_aio_context(void)
{
    return NULL;
}

QEMUBH *aio_bh_new(AioContext *context, void (*callback)(void *opaque), void *opaque)
{
    bottom_half = (QEMUBH) { callback, opaque, false };
    return &bottom_half;
}

void qemu_bh_schedule(QEMUBH *bh)
{
    bh->scheduled = true;
}

bool runstate_is_running(void)
{
    return !world.stopped;
}

bool qemu_in_vcpu_thread(void)
{
    return world.vcpu;
}

static void handle_ctrl(VirtIOGPU *vdev, VirtQueue *vq)
{
}

void helix_measure_looked_up(uint32_t id)
{
}

/* The linker puts these two in the place of the real ones: the clock, and the hint that a guest can make useless. */
gint64 __wrap_helix_turn_spent_us(void);
uint64_t __wrap_helix_pages_hash(const HelixResource *resource);
uint64_t __real_helix_pages_hash(const HelixResource *resource);

gint64 __wrap_helix_turn_spent_us(void)
{
    return world.spent ? HELIX_TURN_BUDGET_US : 0;
}

uint64_t __wrap_helix_pages_hash(const HelixResource *resource)
{
    return world.hash_useless ? 1 : __real_helix_pages_hash(resource);
}

static void turn(void)
{
    if (bottom_half.scheduled) {
        bottom_half.scheduled = false;
        bottom_half.callback(bottom_half.opaque);
    }
}

/* ---- what resources hold ---- */

static const guint8 *page_bytes(guint version, guint64 position)
{
    return pattern + version * STEP + position;
}

static const guint8 *texture_row(guint version, guint32 x, guint32 y)
{
    return pattern + version * STEP + (y * 6151u) % (1u << 20) + (size_t)x * 4;
}

static guint new_version(void)
{
    return world.n_versions < MOST_VERSIONS - 1 ? ++world.n_versions : world.n_versions;
}

static void take_away(gpointer bytes, gsize len)
{
    if (bytes) {
        memset(bytes, POISON, len);
        g_ptr_array_add(world.taken_away, bytes);
    }
}

static void drop_pages(Held *held)
{
    for (guint i = 0; i < held->iov_cnt; i++) {
        take_away(held->iov[i].iov_base, held->iov[i].iov_len);
    }
    take_away(held->iov, held->iov_cnt * sizeof *held->iov);
    held->iov = held->res.iov = NULL;
    held->iov_cnt = held->res.iov_cnt = 0;
}

/* Elements of any length, each in memory of its own size. Classic ones of the GL device are the renderer's. */
static void set_pages(Held *held, const guint32 *lens, guint n)
{
    gsize position = 0;

    drop_pages(held);
    held->pages = new_version();
    held->iov = g_new0(struct iovec, n);
    held->iov_cnt = n;
    for (guint i = 0; i < n; i++) {
        held->iov[i] = (struct iovec) { g_malloc(MAX(lens[i], 1)), lens[i] };
        memcpy(held->iov[i].iov_base, page_bytes(held->pages, position), lens[i]);
        position += lens[i];
    }
    if (!world.gpu.gl || held->res.blob_size) {
        held->res.iov = held->iov;
        held->res.iov_cnt = n;
    }
}

static void give_pages(Held *held, Input *input)
{
    guint n = 1 + input_u8(input) % MOST_ELEMENTS;
    guint32 lens[MOST_ELEMENTS];

    for (guint i = 0; i < n; i++) {
        lens[i] = (guint32)input_u16(input) * world.scale;
    }
    set_pages(held, lens, n);
}

/* The same elements, but for the last ones, and one that is shorter. */
static void shrink_pages(Held *held, Input *input)
{
    guint32 lens[MOST_ELEMENTS];
    guint n = held->iov_cnt;

    if (!n) {
        return;
    }
    for (guint i = 0; i < n; i++) {
        lens[i] = held->iov[i].iov_len;
    }
    n -= input_u8(input) % n;
    lens[n - 1] = lens[n - 1] * input_u8(input) / 256;
    set_pages(held, lens, n);
}

static void destroy(Held *held)
{
    if (held->there) {
        QTAILQ_REMOVE(&world.gpu.reslist, &held->res, next);
    }
    drop_pages(held);
    if (held->res.image) {
        take_away(pixman_image_get_data(held->res.image), (gsize)held->width * held->height * 4);
        pixman_image_unref(held->res.image);
    }
    *held = (Held) { .there = false };
}

static void give_image(Held *held)
{
    uint32_t *pixels = g_malloc((gsize)held->width * held->height * 4);

    for (guint32 y = 0; y < held->height; y++) {
        memcpy(pixels + (gsize)y * held->width, texture_row(held->pixels, 0, y), (gsize)held->width * 4);
    }
    held->res.image = pixman_image_create_bits(PIXMAN_x8r8g8b8, (int)held->width, (int)held->height, pixels,
                                               (int)held->width * 4);
}

static void create(guint index, Input *input)
{
    static const uint32_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134, 98, 100, 230, 5 };
    Held *held = &world.held[index];
    guint8 what = input_u8(input);              /* bits: blob, texture, pages */

    destroy(held);
    held->there = true;
    held->res.resource_id = index + 1;
    held->res.blob_size = world.gpu.gl && what & 1 ? 1 + (uint64_t)input_u16(input) * world.scale : 0;
    held->texture = what & 2;
    held->texture_id = 1 + (what >> 6);         /* GL gives a name again */
    held->width = (1 + input_u8(input)) * world.scale;
    held->height = (1 + input_u8(input)) * world.scale;
    held->format = held->res.format = formats[input_u8(input) % G_N_ELEMENTS(formats)];
    held->pixels = new_version();
    if (held->texture && !world.gpu.gl) {
        give_image(held);
    }
    if (what & 4) {
        give_pages(held, input);
    }
    QTAILQ_INSERT_TAIL(&world.gpu.reslist, &held->res, next);
}

/* ---- virglrenderer, as resource-virgl.c asks it ---- */

static bool describe(VirtIOGPU *g, HelixResource *resource)
{
    const Held *held = &world.held[resource->id - 1];

    if (held->texture) {
        resource->has_texture = true;
        resource->texture_id = held->texture_id;
        resource->width = held->width;
        resource->height = held->height;
        resource->format = held->format;
    }
    return true;
}

static void find_pages(VirtIOGPU *g, HelixResource *resource)
{
    const Held *held = &world.held[resource->id - 1];

    if (resource->has_texture && !resource->blob_size && helix_pixel_layout(resource->format).fourcc) {
        resource->iov = held->iov;
        resource->iov_cnt = held->iov_cnt;
    }
}

/* virglrenderer does not check a blob's box as it does a classic texture's: GL would read what lies beside. */
static bool read_texture(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width, uint32_t rows,
                         uint8_t *to, uint32_t stride, GError **error)
{
    const Held *held = &world.held[resource->id - 1];

    g_assert_true(held->there && held->texture);
    g_assert_true((guint64)x + width <= held->width && (guint64)y + rows <= held->height);
    for (uint32_t row = 0; row < rows; row++) {
        memcpy(to + (size_t)row * stride, texture_row(held->pixels, x, y + row), (size_t)width * 4);
    }
    return true;
}

static const HelixTextureReader reader = { .describe = describe, .find_pages = find_pages, .read = read_texture };

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

    layout = as_said ? (HelixPixelLayout) { asked->picture.fourcc, { 0, 1, 2, 3 } } : layout;
    g_assert_cmpuint(surface->fourcc, ==, layout.fourcc);
    g_assert_true(world.hash_useless || held->pages == asked->pages);
    n = helix_pages_plan(&anything, &asked->picture, layout.fourcc, planes, NULL);
    g_assert_cmpuint(surface->n_planes, ==, n);
    for (unsigned i = 0; i < n; i++) {
        for (guint32 y = 0; y < planes[i].rows; y++) {
            const guint8 *row = surface->data + surface->offset[i] + (gsize)y * surface->stride[i];
            guint version = asked->pages;

            while (version <= held->pages && !is_row(row, page_bytes(version, planes[i].start + y * planes[i].stride),
                                                     planes[i].row_bytes, &layout)) {
                version++;
            }
            g_assert_cmpuint(version, <=, held->pages);
        }
    }
}

static void check_texture(const Asked *asked, const HelixSurface *surface, const Held *held)
{
    HelixPixelLayout layout = helix_pixel_layout(asked->format);

    g_assert_cmpuint(surface->fourcc, ==, layout.fourcc);       /* whatever the guest said of it */
    for (guint32 y = 0; y < surface->height; y++) {
        guint version = asked->pixels;

        while (version <= held->pixels &&
               !is_row(surface->data + surface->offset[0] + (gsize)y * surface->stride[0],
                       texture_row(version, asked->picture.crop_x, asked->picture.crop_y + y), surface->width * 4, &layout)) {
            version++;
        }
        g_assert_cmpuint(version, <=, held->pixels);
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
    g_assert_true(held->there);
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

static void ask(Input *input)
{
    static const guint32 formats[] = { HELIX_FORMAT_XR24, HELIX_FORMAT_NV12, HELIX_FORMAT_AB24 };
    guint8 what = input_u8(input);
    guint16 odd = input_u8(input) ? input_u16(input) : 0;
    Asked *asked = &world.asked[world.n_asked];
    HelixPicture *picture = &asked->picture;
    const Held *held;

    memset(asked, 0, sizeof *asked);
    asked->id = 1 + (what & 3) % N_RESOURCES;
    picture->resource_id = asked->id;
    picture->source = (what >> 2) % 3;
    picture->planes = (what >> 4) & 3;
    picture->surface_kinds = what & 64 ? 1u << HELIX_SURFACE_TEXTURE : 0;
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
        return;                 /* the session has refused it */
    }
    world.n_asked++;
    held = &world.held[asked->id - 1];
    asked->pages = held->pages;
    asked->pixels = held->pixels;
    asked->format = held->format;
    asked->blob = held->res.blob_size;
    helix_resource_resolver.resolve(&world.gpu, picture, world.pool, answered, asked);
}

/* ---- a run ---- */

static void lose_all(void)
{
    for (guint i = 0; i < N_RESOURCES; i++) {
        destroy(&world.held[i]);
    }
}

static void step(Input *input)
{
    guint8 what = input_u8(input);
    guint index = (what >> 4) % N_RESOURCES;

    switch (what & 15) {
    case 0:
        if (world.n_asked < MOST_ASKED) {
            ask(input);
        }
        break;
    case 1: turn(); break;
    case 2: create(index, input); break;
    case 3: destroy(&world.held[index]); break;
    case 4: give_pages(&world.held[index], input); break;
    case 5: shrink_pages(&world.held[index], input); break;
    case 6: drop_pages(&world.held[index]); break;
    case 7: world.spent = what & 16; break;
    case 8: lose_all(); helix_resource_reset(); break;
    case 9: world.stopped = true; break;
    case 10: world.stopped = false; helix_resource_resume(); break;
    case 11: world.gpu.processing_cmdq = what & 16; world.vcpu = what & 32; break;
    default: break;
    }
}

static void begin(Input *input)
{
    static VirtIOGPUClass klass = { .handle_ctrl = handle_ctrl };
    guint8 settings = input_u8(input);

    for (gsize i = 0; !pattern[1] && i < sizeof pattern; i++) {
        pattern[i] = (guint8)((i * 2654435761u) >> 11);
    }
    memset(&world, 0, sizeof world);
    world.gpu = (VirtIOGPU) { .klass = &klass, .gl = settings & 1 };
    QTAILQ_INIT(&world.gpu.reslist);
    world.hash_useless = settings & 2;
    world.spent = settings & 4;
    world.scale = settings & 8 ? 8 : 1;
    world.taken_away = g_ptr_array_new_with_free_func(g_free);
    world.pool = helix_surface_pool_new(1);
    helix_surface_pool_set_limit(world.pool, 64u << 20);
    helix_texture_reader = &reader;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = { data, size };

    begin(&input);
    while (input.size) {
        step(&input);
    }
    world.stopped = false;
    helix_resource_resume();
    for (guint i = 0; bottom_half.scheduled; i++) {
        g_assert_cmpuint(i, <, 10000);          /* each turn reads something */
        turn();
    }
    for (guint i = 0; i < world.n_asked; i++) {
        g_assert_cmpuint(world.asked[i].answers, ==, 1);
    }
    lose_all();
    helix_surface_pool_trim(world.pool);
    g_assert_cmpuint(helix_surface_pool_bytes(world.pool), ==, 0);
    helix_surface_pool_unref(world.pool);
    g_ptr_array_unref(world.taken_away);
    return 0;
}
