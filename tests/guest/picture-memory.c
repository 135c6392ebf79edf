/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture-memory PORT DIRECTORY PATH [case=PREFIX]: the picture test with pictures in plain memory, through the
 * element.
 *
 * The drawings of picture-client in every format that the element takes: in memory of upstream's own, in buffers of the
 * pool that the element offers, in DMA-BUFs of other drivers; with strides, crops and odd sizes. Every frame has to go
 * by PATH (guest-copy or pixel-data), nothing may be copied of what was drawn into the pool, and no more than 1 KiB a
 * frame go to the host beside pixels.
 *
 * Output is picture-client's.
 */
#include "element-run.h"
#include "foreign.h"
#include "pattern.h"

#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILLER 0x80 /* alpha that a host must not look at */
#define BYTES_A_FRAME 1024

typedef enum Origin {
    FRESH, /* plain memory, another one each time */
    POOL,  /* of the pool that the element offers */
    UDMABUF,
    VGEM, /* DMA-BUFs of other drivers */
} Origin;

typedef struct Case {
    const char *name, *format;
    int width, height;
    Origin origin;
    int padding;      /* FRESH: bytes behind each row; and before the picture */
    int crop[4];      /* x, y, width, height; width 0: none */
    const char *caps; /* instead of plain video/x-raw */
    int then[2];      /* width and height from the middle on; 0: the same */
} Case;

static const Case cases[] = {
    { "memory-bgrx", "BGRx", 640, 360, FRESH, 0, { 0 }, NULL, { 0 } },
    { "memory-bgra-odd", "BGRA", 641, 361, FRESH, 0, { 0 }, NULL, { 0 } },
    { "memory-rgbx-stride", "RGBx", 322, 180, FRESH, 60, { 0 }, NULL, { 0 } },
    { "memory-rgba-crop", "RGBA", 640, 360, FRESH, 0, { 33, 21, 321, 181 }, NULL, { 0 } },
    { "memory-bgrx-resize", "BGRx", 640, 360, FRESH, 0, { 0 }, NULL, { 321, 181 } },
    { "memory-i420-resize", "I420", 320, 180, FRESH, 0, { 0 }, NULL, { 641, 361 } },
    { "memory-nv12", "NV12", 640, 360, FRESH, 0, { 0 }, NULL, { 0 } },
    { "memory-nv12-odd", "NV12", 641, 361, FRESH, 0, { 0 }, NULL, { 0 } },
    { "memory-nv12-crop", "NV12", 640, 360, FRESH, 0, { 32, 22, 322, 180 }, NULL, { 0 } },
    { "memory-i420", "I420", 640, 360, FRESH, 0, { 0 }, NULL, { 0 } },
    { "memory-i420-odd", "I420", 641, 361, FRESH, 0, { 0 }, NULL, { 0 } },
    { "memory-i420-crop", "I420", 640, 360, FRESH, 0, { 32, 22, 322, 180 }, NULL, { 0 } },
    { "memory-pool-bgrx", "BGRx", 1280, 720, POOL, 0, { 0 }, NULL, { 0 } },
    { "memory-pool-bgra-odd", "BGRA", 641, 361, POOL, 0, { 0 }, NULL, { 0 } },
    { "memory-pool-rgba-crop", "RGBA", 640, 360, POOL, 0, { 33, 21, 321, 181 }, NULL, { 0 } },
    { "memory-pool-rgbx", "RGBx", 320, 180, POOL, 0, { 0 }, NULL, { 0 } },
    { "memory-pool-nv12", "NV12", 640, 360, POOL, 0, { 0 }, NULL, { 0 } },
    { "memory-pool-nv12-odd", "NV12", 641, 361, POOL, 0, { 0 }, NULL, { 0 } },
    { "memory-udmabuf", "BGRx", 640, 360, UDMABUF, 0, { 0 }, "video/x-raw(memory:DMABuf),format=BGRx", { 0 } },
    { "memory-udmabuf-nv12", "NV12", 640, 360, UDMABUF, 0, { 0 }, NULL, { 0 } },
    { "memory-vgem", "BGRx", 640, 360, VGEM, 0, { 0 }, NULL, { 0 } },
    /* to be refused: only run by this name */
    { "refused-vgem", "BGRx", 640, 360, VGEM, 0, { 0 }, "video/x-raw(memory:DMABuf),format=BGRx", { 0 } },
    { "memory-vgem-drm",
      "BGRx",
      641,
      361,
      VGEM,
      0,
      { 0 },
      "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=XR24",
      { 0 } },
};

