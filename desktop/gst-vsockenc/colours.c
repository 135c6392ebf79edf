/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* colours.c - see colours.h. */
#include "colours.h"
#include "mapping.h"

#define BT709 1 /* in each of H.264's tables E-3 to E-5 */

/* ---- H.264's terms ---- */

/* BT.709 is 0 on the wire, so that a stream without anything unusual says nothing. */
static guint8 code_point(guint iso)
{
    return iso == BT709 ? 0 : (guint8)iso;
}

static guint iso_of(guint8 code)
{
    return code ? code : BT709;
}

void vsockenc_colours_set_shape(HelixClientVui *vui, gint width, gint height)
{
    vui->sar_width = vui->sar_height = 0;
    if (width <= 0 || height <= 0 || width == height) {
        return;
    }
    while (width > G_MAXUINT16 || height > G_MAXUINT16) {
        width = MAX(width / 2, 1);
        height = MAX(height / 2, 1);
    }
    vui->sar_width = (guint16)width;
    vui->sar_height = (guint16)height;
}

/* chroma_sample_loc_type plus 1 (figure E-1); 0 for what H.264 has no word for. */
static guint32 chroma_loc(GstVideoChromaSite site)
{
    switch (site) {
    case GST_VIDEO_CHROMA_SITE_MPEG2:
        return 1;
    case GST_VIDEO_CHROMA_SITE_JPEG:
        return 2;
    case GST_VIDEO_CHROMA_SITE_COSITED:
        return 3;
    case GST_VIDEO_CHROMA_SITE_V_COSITED:
        return 4;
    default:
        return 0;
    }
}

HelixClientVui vsockenc_colours_vui(const GstVideoInfo *info)
{
    const GstVideoColorimetry *colours = &info->colorimetry;
    HelixClientVui vui = { 0 };

    vsockenc_colours_set_shape(&vui, GST_VIDEO_INFO_PAR_N(info), GST_VIDEO_INFO_PAR_D(info));
    if (GST_VIDEO_INFO_IS_YUV(info)) {
        vui.primaries = code_point(gst_video_color_primaries_to_iso(colours->primaries));
        vui.transfer = code_point(gst_video_transfer_function_to_iso(colours->transfer));
        vui.matrix = code_point(gst_video_color_matrix_to_iso(colours->matrix));
        vui.full_range = colours->range == GST_VIDEO_COLOR_RANGE_0_255;
        vui.chroma_loc = chroma_loc(GST_VIDEO_INFO_CHROMA_SITE(info));
    }
    return vui;
}

GstVideoColorimetry vsockenc_colours_of(const HelixClientVui *vui)
{
    return (GstVideoColorimetry){
        .range = vui->full_range ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235,
        .matrix = gst_video_color_matrix_from_iso(iso_of(vui->matrix)),
        .transfer = gst_video_transfer_function_from_iso(iso_of(vui->transfer)),
        .primaries = gst_video_color_primaries_from_iso(iso_of(vui->primaries)),
    };
}

gboolean vsockenc_colours_are_usual(const GstVideoInfo *info)
{
    const GstVideoColorimetry *colours = &info->colorimetry;

    return !GST_VIDEO_INFO_IS_YUV(info) || colours->matrix == GST_VIDEO_COLOR_MATRIX_UNKNOWN ||
        (colours->matrix == GST_VIDEO_COLOR_MATRIX_BT709 && colours->range != GST_VIDEO_COLOR_RANGE_0_255);
}

/* ---- conversion ---- */

/*
 * From one YCbCr space to another through R'G'B', all linear, in units of 1/65536. New luma is luma and a part of each
 * chroma; new chroma does not depend on luma.
 */
typedef struct Weights {
    gint32 y_offset, y_y, y_cb, y_cr;
    gint32 cb_cb, cb_cr, cr_cb, cr_cr;
} Weights;

static gint32 fixed(gdouble value)
{
    return (gint32)(value * 65536 + (value < 0 ? -0.5 : 0.5));
}

static Weights weights_for(const GstVideoInfo *from, const GstVideoInfo *to)
{
    gboolean full = from->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
    gdouble luma = 219.0 / (full ? 255 : 219), chroma = 224.0 / (full ? 255 : 224), r, b, to_r, to_b, y_cb, y_cr;

    if (!gst_video_color_matrix_get_Kr_Kb(from->colorimetry.matrix, &r, &b)) {
        gst_video_color_matrix_get_Kr_Kb(GST_VIDEO_COLOR_MATRIX_BT709, &r, &b);
    }
    gst_video_color_matrix_get_Kr_Kb(to->colorimetry.matrix, &to_r, &to_b);
    /* B' - Y' is 2 (1 - b) Cb, R' - Y' is 2 (1 - r) Cr, and G' follows from Y' = r R' + (1 - r - b) G' + b B'. */
    y_cb = 2 * (1 - b) * (to_b - (1 - to_r - to_b) / (1 - r - b) * b);
    y_cr = 2 * (1 - r) * (to_r - (1 - to_r - to_b) / (1 - r - b) * r);
    return (Weights){
        .y_offset = fixed(16 - (full ? 0 : 16 * luma)),
        .y_y = fixed(luma),
        .y_cb = fixed(y_cb * chroma * 219 / 224),
        .y_cr = fixed(y_cr * chroma * 219 / 224),
        .cb_cb = fixed((2 * (1 - b) - y_cb) / (2 * (1 - to_b)) * chroma),
        .cb_cr = fixed(-y_cr / (2 * (1 - to_b)) * chroma),
        .cr_cr = fixed((2 * (1 - r) - y_cr) / (2 * (1 - to_r)) * chroma),
        .cr_cb = fixed(-y_cb / (2 * (1 - to_r)) * chroma),
    };
}

