/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-geometry.c - where a picture lies in a resource's guest pages: hw/display/helix/capture/guest-pages.c as it
 * is, behind stand-ins for three headers of QEMU's. Whatever is accepted is read, in pieces, and is the bytes that the
 * request names.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "../../hw/display/helix/capture/guest-pages.h"
#include "fuzz.h"

#define MOST_ELEMENTS 12u
#define MOST_BYTES 20000u /* of an element */

static guint8 byte_at(guint64 position)
{
    return (guint8)((position * 2654435761u) >> 11);
}

/* The pages: elements of any length, each in memory of its own size. */
static guint make_pages(Input *input, struct iovec *iov)
{
    static guint8 pattern[MOST_ELEMENTS * MOST_BYTES];
    static gboolean made;
    guint n = 1 + input_u8(input) % MOST_ELEMENTS;
    gsize position = 0;

    for (gsize i = 0; !made && i < sizeof pattern; i++) {
        pattern[i] = byte_at(i);
    }
    made = TRUE;
    for (guint i = 0; i < n; i++) {
        gsize len = input_u16(input) % MOST_BYTES;
        guint8 *bytes = g_malloc(len);

        if (len) {
            memcpy(bytes, pattern + position, len);
        }
        position += len;
        iov[i] = (struct iovec){ bytes, len };
    }
    return n;
}

/* Small numbers mostly, as only they fit; sometimes any. */
static guint32 number(Input *input, guint8 odd, guint bit)
{
    return odd & (1u << bit) ? input_u32(input) : input_u8(input);
}

static HelixPicture make_picture(Input *input)
{
    guint8 odd = input_u8(input), more = input_u8(input);
    HelixPicture picture = { .resource_id = 1 };

    picture.width = 1 + (number(input, odd, 0) & (HELIX_MAX_DIMENSION - 1));
    picture.height = 1 + (number(input, odd, 1) & (HELIX_MAX_DIMENSION - 1));
    picture.stride = number(input, odd, 2);
    picture.planes = more & 3;
    picture.crop_x = number(input, odd, 3);
    picture.crop_y = number(input, odd, 4);
    picture.res_width = number(input, odd, 5);
    picture.res_height = number(input, odd, 6);
    for (guint i = 0; i < 3; i++) {
        picture.offset[i] = number(input, more, 2 + i);
        picture.stride_of[i] = number(input, more, 5 + i);
    }
    return picture;
}

/* The same plane of pages that became fewer: what is left is read, and nothing beyond, the elements themselves among
 * it. */
static void check_fewer(const HelixResource *resource, const HelixPlane *plane, Input *input)
{
    guint n = 1 + input_u8(input) % resource->iov_cnt;
    g_autofree struct iovec *iov = g_memdup2(resource->iov, n * sizeof *iov);
    HelixResource fewer = { .id = resource->id, .iov = iov, .iov_cnt = n };
    gsize size = iov_size(iov, n);
    g_autofree guint8 *to = g_malloc0((gsize)plane->row_bytes * plane->rows);

    g_assert_true(helix_pages_read(&fewer, plane, 0, plane->rows, to, plane->row_bytes) ==
                  (plane->start + (plane->rows - 1) * plane->stride + plane->row_bytes <= size));
    for (guint32 row = 0; row < plane->rows; row++) {
        gsize at = plane->start + row * plane->stride + plane->row_bytes - 1;

        g_assert_cmpuint(to[((gsize)row + 1) * plane->row_bytes - 1], ==, at < size ? byte_at(at) : 0);
    }
}

/* What the guest gave as first byte and stride of @plane, said once more and in other words. */
static void check_plane(const HelixResource *resource, const HelixPicture *picture, guint32 fourcc,
                        const HelixPlane *plane, guint which, guint64 size, Input *input)
{
    guint64 bytes = (guint64)plane->row_bytes * plane->rows;
    gsize to_stride = plane->row_bytes + (input_u8(input) & 15u);
    g_autofree guint8 *to = g_malloc(to_stride * plane->rows);
    guint32 band = 1 + input_u8(input);

    g_assert_cmpuint(plane->row_bytes, ==,
                     fourcc == HELIX_FORMAT_NV12 ? (which ? (picture->width + 1) & ~1u : picture->width)
                                                 : picture->width * 4);
    g_assert_cmpuint(plane->rows, ==, which ? (picture->height + 1) / 2 : picture->height);
    g_assert_cmpuint(plane->start, <, size);
    g_assert_cmpuint(plane->stride, <=, G_MAXUINT32);
    g_assert_cmpuint(bytes, >, 0);
    for (guint32 row = 0; row < plane->rows; row += band) {
        g_assert_true(
            helix_pages_read(resource, plane, row, MIN(band, plane->rows - row), to + row * to_stride, to_stride));
    }
    for (guint32 row = 0; row < plane->rows; row++) {
        for (guint32 x = 0; x < plane->row_bytes; x += plane->row_bytes > 64 ? 17 : 1) {
            g_assert_cmpuint(to[row * to_stride + x], ==, byte_at(plane->start + row * plane->stride + x));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const guint32 formats[] = { HELIX_FORMAT_XR24, HELIX_FORMAT_NV12 };
    Input input = { data, size };
    guint8 settings = input_u8(&input);
    guint32 fourcc = formats[settings & 1];
    struct iovec iov[MOST_ELEMENTS];
    HelixResource resource = { .id = 1, .iov = iov, .iov_cnt = make_pages(&input, iov) };
    HelixPicture picture = make_picture(&input);
    HelixPlane planes[2] = { { 0 } };
    guint64 bytes = iov_size(iov, resource.iov_cnt);
    GError *error = NULL;
    unsigned n;

    resource.blob_size = settings & 2 ? number(&input, settings, 2) : 0;
    picture.fourcc = fourcc;
    n = helix_pages_plan(&resource, &picture, fourcc, planes, &error);
    g_assert_true((n == 0) == (error != NULL));
    g_assert_true(n == 0 || n == (fourcc == HELIX_FORMAT_NV12 ? 2 : 1));
    if (error) {
        g_assert_true(error->domain == HELIX_ERROR && error->code == HELIX_CODE_GEOMETRY);
        g_error_free(error);
    }
    for (unsigned i = 0; i < n; i++) {
        check_plane(&resource, &picture, fourcc, &planes[i], i,
                    resource.blob_size ? MIN(bytes, resource.blob_size) : bytes, &input);
        check_fewer(&resource, &planes[i], &input);
    }
    for (guint i = 0; i < resource.iov_cnt; i++) {
        g_free(iov[i].iov_base);
    }
    return 0;
}