#define FRAMES 9

typedef struct Player {
    const Case *test;
    const char *path;
    int width, height; /* of the buffers now */
    GstVideoInfo info;
    gsize start; /* bytes before the picture */
    GstBufferPool *pool;
    GstAllocator *dmabufs;
    ElementRun run;
} Player;

/* ---- painting ---- */

static void paint_i420(unsigned number, int width, int height, GstVideoFrame *frame, int x, int y)
{
    guint stride = GST_ROUND_UP_4((guint)width);
    g_autofree uint8_t *cbcr = g_malloc((gsize)stride * (gsize)(height + 1) / 2);
    g_autofree uint8_t *luma = g_malloc((gsize)stride * (gsize)height);

    pattern_paint_nv12(number, width, height, luma, cbcr, stride);
    for (int row = 0; row < height; row++) {
        uint8_t *to = GST_VIDEO_FRAME_COMP_DATA(frame, 0);

        memcpy(to + (y + row) * GST_VIDEO_FRAME_COMP_STRIDE(frame, 0) + x, luma + (gsize)row * stride, (size_t)width);
    }
    for (guint c = 1; c < 3; c++) {
        for (int row = 0; row < (height + 1) / 2; row++) {
            uint8_t *to = GST_VIDEO_FRAME_COMP_DATA(frame, c);

            to += (y / 2 + row) * GST_VIDEO_FRAME_COMP_STRIDE(frame, c) + x / 2;
            for (int column = 0; column < (width + 1) / 2; column++) {
                to[column] = cbcr[(gsize)row * stride + 2 * (gsize)column + c - 1];
            }
        }
    }
}

static void paint_at(unsigned number, int width, int height, GstVideoFrame *frame, int x, int y)
{
    guint stride = (guint)GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0);
    uint8_t *first = GST_VIDEO_FRAME_PLANE_DATA(frame, 0);
    bool red_first = false;

    switch (GST_VIDEO_FRAME_FORMAT(frame)) {
    case GST_VIDEO_FORMAT_I420:
        paint_i420(number, width, height, frame, x, y);
        return;
    case GST_VIDEO_FORMAT_NV12:
        pattern_paint_nv12(number, width, height, first + (gsize)y * stride + x,
                           (uint8_t *)GST_VIDEO_FRAME_PLANE_DATA(frame, 1) + (gsize)(y / 2) * stride + x, stride);
        return;
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_RGBA:
        red_first = true;
        break;
    default:
        break;
    }
    pattern_paint(number, width, height, first + (gsize)y * stride + (gsize)x * 4, stride, red_first, FILLER);
}

static int paint(Player *player, GstBuffer *buffer, unsigned number)
{
    const int *crop = player->test->crop;
    GstVideoFrame frame;

    if (!gst_video_frame_map(&frame, &player->info, buffer, GST_MAP_WRITE)) {
        return element_run_complain(&player->run, "a buffer cannot be mapped");
    }
    paint_at(crop[2] ? PATTERN_MAX_NUMBER - number : number, player->width, player->height, &frame, 0, 0);
    if (crop[2]) {
        paint_at(number, crop[2], crop[3], &frame, crop[0], crop[1]);
    }
    gst_video_frame_unmap(&frame);
    return 0;
}

/* ---- buffers ---- */

