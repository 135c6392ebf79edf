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
#include "film.h"
#include "pattern.h"

#include <drm_fourcc.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING            4
#define FRAME_NS        (GST_SECOND / 60)
#define RELEASE_SECONDS 60
#define NEED_3D         1u
#define NEED_BLOB       2u
#define NEED_CARD       4u

typedef struct Case {
    const char *name;
    unsigned need;
    const char *caps;       /* without size and rate */
    BufferSpec spec;
    BufferArea crop;        /* width 0: none */
    bool memory;            /* system memory instead of a DMA-BUF */
    unsigned frames;
} Case;

#define PLAIN(format)   "video/x-raw(memory:DMABuf),format=" format
#define DRM(format)     "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=" format
#define MEMORY(format)  "video/x-raw,format=" format

static const Case cases[] = {
    { "element-gl-1280x720", NEED_3D, PLAIN("BGRx"), { BUFFER_GL, 1280, 720, 0, 0, 0 }, { 0 }, false, 24 },
    { "element-gl-odd-drm", NEED_3D, DRM("XR24"), { BUFFER_GL, 641, 361, 0, 0, 0 }, { 0 }, false, 9 },
    { "element-gl-red-first", NEED_3D, PLAIN("RGBA"), { BUFFER_GL, 640, 360, DRM_FORMAT_ABGR8888, 0, 0 }, { 0 }, false,
      6 },
    { "element-gl-crop", NEED_3D, PLAIN("BGRx"), { BUFFER_GL, 1280, 720, 0, 0, 0 }, { 160, 90, 640, 360 }, false, 9 },
    { "element-classic", 0, PLAIN("BGRx"), { BUFFER_CLASSIC, 1280, 720, 0, 0, 0 }, { 0 }, false, 9 },
    { "element-dumb-odd", NEED_CARD, PLAIN("BGRx"), { BUFFER_DUMB, 641, 361, 0, 0, 0 }, { 0 }, false, 6 },
    { "element-blob-stride", NEED_BLOB, PLAIN("BGRx"), { BUFFER_BLOB, 641, 361, 0, 60, 4096 }, { 0 }, false, 6 },
    { "element-memory", 0, MEMORY("BGRx"), { BUFFER_CLASSIC, 640, 360, 0, 0, 0 }, { 0 }, true, 6 },
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
    GstElement *pipeline, *source, *encoder, *sink;
    Film film;
    bool wrong;
} Player;

static int complain(const Player *player, const char *text)
{
    fprintf(stderr, "%s: %s\n", player->test->name, text);
    return -1;
}

/* ---- buffers ---- */

static BufferArea drawn_area(const Case *test)
{
    return test->crop.width ? test->crop : (BufferArea) { 0, 0, test->spec.width, test->spec.height };
}

static GstVideoFormat video_format(uint32_t fourcc)
{
    return fourcc == DRM_FORMAT_ABGR8888 ? GST_VIDEO_FORMAT_RGBA : GST_VIDEO_FORMAT_BGRx;
}

static GstMemory *wrap_memory(Slot *slot, GstAllocator *allocator)
{
    Buffer *buffer = &slot->buffer;

    if (slot->player->test->memory) {
        return gst_memory_new_wrapped(0, buffer->map, buffer->size, 0, buffer->size, NULL, NULL);
    }
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
    GST_BUFFER_PTS(wrapped) = (number - 1) * FRAME_NS;
    GST_BUFFER_DURATION(wrapped) = FRAME_NS;
    gst_mini_object_weak_ref(GST_MINI_OBJECT(wrapped), slot_free_again, slot);
    return wrapped;
}

/* ---- pipeline ---- */

/* The film's number comes from the timestamp: what the picture shows must agree with it. */
static GstFlowReturn on_sample(GstAppSink *sink, gpointer data)
{
    Player *player = data;
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    BufferArea area = drawn_area(player->test);
    FilmUnit unit = {
        .stream = 1,
        .number = (unsigned)((GST_BUFFER_PTS(buffer) + FRAME_NS / 2) / FRAME_NS) + 1,
        .width = area.width,
        .height = area.height,
        .key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT),
    };
    GstMapInfo map;

    /* in order, none missing: the next one is the film's length plus one */
    if (unit.number != player->film.units + 1) {
        fprintf(stderr, "%s: frame %u came out where %u is due\n", player->test->name, unit.number,
                player->film.units + 1);
        player->wrong = true;
    }
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ) || film_add(&player->film, &unit, map.data, map.size) < 0) {
        player->wrong = true;
    }
    gst_buffer_unmap(buffer, &map);
    gst_sample_unref(sample);
    return GST_FLOW_OK;
}

