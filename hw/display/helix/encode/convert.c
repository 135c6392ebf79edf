/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert.c - RGB to NV12 by convert-rgb.c or libswscale, scaling by libswscale, and odd edges.
 *
 * libswscale stretches a picture that is one pixel smaller than the coded size, and moves the chroma of an odd height.
 * So only the even part is converted by it; the last column and row are computed here.
 */
#include <string.h>
#include <libavutil/mem.h>
#include <libswscale/swscale.h>

#include "convert-slices.h"
#include "convert-source.h"
#include "convert.h"
#include "../protocol/error.h"

/*
 * Chroma of every column (FULL_CHR_H_INP), averaged with a box (AREA): exactly the 2 x 2 mean, and a box that fits when
 * scaling down. ACCURATE_RND gains nothing over it but takes half as long again.
 */
#define SCALER_FLAGS (SWS_AREA | SWS_FULL_CHR_H_INP)

#define MIN_SCALER_SIDE 4u /* libswscale weighs pixels wrongly if chroma has a single row or column */

struct HelixConverter {
    guint32 width, height; /* coded */
    guint8 *out;           /* NV12; NULL until it is needed */
    guint32 stride;
    guint8 *padded; /* copy of a picture too close to the end of its memory */
    gsize padded_size;
    struct SwsContext *scaler;
    enum AVPixelFormat scaler_format; /* of scaler, as are the sizes below */
    guint32 scaler_src[2], scaler_dst[2];
};

HelixConverter *helix_converter_new(guint32 width, guint32 height)
{
    HelixConverter *converter = g_new0(HelixConverter, 1);

    converter->width = width;
    converter->height = height;
    converter->stride = helix_convert_align_row(width);
    return converter;
}

static gboolean need_output(HelixConverter *converter, GError **error)
{
    if (!converter->out) {
        converter->out = av_mallocz((gsize)converter->stride * converter->height * 3 / 2 + HELIX_CONVERT_ROW_ALIGN);
    }
    if (!converter->out) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "no memory to convert pictures to %u x %u", converter->width,
                    converter->height);
    }
    return converter->out != NULL;
}

void helix_converter_free(HelixConverter *converter)
{
    if (converter) {
        sws_freeContext(converter->scaler);
        av_free(converter->padded);
        av_free(converter->out);
        g_free(converter);
    }
}

/* Copy @source to memory that libswscale may read beyond the last row. */
static gboolean pad_source(HelixConverter *converter, HelixConvertSource *source, GError **error)
{
    gsize size = helix_convert_source_padded_size(source);

    if (size > converter->padded_size) {
        av_free(converter->padded);
        converter->padded = av_malloc(size);
        converter->padded_size = converter->padded ? size : 0;
    }
    if (!converter->padded) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "no memory to copy a %u x %u picture", source->width,
                    source->height);
        return FALSE;
    }
    helix_convert_source_pad(source, converter->padded);
    return TRUE;
}

/* ---- libswscale ---- */

static gboolean prepare_scaler(HelixConverter *converter, enum AVPixelFormat format, const guint32 src[2],
                               const guint32 dst[2])
{
    const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);

    if (converter->scaler && converter->scaler_format == format &&
        memcmp(converter->scaler_src, src, 2 * sizeof(*src)) == 0 &&
        memcmp(converter->scaler_dst, dst, 2 * sizeof(*dst)) == 0) {
        return TRUE;
    }
    sws_freeContext(converter->scaler);
    converter->scaler = sws_getContext((int)src[0], (int)src[1], format, (int)dst[0], (int)dst[1], AV_PIX_FMT_NV12,
                                       SCALER_FLAGS, NULL, NULL, NULL);
    if (converter->scaler && format != AV_PIX_FMT_NV12 &&
        sws_setColorspaceDetails(converter->scaler, bt709, 1, bt709, 0, 0, 1 << 16, 1 << 16) < 0) {
        sws_freeContext(converter->scaler);
        converter->scaler = NULL;
    }
    converter->scaler_format = format;
    memcpy(converter->scaler_src, src, sizeof(converter->scaler_src));
    memcpy(converter->scaler_dst, dst, sizeof(converter->scaler_dst));
    return converter->scaler != NULL;
}

/* The first @src_size pixels of the source into the first @dst_size of the output. */
static gboolean scale(HelixConverter *converter, const HelixConvertSource *source, const guint32 src_size[2],
                      const guint32 dst_size[2], GError **error)
{
    const guint8 *src[4] = { source->plane[0], source->plane[1] };
    int src_stride[4] = { (int)source->stride[0], (int)source->stride[1] };
    guint8 *dst[4] = { converter->out, converter->out + (gsize)converter->stride * converter->height };
    int dst_stride[4] = { (int)converter->stride, (int)converter->stride };

    if (!prepare_scaler(converter, source->format, src_size, dst_size) ||
        sws_scale(converter->scaler, src, src_stride, 0, (int)src_size[1], dst, dst_stride) != (int)dst_size[1]) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE,
                    "libswscale cannot bring %u x %u to %u x %u: set a coded size closer to "
                    "the picture's",
                    src_size[0], src_size[1], dst_size[0], dst_size[1]);
        return FALSE;
    }
    return TRUE;
}

/* ---- odd edges ---- */

static guint8 to_level(gdouble value)
{
    return (guint8)(value + 0.5);
}

