/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-check-picture CHECKER: does the picture test's judge see what it is there to see?
 *
 * Films are made with libswscale and libx264, right ones and ones with every fault that a host could make: turned over,
 * mirrored, colours swapped, wrong matrix or range, a frame missing, twice or in another's place, shifted by a pixel.
 * The right ones must pass and every other one must fail.
 */
#include "../guest/film.h"
#include "../guest/pattern.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

/* The first two are none: chroma may lie left or in the middle, as long as the SPS says so. */
typedef enum Fault {
    FAULT_NONE,
    FAULT_CENTRE,
    FAULT_FLIP,
    FAULT_MIRROR,
    FAULT_TURN,
    FAULT_SWAP,
    FAULT_SHIFT,
    FAULT_BT601,
    FAULT_RANGE,
    FAULT_UNTAGGED,
    FAULT_MISSING,
    FAULT_TWICE,
    FAULT_ORDER,
    FAULT_KEY,
    FAULT_NO_END,
    FAULT_EDGE,
    FAULT_BLURRED,
    FAULT_REORDER,
} Fault;

typedef struct Trial {
    const char *name;
    Fault fault;
    int width, height;
} Trial;

static const Trial trials[] = {
    { "right-64x64", FAULT_NONE, 64, 64 },     { "right-640x360", FAULT_NONE, 640, 360 },
    { "right-odd", FAULT_NONE, 641, 361 },     { "right-centre", FAULT_CENTRE, 64, 64 },
    { "turned-over", FAULT_FLIP, 640, 360 },   { "mirrored", FAULT_MIRROR, 640, 360 },
    { "turned-round", FAULT_TURN, 640, 360 },  { "red-for-blue", FAULT_SWAP, 640, 360 },
    { "shifted", FAULT_SHIFT, 640, 360 },      { "bt601", FAULT_BT601, 640, 360 },
    { "full-range", FAULT_RANGE, 640, 360 },   { "nothing-said", FAULT_UNTAGGED, 640, 360 },
    { "missing", FAULT_MISSING, 640, 360 },    { "twice", FAULT_TWICE, 640, 360 },
    { "out-of-order", FAULT_ORDER, 640, 360 }, { "key-lie", FAULT_KEY, 640, 360 },
    { "no-end", FAULT_NO_END, 640, 360 },      { "black-edge", FAULT_EDGE, 641, 361 },
    { "blurred", FAULT_BLURRED, 640, 360 },    { "reordering", FAULT_REORDER, 640, 360 },
};

static const char *checker;

/* The drawing as RGBx of even size, with the fault. */
static uint8_t *paint(const Trial *trial, unsigned number, int coded_width, int coded_height)
{
    size_t stride = (size_t)coded_width * 4;
    uint8_t *drawn = g_malloc0(stride * (size_t)coded_height), *out = g_malloc0(stride * (size_t)coded_height);
    Fault fault = trial->fault;

    pattern_paint(number, trial->width, trial->height, drawn, (uint32_t)stride, fault != FAULT_SWAP, 0);
    for (int y = 0; y < coded_height; y++) {
        for (int x = 0; x < coded_width; x++) {
            int from_x = MIN(x, trial->width - 1), from_y = MIN(y, trial->height - 1);

            from_y = fault == FAULT_FLIP || fault == FAULT_TURN ? trial->height - 1 - from_y : from_y;
            from_x = fault == FAULT_MIRROR || fault == FAULT_TURN ? trial->width - 1 - from_x : from_x;
            from_x = fault == FAULT_SHIFT ? MAX(from_x - 1, 0) : from_x;
            if (fault != FAULT_EDGE || (x < trial->width && y < trial->height)) {
                memcpy(out + (size_t)y * stride + (size_t)x * 4, drawn + (size_t)from_y * stride + (size_t)from_x * 4,
                       4);
            }
        }
    }
    g_free(drawn);
    return out;
}

static void convert(const Trial *trial, unsigned number, AVFrame *frame)
{
    g_autofree uint8_t *rgb = paint(trial, number, frame->width, frame->height);
    const int *matrix = sws_getCoefficients(trial->fault == FAULT_BT601 ? SWS_CS_ITU601 : SWS_CS_ITU709);
    const uint8_t *planes[4] = { rgb };
    int strides[4] = { frame->width * 4 };
    struct SwsContext *sws = sws_alloc_context();

    av_opt_set_int(sws, "srcw", frame->width, 0);
    av_opt_set_int(sws, "srch", frame->height, 0);
    av_opt_set_int(sws, "src_format", AV_PIX_FMT_RGB0, 0);
    av_opt_set_int(sws, "dstw", frame->width, 0);
    av_opt_set_int(sws, "dsth", frame->height, 0);
    av_opt_set_int(sws, "dst_format", AV_PIX_FMT_YUV420P, 0);
    av_opt_set_int(sws, "sws_flags",
                   (trial->fault == FAULT_CENTRE ? SWS_AREA : SWS_BILINEAR) | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND, 0);
    av_opt_set_int(sws, "dst_h_chr_pos", trial->fault == FAULT_CENTRE ? 128 : 0, 0);
    av_opt_set_int(sws, "dst_v_chr_pos", 128, 0);
    sws_setColorspaceDetails(sws, matrix, 1, matrix, trial->fault == FAULT_RANGE, 0, 1 << 16, 1 << 16);
    g_assert_cmpint(sws_init_context(sws, NULL, NULL), >=, 0);
    av_frame_make_writable(frame);
    sws_scale(sws, planes, strides, 0, frame->height, frame->data, frame->linesize);
    sws_freeContext(sws);
}

