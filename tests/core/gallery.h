/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gallery.h - a resolver whose resources are pictures drawn in process. Main loop of the host, but for the settings.
 *
 * Resources 1 to GALLERY_LAST exist, of any size; the others do not. A resource's picture is known: gallery_pixel().
 */
#ifndef HELIX_TEST_GALLERY_H
#define HELIX_TEST_GALLERY_H

#include "frame/picture.h"

#define GALLERY_LAST 9999u

typedef struct Gallery {
    GMainContext *context; /* NULL: the default one */
    guint delay_ms;        /* answers come that much later, from the loop */
    gboolean hold;         /* answers come with gallery_release() only */
    gboolean closed;       /* the host is gone: answers are errors */
    gboolean borrow;       /* surfaces are said to be the guest's own memory */
    GHashTable *fail_ids;  /* GUINT_TO_POINTER(id); NULL: none. Answered HELIX_CODE_NOT_READABLE */
    GQueue waiting;
    guint resolved;                                 /* look-ups begun */
    guint coded_width, coded_height, surface_kinds; /* what the last one was told of its stream; atomic */
} Gallery;

extern const HelixResolver gallery_resolver; /* its data is the Gallery */

void gallery_release(Gallery *gallery); /* answers the look-up that waits longest */

/* The pixel of @resource at x, y, as 0xRRGGBB: a colour of the resource's own with a brighter diagonal. */
guint32 gallery_pixel(guint32 resource, guint32 x, guint32 y);

#endif
