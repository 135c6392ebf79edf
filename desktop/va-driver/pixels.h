/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pixels.h - the memory of one picture: a virtio-gpu buffer, plain memory, or a DMA-BUF that the client imported.
 *
 * Reference-counted, any thread. Memory of the driver's own is never changed while more than one reference exists: a
 * surface that is written gets other memory then (surface.h). So a frame that the host has not read yet, or a picture
 * that VideoProc refers to, stays what it was.
 */
#ifndef HELIX_VA_PIXELS_H
#define HELIX_VA_PIXELS_H

#include "driver.h"
#include "formats.h"

/* A snapshot that the host of @client has. */
typedef struct HvaKept {
    HelixClient *client;
    HelixClientSnapshot *snapshot;
} HvaKept;

/* Encoders of one driver that get exact pictures of a DMA-BUF; others read it as it is when they encode. */
#define HVA_MAX_KEPT 4u

typedef struct HvaPixels HvaPixels;
struct HvaPixels {
    gatomicrefcount refs;
    HvaDriver *driver;
    const HvaFormat *format;
    guint width, height;
    HvaLayout layout;
    guint8 *data;              /* NULL: imported */
    HelixClientBuffer *buffer; /* NULL: plain memory or imported */
    int dmabuf;                /* imported or exported; -1 */
    guint64 modifier;
    void (*forget)(HvaPixels *); /* drops its snapshots before it is freed; NULL: it never had any (keep.h) */
    HvaKept kept[HVA_MAX_KEPT];
    gboolean is_bt709; /* YUV that was RGB: BT.709 in limited range. Else nobody said what it is */
};

/* Unused memory, kept for the next picture of its size. */
HvaPool *hva_pool_new(void);
void hva_pool_free(HvaPool *pool);

/* Memory of the driver's own, of the kind that the host reads best as far as is known; its content is an earlier
 * picture's, or zeros. NULL: no memory. */
HvaPixels *hva_pixels_new(HvaDriver *driver, const HvaFormat *format, guint width, guint height);
/* A DMA-BUF; duplicates @fd. NULL: no descriptor is left. */
HvaPixels *hva_pixels_new_dmabuf(HvaDriver *driver, const HvaFormat *format, guint width, guint height,
                                 const HvaLayout *layout, int fd, guint64 modifier);
/* A resource of the virtio-gpu and its DMA-BUF, for GPUs to draw into; RGB. NULL: the virtio-gpu makes none. */
HvaPixels *hva_pixels_new_exported(HvaDriver *driver, const HvaFormat *format, guint width, guint height);
HvaPixels *hva_pixels_ref(HvaPixels *pixels);
void hva_pixels_unref(HvaPixels *pixels);
/* Whether nothing else refers to it; only its holder can make more references. */
gboolean hva_pixels_is_sole(HvaPixels *pixels);
/* Whether new memory would be of a kind that the host reads better. */
gboolean hva_pixels_is_outdated(const HvaPixels *pixels);
/* Whether its pixels are on the host, beyond the CPU's reach: a DMA-BUF, imported or exported. */
gboolean hva_pixels_is_imported(const HvaPixels *pixels);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaPixels, hva_pixels_unref)

#endif
