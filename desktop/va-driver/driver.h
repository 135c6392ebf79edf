/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver.h - one VADisplay's driver.
 *
 * Locks: libva takes none, so every entry may run on several threads at once. The table of objects has a lock for
 * look-ups; each surface, context and job has its own for its fields, in the order context, surface, job. No lock is
 * held while anything waits for the host.
 */
#ifndef HELIX_VA_DRIVER_H
#define HELIX_VA_DRIVER_H

#include <va/va_backend.h>
#include "../client/helix-client.h"
#include "objects.h"
#include "settings.h"

typedef struct HvaPool HvaPool;
typedef struct HvaKeeper HvaKeeper;

typedef struct HvaDriver {
    VADriverContextP va;
    HvaSettings settings;
    HvaObjects *objects;
    HelixClientGpu *gpu; /* NULL: no virtio-gpu here */
    HvaPool *pool;
    HvaKeeper *keeper;
    gint buffer_kind; /* atomic: HelixClientBufferKind that the host reads, plus 1; 0: none, or not known yet */
} HvaDriver;

static inline HvaDriver *hva_driver(VADriverContextP va)
{
    return va->pDriverData;
}

/* One line for the user, by libva's callbacks: to standard error if the program sets none. */
void hva_error(HvaDriver *driver, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* One line for a programmer. */
void hva_info(HvaDriver *driver, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
