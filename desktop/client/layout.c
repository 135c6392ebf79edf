/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.c - see layout.h. */
#include <string.h>
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "layout.h"
#include "samples.h"

#define ROUND_UP(value, to) (((value) + (to) - 1) / (to) * (to))

/* Sides and crops up to this make sizes that fit 32 bits; hosts take no more than 8192. */
#define MAX_SIDE 16384u

gboolean client_image_check(const HelixClientImage *image, GError **error)
{
    ClientRect rect = client_image_rect(image);

    if (client_format_planes(image->format) && rect.width && rect.height && image->width <= MAX_SIDE &&
        image->height <= MAX_SIDE && rect.x <= image->width && rect.width <= image->width - rect.x &&
        rect.y <= image->height && rect.height <= image->height - rect.y) {
        return TRUE;
    }
    g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE,
                "A picture of format 0x%08x, %ux%u from %u,%u on of %ux%u, cannot be encoded.", image->format,
                rect.width, rect.height, rect.x, rect.y, image->width, image->height);
    return FALSE;
}

ClientRect client_image_rect(const HelixClientImage *image)
{
    if (!image->crop_width) {
        return (ClientRect){ 0, 0, image->width, image->height };
    }
    return (ClientRect){ image->crop_x, image->crop_y, image->crop_width, image->crop_height };
}

guint32 client_wire_format(guint32 format)
{
    switch (format) {
    case HELIX_FORMAT_XR24:
    case HELIX_FORMAT_AR24:
    case HELIX_FORMAT_XB24:
    case HELIX_FORMAT_AB24:
    case HELIX_FORMAT_NV12:
        return format;
    case HELIX_CLIENT_FORMAT_YU12:
        return HELIX_FORMAT_NV12;
    default:
        return client_samples_wire_format(format);
    }
}

guint client_format_planes(guint32 format)
{
    if (client_samples_wire_format(format)) {
        return client_samples_planes(format);
    }
    switch (client_wire_format(format)) {
    case 0:
        return 0;
    case HELIX_FORMAT_NV12:
        return format == HELIX_CLIENT_FORMAT_YU12 ? 3 : 2;
    default:
        return 1;
    }
}

static ClientLayout layout_for(guint32 fourcc, gsize stride, gsize height)
{
    ClientLayout layout = { .n_planes = 1, .stride = { stride }, .size = stride * height };

    if (fourcc == HELIX_FORMAT_NV12) {
        layout.n_planes = 2;
        layout.stride[1] = stride;
        layout.offset[1] = stride * ROUND_UP(height, 2);
        layout.size = layout.offset[1] + stride * ((height + 1) / 2);
    }
    return layout;
}

ClientLayout client_layout_tight(guint32 fourcc, guint width, guint height)
{
    return layout_for(fourcc, fourcc == HELIX_FORMAT_NV12 ? ROUND_UP((gsize)width, 2) : (gsize)width * 4, height);
}

ClientLayout client_layout_default(guint32 fourcc, guint width, guint height)
{
    return layout_for(fourcc, fourcc == HELIX_FORMAT_NV12 ? ROUND_UP((gsize)width, 4) : (gsize)width * 4, height);
}

gsize client_plane_row_bytes(guint32 fourcc, guint plane, guint width)
{
    if (fourcc != HELIX_FORMAT_NV12) {
        return (gsize)width * 4;
    }
    return plane ? ROUND_UP((gsize)width, 2) : width;
}

guint client_plane_rows(guint plane, guint height)
{
    return plane ? (height + 1) / 2 : height;
}

/* ---- copying ---- */

static void copy_rows(guint8 *to, gsize to_stride, const guint8 *from, gssize from_stride, gsize bytes, guint rows)
{
    if (from_stride == (gssize)to_stride && bytes == to_stride) {
        memcpy(to, from, bytes * rows);
        return;
    }
    for (guint y = 0; y < rows; y++, to += to_stride, from += from_stride) {
        memcpy(to, from, bytes);
    }
}

/* YU12's two chroma planes become NV12's one. @rect: in samples of chroma. */
static void interleave(guint8 *to, gsize to_stride, const HelixClientImage *image, const ClientRect *rect)
{
    for (guint row = rect->y; row < rect->y + rect->height; row++, to += to_stride) {
        const guint8 *cb = image->data[1] + (gssize)row * image->stride[1] + rect->x;
        const guint8 *cr = image->data[2] + (gssize)row * image->stride[2] + rect->x;

        for (gsize i = 0; i < rect->width; i++) {
            to[2 * i] = cb[i];
            to[2 * i + 1] = cr[i];
        }
    }
}

/* @rect: even x and y. */
static gsize copy_chroma(const HelixClientImage *image, const ClientRect *rect, guint8 *to, gsize to_stride)
{
    ClientRect chroma = { rect->x / 2, rect->y / 2, (rect->width + 1) / 2, (rect->height + 1) / 2 };

    if (image->format == HELIX_CLIENT_FORMAT_YU12) {
        interleave(to, to_stride, image, &chroma);
    } else {
        copy_rows(to, to_stride, image->data[1] + (gssize)image->stride[1] * (gssize)chroma.y + 2 * (gsize)chroma.x,
                  image->stride[1], (gsize)chroma.width * 2, chroma.height);
    }
    return (gsize)chroma.width * 2 * chroma.height;
}

gsize client_copy_rect(const HelixClientImage *image, const ClientRect *rect, guint8 *to, const ClientLayout *layout)
{
    const guint8 *from = image->data[0];
    gssize stride = image->stride[0];
    ClientRect even = *rect;
    gsize bytes;

    if (client_samples_wire_format(image->format)) {
        return client_samples_copy_rect(image, rect, to, layout);
    }
    if (layout->n_planes == 1) {
        bytes = (gsize)rect->width * 4;
        copy_rows(to + layout->offset[0], layout->stride[0], from + stride * (gssize)rect->y + (gsize)rect->x * 4,
                  stride, bytes, rect->height);
        return bytes * rect->height;
    }
    even.x = rect->x & ~1u;
    even.y = rect->y & ~1u;
    copy_rows(to + layout->offset[0], layout->stride[0], from + stride * (gssize)even.y + even.x, stride, rect->width,
              rect->height);
    return (gsize)rect->width * rect->height + copy_chroma(image, &even, to + layout->offset[1], layout->stride[1]);
}
