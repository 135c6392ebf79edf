/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame-export.h - the state of the exporting GPU, shared by the files of this folder and measure/. Main loop with the
 * BQL held, unless a comment says otherwise.
 */
#ifndef HELIX_QEMU_FRAME_EXPORT_H
#define HELIX_QEMU_FRAME_EXPORT_H

#include "hw/virtio/virtio-gpu.h"
#include "qemu/notify.h"
#include "system/runstate.h"
#include "../stream/host.h"
#include "../transport/listener.h"

typedef struct FrameExport {
    VirtIOGPU *gpu;
    char *name; /* QOM path of the device */
    uint32_t port;
    HelixHost *host; /* NULL once QEMU exits */
    HelixListener *listener;
    void (*device_reset)(VirtIODevice *vdev);
    void (*device_unrealize)(DeviceState *dev);
    bool reset_postponed; /* the device's own reset is still to be carried out */
    QEMUBH *reset_bh;
    VMChangeStateEntry *run_state_handler;
    Notifier exit_notifier;
} FrameExport;

/* The VM's exporting GPU; NULL: none. Set once everything in it is. */
extern FrameExport *helix_frame_export;

/* Close the socket of helix-listen=, if it is open. */
void helix_export_close_listener(FrameExport *export);

/* ---- frame-export-stats.c ---- */

/* Log lines and trace events of a host. */
extern const HelixHostHooks helix_export_hooks;

/* Add the property helix-stats to the virtio device, with an alias on its PCI or MMIO device, and call
 * helix_export_extension; remove both. */
void helix_export_add_stats(FrameExport *export);
void helix_export_remove_stats(FrameExport *export);

/* ---- frame-export-lifetime.c ---- */

/* Observe reset and unrealize of the device by its class, the VM's run state, and QEMU's exit. */
void helix_export_watch_device(FrameExport *export);

/* ---- measure/ ---- */

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
