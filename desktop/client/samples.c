/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* samples.c - see samples.h. */
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "samples.h"

/* ---- the formats ---- */

typedef struct YuvFormat {
    guint32 format;
    guint8 planes;
    struct {
        guint8 plane, at, step; /* bytes from the row's start to the first sample, and from one to the next */
    } component[3];
    guint8 across, down; /* chroma is halved so often */
    guint8 bytes;        /* of a sample; of 2 the upper bits count */
    guint8 is_grey;      /* no chroma, and luma from 0 to 255 */
} YuvFormat;

static const YuvFormat yuv_formats[] = {
    { HELIX_CLIENT_FORMAT_YV12, 3, { { 0, 0, 1 }, { 2, 0, 1 }, { 1, 0, 1 } }, 1, 1, 1, 0 },
    { HELIX_CLIENT_FORMAT_NV21, 2, { { 0, 0, 1 }, { 1, 1, 2 }, { 1, 0, 2 } }, 1, 1, 1, 0 },
    { HELIX_CLIENT_FORMAT_YUYV, 1, { { 0, 0, 2 }, { 0, 1, 4 }, { 0, 3, 4 } }, 1, 0, 1, 0 },
    { HELIX_CLIENT_FORMAT_UYVY, 1, { { 0, 1, 2 }, { 0, 0, 4 }, { 0, 2, 4 } }, 1, 0, 1, 0 },
    { HELIX_CLIENT_FORMAT_YU16, 3, { { 0, 0, 1 }, { 1, 0, 1 }, { 2, 0, 1 } }, 1, 0, 1, 0 },
    { HELIX_CLIENT_FORMAT_YU24, 3, { { 0, 0, 1 }, { 1, 0, 1 }, { 2, 0, 1 } }, 0, 0, 1, 0 },
    { HELIX_CLIENT_FORMAT_P010, 2, { { 0, 0, 2 }, { 1, 0, 4 }, { 1, 2, 4 } }, 1, 1, 2, 0 },
    { HELIX_CLIENT_FORMAT_R8, 1, { { 0, 0, 1 }, { 0, 0, 0 }, { 0, 0, 0 } }, 1, 1, 1, 1 },
};

typedef struct RgbFormat {
    guint32 format;
    guint8 bytes;                           /* of a pixel, which is a little-endian number */
    guint8 red, green, blue;                /* lowest bit of each */
    guint8 red_bits, green_bits, blue_bits; /* 8 at least, or 5 or 6 */
} RgbFormat;

static const RgbFormat rgb_formats[] = {
    { HELIX_CLIENT_FORMAT_RG24, 3, 16, 8, 0, 8, 8, 8 },     { HELIX_CLIENT_FORMAT_BG24, 3, 0, 8, 16, 8, 8, 8 },
    { HELIX_CLIENT_FORMAT_RG16, 2, 11, 5, 0, 5, 6, 5 },     { HELIX_CLIENT_FORMAT_BX24, 4, 8, 16, 24, 8, 8, 8 },
    { HELIX_CLIENT_FORMAT_BA24, 4, 8, 16, 24, 8, 8, 8 },    { HELIX_CLIENT_FORMAT_RX24, 4, 24, 16, 8, 8, 8, 8 },
    { HELIX_CLIENT_FORMAT_RA24, 4, 24, 16, 8, 8, 8, 8 },    { HELIX_CLIENT_FORMAT_XR30, 4, 20, 10, 0, 10, 10, 10 },
    { HELIX_CLIENT_FORMAT_AR30, 4, 20, 10, 0, 10, 10, 10 }, { HELIX_CLIENT_FORMAT_XB30, 4, 0, 10, 20, 10, 10, 10 },
    { HELIX_CLIENT_FORMAT_AB30, 4, 0, 10, 20, 10, 10, 10 },
};

static const YuvFormat *find_yuv(guint32 format)
{
    for (guint i = 0; i < G_N_ELEMENTS(yuv_formats); i++) {
        if (yuv_formats[i].format == format) {
            return &yuv_formats[i];
        }
    }
    return NULL;
}

static const RgbFormat *find_rgb(guint32 format)
{
    for (guint i = 0; i < G_N_ELEMENTS(rgb_formats); i++) {
        if (rgb_formats[i].format == format) {
            return &rgb_formats[i];
        }
    }
    return NULL;
}

guint32 client_samples_wire_format(guint32 format)
{
    return find_yuv(format) ? HELIX_FORMAT_NV12 : find_rgb(format) ? HELIX_FORMAT_XR24 : 0;
}

guint client_samples_planes(guint32 format)
{
    const YuvFormat *yuv = find_yuv(format);

    return yuv ? yuv->planes : 1;
}

/* ---- YUV ---- */