static AVCodecContext *open_encoder(const Trial *trial, int width, int height)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *context;

    if (!codec) {
        return NULL;
    }
    context = avcodec_alloc_context3(codec);
    context->width = width;
    context->height = height;
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    context->time_base = (AVRational){ 1, 60 };
    context->gop_size = 250;
    context->thread_count = 1;
    if (trial->fault != FAULT_UNTAGGED) {
        context->color_range = AVCOL_RANGE_MPEG;
        context->colorspace = AVCOL_SPC_BT709;
        context->color_primaries = AVCOL_PRI_BT709;
        context->color_trc = AVCOL_TRC_BT709;
    }
    if (trial->fault == FAULT_CENTRE) {
        context->chroma_sample_location = AVCHROMA_LOC_CENTER;
    }
    av_opt_set(context->priv_data, "preset", "veryfast", 0);
    av_opt_set(context->priv_data, "crf", trial->fault == FAULT_BLURRED ? "44" : "12", 0);
    if (trial->fault == FAULT_REORDER) {
        context->max_b_frames = 2;
    } else {
        av_opt_set(context->priv_data, "tune", "zerolatency", 0);
    }
    g_assert_cmpint(avcodec_open2(context, codec, NULL), ==, 0);
    return context;
}

/* Which drawing frame @i really shows: not what the index says, for some faults. */
static unsigned shown(Fault fault, unsigned i)
{
    switch (fault) {
    case FAULT_MISSING:
        return i < 3 ? i : i + 1;
    case FAULT_TWICE:
        return i < 3 ? i : i - 1;
    case FAULT_ORDER:
        return i == 3 ? 4 : i == 4 ? 3 : i;
    default:
        return i;
    }
}

static void take_packets(const Trial *trial, AVCodecContext *context, Film *film)
{
    AVPacket *packet = av_packet_alloc();

    while (avcodec_receive_packet(context, packet) == 0) {
        bool key = packet->flags & AV_PKT_FLAG_KEY;
        FilmUnit unit = { 1, (unsigned)packet->pts + 1, trial->width, trial->height, trial->fault == FAULT_KEY || key };

        g_assert_cmpint(film_add(film, &unit, packet->data, (size_t)packet->size), ==, 0);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
}

static bool make_film(const Trial *trial, const char *directory)
{
    AVFrame *frame = av_frame_alloc();
    AVCodecContext *context;
    Film film;

    frame->width = (trial->width + 1) & ~1;
    frame->height = (trial->height + 1) & ~1;
    frame->format = AV_PIX_FMT_YUV420P;
    av_frame_get_buffer(frame, 0);
    context = open_encoder(trial, frame->width, frame->height);
    if (!context) {
        av_frame_free(&frame);
        return false;
    }
    g_assert_cmpint(film_open(&film, directory, trial->name), ==, 0);
    for (unsigned i = 0; i < 6; i++) {
        convert(trial, shown(trial->fault, i) + 1, frame);
        frame->pts = i;
        g_assert_cmpint(avcodec_send_frame(context, frame), ==, 0);
        take_packets(trial, context, &film);
    }
    avcodec_send_frame(context, NULL);
    take_packets(trial, context, &film);
    g_assert_cmpint(film_close(&film), ==, 0);
    avcodec_free_context(&context);
    av_frame_free(&frame);
    return true;
}

static void cut_end(const char *path)
{
    g_autofree char *index = g_strconcat(path, ".index", NULL), *text = NULL;

    g_assert_true(g_file_get_contents(index, &text, NULL, NULL));
    *strstr(text, "end ") = 0;
    g_assert_true(g_file_set_contents(index, text, -1, NULL));
}

static void run_trial(gconstpointer data)
{
    const Trial *trial = data;
    g_autofree char *directory = g_dir_make_tmp("film-XXXXXX", NULL),
                    *path = g_build_filename(directory, trial->name, NULL);
    g_autofree char *output = NULL, *errors = NULL;
    const char *arguments[] = { checker, path, NULL };
    int status;

    if (!make_film(trial, directory)) {
        g_test_skip("libavcodec has no libx264");
    } else {
        if (trial->fault == FAULT_NO_END) {
            cut_end(path);
        }
        g_assert_true(
            g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors, &status, NULL));
        g_test_message("%s%s", output, errors);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, trial->fault <= FAULT_CENTRE ? 0 : 1);
    }
    for (int i = 0; i < 2; i++) {
        g_autofree char *file = g_strconcat(path, i ? ".index" : ".h264", NULL);

        g_remove(file);
    }
    g_rmdir(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    checker = argv[1];
    av_log_set_level(AV_LOG_ERROR);
    for (size_t i = 0; i < G_N_ELEMENTS(trials); i++) {
        g_autofree char *path = g_strconcat("/check-picture/", trials[i].name, NULL);

        g_test_add_data_func(path, &trials[i], run_trial);
    }
    return g_test_run();
}
