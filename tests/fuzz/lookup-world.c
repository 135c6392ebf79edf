/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup-world.c - see lookup-world.h. */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "../../hw/display/helix/loop/loop-budget.h"
#include "../../hw/display/helix/measure/measure.h"
#include "lookup-world.h"

#define MOST_ELEMENTS 4u
#define LARGE 4u      /* sizes are multiples of it, so that one piece of a picture is not all of it */
#define IS_LARGE 0xe8 /* rarely: such a world takes as long as a dozen others */
#define MOST_BYTES (MOST_ELEMENTS * 65536u * LARGE) /* of one backing */
#define STEP 4099u                                  /* from one version's bytes to the next one's */
#define MOST_VERSIONS 64u
#define MOST_ORDERS 4u
#define POISON 0xe7

struct QEMUBH {
    void (*callback)(void *opaque);
    void *opaque;
    bool scheduled;
};

LookupWorld world;

static QEMUBH bottom_half; /* readback.c keeps the only one */
static Held *created;
static guint8 pattern[MOST_BYTES + MOST_VERSIONS * STEP];

/* ---- QEMU ---- */

AioContext *iohandler_get_aio_context(void)
{
    return NULL;
}

QEMUBH *aio_bh_new(AioContext *context, void (*callback)(void *opaque), void *opaque)
{
    bottom_half = (QEMUBH){ callback, opaque, false };
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

static DeviceState transport;

BusState *qdev_get_parent_bus(const DeviceState *dev)
{
    static BusState bus = { &transport };

    return &bus;
}

/* The GPU is entered under its guard only, and not by two at a time. */
static void handle_ctrl(VirtIOGPU *vdev, VirtQueue *vq)
{
    g_assert_true(transport.mem_reentrancy_guard.engaged_in_io && helix_gpu_entered() && !world.guest_inside);
}

void world_guest_inside(bool inside)
{
    g_assert_true(transport.mem_reentrancy_guard.engaged_in_io == world.guest_inside && !helix_gpu_entered());
    world.guest_inside = transport.mem_reentrancy_guard.engaged_in_io = inside;
}

/* The linker puts these two in the place of the real ones: the clock, and the hint that a guest can make useless. */
gint64 __wrap_helix_loop_spent_us(void);
uint64_t __wrap_helix_pages_hash(const HelixResource *resource);
uint64_t __real_helix_pages_hash(const HelixResource *resource);

gint64 __wrap_helix_loop_spent_us(void)
{
    return world.spent ? HELIX_LOOP_BUDGET_US : 0;
}

uint64_t __wrap_helix_pages_hash(const HelixResource *resource)
{
    world.n_collected++;
    return world.hash_useless ? 1 : __real_helix_pages_hash(resource);
}

bool world_turn(void)
{
    if (!bottom_half.scheduled) {
        return false;
    }
    bottom_half.scheduled = false;
    bottom_half.callback(bottom_half.opaque);
    return true;
}

/* ---- what resources hold ---- */

const guint8 *page_bytes(guint version, guint64 position)
{
    return pattern + version * STEP + position;
}

const guint8 *texture_row(guint version, guint32 x, guint32 y)
{
    return pattern + version * STEP + (y * 6151u) % (1u << 19) + (size_t)x * 4;
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

void resource_drop_pages(Held *held)
{
    for (guint i = 0; i < held->iov_cnt; i++) {
        take_away(held->iov[i].iov_base, held->iov[i].iov_len);
    }
    take_away(held->iov, held->iov_cnt * sizeof *held->iov);
    held->iov = NULL;
    held->iov_cnt = 0;
    if (!world.gpu.gl) {
        held->res.iov = NULL;
        held->res.iov_cnt = 0;
    }
}

/*
 * Elements of any length, each in memory of its own size. Those of the GL device are the renderer's; a blob's first
 * ones QEMU points to as well, also when they are gone.
 */
static void set_pages(Held *held, const guint32 *lens, guint n)
{
    gsize position = 0;

    resource_drop_pages(held);
    held->pages = new_version();
    held->iov = g_new0(struct iovec, n);
    held->iov_cnt = n;
    for (guint i = 0; i < n; i++) {
        held->iov[i] = (struct iovec){ g_malloc(MAX(lens[i], 1)), lens[i] };
        memcpy(held->iov[i].iov_base, page_bytes(held->pages, position), lens[i]);
        position += lens[i];
    }
    if (!world.gpu.gl || (held->res.blob_size && !held->res.iov)) {
        held->res.iov = held->iov;
        held->res.iov_cnt = n;
    }
}

void resource_give_pages(Held *held, Input *input)
{
    guint n = 1 + input_u8(input) % MOST_ELEMENTS;
    guint32 lens[MOST_ELEMENTS];

    for (guint i = 0; i < n; i++) {
        lens[i] = (guint32)input_u16(input) * world.scale;
    }
    set_pages(held, lens, n);
}

/* The same elements, but for the last ones, and one that is shorter. */
void resource_shrink_pages(Held *held, Input *input)
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

void resource_destroy(Held *held)
{
    if (held->there) {
        QTAILQ_REMOVE(&world.gpu.reslist, &held->res, next);
    }
    resource_drop_pages(held);
    if (held->res.image) {
        take_away(pixman_image_get_data(held->res.image), (gsize)held->width * held->height * 4);
        pixman_image_unref(held->res.image);
    }
    *held = (Held){ .there = false };
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

/* QEMU carries out the command that makes @created. */
static void process_cmd(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    QTAILQ_INSERT_HEAD(&g->reslist, &created->res, next);
}

void resource_create(guint index, Input *input)
{
    static const uint32_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134, 98, 100, 230, 5 };
    Held *held = &world.held[index];
    guint8 what = input_u8(input); /* bits: blob, texture, pages */

    resource_destroy(held);
    held->there = true;
    held->res.resource_id = index + 1;
    held->res.blob_size = world.gpu.gl && what & 1 ? 1 + (uint64_t)input_u16(input) * world.scale : 0;
    held->texture = what & 2;
    held->texture_id = 1 + (what >> 6); /* GL gives a name again */
    held->width = (1 + input_u8(input)) * world.scale;
    held->height = (1 + input_u8(input)) * world.scale;
    held->format = held->res.format = formats[input_u8(input) % G_N_ELEMENTS(formats)];
    held->pixels = new_version();
    if (held->texture && !world.gpu.gl) {
        give_image(held);
    }
    if (what & 4) {
        resource_give_pages(held, input);
    }
    held->made = ++world.n_made;
    created = held;
    world.gpu.klass->process_cmd(&world.gpu, NULL);
}

/* ---- virglrenderer, as virgl-resource.c asks it ---- */

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

    if (resource->has_texture ? helix_pixel_layout(resource->format).fourcc : resource->blob_size) {
        resource->iov = held->iov;
        resource->iov_cnt = held->iov_cnt;
    }
}

/* virglrenderer does not check a blob's box as it does a classic texture's: GL would read what lies beside. */
static bool read_texture(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width,
                         uint32_t rows, uint8_t *to, uint32_t stride, GError **error)
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

/* ---- the thread that reads textures ---- */

/* An order keeps the texture's pixels, whatever becomes of its resource. */
static struct {
    HelixReadbackOrder what;
    guint pixels;
} orders[MOST_ORDERS];
static guint n_orders;

static bool begin(const HelixReadbackOrder *order)
{
    const Held *held = &world.held[world.asking - 1];

    if (n_orders == MOST_ORDERS || world.thread_paused) {
        return false;
    }
    g_assert_true(held->there && held->texture && held->texture_id == order->texture);
    g_assert_true((guint64)order->x + order->width <= held->width && (guint64)order->y + order->rows <= held->height);
    orders[n_orders].what = *order;
    orders[n_orders++].pixels = held->pixels;
    return true;
}

bool world_thread_turn(bool good)
{
    HelixReadbackOrder order = orders[0].what;
    guint pixels = orders[0].pixels;

    if (!n_orders) {
        return false;
    }
    memmove(orders, orders + 1, --n_orders * sizeof orders[0]);
    for (uint32_t row = 0; good && row < order.rows; row++) {
        memcpy(order.to + (size_t)row * order.stride, texture_row(pixels, order.x, order.y + row),
               (size_t)order.width * 4);
    }
    world.thread_gives = good;
    order.done(order.data, good);
    world.thread_gives = false;
    return true;
}

static void pause_thread(void)
{
    world.thread_paused = true;
    while (world_thread_turn(false)) {
    }
}

static void resume_thread(void)
{
    world.thread_paused = false;
}

static uint64_t count(void)
{
    return 0;
}

static const HelixReadbackThread thread = {
    .begin = begin, .pause = pause_thread, .resume = resume_thread, .count = count
};

/* ---- all of it ---- */

void resource_destroy_all(void)
{
    for (guint i = 0; i < N_RESOURCES; i++) {
        resource_destroy(&world.held[i]);
    }
}

void world_begin(Input *input)
{
    static VirtIOGPUClass klass = { .handle_ctrl = handle_ctrl, .process_cmd = process_cmd };
    static bool made;
    guint8 settings = input_u8(input);

    for (gsize i = 0; !made && i < sizeof pattern; i++) {
        pattern[i] = (guint8)((i * 2654435761u) >> 11);
    }
    made = true;
    memset(&world, 0, sizeof world);
    world.gpu = (VirtIOGPU){ .klass = &klass, .gl = settings & 1 };
    QTAILQ_INIT(&world.gpu.reslist);
    helix_resource_watch(&world.gpu);
    helix_resource_plugged(&world.gpu, true);
    world.hash_useless = settings & 2;
    world.spent = settings & 4;
    world.scale = (settings & IS_LARGE) == IS_LARGE ? LARGE : 1;
    world.taken_away = g_ptr_array_new_with_free_func(g_free);
    helix_texture_reader = &reader;
    helix_texture_filter = helix_measure_texture;
    helix_readback_thread = settings & 16 && world.gpu.gl ? &thread : NULL;
}

void world_end(void)
{
    g_assert_cmpuint(n_orders, ==, 0);
    world_guest_inside(false);
    resource_destroy_all();
    helix_resource_unwatch();
    g_ptr_array_unref(world.taken_away);
}
