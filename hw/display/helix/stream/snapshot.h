/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.h - a picture that the host keeps under a number of the guest's choice, to be encoded later. Main loop only,
 * but for the parts, which are surfaces.
 *
 * The number names it in its stream until it is dropped. A frame that names it holds a reference from its arrival on,
 * so its pixels live until the last such frame is encoded.
 */
#ifndef HELIX_SNAPSHOT_H
#define HELIX_SNAPSHOT_H

#include "../frame/surface.h"

typedef struct HelixSnapshot {
    guint32 number;
    guint64 life;          /* of its stream, see HelixStream.life_asked */
    gboolean pending;      /* its look-up has not ended */
    gboolean dropped;      /* while it was pending: its number names nothing */
    HelixSurface *surface; /* NULL: pending, or failed with: */
    GError *error;
    guint64 cpu_bytes; /* moved to bring it here; counted with the first frame made of it */
} HelixSnapshot;

/* A pending one. */
HelixSnapshot *helix_snapshot_new(guint32 number, guint64 life);
HelixSnapshot *helix_snapshot_ref(HelixSnapshot *snapshot);
void helix_snapshot_unref(HelixSnapshot *snapshot);
/* The look-up has ended, with exactly one of @surface (taken over) and @error (copied). */
void helix_snapshot_finish(HelixSnapshot *snapshot, HelixSurface *surface, const GError *error);
/*
 * The part of @snapshot, which is not pending, that @picture's size and crop say: a surface in the same memory, which
 * it references. NULL with the snapshot's own error, or HELIX_CODE_GEOMETRY.
 */
HelixSurface *helix_snapshot_part(HelixSnapshot *snapshot, const HelixPicture *picture, GError **error);

#endif
