/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert.c - see convert.h. */
#include <string.h>
#include "convert.h"

void hva_planes(HvaPlanes *planes, const HvaFormat *format, guint width, guint height, const HvaLayout *layout,
                guint8 *data)
{
    *planes = (HvaPlanes){ .format = format, .width = width, .height = height };
    for (guint i = 0; i < G_N_ELEMENTS(planes->data); i++) {
        planes->data[i] = data + layout->offset[i];
        planes->stride[i] = layout->stride[i];
    }
    planes->cb = data + layout->offset[format->cb];
    planes->cr = data + layout->offset[format->cr] + (format->n_planes == 2 ? 1 : 0);
    planes->chroma_stride = layout->stride[format->cb];
    planes->chroma_step = format->n_planes == 2 ? 2 : 1;
}

/* ---- the same samples ---- */

static void copy_plane(const HvaPlanes *from, const HvaRect *at, const HvaPlanes *to, const HvaRect *to_at, guint plane)
{
    guint shift = plane ? 1 : 0;
    gsize bytes = hva_row_bytes(from->format, plane, at->width),
          unit = hva_row_bytes(from->format, plane, 2) >> (1 - shift);
    const guint8 *source = from->data[plane] + from->stride[plane] * (at->y >> shift) + unit * (at->x >> shift);
    guint8 *target = to->data[plane] + to->stride[plane] * (to_at->y >> shift) + unit * (to_at->x >> shift);

    for (guint row = hva_rows(from->format, plane, at->height); row > 0; row--) {
        memcpy(target, source, bytes);
        source += from->stride[plane];
        target += to->stride[plane];
    }
}

/* ---- rows of three samples a pixel: R G B, or Y Cb Cr ---- */

static void load_row(const HvaPlanes *from, const HvaRect *rect, guint row, guint8 *out)
{
    const HvaFormat *format = from->format;
    guint y = rect->y + row;
    gsize chroma = from->chroma_stride * (y / 2);
    const guint8 *first = from->data[0] + from->stride[0] * y;

    if (hva_format_is_rgb(format)) {
        for (guint i = 0; i < rect->width; i++) {
            const guint8 *pixel = first + 4 * (gsize)(rect->x + i);

            *out++ = pixel[format->red];
            *out++ = pixel[1];
            *out++ = pixel[format->blue];
        }
        return;
    }
    for (guint i = 0; i < rect->width; i++) {
        guint x = rect->x + i;
        gsize at = chroma + from->chroma_step * (x / 2);

        *out++ = first[x];
        *out++ = from->cb[at];
        *out++ = from->cr[at];
    }
}

static guint8 clip(gint32 value)
{
    return (guint8)CLAMP(value, 0, 255);
}

/* BT.709, limited range: ITU-R BT.709 clause 3, in units of 1/65536. */
static void rgb_to_yuv(guint8 *pixel, guint width)
{
    for (; width > 0; width--, pixel += 3) {
        gint32 r = pixel[0], g = pixel[1], b = pixel[2];

        pixel[0] = (guint8)(16 + ((11966 * r + 40254 * g + 4064 * b + 32768) >> 16));
        pixel[1] = clip(128 + ((-6596 * r - 22189 * g + 28785 * b + 32768) >> 16));
        pixel[2] = clip(128 + ((28784 * r - 26145 * g - 2639 * b + 32768) >> 16));
    }
}

static void yuv_to_rgb(guint8 *pixel, guint width)
{
    for (; width > 0; width--, pixel += 3) {
        gint32 y = 76309 * (pixel[0] - 16) + 32768, cb = pixel[1] - 128, cr = pixel[2] - 128;

        pixel[0] = clip((y + 117489 * cr) >> 16);
        pixel[1] = clip((y - 13975 * cb - 34925 * cr) >> 16);
        pixel[2] = clip((y + 138438 * cb) >> 16);
    }
}

static void store_rgb(const HvaPlanes *to, const HvaRect *rect, guint row, const guint8 *in)
{
    guint8 *pixel = to->data[0] + to->stride[0] * (rect->y + row) + 4 * (gsize)rect->x;

    for (guint i = 0; i < rect->width; i++, pixel += 4, in += 3) {
        pixel[to->format->red] = in[0];
        pixel[1] = in[1];
        pixel[to->format->blue] = in[2];
        pixel[3] = 255;
    }
}

static void store_luma(const HvaPlanes *to, const HvaRect *rect, guint row, const guint8 *in)
{
    guint8 *luma = to->data[0] + to->stride[0] * (rect->y + row) + rect->x;

    for (guint i = 0; i < rect->width; i++, in += 3) {
        luma[i] = in[0];
    }
}

/* The mean of each four pixels of rows @a and @b. */
static void store_chroma(const HvaPlanes *to, const HvaRect *rect, guint row, const guint8 *a, const guint8 *b)
{
    gsize at = to->chroma_stride * ((rect->y + row) / 2) + to->chroma_step * (rect->x / 2);

    for (guint i = 0; i < rect->width; i += 2, at += to->chroma_step) {
        gsize left = 3 * (gsize)i, right = 3 * (gsize)MIN(i + 1, rect->width - 1);

        to->cb[at] = (guint8)((a[left + 1] + a[right + 1] + b[left + 1] + b[right + 1] + 2) / 4);
        to->cr[at] = (guint8)((a[left + 2] + a[right + 2] + b[left + 2] + b[right + 2] + 2) / 4);
    }
}

