/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-pages.c - pictures in memory: a resource's guest pages, a blob, the 2D device's own image.
 *
 * Guest pages are unmapped at once on DETACH_BACKING, UNREF and reset, and the guest then uses them for something else:
 * they are copied inside the main-loop callback that found them, and no pointer to them is kept.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "resource.h"

/* No side of a resource is longer, and with 32-bit strides and offsets no sum below leaves 64 bits. */
#define MAX_SIDE (1u << 20)

/* One plane to be copied. */
typedef struct Plane {
    uint64_t start;             /* bytes from the resource's first to the crop's first */
    uint64_t stride;            /* bytes */
    uint32_t row_bytes, rows;
} Plane;

/* The guest's offset and stride of plane @i: EXT's where it gives them, else what the 44 bytes say. */
static void plane_place(const HelixPicture *picture, int i, uint32_t tight, uint64_t *offset, uint64_t *stride)
{
    uint64_t rows = picture->res_height ? picture->res_height : (uint64_t)picture->crop_y + picture->height;

    *offset = 0;
    *stride = picture->stride ? picture->stride : tight;
    if (picture->planes > 0) {
        *offset = picture->offset[0];
        *stride = picture->stride_of[0] ? picture->stride_of[0] : *stride;
    }
    if (i == 1 && picture->planes > 1) {
        *offset = picture->offset[1];
        *stride = picture->stride_of[1] ? picture->stride_of[1] : *stride;
    } else if (i == 1) {
        /* NV12's second plane follows the first, which has an even number of rows */
        *offset += *stride * ((rows + 1) & ~1ull);
    }
}

static bool check_plane(const HelixResource *resource, const Plane *plane, uint64_t size, uint64_t width_bytes,
                        GError **error)
{
    uint64_t end = plane->start + plane->stride * (plane->rows - 1) + plane->row_bytes;

    if (plane->stride < width_bytes) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "stride %" PRIu64 " of resource %u is less than the %"
                    PRIu64 " bytes of a row", plane->stride, resource->id, width_bytes);
        return false;
    }
    if (end > size) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "the picture ends at byte %" PRIu64 " of resource %u, "
                    "which has %" PRIu64, end, resource->id, size);
        return false;
    }
    return true;
}

/* Where iov_to_buf() would start from the first element each row, this goes on from where the last row ended. */
static void copy_rows(const HelixResource *resource, const Plane *plane, uint8_t *to, size_t to_stride)
{
    const struct iovec *iov = resource->iov;
    uint64_t iov_start = 0, at = plane->start;

    for (uint32_t row = 0; row < plane->rows; row++, at += plane->stride, to += to_stride) {
        unsigned left = resource->iov_cnt - (iov - resource->iov);

        while (at - iov_start >= iov->iov_len) {
            iov_start += iov->iov_len;
            iov++;
            left--;
        }
        iov_to_buf(iov, left, at - iov_start, to, plane->row_bytes);
    }
}

static bool check_sides(const HelixResource *resource, const HelixPicture *picture, GError **error)
{
    uint64_t right = (uint64_t)picture->crop_x + picture->width, bottom = (uint64_t)picture->crop_y + picture->height;
    uint64_t width = picture->res_width ? picture->res_width : right;
    uint64_t height = picture->res_height ? picture->res_height : bottom;

    if (width > MAX_SIDE || height > MAX_SIDE) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "resource %u can't be %" PRIu64 "x%" PRIu64 ": a side is "
                    "at most %u", resource->id, width, height, MAX_SIDE);
        return false;
    }
    if (right > width || bottom > height) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "%ux%u at %u,%u is not within the %" PRIu64 "x%" PRIu64
                    " that the request gives resource %u", picture->width, picture->height, picture->crop_x,
                    picture->crop_y, width, height, resource->id);
        return false;
    }
    return true;
}

static bool make_planes(const HelixResource *resource, const HelixPicture *picture, uint32_t fourcc, Plane planes[2],
                        GError **error)
{
    bool nv12 = fourcc == HELIX_FORMAT_NV12;
    uint64_t size = iov_size(resource->iov, resource->iov_cnt);
    uint64_t whole = picture->res_width ? picture->res_width : (uint64_t)picture->crop_x + picture->width;

    if (resource->blob_size) {
        size = MIN(size, resource->blob_size);
    }
    if (!check_sides(resource, picture, error)) {
        return false;
    }
    if (nv12 && (picture->crop_x | picture->crop_y) & 1) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "NV12 can't be cropped at %u,%u: even numbers only",
                    picture->crop_x, picture->crop_y);
        return false;
    }
    for (int i = 0; i < (nv12 ? 2 : 1); i++) {
        uint32_t bpp = nv12 ? 1 : 4;
        uint32_t shift = i;     /* NV12's second plane has half the rows, and pairs of half the columns */
        uint64_t offset, width_bytes = (nv12 ? (whole + 1) & ~1ull : whole) * bpp;

        plane_place(picture, i, width_bytes, &offset, &planes[i].stride);
        planes[i].rows = ((uint64_t)picture->height + shift) >> shift;
        planes[i].row_bytes = (shift ? (picture->width + 1) & ~1u : picture->width) * bpp;
        planes[i].start = offset + (picture->crop_y >> shift) * planes[i].stride + (uint64_t)picture->crop_x * bpp;
        if (!check_plane(resource, &planes[i], size, width_bytes, error)) {
            return false;
        }
    }
    return true;
}

HelixSurface *helix_pages_read(const HelixResource *resource, const HelixPicture *picture, HelixSurfacePool *pool,
                               GError **error)
{
    HelixPixelLayout layout = { picture->fourcc, { 0, 1, 2, 3 } };
    g_autoptr(HelixSurface) surface = NULL;
    Plane planes[2] = { 0 };

    if (!resource->blob_size) {
        /* the guest's fourcc is a hint: what the pages hold is the format the resource was made with */
        layout = helix_pixel_layout(resource->format);
        if (!layout.fourcc) {
            helix_set_unreadable(resource, error);
            return NULL;
        }
    }
    /* before any arithmetic: this refuses sizes that no surface can have */
    surface = helix_surface_pool_take(pool, layout.fourcc, picture->width, picture->height, error);
    if (!surface || !make_planes(resource, picture, layout.fourcc, planes, error)) {
        return NULL;
    }
    surface->path = HELIX_HOST_PATH_PAGES;
    surface->cpu_bytes = 0;
    for (int i = 0; i < 2 && planes[i].rows; i++) {
        copy_rows(resource, &planes[i], surface->data + surface->offset[i], surface->stride[i]);
        surface->cpu_bytes += (uint64_t)planes[i].row_bytes * planes[i].rows;
    }
    helix_pixels_reorder(surface, &layout);
    return g_steal_pointer(&surface);
}

void helix_image_read(const HelixResource *resource, uint32_t x, uint32_t y, HelixSurface *surface)
{
    size_t stride = pixman_image_get_stride(resource->image);
    const uint8_t *from = (const uint8_t *)pixman_image_get_data(resource->image) + y * stride + (size_t)x * 4;
    uint8_t *to = surface->data + surface->offset[0];

    for (uint32_t row = 0; row < surface->height; row++, from += stride, to += surface->stride[0]) {
        memcpy(to, from, (size_t)surface->width * 4);
    }
}