static guint8 sample(gint32 value)
{
    return (guint8)CLAMP((value + 32768) >> 16, 0, 255);
}

/* The row of chroma @y, and the one or two rows of luma that it belongs to. */
static void convert_rows(const GstVideoFrame *from, GstVideoFrame *to, const Weights *weights, gsize y)
{
    gsize width = (gsize)GST_VIDEO_FRAME_WIDTH(to), height = (gsize)GST_VIDEO_FRAME_HEIGHT(to), step;
    const guint8 *cb = GST_VIDEO_FRAME_COMP_DATA(from, 1), *cr = GST_VIDEO_FRAME_COMP_DATA(from, 2), *luma;
    guint8 *chroma = GST_VIDEO_FRAME_PLANE_DATA(to, 1), *out;

    cb += (gssize)y * GST_VIDEO_FRAME_COMP_STRIDE(from, 1);
    cr += (gssize)y * GST_VIDEO_FRAME_COMP_STRIDE(from, 2);
    chroma += (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(to, 1);
    step = (gsize)GST_VIDEO_FRAME_COMP_PSTRIDE(from, 1); /* 2 of NV12, 1 of I420 */
    for (gsize i = 0; i < (width + 1) / 2; i++) {
        gint32 blue = cb[i * step] - 128, red = cr[i * step] - 128;

        chroma[2 * i] = sample(weights->cb_cb * blue + weights->cb_cr * red + (128 << 16));
        chroma[2 * i + 1] = sample(weights->cr_cb * blue + weights->cr_cr * red + (128 << 16));
    }
    for (gsize row = 2 * y; row < MIN(2 * y + 2, height); row++) {
        luma = (const guint8 *)GST_VIDEO_FRAME_COMP_DATA(from, 0) + (gssize)row * GST_VIDEO_FRAME_COMP_STRIDE(from, 0);
        out = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(to, 0) + (gssize)row * GST_VIDEO_FRAME_PLANE_STRIDE(to, 0);
        for (gsize x = 0; x < width; x++) {
            gint32 blue = cb[x / 2 * step] - 128, red = cr[x / 2 * step] - 128;

            out[x] = sample(weights->y_y * luma[x] + weights->y_cb * blue + weights->y_cr * red + weights->y_offset);
        }
    }
}

/* The crop stays, what the picture is; how it lies in memory does not. */
static void take_metas(GstBuffer *to, GstBuffer *from)
{
    GstMeta *meta;

    gst_buffer_copy_into(to, from, GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS | GST_BUFFER_COPY_META, 0,
                         (gsize)-1);
    while ((meta = gst_buffer_get_meta(to, GST_PARENT_BUFFER_META_API_TYPE)) ||
           (meta = gst_buffer_get_meta(to, GST_VIDEO_META_API_TYPE))) {
        gst_buffer_remove_meta(to, meta);
    }
}

/* The same shape and times, in NV12. */
static void describe_converted(const GstVideoInfo *from, GstVideoInfo *to)
{
    gst_video_info_set_format(to, GST_VIDEO_FORMAT_NV12, (guint)GST_VIDEO_INFO_WIDTH(from),
                              (guint)GST_VIDEO_INFO_HEIGHT(from));
    gst_video_colorimetry_from_string(&to->colorimetry, GST_VIDEO_COLORIMETRY_BT709);
    to->chroma_site = from->chroma_site;
}

GstBuffer *vsockenc_colours_convert(const GstVideoInfo *from, GstBuffer *buffer, GstVideoInfo *to, GError **error)
{
    GstVideoFrame *source = vsockenc_map(from, buffer, error), target;
    GstBuffer *converted;
    Weights weights;

    if (!source) {
        return NULL;
    }
    describe_converted(from, to);
    weights = weights_for(from, to);
    converted = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(to), NULL);
    if (converted && gst_video_frame_map(&target, to, converted, GST_MAP_WRITE)) {
        for (guint y = 0; y < ((guint)GST_VIDEO_INFO_HEIGHT(to) + 1) / 2; y++) {
            convert_rows(source, &target, &weights, y);
        }
        gst_video_frame_unmap(&target);
        take_metas(converted, buffer);
    } else {
        gst_clear_buffer(&converted);
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                    "No memory to convert the picture's colours.");
    }
    vsockenc_unmap(source);
    return converted;
}
