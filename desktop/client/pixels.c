/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels.c - frames whose pixels go over the connection; see frame.h. */
#include <string.h>
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "buffer.h"
#include "frame.h"

/* Padding sent behind the last row, so that rows can be sent from where they lie. */
#define MAX_PADDING 4096u
static const guint8 zeros[MAX_PADDING];

static void add_part(HelixClientFrame *frame, const void *data, gsize len)
{
    if (len) {
        g_assert(frame->n_parts < G_N_ELEMENTS(frame->part));
        frame->part[frame->n_parts].data = data;
        frame->part[frame->n_parts].len = len;
        frame->n_parts++;
        frame->pixel_bytes += (guint32)len;
    }
}

/* The first byte of plane @plane's rows inside @rect, which begins at even places if there are several. */
static const guint8 *first_byte(const HelixClientImage *image, guint plane, const ClientRect *rect)
{
    guint half = plane ? 2 : 1;
    gsize across = image->format == HELIX_FORMAT_NV12 ? 1 : 4;

    return image->data[plane] + (gssize)image->stride[plane] * (gssize)(rect->y / half) + (gsize)rect->x * across;
}

/* Send from where the picture lies, if the protocol's layout and the image's agree. */
static gboolean use_in_place(HelixClientFrame *frame, const HelixClientImage *image)
{
    guint planes = client_format_planes(image->format), rows = client_plane_rows(0, frame->height);
    gsize row_bytes = client_plane_row_bytes(frame->fourcc, 0, frame->width);
    ClientRect even = client_image_rect(image);
    gssize stride = image->stride[0];

    if (planes > 1) {
        even.x &= ~1u;
        even.y &= ~1u;
    }
    /* Padding that is most of the data (a small crop) is not worth sending. */
    if (image->format != frame->fourcc || stride < (gssize)row_bytes ||
        (gsize)stride - row_bytes > MIN(MAX_PADDING, row_bytes / 4)) {
        return FALSE;
    }
    if (planes > 1 && (planes > 2 || image->stride[1] != stride || rows % 2 || row_bytes % 2)) {
        return FALSE;
    }
    frame->stride = (guint32)stride;
    for (guint i = 0; i < planes; i++) {
        rows = client_plane_rows(i, frame->height);
        row_bytes = client_plane_row_bytes(frame->fourcc, i, frame->width);
        /* The last row's padding may lie outside the memory. */
        add_part(frame, first_byte(image, i, &even), (gsize)stride * (rows - 1) + row_bytes);
        add_part(frame, zeros, (gsize)stride - row_bytes);
    }
    return TRUE;
}

guint8 *client_frame_add_pixels(HelixClientFrame *frame, const ClientLayout *layout)
{
    frame->repacked = g_try_malloc0(layout->size);
    if (frame->repacked) {
        frame->stride = (guint32)layout->stride[0];
        add_part(frame, frame->repacked, layout->size);
    }
    return frame->repacked;
}

static gboolean repack(HelixClientFrame *frame, const HelixClientImage *image)
{
    ClientRect rect = client_image_rect(image);
    ClientLayout layout = client_layout_tight(frame->fourcc, rect.width, rect.height);
    guint8 *to = client_frame_add_pixels(frame, &layout);

    if (to) {
        frame->cpu_bytes += client_copy_rect(image, &rect, to, &layout);
    }
    return to != NULL;
}

HelixClientFrame *helix_client_frame_new_pixels(const HelixClientImage *image, GError **error)
{
    ClientRect rect = client_image_rect(image);
    HelixClientFrame *frame;

    if (!client_image_check(image, error)) {
        return NULL;
    }
    frame = client_frame_new(HELIX_CLIENT_PATH_PIXEL_DATA);
    frame->fourcc = client_wire_format(image->format);
    frame->width = rect.width;
    frame->height = rect.height;
    if (!use_in_place(frame, image) && !repack(frame, image)) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_MEMORY, "No memory for a copy of the picture.");
        helix_client_frame_unref(frame);
        return NULL;
    }
    frame->cpu_bytes += frame->pixel_bytes;
    return frame;
}

HelixClientFrame *helix_client_frame_as_pixels(HelixClientFrame *frame)
{
    ClientLayout layout = client_layout_tight(frame->fourcc, frame->width, frame->height);
    gsize across = frame->planes > 1 ? 1 : 4;
    HelixClientFrame *pixels = client_frame_new(HELIX_CLIENT_PATH_PIXEL_DATA);
    guint8 *to;

    g_return_val_if_fail(frame->buffer, NULL);
    pixels->again = TRUE;
    pixels->needs = frame->needs & HELIX_CAP_VUI; /* by pixels, but still in its own colours */
    pixels->fourcc = frame->fourcc;
    pixels->width = frame->width;
    pixels->height = frame->height;
    to = client_frame_add_pixels(pixels, &layout);
    if (!to) {
        helix_client_frame_unref(pixels);
        return NULL;
    }
    for (guint plane = 0; plane < layout.n_planes; plane++) {
        guint rows = client_plane_rows(plane, frame->height);
        gsize row_bytes = client_plane_row_bytes(frame->fourcc, plane, frame->width);
        const guint8 *from = frame->buffer->map + frame->offset[plane] + frame->crop_x * across +
            (gsize)frame->stride_of[plane] * (frame->crop_y / (plane ? 2 : 1));

        for (guint row = 0; row < rows; row++) {
            memcpy(to + layout.offset[plane] + layout.stride[plane] * row, from, row_bytes);
            from += frame->stride_of[plane];
        }
        pixels->cpu_bytes += row_bytes * rows;
    }
    pixels->cpu_bytes += pixels->pixel_bytes;
    return pixels;
}
