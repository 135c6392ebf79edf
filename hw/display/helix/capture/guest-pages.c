/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-pages.c - pictures in guest memory: a resource's backing pages, or a blob. */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "guest-pages.h"

/* Limit of a resource's sides: with 32-bit strides and offsets no sum below overflows 64 bits. */
#define MAX_SIDE (1u << 20)

/* Offset and stride of plane @i, in bytes: from the request's extension where it has them, else from its 44 bytes. */
static void plane_place(const HelixPicture *picture, unsigned i, uint32_t tight, uint64_t *offset, uint64_t *stride)
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

static bool check_plane(const HelixResource *resource, const HelixPlane *plane, uint64_t size, uint64_t width_bytes,
                        GError **error)
{
    uint64_t end = plane->start + plane->stride * (plane->rows - 1) + plane->row_bytes;

    if (plane->stride < width_bytes) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "stride %" PRIu64 " of resource %u is less than the %" PRIu64 " bytes of a row", plane->stride,
                    resource->id, width_bytes);
        return false;
    }
    if (end > size) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "the picture ends at byte %" PRIu64 " of resource %u, "
                    "which has %" PRIu64,
                    end, resource->id, size);
        return false;
    }
    return true;
}

/*
 * iov_to_buf() would start at the first element for each row; this continues where the last row ended. (It also aborts
 * on an offset beyond the elements; no plan has one, but a guest's pages must not abort QEMU in any case.)
 */
bool helix_pages_read(const HelixResource *resource, const HelixPlane *plane, uint32_t row, uint32_t rows, uint8_t *to,
                      size_t to_stride)
{
    const struct iovec *iov = resource->iov;
    uint64_t iov_start = 0, at = plane->start + row * plane->stride;

    for (; rows > 0; rows--, at += plane->stride, to += to_stride) {
        unsigned left = resource->iov_cnt - (iov - resource->iov);

        while (left > 0 && at - iov_start >= iov->iov_len) {
            iov_start += iov->iov_len;
            iov++;
            left--;
        }
        if (left == 0 || iov_to_buf(iov, left, at - iov_start, to, plane->row_bytes) != plane->row_bytes) {
            return false;
        }
    }
    return true;
}

/*
 * FNV-1a over words. A hostile guest can make two backings collide: only the error message depends on it, not safety.
 */
uint64_t helix_pages_hash(const HelixResource *resource)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (unsigned i = 0; i < resource->iov_cnt; i++) {
        hash = (hash ^ (uintptr_t)resource->iov[i].iov_base) * UINT64_C(0x100000001b3);
        hash = (hash ^ resource->iov[i].iov_len) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static bool check_sides(const HelixResource *resource, const HelixPicture *picture, GError **error)
{
    uint64_t right = (uint64_t)picture->crop_x + picture->width, bottom = (uint64_t)picture->crop_y + picture->height;
    uint64_t width = picture->res_width ? picture->res_width : right;
    uint64_t height = picture->res_height ? picture->res_height : bottom;

    if (width > MAX_SIDE || height > MAX_SIDE) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "resource %u can't be %" PRIu64 "x%" PRIu64 ": a side is "
                    "at most %u",
                    resource->id, width, height, MAX_SIDE);
        return false;
    }
    if (right > width || bottom > height) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "%ux%u at %u,%u is not within the %" PRIu64 "x%" PRIu64 " that the request gives resource %u",
                    picture->width, picture->height, picture->crop_x, picture->crop_y, width, height, resource->id);
        return false;
    }
    return true;
}

bool helix_pages_hold_nv12(const HelixPicture *picture)
{
    return picture->source == HELIX_SOURCE_PAGES && picture->fourcc == HELIX_FORMAT_NV12 && picture->planes == 2;
}

unsigned helix_pages_plan(const HelixResource *resource, const HelixPicture *picture, uint32_t fourcc,
                          HelixPlane planes[2], GError **error)
{
    bool nv12 = fourcc == HELIX_FORMAT_NV12;
    uint64_t size = iov_size(resource->iov, resource->iov_cnt);
    uint64_t whole = picture->res_width ? picture->res_width : (uint64_t)picture->crop_x + picture->width;
    unsigned n_planes = nv12 ? 2 : 1;

    if (resource->blob_size) {
        size = MIN(size, resource->blob_size);
    }
    if (!check_sides(resource, picture, error)) {
        return 0;
    }
    if (nv12 && (picture->crop_x | picture->crop_y) & 1) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "NV12 can't be cropped at %u,%u: even numbers only",
                    picture->crop_x, picture->crop_y);
        return 0;
    }
    for (unsigned i = 0; i < n_planes; i++) {
        uint32_t bpp = nv12 ? 1 : 4;
        uint32_t shift = i; /* NV12's second plane has half the rows, and pairs of half the columns */
        uint64_t offset, width_bytes = (nv12 ? (whole + 1) & ~1ull : whole) * bpp;

        plane_place(picture, i, width_bytes, &offset, &planes[i].stride);
        planes[i].rows = ((uint64_t)picture->height + shift) >> shift;
        planes[i].row_bytes = (shift ? (picture->width + 1) & ~1u : picture->width) * bpp;
        planes[i].start = offset + (picture->crop_y >> shift) * planes[i].stride + (uint64_t)picture->crop_x * bpp;
        if (!check_plane(resource, &planes[i], size, width_bytes, error)) {
            return 0;
        }
    }
    return n_planes;
}
