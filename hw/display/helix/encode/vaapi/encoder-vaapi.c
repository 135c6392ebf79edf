/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-vaapi.c - encoding by a GPU of Intel or AMD with VA-API, through libavcodec's "h264_vaapi".
 *
 * libavcodec sends rates to the driver when it opens: another rate needs another session, and so an IDR.
 */
#include <libavutil/hwcontext.h>

#include "vaapi-output.h"
#include "vaapi-session.h"
#include "vaapi-upload.h"
#include "../encoder-check.h"
#include "../letterbox.h"
#include "../../protocol/error.h"

typedef struct VaapiEncoder {
    HelixEncoder base;
    HelixEncoderConfig asked;  /* as open() was given it */
    HelixEncoderConfig config; /* active */
    HelixConverter *converter; /* NULL: letterbox */
    HelixLetterbox *letterbox; /* NULL: converter */
    AVCodecContext *codec;
    AVFrame *frame; /* a VA surface */
    gint64 pts;     /* of the next picture: one a frame, in units of 1/fps */
} VaapiEncoder;

static void free_vaapi(VaapiEncoder *vaapi)
{
    av_frame_free(&vaapi->frame);
    avcodec_free_context(&vaapi->codec);
    helix_converter_free(vaapi->converter);
    helix_letterbox_free(vaapi->letterbox);
    g_free(vaapi);
}

static void vaapi_close(HelixEncoder *encoder)
{
    free_vaapi((VaapiEncoder *)encoder);
}

static HelixEncoder *vaapi_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    VaapiEncoder *vaapi = g_new0(VaapiEncoder, 1);

    vaapi->base.klass = &helix_encoder_vaapi;
    vaapi->asked = vaapi->config = *config;
    vaapi->codec = helix_vaapi_session_open(&vaapi->config, error);
    vaapi->frame = vaapi->codec ? av_frame_alloc() : NULL;
    if (!vaapi->frame) {
        if (vaapi->codec) {
            g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_ENCODE, "no memory for a frame");
        }
        free_vaapi(vaapi);
        return NULL;
    }
    if (config->letterbox) {
        vaapi->letterbox = helix_letterbox_new(config->width, config->height, config->vui.full_range ? 0 : 16);
    } else {
        vaapi->converter = helix_converter_new(config->width, config->height);
    }
    *config = vaapi->config;
    return &vaapi->base;
}

static gboolean vaapi_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    VaapiEncoder *vaapi = (VaapiEncoder *)encoder;

    if (!helix_libav_same_but_rates(config, &vaapi->asked) || config->bitrate != vaapi->asked.bitrate ||
        config->max_bitrate != vaapi->asked.max_bitrate) {
        return FALSE;
    }
    *config = vaapi->config;
    return TRUE;
}

/* ---- encoding ---- */

static gboolean failed(const char *what, int result, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "h264_vaapi: %s: %s", what,
                result == AVERROR(EAGAIN) ? "no access unit for the picture" : av_err2str(result));
    return FALSE;
}

static gboolean upload(VaapiEncoder *vaapi, const HelixNv12 *nv12, HelixAccessUnit *unit, GError **error)
{
    int result = av_hwframe_get_buffer(vaapi->codec->hw_frames_ctx, vaapi->frame, 0);

    if (result < 0) {
        return failed("no surface", result, error);
    }
    result = helix_vaapi_upload(vaapi->frame, nv12, vaapi->config.width, vaapi->config.height, &unit->cpu_bytes);
    if (result < 0) {
        return failed("a surface cannot be written", result, error);
    }
    vaapi->frame->width = (int)vaapi->config.width;
    vaapi->frame->height = (int)vaapi->config.height;
    return TRUE;
}

/* NULL with HELIX_ERROR. */
static GBytes *encode_frame(VaapiEncoder *vaapi, gboolean force_idr, GError **error)
{
    AVPacket *packet = av_packet_alloc();
    int result = AVERROR(ENOMEM);

    vaapi->frame->pts = vaapi->pts++;
    vaapi->frame->pict_type = force_idr ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    if (packet) {
        result = avcodec_send_frame(vaapi->codec, vaapi->frame);
    }
    if (result >= 0) {
        result = avcodec_receive_packet(vaapi->codec, packet);
    }
    if (result < 0) {
        av_packet_free(&packet);
        failed("encoding failed", result, error);
        return NULL;
    }
    return helix_libav_take_packet(packet);
}

static gboolean vaapi_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                             GError **error)
{
    VaapiEncoder *vaapi = (VaapiEncoder *)encoder;
    GBytes *data = NULL;
    HelixNv12 nv12;

    if (!(vaapi->letterbox ? helix_letterbox_run(vaapi->letterbox, surface, &nv12, error)
                           : helix_converter_run(vaapi->converter, surface, &nv12, error))) {
        return FALSE;
    }
    unit->cpu_bytes += nv12.cpu_bytes;
    unit->submitted_ns = g_get_monotonic_time() * 1000;
    if (upload(vaapi, &nv12, unit, error)) {
        data = encode_frame(vaapi, force_idr, error);
    }
    av_frame_unref(vaapi->frame);
    if (!data) {
        return FALSE;
    }
    unit->data = helix_vaapi_finish_unit(data, &vaapi->config, &unit->keyframe, error);
    if (unit->data && force_idr && !unit->keyframe) {
        g_clear_pointer(&unit->data, g_bytes_unref);
        return failed("an IDR was asked for", AVERROR_EXTERNAL, error);
    }
    return unit->data != NULL;
}

/* Surfaces of integrated GPUs lie in the host's memory: the pool's, and reconstructed pictures of the driver's. */
static guint64 vaapi_memory(const HelixEncoderConfig *config)
{
    const guint64 mib = 1 << 20;

    return ((guint64)config->width + 64) * ((guint64)config->height + 64) * 3 / 2 * 8 + 8 * mib;
}

static gboolean vaapi_available(gboolean hardware_only, GError **error)
{
    return helix_vaapi_session_possible(error) && helix_encoder_check(&helix_encoder_vaapi, hardware_only, error);
}

const HelixEncoderClass helix_encoder_vaapi = {
    .name = "vaapi",
    .surface_kinds = 1u << HELIX_SURFACE_MEMORY,
    .memory = vaapi_memory,
    .wants_nv12 = TRUE,
    .letterboxes = TRUE,
    .open = vaapi_open,
    .reconfigure = vaapi_reconfigure,
    .encode = vaapi_encode,
    .close = vaapi_close,
    .available = vaapi_available,
};
