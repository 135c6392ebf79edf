/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-capture.h - a resolver whose resources are pictures drawn in process, or are in a file, as a guest's pages. Main
 * loop of the host, but for the settings.
 *
 * Resources 1 to FAKE_CAPTURE_LAST exist, of any size; the others do not. A resource's picture is known:
 * fake_capture_pixel().
 */
#ifndef HELIX_TEST_FAKE_CAPTURE_H
#define HELIX_TEST_FAKE_CAPTURE_H

#include "frame/resolver.h"

#define FAKE_CAPTURE_LAST 9999u
#define FAKE_CAPTURE_PAGES (1 << 24) /* bytes of the file for each resource */

typedef struct FakeCapture {
    GMainContext *context; /* NULL: the default one */
    guint delay_ms;        /* answers come that much later, from the loop */
    gboolean hold;         /* answers come with fake_capture_release() only */
    gboolean closed;       /* the host is gone: answers are errors */
    gboolean borrow;       /* surfaces are said to be the guest's own memory, where the stream takes such */
    guint overwritten;     /* the guest has drawn anew: each resource shows what this many ids later showed; atomic */
    GHashTable *fail_ids;  /* GUINT_TO_POINTER(id); NULL: none. Answered HELIX_CODE_NOT_READABLE */
    const char *pages;     /* the file; NULL: none. Requests with the guest's pages as source are of it */
    guint32 pages_first;   /* the resource whose pages are at its begin; the others follow */
    GQueue waiting;
    guint resolved;                                 /* look-ups begun */
    guint coded_width, coded_height, surface_kinds; /* what the last one was told of its stream; atomic */
    gboolean wants_nv12;                            /* that too; atomic */
} FakeCapture;

extern const HelixResolver fake_capture_resolver; /* its data is the FakeCapture */

void fake_capture_release(FakeCapture *capture); /* answers the look-up that waits longest */

/* The pixel of @resource at x, y, as 0xRRGGBB: a colour of the resource's own with a brighter diagonal. */
guint32 fake_capture_pixel(guint32 resource, guint32 x, guint32 y);

#endif
