/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture-element PORT DIRECTORY [3d] [blob] [card] [case=PREFIX]: the picture test through the GStreamer element.
 *
 * The same drawings as picture-client's, as DMA-BUF memory with GstVideoMeta (and GstVideoCropMeta), pushed through
 * appsrc ! vsockenc ! appsink. A buffer is painted over with the next drawing as soon as the element lets go of it, so
 * one that is let go of too early shows. The element's statistics must say that every frame went the way that it
 * should.
 *
 * Words and output are picture-client's.
 */
#include "buffer.h"
#include "element-run.h"

#include <drm_fourcc.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING 4
#define RELEASE_SECONDS 60
#define NEED_3D 1u
#define NEED_BLOB 2u
#define NEED_CARD 4u

typedef struct Case {
    const char *name;
    unsigned need;
    const char *caps; /* without size and rate */
    BufferSpec spec;
    BufferArea crop; /* width 0: none */
    unsigned frames;
    const char *then; /* these caps from the middle on, with red and blue changed */
} Case;

#define PLAIN(format) "video/x-raw(memory:DMABuf),format=" format
#define DRM(format) "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=" format

static const Case cases[] = {
    { "element-gl-1280x720", NEED_3D, PLAIN("BGRx"), { BUFFER_GL, 1280, 720, 0, 0, 0 }, { 0 }, 24, NULL },
    { "element-gl-odd-drm", NEED_3D, DRM("XR24"), { BUFFER_GL, 641, 361, 0, 0, 0 }, { 0 }, 9, NULL },
    { "element-gl-red-first",
      NEED_3D,
      PLAIN("RGBA"),
      { BUFFER_GL, 640, 360, DRM_FORMAT_ABGR8888, 0, 0 },
      { 0 },
      6,
      NULL },
    { "element-gl-crop", NEED_3D, PLAIN("BGRx"), { BUFFER_GL, 1280, 720, 0, 0, 0 }, { 160, 90, 640, 360 }, 9, NULL },
    { "element-classic", 0, PLAIN("BGRx"), { BUFFER_CLASSIC, 1280, 720, 0, 0, 0 }, { 0 }, 9, NULL },
    { "element-dumb-odd", NEED_CARD, PLAIN("BGRx"), { BUFFER_DUMB, 641, 361, 0, 0, 0 }, { 0 }, 6, NULL },
    { "element-blob-stride", NEED_BLOB, PLAIN("BGRx"), { BUFFER_BLOB, 641, 361, 0, 60, 4096 }, { 0 }, 6, NULL },
    { "element-drm-change", NEED_BLOB, DRM("XR24"), { BUFFER_BLOB, 640, 360, 0, 0, 0 }, { 0 }, 12, DRM("XB24") },
};

/* One buffer of the ring; @busy while the pipeline holds it. */
typedef struct Slot {
    Buffer buffer;
    bool busy;
    struct Player *player;
} Slot;

typedef struct Player {
    const Case *test;
    Gpu *gpu;
    GMutex lock;
    GCond changed;
    Slot ring[RING];
    bool red_first; /* from now on */
    ElementRun run;
} Player;

/* ---- buffers ---- */

static BufferArea drawn_area(const Case *test)
{
    return test->crop.width ? test->crop : (BufferArea){ 0, 0, test->spec.width, test->spec.height };
}

static GstVideoFormat video_format(uint32_t fourcc)
{
    return fourcc_red_first(fourcc) ? GST_VIDEO_FORMAT_RGBA : GST_VIDEO_FORMAT_BGRx;
}

static GstMemory *wrap_memory(Slot *slot, GstAllocator *allocator)
{
    Buffer *buffer = &slot->buffer;

    return gst_dmabuf_allocator_alloc_with_flags(allocator, buffer->dmabuf, buffer->size,
                                                 GST_FD_MEMORY_FLAG_DONT_CLOSE);
}

static void slot_free_again(gpointer data, GstMiniObject *object)
{
    Slot *slot = data;

    g_mutex_lock(&slot->player->lock);
    slot->busy = false;
    g_cond_broadcast(&slot->player->changed);
    g_mutex_unlock(&slot->player->lock);
}

/* The GstBuffer around the slot's memory that goes through the pipeline once. */
static GstBuffer *wrap(Slot *slot, GstAllocator *allocator, unsigned number)
{
    const Case *test = slot->player->test;
    Buffer *buffer = &slot->buffer;
    GstBuffer *wrapped = gst_buffer_new();
    gsize offset[GST_VIDEO_MAX_PLANES] = { buffer->offset };
    gint stride[GST_VIDEO_MAX_PLANES] = { (gint)buffer->stride };

    gst_buffer_append_memory(wrapped, wrap_memory(slot, allocator));
    gst_buffer_add_video_meta_full(wrapped, GST_VIDEO_FRAME_FLAG_NONE, video_format(buffer->fourcc),
                                   (guint)buffer->width, (guint)buffer->height, 1, offset, stride);
    if (test->crop.width) {
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(wrapped);

        crop->x = (guint)test->crop.x;
        crop->y = (guint)test->crop.y;
        crop->width = (guint)test->crop.width;
        crop->height = (guint)test->crop.height;
    }
    element_run_stamp(wrapped, number);
    gst_mini_object_weak_ref(GST_MINI_OBJECT(wrapped), slot_free_again, slot);
    return wrapped;
}