/* As upstream does: ask for a pool with the caps that are set, and use it as it is. */
static int find_pool(Player *player, const char *caps_text)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(caps_text);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(player->run.encoder, "sink");
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    guint size = 0, min = 0, max = 0;
    GstStructure *config;

    if (gst_pad_query(pad, query) && gst_query_get_n_allocation_pools(query) > 0) {
        gst_query_parse_nth_allocation_pool(query, 0, &player->pool, &size, &min, &max);
    }
    gst_query_unref(query);
    if (!player->pool) {
        return element_run_complain(&player->run, "the element offers no pool");
    }
    config = gst_buffer_pool_get_config(player->pool);
    gst_buffer_pool_config_set_params(config, caps, size, min, max);
    return gst_buffer_pool_set_config(player->pool, config) && gst_buffer_pool_set_active(player->pool, TRUE)
        ? 0
        : element_run_complain(&player->run, "the element's pool does not start");
}

static GstBuffer *new_dmabuf(Player *player, ForeignKind kind)
{
    gsize size = GST_VIDEO_INFO_SIZE(&player->info);
    int fd = foreign_new(kind, (uint32_t)size);
    GstBuffer *buffer;

    if (fd < 0) {
        return NULL;
    }
    buffer = gst_buffer_new();
    gst_buffer_append_memory(buffer, gst_dmabuf_allocator_alloc(player->dmabufs, fd, size));
    return buffer;
}

static GstBuffer *new_plain(Player *player)
{
    GstVideoInfo *info = &player->info;
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info) + player->start, NULL);

    gst_buffer_memset(buffer, 0, 0x55, GST_VIDEO_INFO_SIZE(info) + player->start);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(info),
                                   (guint)GST_VIDEO_INFO_WIDTH(info), (guint)GST_VIDEO_INFO_HEIGHT(info),
                                   GST_VIDEO_INFO_N_PLANES(info), info->offset, info->stride);
    return buffer;
}

static GstBuffer *new_buffer(Player *player)
{
    GstBuffer *buffer = NULL;

    switch (player->test->origin) {
    case FRESH:
        return new_plain(player);
    case UDMABUF:
        return new_dmabuf(player, FOREIGN_UDMABUF);
    case VGEM:
        return new_dmabuf(player, FOREIGN_VGEM);
    case POOL:
        gst_buffer_pool_acquire_buffer(player->pool, &buffer, NULL);
        break;
    }
    return buffer;
}

/* ---- playing ---- */

static char *caps_of(const Case *test, int width, int height)
{
    g_autofree char *plain = g_strdup_printf("video/x-raw,format=%s%s", test->format,
                                             strchr("NI", test->format[0]) ? ",colorimetry=bt709" : "");

    return g_strdup_printf("%s,width=%d,height=%d,framerate=60/1", test->caps ? test->caps : plain, width, height);
}

static void lay_out(Player *player, int width, int height)
{
    const Case *test = player->test;
    GstVideoInfo *info = &player->info;

    player->width = width;
    player->height = height;
    gst_video_info_set_format(info, gst_video_format_from_string(test->format), (guint)width, (guint)height);
    if (test->padding) {
        player->start = 256;
        info->offset[0] = player->start;
        info->stride[0] += test->padding;
        info->size = (gsize)info->stride[0] * (gsize)height;
    }
}

static void resize(Player *player)
{
    const int *then = player->test->then;
    g_autofree char *caps = caps_of(player->test, then[0], then[1]);

    element_run_set_caps(&player->run, caps);
    lay_out(player, then[0], then[1]);
}

