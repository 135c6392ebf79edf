/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest-pages.h - pictures in guest memory: a resource's backing pages, or a blob. The pages may be unmapped as soon as
 * the guest's next command is processed: they are copied in the callback that found them.
 */
#ifndef HELIX_GUEST_PAGES_H
#define HELIX_GUEST_PAGES_H

#include "resource.h"

/* One plane of a picture in guest pages. */
typedef struct HelixPlane {
    uint64_t start;  /* bytes from the resource's first to the crop's first */
    uint64_t stride; /* bytes */
    uint32_t row_bytes, rows;
} HelixPlane;

/* Whether the request says that the pages hold NV12, whatever format and size the resource itself has. */
bool helix_pages_hold_nv12(const HelixPicture *picture);

/*
 * Compute where @picture's planes lie in the guest pages (or the blob) of @resource. Returns their number, or 0 with
 * HELIX_CODE_GEOMETRY if the picture does not lie within them. No side of @picture is over HELIX_MAX_DIMENSION.
 */
unsigned helix_pages_plan(const HelixResource *resource, const HelixPicture *picture, uint32_t fourcc,
                          HelixPlane planes[2], GError **error);

/* Copy @rows of @plane, from row @row on, to @to; rows there are @to_stride bytes apart. False: the pages end earlier.
 */
bool helix_pages_read(const HelixResource *resource, const HelixPlane *plane, uint32_t row, uint32_t rows, uint8_t *to,
                      size_t to_stride);

/* A hash of the pages' addresses and lengths: it changes when the guest attaches other pages. */
uint64_t helix_pages_hash(const HelixResource *resource);

#endif
