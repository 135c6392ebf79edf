/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* coded-size.c - see coded-size.h. */
#include "coded-size.h"

#define MOST 8192u /* pixels a side */

/* @a * @b / @c, to the nearest even number of at least 2. */
static guint32 scale_even(guint32 a, guint32 b, guint32 c)
{
    guint64 twice = 2 * (guint64)MAX(c, 1);

    return (guint32)CLAMP(((guint64)a * b + twice / 2) / twice * 2, 2, MOST);
}

/* The number in field @name of @structure that is nearest to @wanted; @wanted: it has no such field. */
static guint32 nearest(const GstStructure *structure, const char *name, guint32 wanted)
{
    GstStructure *copy = gst_structure_copy(structure);
    gint value = 0;

    gst_structure_fixate_field_nearest_int(copy, name, (gint)wanted);
    if (!gst_structure_get_int(copy, name, &value) || value < 1) {
        value = (gint)wanted;
    }
    gst_structure_free(copy);
    return (guint32)value;
}

static gboolean is_fixed(const GstStructure *structure, const char *name)
{
    gint value;

    return gst_structure_get_int(structure, name, &value);
}

/* Begin with the side that leaves no choice; a second look at it fits both into ranges. */
static void choose_from(const GstStructure *structure, guint32 *width, guint32 *height)
{
    guint32 chosen_width, chosen_height;

    if (is_fixed(structure, "height") && !is_fixed(structure, "width")) {
        chosen_height = nearest(structure, "height", *height);
        chosen_width = nearest(structure, "width", scale_even(*width, chosen_height, *height));
    } else {
        chosen_width = nearest(structure, "width", *width);
        chosen_height = nearest(structure, "height", scale_even(*height, chosen_width, *width));
        chosen_width = nearest(structure, "width", scale_even(*width, chosen_height, *height));
    }
    *width = chosen_width;
    *height = chosen_height;
}

gboolean vsockenc_coded_size_choose(GstPad *srcpad, guint32 *width, guint32 *height)
{
    g_autoptr(GstCaps) allowed = gst_pad_get_allowed_caps(srcpad);
    guint32 even_width = (*width + 1) & ~1u, even_height = (*height + 1) & ~1u;
    g_autoptr(GstCaps) own = gst_caps_new_simple("video/x-h264", "width", G_TYPE_INT, (gint)even_width, "height",
                                                 G_TYPE_INT, (gint)even_height, NULL);

    if (!allowed || gst_caps_is_empty(allowed) || gst_caps_is_any(allowed) || gst_caps_can_intersect(allowed, own)) {
        return FALSE;
    }
    choose_from(gst_caps_get_structure(allowed, 0), width, height);
    return TRUE;
}

gboolean vsockenc_coded_size_has_shape(guint32 width, guint32 height, guint32 coded_width, guint32 coded_height)
{
    gint64 difference = (gint64)width * coded_height - (gint64)height * coded_width;

    /* One row or column of the coded picture. */
    return ABS(difference) <= (gint64)MAX(width, height);
}

void vsockenc_coded_size_stretch_pixels(guint32 width, guint32 height, guint32 coded_width, guint32 coded_height,
                                        gint *n, gint *d)
{
    gint scale_n, scale_d, result_n, result_d;

    if (vsockenc_coded_size_has_shape(width, height, coded_width, coded_height)) {
        return;
    }
    /* Sides have 13 bits. */
    scale_n = (gint)(width * coded_height);
    scale_d = (gint)(height * coded_width);
    if (gst_util_fraction_multiply(*n, *d, scale_n, scale_d, &result_n, &result_d)) {
        *n = result_n;
        *d = result_d;
    }
}

gboolean vsockenc_coded_size_takes_pixels(GstPad *srcpad, gint n, gint d)
{
    g_autoptr(GstCaps) allowed = gst_pad_get_allowed_caps(srcpad);
    g_autoptr(GstCaps) caps = gst_caps_new_simple("video/x-h264", "pixel-aspect-ratio", GST_TYPE_FRACTION, n, d, NULL);

    return !allowed || gst_caps_is_empty(allowed) || gst_caps_can_intersect(allowed, caps);
}
