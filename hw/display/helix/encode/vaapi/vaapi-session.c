/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vaapi-session.c - see vaapi-session.h. */
#include <string.h>

#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>

#include "vaapi-session.h"
#include "../../protocol/error.h"

#define NODES "/dev/dri"
#define DEFAULT_CQP 23u
/*
 * The longest interval of keyframes: libavcodec has none without end, and drivers keep it in 16 bits. A stream of 60
 * fps without requests has one IDR in 9 minutes.
 */
#define MAX_INTERVAL G_MAXINT16
/* Surfaces that pictures are uploaded to: one is encoded when its access unit is there. */
#define SURFACES 2
/* constraint_set1_flag, as libavcodec adds it to profile_idc */
#define CONSTRAINED (1 << 9)

static const AVCodec *find_codec(GError **error)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("h264_vaapi");

    if (!codec) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                            "libavcodec was built without h264_vaapi: install a build that has it");
    }
    return codec;
}

/* ---- render nodes ---- */

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The nodes to try. Empty with HELIX_ERROR. */
static GPtrArray *list_nodes(GError **error)
{
    GPtrArray *nodes = g_ptr_array_new_with_free_func(g_free);
    const char *only = helix_encoder_render_node(), *name;
    GDir *folder;

    if (only) {
        g_ptr_array_add(nodes, g_strdup(only));
        return nodes;
    }
    folder = g_dir_open(NODES, 0, NULL);
    while (folder && (name = g_dir_read_name(folder))) {
        if (g_str_has_prefix(name, "renderD")) {
            g_ptr_array_add(nodes, g_build_filename(NODES, name, NULL));
        }
    }
    if (folder) {
        g_dir_close(folder);
    }
    g_ptr_array_sort(nodes, by_name);
    if (nodes->len == 0) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                            "there is no render node in " NODES ": it takes a GPU with a driver of the kernel");
    }
    return nodes;
}

gboolean helix_vaapi_session_possible(GError **error)
{
    g_autoptr(GPtrArray) nodes = NULL;

    if (!find_codec(error)) {
        return FALSE;
    }
    nodes = list_nodes(error);
    return nodes->len > 0;
}

static AVBufferRef *open_device(const char *node, GError **error)
{
    AVBufferRef *device = NULL;
    int result = av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_VAAPI, node, NULL, 0);

    if (result < 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "%s: no VA-API driver (%s): install the one of this GPU, allow QEMU to open the node, and see "
                    "what `vainfo --display drm --device %s` says",
                    node, av_err2str(result), node);
    }
    return device;
}

static AVBufferRef *new_surfaces(AVBufferRef *device, const HelixEncoderConfig *config)
{
    AVBufferRef *ref = av_hwframe_ctx_alloc(device);
    AVHWFramesContext *frames;

    if (!ref) {
        return NULL;
    }
    frames = (AVHWFramesContext *)ref->data;
    frames->format = AV_PIX_FMT_VAAPI;
    frames->sw_format = AV_PIX_FMT_NV12;
    frames->width = (int)((config->width + 15) & ~15u);
    frames->height = (int)((config->height + 15) & ~15u);
    frames->initial_pool_size = SURFACES;
    if (av_hwframe_ctx_init(ref) < 0) {
        av_buffer_unref(&ref);
    }
    return ref;
}

/* ---- options ---- */

static const char *rate_control_name(guint8 rate_control)
{
    return rate_control == HELIX_RATE_CQP ? "CQP" : rate_control == HELIX_RATE_VBR ? "VBR" : "CBR";
}

static int profile_of(const HelixEncoderConfig *config)
{
    return config->profile == HELIX_PROFILE_BASELINE ? (int)HELIX_PROFILE_BASELINE | CONSTRAINED : config->profile;
}