/* ---- playing ---- */

static bool wait_for_slot(Player *player, Slot *slot)
{
    gint64 end = g_get_monotonic_time() + RELEASE_SECONDS * G_TIME_SPAN_SECOND;
    bool waiting = true;

    g_mutex_lock(&player->lock);
    while (slot->busy && waiting) {
        waiting = g_cond_wait_until(&player->changed, &player->lock, end);
    }
    waiting = !slot->busy;
    slot->busy = true;
    g_mutex_unlock(&player->lock);
    return waiting;
}

static char *caps_text(const Case *test, const char *caps)
{
    return g_strdup_printf("%s,width=%d,height=%d,framerate=60/1", caps, test->spec.width, test->spec.height);
}

/* Another DRM format between two pictures: the host takes the guest's word for what a blob holds. */
static void change(Player *player)
{
    g_autofree char *text = caps_text(player->test, player->test->then);

    element_run_set_caps(&player->run, text);
    player->red_first = true;
}

static int push_next(Player *player, GstAllocator *allocator, unsigned number)
{
    const Case *test = player->test;
    BufferArea area = drawn_area(test);
    Slot *slot = &player->ring[(number - 1) % RING];

    if (test->then && number == test->frames / 2 + 1) {
        change(player);
    }
    if (!wait_for_slot(player, slot)) {
        return element_run_complain(&player->run, "the element does not give a buffer back");
    }
    if (player->red_first) {
        slot->buffer.fourcc = DRM_FORMAT_XBGR8888;
    }
    if (buffer_draw(&slot->buffer, number, &area) < 0 || buffer_upload(&slot->buffer) < 0 ||
        (number == 1 && buffer_verify(&slot->buffer, number, &area) < 0)) {
        return -1;
    }
    return element_run_push(&player->run, wrap(slot, allocator, number));
}

static int push_all(Player *player)
{
    GstAllocator *allocator = gst_dmabuf_allocator_new();
    int ret = 0;

    for (unsigned number = 1; number <= player->test->frames && ret == 0; number++) {
        ret = push_next(player, allocator, number);
    }
    gst_object_unref(allocator);
    return ret;
}

static int play(Player *player, unsigned port, const char *directory)
{
    const Case *test = player->test;
    BufferArea area = drawn_area(test);
    g_autofree char *caps = caps_text(test, test->caps);
    int ret;

    player->run = (ElementRun){
        .name = test->name, .frames = test->frames, .width = area.width, .height = area.height
    };
    ret = element_run_start(&player->run, caps, port, directory, RING);
    if (ret == 0) {
        ret = element_run_end(&player->run, push_all(player));
        if (ret == 0) {
            ret = element_run_expect(&player->run, "dmabuf", test->frames);
        }
    }
    return element_run_free(&player->run, ret);
}

static int run_case(Gpu *gpu, const Case *test, unsigned port, const char *directory)
{
    Player player = { .test = test, .gpu = gpu };
    int made = 0, ret = -1;

    while (made < RING && buffer_new(gpu, &test->spec, &player.ring[made].buffer) == 0) {
        player.ring[made].player = &player;
        made++;
    }
    if (made == RING) {
        ret = play(&player, port, directory);
    }
    while (made > 0) {
        buffer_free(&player.ring[--made].buffer);
    }
    return ret;
}

int main(int argc, char **argv)
{
    unsigned want = 0, have;
    const char *prefix = "";
    int failed = 0;
    Gpu gpu;

    gst_init(&argc, &argv);
    if (argc < 3) {
        fprintf(stderr, "usage: %s PORT DIRECTORY [3d] [blob] [card] [case=PREFIX]\n", argv[0]);
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        want |= strcmp(argv[i], "3d") == 0 ? NEED_3D
            : strcmp(argv[i], "blob") == 0 ? NEED_BLOB
            : strcmp(argv[i], "card") == 0 ? NEED_CARD
                                           : 0;
        prefix = strncmp(argv[i], "case=", 5) == 0 ? argv[i] + 5 : prefix;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (gpu_open(&gpu) < 0) {
        return 1;
    }
    have = (gpu.has_3d ? NEED_3D : 0) | (gpu.has_blob ? NEED_BLOB : 0) | (gpu.card >= 0 ? NEED_CARD : 0);
    if ((want ^ have) & (NEED_3D | NEED_BLOB) || (want & ~have)) {
        fprintf(stderr, "this GPU has 3d %d, blob %d, card node %d: not what this test is for\n", gpu.has_3d,
                gpu.has_blob, gpu.card >= 0);
        return 1;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        if (!(cases[i].need & ~have) && g_str_has_prefix(cases[i].name, prefix)) {
            int ret = run_case(&gpu, &cases[i], (unsigned)atoi(argv[1]), argv[2]);

            printf("case %s %s\n", cases[i].name, ret == 0 ? "ok" : "FAILED");
            failed |= ret != 0;
        }
    }
    gpu_close(&gpu);
    printf("done\n");
    return failed;
}
