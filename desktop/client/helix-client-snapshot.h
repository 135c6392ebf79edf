/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helix-client-snapshot.h - libhelix-client: pixels that the host keeps. Included by helix-client.h, whose first
 * comment holds for it too.
 *
 * A snapshot is a copy of a frame's pixels on the host, made now and encoded later, as often as wanted. What is encoded
 * is exactly what was there, though the frame's memory was overwritten since. For programs whose source is recycled
 * before they encode it:
 *
 *     static gboolean keep_and_encode(HelixClient *client, HelixClientFrame *source, guint64 pts, GError **error)
 *     {
 *         g_autoptr(HelixClientSnapshot) snapshot = helix_client_snapshot_new(client, source, error);
 *
 *         if (!snapshot || helix_client_snapshot_wait(snapshot, 1000) != HELIX_CLIENT_SNAPSHOT_KEPT) {
 *             return FALSE;
 *         }
 *         // The memory of the source may be overwritten from here on.
 *         helix_client_submit(client, helix_client_frame_new_snapshot(snapshot, 0, 0, 0, 0), pts, 0, FALSE, NULL);
 *         return TRUE;
 *     }
 *
 * The host's answer does not wait for frames that are being encoded. Needs HELIX_CLIENT_CAP_SNAPSHOT of the host.
 */
#ifndef HELIX_CLIENT_SNAPSHOT_H
#define HELIX_CLIENT_SNAPSHOT_H

#ifndef HELIX_CLIENT_H
#error "include helix-client.h"
#endif

G_BEGIN_DECLS

/* Snapshots that a host keeps of one client at a time. One counts until its last reference is dropped. */
#define HELIX_CLIENT_MAX_SNAPSHOTS 16u

typedef enum HelixClientSnapshotState {
    HELIX_CLIENT_SNAPSHOT_PENDING, /* the host has not read the frame yet: its memory must stay as it is */
    HELIX_CLIENT_SNAPSHOT_KEPT,    /* the host has the pixels: the frame's memory may be overwritten */
    HELIX_CLIENT_SNAPSHOT_REFUSED, /* by the host: helix_client_snapshot_get_code(). Final */
    HELIX_CLIENT_SNAPSHOT_LOST,    /* the host that had it is gone, or the client failed or was closed. Final */
} HelixClientSnapshotState;

/*
 * Have the host keep the pixels of @frame (taken over, also in error), which is of a resource, a DMA-BUF, a buffer or a
 * copy. Does not wait. The frame's release function is called when its memory is no longer needed; the state is not
 * PENDING then. While no host has negotiated, also between two connections, the snapshot stays PENDING, and the next
 * host is asked for it. A snapshot that was KEPT is LOST with the connection. NULL with HELIX_CLIENT_ERROR_IMAGE: a
 * frame of pixels, or of a snapshot.
 */
HelixClientSnapshot *helix_client_snapshot_new(HelixClient *client, HelixClientFrame *frame, GError **error);
HelixClientSnapshot *helix_client_snapshot_ref(HelixClientSnapshot *snapshot);
/* The host drops it with the last reference; frames made of it hold references. Also after helix_client_unref(). */
void helix_client_snapshot_unref(HelixClientSnapshot *snapshot);

/*
 * Wait until the state is not PENDING, for @timeout_ms at most (0: do not wait; negative: no limit), and return the
 * state. PENDING: time is up, or the client is flushing or shut down. KEPT may become LOST later. No lock is held
 * meanwhile, and events need not be taken.
 */
HelixClientSnapshotState helix_client_snapshot_wait(HelixClientSnapshot *snapshot, gint timeout_ms);
/*
 * Why it is REFUSED, a HelixClientHostCode; else 0. HELIX_CLIENT_HOST_BUSY: as many as may be are kept; _INTERNAL: the
 * host's memory for frames is used up; _NOT_PERMITTED: this host keeps no snapshots. @message, if not NULL, receives
 * the text, which is valid as long as the snapshot, or NULL.
 */
gint32 helix_client_snapshot_get_code(HelixClientSnapshot *snapshot, const char **message);

/*
 * A frame of the kept pixels, for helix_client_submit(): the part of @width x @height pixels at @x, @y of the snapshot,
 * which has the size of the frame that it was taken of, after cropping. @width 0: all of it. Like every frame it is
 * scaled to the configuration's size. Never NULL. It may be submitted while the snapshot is PENDING. Its event is LOST
 * if the snapshot is LOST, and SKIPPED, or ERROR with the snapshot's code, if that was REFUSED. A part that is not
 * within the snapshot, or begins at odd numbers in NV12, is an ERROR with HELIX_CLIENT_HOST_GEOMETRY. None of these
 * fails the client.
 */
HelixClientFrame *helix_client_frame_new_snapshot(HelixClientSnapshot *snapshot, guint32 x, guint32 y, guint32 width,
                                                  guint32 height);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixClientSnapshot, helix_client_snapshot_unref)

G_END_DECLS
#endif
