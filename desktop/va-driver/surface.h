/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * surface.h - a surface: pixels, or what VideoProc says of another surface's pixels and nobody has read yet.
 *
 * VideoProc is lazy. A surface that it wrote keeps a view: which part of which pixels, and where it goes. The host
 * scales and converts while it encodes the view. Reading the pixels in any other way makes them by the CPU first.
 */
#ifndef HELIX_VA_SURFACE_H
#define HELIX_VA_SURFACE_H

#include "convert.h"
#include "job.h"
#include "pixels.h"

typedef struct HvaView {
    HvaPixels *pixels;
    HvaRect from, to;   /* of the pixels; of the surface */
    guint32 background; /* around @to: 0xAARRGGBB */
} HvaView;

typedef struct HvaSurface {
    HvaObject object;
    HvaDriver *driver;
    const HvaFormat *format;
    guint width, height;
    GMutex lock;       /* all below */
    HvaPixels *pixels; /* NULL: nothing was written yet, or @view is what the surface shows */
    HvaView view;      /* pixels NULL: none */
    HvaJob *job;       /* the latest encode that reads this surface or that reconstructs into it */
} HvaSurface;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaSurface, hva_unref)

void hva_view_clear(HvaView *view);

/* Makes no memory. @imported: taken over; NULL: the driver's own, when it is first written. */
HvaSurface *hva_surface_new(HvaDriver *driver, const HvaFormat *format, guint width, guint height, HvaPixels *imported);
/* A reference to the surface's pixels, for reading. NULL with @status: what VA says of the failure. */
HvaPixels *hva_surface_read(HvaSurface *surface, VAStatus *status);
/* A reference to pixels that may be written: nothing else reads them. @keep: what was there is kept. */
HvaPixels *hva_surface_write(HvaSurface *surface, gboolean keep, VAStatus *status);
/* A reference to pixels with a DMA-BUF: from here on they are drawn by GPUs, and the CPU does not read them. NULL with
 * @status: there is no virtio-gpu, or something was written already, which would be lost. */
HvaPixels *hva_surface_export(HvaSurface *surface, VAStatus *status);
/* A reference to what VideoProc takes its picture from: imported pixels too. NULL with @status. */
HvaPixels *hva_surface_source(HvaSurface *surface, VAStatus *status);
/* The surface shows @view (its pixels taken over, also in error) from here on. Not of an imported surface: what reads
 * its DMA-BUF would not see it. */
VAStatus hva_surface_set_view(HvaSurface *surface, HvaView *view);
/*
 * What to have encoded for @visible of the surface: pixels (referenced) and the part of them, for the host to scale to
 * the size of @visible.
 */
VAStatus hva_surface_picture(HvaSurface *surface, const HvaRect *visible, HvaView *view);
void hva_surface_set_job(HvaSurface *surface, HvaJob *job);
/* A reference; NULL: no encode yet. */
HvaJob *hva_surface_job(HvaSurface *surface);

#endif
