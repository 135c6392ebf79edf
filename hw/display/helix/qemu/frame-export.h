/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame-export.h - what may be added to the exporting GPU. Main loop, BQL held. */
#ifndef HELIX_QEMU_FRAME_EXPORT_H
#define HELIX_QEMU_FRAME_EXPORT_H

#include "hw/virtio/virtio-gpu.h"
#include "../stream/host.h"

/* Called at the exporting GPU's realize and unrealize. */
typedef struct HelixExportExtension {
    void (*added)(VirtIOGPU *g, HelixHost *host);
    /* QEMU exits: the host of added() is freed next. */
    void (*host_freed)(void);
    void (*removed)(VirtIOGPU *g);
} HelixExportExtension;

/* Set by measure/ in builds that measure; NULL in all others. */
extern const HelixExportExtension *helix_export_extension;

#endif