/* The first sample of component @c in row @y. */
static const guint8 *row_of(const HelixClientImage *image, const YuvFormat *format, guint c, guint y)
{
    guint plane = format->component[c].plane;

    return image->data[plane] + (gssize)image->stride[plane] * (gssize)y + format->component[c].at;
}

/* In 16 bits. */
static guint sample_at(const YuvFormat *format, const guint8 *row, gsize step, gsize x)
{
    const guint8 *p = row + step * x;

    return format->bytes == 2 ? p[0] | (guint)p[1] << 8 : (guint)p[0] << 8;
}

static guint8 to_8_bits(guint sum, guint shift)
{
    return (guint8)MIN((sum + (128u << shift)) >> (8 + shift), 255u);
}

static void copy_luma(const HelixClientImage *image, const YuvFormat *format, const ClientRect *rect, guint8 *to,
                      gsize to_stride)
{
    gsize step = format->component[0].step;

    for (guint y = 0; y < rect->height; y++, to += to_stride) {
        const guint8 *row = row_of(image, format, 0, rect->y + y);

        for (gsize x = 0; x < rect->width; x++) {
            guint luma = to_8_bits(sample_at(format, row, step, rect->x + x), 0);

            to[x] = (guint8)(format->is_grey ? 16 + (luma * 219 + 127) / 255 : luma);
        }
    }
}

/* Chroma of the 2 x 2 pixels at @x, @y, both even: one sample, or the mean of up to four. */
static guint8 chroma_of(const HelixClientImage *image, const YuvFormat *format, guint c, guint x, guint y)
{
    guint across = format->across, down = format->down, sum = 0;
    gsize step = format->component[c].step;

    if (format->is_grey) {
        return 128;
    }
    for (guint i = 0; i < 4; i++) {
        guint from_x = MIN(x + i % 2, image->width - 1), from_y = MIN(y + i / 2, image->height - 1);

        sum += sample_at(format, row_of(image, format, c, from_y >> down), step, from_x >> across);
    }
    return to_8_bits(sum, 2);
}

/* @rect: even x and y. */
static void copy_chroma(const HelixClientImage *image, const YuvFormat *format, const ClientRect *rect, guint8 *to,
                        gsize to_stride)
{
    for (guint y = 0; y < rect->height; y += 2, to += to_stride) {
        for (guint x = 0; x < rect->width; x += 2) {
            to[x] = chroma_of(image, format, 1, rect->x + x, rect->y + y);
            to[x + 1] = chroma_of(image, format, 2, rect->x + x, rect->y + y);
        }
    }
}

/* ---- RGB ---- */

/* The number of @bits bits in @pixel from @shift on, as one of 8: 10 bits are rounded, 5 and 6 repeated. */
static guint8 part_of(guint32 pixel, guint shift, guint bits)
{
    guint value = pixel >> shift & ((1u << bits) - 1);

    return (guint8)(bits == 8 ? value : (value * 255 + (1u << (bits - 1))) / ((1u << bits) - 1));
}

static void copy_rgb(const HelixClientImage *image, const RgbFormat *format, const ClientRect *rect, guint8 *to,
                     gsize to_stride)
{
    for (guint y = 0; y < rect->height; y++, to += to_stride) {
        const guint8 *from = image->data[0] + (gssize)image->stride[0] * (gssize)(rect->y + y) +
            (gsize)rect->x * format->bytes;

        for (gsize x = 0; x < rect->width; x++, from += format->bytes) {
            guint32 pixel = from[0] | (guint32)from[1] << 8;

            pixel |= format->bytes > 2 ? (guint32)from[2] << 16 : 0;
            pixel |= format->bytes > 3 ? (guint32)from[3] << 24 : 0;
            to[4 * x] = part_of(pixel, format->blue, format->blue_bits);
            to[4 * x + 1] = part_of(pixel, format->green, format->green_bits);
            to[4 * x + 2] = part_of(pixel, format->red, format->red_bits);
            to[4 * x + 3] = 255;
        }
    }
}

gsize client_samples_copy_rect(const HelixClientImage *image, const ClientRect *rect, guint8 *to,
                               const ClientLayout *layout)
{
    const YuvFormat *yuv = find_yuv(image->format);
    ClientRect even = { rect->x & ~1u, rect->y & ~1u, rect->width, rect->height };

    if (!yuv) {
        copy_rgb(image, find_rgb(image->format), rect, to + layout->offset[0], layout->stride[0]);
        return (gsize)rect->width * 4 * rect->height;
    }
    copy_luma(image, yuv, &even, to + layout->offset[0], layout->stride[0]);
    copy_chroma(image, yuv, &even, to + layout->offset[1], layout->stride[1]);
    return (gsize)rect->width * rect->height + (gsize)((rect->width + 1) / 2 * 2) * ((rect->height + 1) / 2);
}