/* ---- scaling ---- */

typedef struct Scaler {
    const HvaPlanes *from;
    const HvaRect *rect;
    guint width, height; /* to be made */
    guint8 *row[2];      /* two neighbouring rows of the source */
    gint64 at[2];        /* their numbers; -1: none */
} Scaler;

/* The place in @from samples of sample @i of @to, in 1/65536; centres fall on centres. */
static gint64 place(guint i, guint from, guint to)
{
    gint64 at = ((gint64)(2 * (gint64)i + 1) * from * 65536 / to - 65536) / 2;

    return CLAMP(at, 0, ((gint64)from - 1) * 65536);
}

static const guint8 *source_row(Scaler *scaler, gint64 number)
{
    guint parity = (guint)(number & 1);

    if (scaler->at[parity] != number) {
        load_row(scaler->from, scaler->rect, (guint)number, scaler->row[parity]);
        scaler->at[parity] = number;
    }
    return scaler->row[parity];
}

static void scaled_row(Scaler *scaler, guint row, guint8 *out)
{
    gint64 y = place(row, scaler->rect->height, scaler->height);
    const guint8 *a = source_row(scaler, y >> 16);
    const guint8 *b = source_row(scaler, MIN((y >> 16) + 1, (gint64)scaler->rect->height - 1));
    gint32 down = (gint32)(y & 0xffff) >> 8;

    if (scaler->rect->width == scaler->width && down == 0) {
        memcpy(out, a, 3 * (gsize)scaler->width);
        return;
    }
    for (guint i = 0; i < scaler->width; i++) {
        gint64 x = place(i, scaler->rect->width, scaler->width);
        gsize left = 3 * (gsize)(x >> 16), right = 3 * (gsize)MIN((x >> 16) + 1, (gint64)scaler->rect->width - 1);
        gint32 along = (gint32)(x & 0xffff) >> 8;

        for (guint c = 0; c < 3; c++) {
            gint32 top = a[left + c] * (256 - along) + a[right + c] * along;
            gint32 bottom = b[left + c] * (256 - along) + b[right + c] * along;

            *out++ = (guint8)((top * (256 - down) + bottom * down + 32768) >> 16);
        }
    }
}

static void converted_row(Scaler *scaler, const HvaPlanes *to, guint row, guint8 *out)
{
    gboolean from_rgb = hva_format_is_rgb(scaler->from->format), to_rgb = hva_format_is_rgb(to->format);

    scaled_row(scaler, row, out);
    if (from_rgb && !to_rgb) {
        rgb_to_yuv(out, scaler->width);
    } else if (!from_rgb && to_rgb) {
        yuv_to_rgb(out, scaler->width);
    }
}

static gboolean is_even(const HvaFormat *format, const HvaRect *rect)
{
    return hva_format_is_rgb(format) || (rect->x | rect->y) % 2 == 0;
}

/* Row by row, by way of three samples a pixel. */
static void convert_rows(const HvaPlanes *from, const HvaRect *from_rect, const HvaPlanes *to, const HvaRect *to_rect)
{
    Scaler scaler = { from, from_rect, to_rect->width, to_rect->height, { NULL, NULL }, { -1, -1 } };
    gsize in_bytes = 3 * (gsize)from_rect->width, out_bytes = 3 * (gsize)to_rect->width;
    guint8 *rows[2];

    scaler.row[0] = g_malloc(2 * (in_bytes + out_bytes));
    scaler.row[1] = scaler.row[0] + in_bytes;
    rows[0] = scaler.row[1] + in_bytes;
    rows[1] = rows[0] + out_bytes;
    for (guint y = 0; y < to_rect->height; y++) {
        guint8 *row = rows[y % 2];

        converted_row(&scaler, to, y, row);
        if (hva_format_is_rgb(to->format)) {
            store_rgb(to, to_rect, y, row);
        } else {
            store_luma(to, to_rect, y, row);
            if (y % 2 || y + 1 == to_rect->height) {
                store_chroma(to, to_rect, y & ~1u, rows[0], row);
            }
        }
    }
    g_free(scaler.row[0]);
}

void hva_convert(const HvaPlanes *from, const HvaRect *from_rect, const HvaPlanes *to, const HvaRect *to_rect)
{
    if (from->format != to->format || from_rect->width != to_rect->width || from_rect->height != to_rect->height ||
        !is_even(from->format, from_rect)) {
        convert_rows(from, from_rect, to, to_rect);
        return;
    }
    for (guint i = 0; i < from->format->n_planes; i++) {
        copy_plane(from, from_rect, to, to_rect, i);
    }
}

void hva_fill(const HvaPlanes *to, guint32 argb)
{
    guint8 pixel[4] = { (guint8)argb, (guint8)(argb >> 8), (guint8)(argb >> 16), (guint8)(argb >> 24) };
    const HvaLayout layout = { .stride = { sizeof(pixel) }, .size = sizeof(pixel) };
    HvaPlanes one;
    HvaRect from = { 0, 0, 1, 1 }, all = { 0, 0, to->width, to->height };

    hva_planes(&one, hva_format_find(VA_FOURCC_BGRA), 1, 1, &layout, pixel);
    convert_rows(&one, &from, to, &all);
}