static void set_options(AVCodecContext *codec, const HelixEncoderConfig *config, gboolean low_power)
{
    void *options = codec->priv_data;

    helix_libav_set_stream(codec, config);
    helix_libav_set_rates(codec, config);
    codec->pix_fmt = AV_PIX_FMT_VAAPI;
    codec->profile = profile_of(config);
    codec->gop_size = config->key_int_max ? (int)MIN(config->key_int_max, MAX_INTERVAL) : MAX_INTERVAL;
    codec->slices = config->slices;
    av_opt_set(options, "rc_mode", rate_control_name(config->rate_control), 0);
    av_opt_set_int(options, "async_depth", 1, 0); /* each access unit before the next picture */
    av_opt_set_int(options, "low_power", low_power, 0);
    av_opt_set(options, "sei", "0", 0); /* they carry the name of the driver */
    av_opt_set_int(options, "aud", config->aud, 0);
    if (config->rate_control == HELIX_RATE_CQP) {
        av_opt_set_int(options, "qp", config->min_qp, 0);
        return;
    }
    codec->qmin = config->min_qp ? config->min_qp : codec->qmin;
    codec->qmax = config->max_qp ? config->max_qp : codec->qmax;
}

/* An open encoder, or a negative AVERROR in @result. */
static AVCodecContext *try_open(AVBufferRef *device, const HelixEncoderConfig *config, gboolean low_power, int *result)
{
    const AVCodec *av_codec = find_codec(NULL);
    AVCodecContext *codec = avcodec_alloc_context3(av_codec);

    *result = AVERROR(ENOMEM);
    if (codec) {
        set_options(codec, config, low_power);
        codec->hw_frames_ctx = new_surfaces(device, config);
    }
    if (codec && codec->hw_frames_ctx) {
        *result = avcodec_open2(codec, av_codec, NULL);
    }
    if (*result < 0) {
        avcodec_free_context(&codec);
    }
    return codec;
}

static AVCodecContext *open_on(const char *node, HelixEncoderConfig *config, GError **error)
{
    const guint8 wanted = config->rate_control;
    const guint8 modes[] = { wanted, wanted == HELIX_RATE_VBR ? HELIX_RATE_CBR : HELIX_RATE_VBR, HELIX_RATE_CQP };
    AVBufferRef *device = open_device(node, error);
    AVCodecContext *codec = NULL;
    int first = 0, result;

    if (!device) {
        return NULL;
    }
    for (guint i = 0; i < 2 * G_N_ELEMENTS(modes) && !codec; i++) {
        HelixEncoderConfig attempt = *config;

        attempt.rate_control = modes[i / 2];
        if (attempt.rate_control == HELIX_RATE_VBR && attempt.max_bitrate < attempt.bitrate) {
            attempt.max_bitrate = attempt.bitrate;
        }
        if (attempt.rate_control == HELIX_RATE_CQP && attempt.min_qp == 0) {
            attempt.min_qp = DEFAULT_CQP;
        }
        codec = try_open(device, &attempt, i % 2 == 1, &result);
        if (codec) {
            *config = attempt;
        }
        first = i == 0 ? result : first;
    }
    av_buffer_unref(&device);
    if (!codec) {
        g_set_error(error, HELIX_ERROR, first == AVERROR(ENOSYS) ? HELIX_CODE_NO_ENCODER : HELIX_CODE_ENCODE,
                    "%s: its VA-API driver does not encode H.264 of profile %u at %u x %u: %s", node, config->profile,
                    config->width, config->height, av_err2str(first));
    }
    return codec;
}

AVCodecContext *helix_vaapi_session_open(HelixEncoderConfig *config, GError **error)
{
    g_autoptr(GPtrArray) nodes = NULL;
    AVCodecContext *codec = NULL;

    if (!find_codec(error)) {
        return NULL;
    }
    config->level = helix_encoder_level(config);
    config->rate_control = helix_libav_rate_control(config);
    config->slices = MAX(config->slices, 1);
    nodes = list_nodes(error);
    for (guint i = 0; i < nodes->len && !codec; i++) {
        if (error) {
            g_clear_error(error); /* the last node's counts */
        }
        codec = open_on(nodes->pdata[i], config, error);
    }
    return codec;
}