static int build_pipeline(Player *player, unsigned port)
{
    static const GstAppSinkCallbacks callbacks = { .new_sample = on_sample };
    const Case *test = player->test;
    g_autofree char *text = g_strdup_printf("appsrc name=source format=time block=true ! vsockenc name=encoder port=%u "
                                            "bitrate=100000 ! appsink name=sink sync=false", port);
    g_autofree char *caps_text = g_strdup_printf("%s,width=%d,height=%d,framerate=60/1", test->caps, test->spec.width,
                                                 test->spec.height);
    GstCaps *caps = gst_caps_from_string(caps_text);
    GError *error = NULL;

    player->pipeline = gst_parse_launch(text, &error);
    if (!player->pipeline || !caps) {
        fprintf(stderr, "%s: %s\n", text, error ? error->message : caps_text);
        g_clear_error(&error);
        return -1;
    }
    player->source = gst_bin_get_by_name(GST_BIN(player->pipeline), "source");
    player->encoder = gst_bin_get_by_name(GST_BIN(player->pipeline), "encoder");
    player->sink = gst_bin_get_by_name(GST_BIN(player->pipeline), "sink");
    gst_app_src_set_caps(GST_APP_SRC(player->source), caps);
    gst_app_src_set_max_buffers(GST_APP_SRC(player->source), RING);
    gst_app_sink_set_callbacks(GST_APP_SINK(player->sink), (GstAppSinkCallbacks *)&callbacks, player, NULL);
    gst_caps_unref(caps);
    return gst_element_set_state(player->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE
        ? complain(player, "the pipeline does not start") : 0;
}

/* The bus's error within @timeout; NULL at the end of the stream or if nothing came (@ended says which). */
static char *bus_error(Player *player, GstClockTime timeout, bool *ended)
{
    GstBus *bus = gst_element_get_bus(player->pipeline);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, timeout, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    char *text = NULL;

    *ended = message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    if (message && !*ended) {
        GError *error = NULL;

        gst_message_parse_error(message, &error, NULL);
        text = g_strdup(error->message);
        g_clear_error(&error);
    }
    g_clear_pointer(&message, gst_message_unref);
    gst_object_unref(bus);
    return text;
}

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

static int push_all(Player *player)
{
    GstAllocator *allocator = gst_dmabuf_allocator_new();
    BufferArea area = drawn_area(player->test);
    int ret = 0;

    for (unsigned number = 1; number <= player->test->frames && ret == 0; number++) {
        Slot *slot = &player->ring[(number - 1) % RING];

        if (!wait_for_slot(player, slot)) {
            ret = complain(player, "the element does not give a buffer back");
        } else if (buffer_draw(&slot->buffer, number, &area) < 0 || buffer_upload(&slot->buffer) < 0 ||
                   (number == 1 && buffer_verify(&slot->buffer, number, &area) < 0)) {
            ret = -1;
        } else if (gst_app_src_push_buffer(GST_APP_SRC(player->source), wrap(slot, allocator, number)) != GST_FLOW_OK) {
            ret = complain(player, "the pipeline takes no more frames");
        }
    }
    gst_app_src_end_of_stream(GST_APP_SRC(player->source));
    gst_object_unref(allocator);
    return ret;
}

static int check_path(Player *player)
{
    const char *path = player->test->memory ? "pixel-data" : "dmabuf";
    GstStructure *stats = NULL;
    guint64 frames = 0;
    int ret = 0;

    g_object_get(player->encoder, "stats", &stats, NULL);
    if (player->test->memory) {
        /* which of the two ways system memory goes is the element's business */
        guint64 copied = 0;

        gst_structure_get_uint64(stats, "guest-copy", &copied);
        gst_structure_get_uint64(stats, path, &frames);
        frames += copied;
    } else if (!gst_structure_get_uint64(stats, path, &frames)) {
        ret = complain(player, "the element's statistics have no dmabuf count");
    }
    if (ret == 0 && frames != player->test->frames) {
        g_autofree char *text = gst_structure_to_string(stats);

        fprintf(stderr, "%s: not every frame went by %s: %s\n", player->test->name, path, text);
        ret = -1;
    }
    gst_structure_free(stats);
    return ret;
}

static int play(Player *player, unsigned port)
{
    g_autofree char *error = NULL;
    bool ended = false;
    int ret = build_pipeline(player, port);

    if (ret == 0) {
        ret = push_all(player);
    }
    if (player->pipeline) {
        error = bus_error(player, ret == 0 ? RELEASE_SECONDS * GST_SECOND : 0, &ended);
        if (error || (ret == 0 && !ended)) {
            ret = complain(player, error ? error : "no end of stream");
        }
        if (ret == 0) {
            ret = check_path(player);
        }
        gst_element_set_state(player->pipeline, GST_STATE_NULL);
        g_clear_pointer(&player->source, gst_object_unref);
        g_clear_pointer(&player->encoder, gst_object_unref);
        g_clear_pointer(&player->sink, gst_object_unref);
        gst_object_unref(player->pipeline);
    }
    if (ret == 0 && player->film.units != player->test->frames) {
        fprintf(stderr, "%s: %u of %u frames came out\n", player->test->name, player->film.units, player->test->frames);
        ret = -1;
    }
    return player->wrong ? -1 : ret;
}

static int run_case(Gpu *gpu, const Case *test, unsigned port, const char *directory)
{
    Player player = { .test = test, .gpu = gpu };
    int made = 0, ret = -1;

    while (made < RING && buffer_new(gpu, &test->spec, &player.ring[made].buffer) == 0) {
        player.ring[made].player = &player;
        made++;
    }
    if (made == RING && film_open(&player.film, directory, test->name) == 0) {
        ret = play(&player, port);
        if (film_close(&player.film) < 0) {
            ret = -1;
        }
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
        want |= strcmp(argv[i], "3d") == 0 ? NEED_3D : strcmp(argv[i], "blob") == 0 ? NEED_BLOB :
                strcmp(argv[i], "card") == 0 ? NEED_CARD : 0;
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
