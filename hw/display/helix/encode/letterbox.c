/* SPDX-License-Identifier: GPL-2.0-or-later */
/* letterbox.c - see letterbox.h. */
#include <string.h>
#include <libavutil/mem.h>

#include "../protocol/error.h"
#include "convert-source.h"
#include "letterbox.h"

#define NO_COLOUR 128

struct HelixLetterbox {
    guint32 width, height; /* coded */
    guint8 black;
    guint8 *out; /* NV12; NULL until it is needed */
    guint32 stride;
    HelixConverter *scaler; /* to inner_width x inner_height; NULL until it is needed */
    guint32 inner_width, inner_height;
};

HelixLetterbox *helix_letterbox_new(guint32 width, guint32 height, guint8 black)
{
    HelixLetterbox *letterbox = g_new0(HelixLetterbox, 1);

    letterbox->width = width;
    letterbox->height = height;
    letterbox->black = black;
    letterbox->stride = helix_convert_align_row(width);
    return letterbox;
}

void helix_letterbox_free(HelixLetterbox *letterbox)
{
    if (letterbox) {
        helix_converter_free(letterbox->scaler);
        av_free(letterbox->out);
        g_free(letterbox);
    }
}

static guint8 *chroma_of(const HelixLetterbox *letterbox)
{
    return letterbox->out + (gsize)letterbox->stride * letterbox->height;
}

static gboolean need_output(HelixLetterbox *letterbox, GError **error)
{
    if (!letterbox->out) {
        letterbox->out = av_malloc((gsize)letterbox->stride * letterbox->height * 3 / 2 + HELIX_CONVERT_ROW_ALIGN);
    }
    if (!letterbox->out) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "no memory for a %u x %u picture with borders",
                    letterbox->width, letterbox->height);
    }
    return letterbox->out != NULL;
}

/* @side * @to / @from, to the nearest even number of 2 at least, and @max at most. */
static guint32 scale_side(guint32 side, guint32 to, guint32 from, guint32 max)
{
    guint64 scaled = ((guint64)side * to + from) / (2 * (guint64)from) * 2;

    return (guint32)CLAMP(scaled, 2, max);
}

/* A scaler for pictures of @width x @height, and borders of black around what it fills. */
static void fit(HelixLetterbox *letterbox, guint32 width, guint32 height)
{
    guint32 inner_width = letterbox->width, inner_height = letterbox->height;

    if ((guint64)width * letterbox->height > (guint64)height * letterbox->width) {
        inner_height = scale_side(height, letterbox->width, width, letterbox->height);
    } else {
        inner_width = scale_side(width, letterbox->height, height, letterbox->width);
    }
    if (letterbox->scaler && letterbox->inner_width == inner_width && letterbox->inner_height == inner_height) {
        return;
    }
    helix_converter_free(letterbox->scaler);
    letterbox->scaler = helix_converter_new(inner_width, inner_height);
    letterbox->inner_width = inner_width;
    letterbox->inner_height = inner_height;
    memset(letterbox->out, letterbox->black, (gsize)letterbox->stride * letterbox->height);
    memset(chroma_of(letterbox), NO_COLOUR, (gsize)letterbox->stride * letterbox->height / 2 + HELIX_CONVERT_ROW_ALIGN);
}

gboolean helix_letterbox_run(HelixLetterbox *letterbox, const HelixSurface *surface, HelixNv12 *nv12, GError **error)
{
    guint32 left, top;
    HelixNv12 inner;

    if (!need_output(letterbox, error)) {
        return FALSE;
    }
    fit(letterbox, surface->width, surface->height);
    if (letterbox->inner_width == letterbox->width && letterbox->inner_height == letterbox->height) {
        return helix_converter_run(letterbox->scaler, surface, nv12, error);
    }
    if (!helix_converter_run(letterbox->scaler, surface, &inner, error)) {
        return FALSE;
    }
    left = (letterbox->width - letterbox->inner_width) / 4 * 2;
    top = (letterbox->height - letterbox->inner_height) / 4 * 2;
    helix_convert_copy_rows(letterbox->out + (gsize)top * letterbox->stride + left, letterbox->stride, inner.plane[0],
                            inner.stride[0], letterbox->inner_width, letterbox->inner_height);
    helix_convert_copy_rows(chroma_of(letterbox) + (gsize)top / 2 * letterbox->stride + left, letterbox->stride,
                            inner.plane[1], inner.stride[1], letterbox->inner_width, letterbox->inner_height / 2);
    *nv12 = (HelixNv12){
        .plane = { letterbox->out, chroma_of(letterbox) },
        .stride = { letterbox->stride, letterbox->stride },
        .cpu_bytes = inner.cpu_bytes + (guint64)letterbox->inner_width * letterbox->inner_height * 3,
    };
    return TRUE;
}