static int push_all(Player *player)
{
    const int *crop = player->test->crop;
    int ret = 0;

    for (unsigned number = 1; number <= FRAMES && ret == 0; number++) {
        GstBuffer *buffer;

        if (player->test->then[0] && number == FRAMES / 2 + 1) {
            resize(player);
        }
        buffer = new_buffer(player);
        if (!buffer) {
            return element_run_complain(&player->run, "no buffer");
        }
        ret = paint(player, buffer, number);
        if (crop[2]) {
            GstVideoCropMeta *meta = gst_buffer_add_video_crop_meta(buffer);

            meta->x = (guint)crop[0];
            meta->y = (guint)crop[1];
            meta->width = (guint)crop[2];
            meta->height = (guint)crop[3];
        }
        element_run_stamp(buffer, number);
        ret = ret < 0 ? ret : element_run_push(&player->run, buffer);
    }
    return ret;
}

static int check_path(Player *player)
{
    bool copies = strcmp(player->path, "guest-copy") == 0, pool = player->test->origin == POOL && copies;
    g_autofree char *path = NULL, *reason = NULL;
    GstStructure *stats = NULL;
    guint64 bytes = 0, pixels = 0;
    int ret = 0;

    ret |= element_run_expect(&player->run, player->path, FRAMES);
    ret |= element_run_expect(&player->run, "drawn-in-place", pool ? FRAMES : 0);
    if (pool) {
        ret |= element_run_expect(&player->run, "cpu-bytes", 0);
    }
    g_object_get(player->run.encoder, "stats", &stats, "path", &path, "path-reason", &reason, NULL);
    gst_structure_get_uint64(stats, "bytes-to-host", &bytes);
    gst_structure_get_uint64(stats, "pixel-bytes-to-host", &pixels);
    gst_structure_free(stats);
    if (bytes - pixels > FRAMES * BYTES_A_FRAME || (copies && pixels)) {
        ret = element_run_complain(&player->run, "too many bytes went to the host");
    }
    if (g_strcmp0(path, player->path) != 0 || !reason) {
        ret = element_run_complain(&player->run, "the property path is not as the statistics");
    }
    return ret;
}

static int run_case(const Case *test, const char *path, unsigned port, const char *directory)
{
    g_autofree char *caps = caps_of(test, test->width, test->height);
    Player player = { .test = test, .path = path, .dmabufs = gst_dmabuf_allocator_new() };
    int ret;

    player.run = (ElementRun){ .name = test->name,
                               .frames = FRAMES,
                               .width = test->crop[2] ? test->crop[2] : test->width,
                               .height = test->crop[2] ? test->crop[3] : test->height,
                               .same_size = test->then[0] ? FRAMES / 2 : 0,
                               .then_width = test->then[0],
                               .then_height = test->then[1] };
    lay_out(&player, test->width, test->height);
    ret = element_run_start(&player.run, caps, port, directory, g_str_has_prefix(test->name, "refused") ? 0 : 4);
    if (ret == 0 && test->origin == POOL) {
        ret = find_pool(&player, caps);
    }
    if (ret == 0) {
        ret = element_run_end(&player.run, push_all(&player));
    }
    if (ret == 0) {
        ret = check_path(&player);
    }
    ret = element_run_free(&player.run, ret);
    if (player.pool) {
        gst_buffer_pool_set_active(player.pool, FALSE);
        gst_object_unref(player.pool);
    }
    gst_object_unref(player.dmabufs);
    return ret;
}

int main(int argc, char **argv)
{
    const char *prefix = "";
    int failed = 0;

    gst_init(&argc, &argv);
    if (argc < 4) {
        fprintf(stderr, "usage: %s PORT DIRECTORY PATH [case=PREFIX]\n", argv[0]);
        return 2;
    }
    if (argc > 4 && strncmp(argv[4], "case=", 5) == 0) {
        prefix = argv[4] + 5;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        if (g_str_has_prefix(cases[i].name, *prefix ? prefix : "memory-")) {
            int ret = run_case(&cases[i], argv[3], (unsigned)atoi(argv[1]), argv[2]);

            printf("case %s %s\n", cases[i].name, ret == 0 ? "ok" : "FAILED");
            failed |= ret != 0;
        }
    }
    printf("done\n");
    return failed;
}
