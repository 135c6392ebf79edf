/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-layout.c - copying a picture's visible part: each format, odd sizes, strides, crops; against pixel by pixel. */
#include "../../desktop/client/layout.h"
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "cases.h"

/* A value that tells the sample: component, column, row. */
static guint8 sample(guint component, guint x, guint y)
{
    return (guint8)(component * 85 + x * 7 + y * 13 + x * y);
}

/* Where component @c of @image's sample @x, @y lies. */
static guint8 *place(const HelixClientImage *image, guint c, guint x, guint y)
{
    gboolean nv12 = image->format == HELIX_CLIENT_FORMAT_NV12, i420 = image->format == HELIX_CLIENT_FORMAT_YU12;
    guint plane = i420 ? c : nv12 ? MIN(c, 1) : 0;
    gsize at = (gsize)image->stride[plane] * y + (i420 || (nv12 && !c) ? x : nv12 ? 2 * x + c - 1 : 4 * x + c);

    return (guint8 *)image->data[plane] + at;
}

/* A picture with @padding behind each row, in @memory. */
static HelixClientImage make_image(guint32 format, guint width, guint height, guint padding, guint8 *memory)
{
    gboolean yuv = client_wire_format(format) == HELIX_FORMAT_NV12;
    HelixClientImage image = { .format = format, .width = width, .height = height };
    guint components = yuv ? 3 : 4;

    for (guint i = 0; i < client_format_planes(format); i++) {
        guint columns = i && format == HELIX_CLIENT_FORMAT_YU12 ? (width + 1) / 2
            : yuv                                               ? (width + 1) / 2 * 2
                                                                : width * 4;

        image.stride[i] = (gint32)(columns + padding);
        image.data[i] = memory;
        memory += (gsize)image.stride[i] * (i ? (height + 1) / 2 : height);
    }
    for (guint c = 0; c < components; c++) {
        guint half = yuv && c ? 2 : 1;

        for (guint y = 0; y < (height + half - 1) / half; y++) {
            for (guint x = 0; x < (width + half - 1) / half; x++) {
                *place(&image, c, x, y) = sample(c, x, y);
            }
        }
    }
    return image;
}

static void check_copy(guint32 format, guint width, guint height, guint padding, ClientRect rect)
{
    static guint8 memory[64 * 64 * 8];
    HelixClientImage image = make_image(format, width, height, padding, memory);
    guint32 fourcc = client_wire_format(format);
    gboolean yuv = fourcc == HELIX_FORMAT_NV12;
    ClientLayout layout = client_layout_tight(fourcc, rect.width, rect.height);
    g_autofree guint8 *to = g_malloc0(layout.size);
    guint left = yuv ? rect.x & ~1u : rect.x, top = yuv ? rect.y & ~1u : rect.y;
    gsize bytes = client_copy_rect(&image, &rect, to, &layout);

    for (guint y = 0; y < rect.height; y++) {
        for (guint x = 0; x < rect.width; x++) {
            for (guint c = 0; c < (yuv ? 1u : 4u); c++) {
                g_assert_cmpuint(to[y * layout.stride[0] + (yuv ? x : x * 4 + c)], ==, sample(c, left + x, top + y));
            }
        }
    }
    for (guint y = 0; yuv && y < (rect.height + 1) / 2; y++) {
        for (guint x = 0; x < (rect.width + 1) / 2; x++) {
            for (guint c = 1; c < 3; c++) {
                g_assert_cmpuint(to[layout.offset[1] + y * layout.stride[1] + 2 * x + c - 1], ==,
                                 sample(c, left / 2 + x, top / 2 + y));
            }
        }
    }
    g_assert_cmpuint(bytes, ==,
                     yuv ? rect.width * rect.height + 2 * ((rect.width + 1) / 2) * ((rect.height + 1) / 2)
                         : rect.width * rect.height * 4);
}

TEST("/layout/formats", test_formats)
{
    const guint32 formats[] = {
        HELIX_CLIENT_FORMAT_XR24, HELIX_CLIENT_FORMAT_AR24, HELIX_CLIENT_FORMAT_XB24,
        HELIX_CLIENT_FORMAT_AB24, HELIX_CLIENT_FORMAT_NV12, HELIX_CLIENT_FORMAT_YU12,
    };

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        for (guint padding = 0; padding <= 20; padding += 20) {
            check_copy(formats[i], 64, 48, padding, (ClientRect){ 0, 0, 64, 48 });
            check_copy(formats[i], 63, 47, padding, (ClientRect){ 0, 0, 63, 47 });
            check_copy(formats[i], 1, 1, padding, (ClientRect){ 0, 0, 1, 1 });
            check_copy(formats[i], 64, 48, padding, (ClientRect){ 6, 4, 20, 11 });
            check_copy(formats[i], 64, 48, padding, (ClientRect){ 7, 5, 21, 10 });
        }
    }
}

TEST("/layout/layouts", test_layouts)
{
    ClientLayout layout = client_layout_tight(HELIX_FORMAT_NV12, 641, 361);

    g_assert_cmpuint(layout.stride[0], ==, 642);
    g_assert_cmpuint(layout.stride[1], ==, 642);
    g_assert_cmpuint(layout.offset[1], ==, 642 * 362);
    g_assert_cmpuint(layout.size, ==, 642 * 362 + 642 * 181);
    layout = client_layout_default(HELIX_FORMAT_NV12, 641, 361);
    g_assert_cmpuint(layout.stride[0], ==, 644);
    g_assert_cmpuint(layout.offset[1], ==, 644 * 362);
    g_assert_cmpuint(layout.size, ==, 644 * 362 + 644 * 181);
    g_assert_cmpuint(client_wire_format(HELIX_CLIENT_FOURCC('Y', '2', '1', '0')), ==, 0);
}
