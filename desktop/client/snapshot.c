/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot.c - a frame becomes a snapshot; snapshots.c has the rest. */
#include "client.h"

HelixClientSnapshot *helix_client_snapshot_new(HelixClient *client, HelixClientFrame *frame, GError **error)
{
    HelixClientSnapshot *snapshot;
    GQueue gone = G_QUEUE_INIT;

    if (frame->path == HELIX_CLIENT_PATH_PIXEL_DATA || frame->snapshot) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE,
                    "A snapshot is of a resource, and this frame is %s.", frame->snapshot ? "a snapshot's" : "pixels");
        helix_client_frame_unref(frame);
        return NULL;
    }
    client_stats_count(client->stats, CLIENT_COUNT_CPU_BYTES, frame->cpu_bytes);
    client_stats_count(client->stats, CLIENT_COUNT_DRAWN, frame->drawn ? 1 : 0);
    snapshot = client_snapshots_add(client->snapshots, frame, &gone);
    g_queue_clear_full(&gone, (GDestroyNotify)helix_client_frame_unref);
    return snapshot;
}