/* The 2 x 2 luma samples and the chroma sample at @x, @y (both even) by BT.709, repeating the picture's edge. */
static void convert_block(HelixConverter *converter, const HelixConvertSource *source, guint32 x, guint32 y)
{
    guint red = source->format == AV_PIX_FMT_RGB0 ? 0 : 2, blue = 2 - red;
    guint8 *luma = converter->out + (gsize)y * converter->stride + x;
    guint8 *chroma = converter->out + (gsize)(converter->height + y / 2) * converter->stride + x;
    gdouble cb = 0, cr = 0;

    for (guint i = 0; i < 4; i++) {
        guint32 from_x = MIN(x + i % 2, source->width - 1), from_y = MIN(y + i / 2, source->height - 1);
        const guint8 *pixel = source->plane[0] + (gsize)from_y * source->stride[0] + (gsize)from_x * 4;
        gdouble full = 0.2126 * pixel[red] + 0.7152 * pixel[1] + 0.0722 * pixel[blue];

        luma[(i / 2) * converter->stride + i % 2] = to_level(16 + full * 219 / 255);
        cb += (pixel[blue] - full) / 1.8556;
        cr += (pixel[red] - full) / 1.5748;
    }
    chroma[0] = to_level(128 + cb / 4 * 224 / 255);
    chroma[1] = to_level(128 + cr / 4 * 224 / 255);
}

/* Whether convert-rgb.c can convert the even part of a picture this wide. */
static gboolean is_fast(const HelixConvertSource *source)
{
    return (source->width & ~1u) >= HELIX_CONVERT_RGB_MIN_WIDTH && helix_convert_rgb_available();
}

static void convert_fast(HelixConverter *converter, const HelixRgbPicture *picture)
{
    HelixConvertSlices slices = {
        .picture = *picture,
        .luma = converter->out,
        .chroma = converter->out + (gsize)converter->stride * converter->height,
        .stride = converter->stride,
    };

    helix_convert_slices_begin(&slices, G_MAXUINT);
    helix_convert_slices_end(&slices);
}

static gboolean convert_rgb(HelixConverter *converter, const HelixConvertSource *source, GError **error)
{
    guint32 even[2] = { source->width & ~1u, source->height & ~1u };

    if (is_fast(source)) {
        HelixRgbPicture picture = {
            .pixels = source->plane[0],
            .stride = source->stride[0],
            .width = even[0],
            .height = even[1],
            .red_first = source->format == AV_PIX_FMT_RGB0,
        };

        convert_fast(converter, &picture);
    } else if (even[0] < MIN_SCALER_SIDE || even[1] < MIN_SCALER_SIDE) {
        even[0] = even[1] = 0;
    } else if (!scale(converter, source, even, even, error)) {
        return FALSE;
    }
    for (guint32 y = 0; y < converter->height; y += 2) {
        for (guint32 x = y < even[1] ? even[0] : 0; x < converter->width; x += 2) {
            convert_block(converter, source, x, y);
        }
    }
    return TRUE;
}

/* An odd NV12 picture has all its chroma; luma lacks a column, a row or both. */
static void extend_nv12(HelixConverter *converter, const HelixConvertSource *source)
{
    guint32 stride = converter->stride;
    guint8 *luma = converter->out;

    helix_convert_copy_rows(luma, stride, source->plane[0], source->stride[0], source->row_bytes[0], source->rows[0]);
    helix_convert_copy_rows(luma + (gsize)stride * converter->height, stride, source->plane[1], source->stride[1],
                            source->row_bytes[1], source->rows[1]);
    if (source->width != converter->width) {
        for (guint32 y = 0; y < source->height; y++) {
            luma[(gsize)y * stride + source->width] = luma[(gsize)y * stride + source->width - 1];
        }
    }
    if (source->height != converter->height) {
        memcpy(luma + (gsize)source->height * stride, luma + (gsize)(source->height - 1) * stride, converter->width);
    }
}

/* ---- conversion ---- */

gboolean helix_converter_run(HelixConverter *converter, const HelixSurface *surface, HelixNv12 *nv12, GError **error)
{
    const guint32 coded[2] = { converter->width, converter->height };
    gboolean same, is_nv12;
    HelixConvertSource source;

    if (!helix_convert_source_open(&source, surface, error)) {
        return FALSE;
    }
    is_nv12 = source.format == AV_PIX_FMT_NV12;
    same = ((source.width + 1) & ~1u) == coded[0] && ((source.height + 1) & ~1u) == coded[1];
    if (is_nv12 && source.width == coded[0] && source.height == coded[1]) {
        *nv12 = (HelixNv12){
            .plane = { source.plane[0], source.plane[1] },
            .stride = { source.stride[0], source.stride[1] },
            .in_place = TRUE,
        };
        return TRUE;
    }
    if (!need_output(converter, error)) {
        return FALSE;
    }
    *nv12 = (HelixNv12){
        .plane = { converter->out, converter->out + (gsize)converter->stride * converter->height },
        .stride = { converter->stride, converter->stride },
        .cpu_bytes = source.bytes + (guint64)converter->width * converter->height * 3 / 2,
    };
    if (is_nv12 && same) {
        extend_nv12(converter, &source);
        return TRUE;
    }
    if (!(same && is_fast(&source)) && !source.has_slack) {
        if (!pad_source(converter, &source, error)) {
            return FALSE;
        }
        nv12->cpu_bytes += 2 * source.bytes;
    }
    if (same) {
        return convert_rgb(converter, &source, error);
    }
    return scale(converter, &source, (guint32[2]){ source.width, source.height }, coded, error);
}
