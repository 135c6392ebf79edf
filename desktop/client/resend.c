/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resend.c - the same picture once more, for a host that comes later. */
#include <string.h>
#include "client.h"

/* Pixels alone are copied: they may lie in memory that the caller takes back by unmapping it. */
static gboolean keep_pixels(HelixClientFrame *again, const HelixClientFrame *frame)
{
    gsize at = 0;

    again->repacked = g_try_malloc(frame->pixel_bytes);
    if (!again->repacked) {
        return FALSE;
    }
    for (guint i = 0; i < frame->n_parts; i++) {
        memcpy(again->repacked + at, frame->part[i].data, frame->part[i].len);
        at += frame->part[i].len;
    }
    again->part[0].data = again->repacked;
    again->part[0].len = at;
    again->n_parts = 1;
    again->cpu_bytes = frame->pixel_bytes; /* into the socket */
    return TRUE;
}

HelixClientFrame *helix_client_frame_again(HelixClient *client, HelixClientFrame *frame, GDestroyNotify release,
                                           gpointer data)
{
    HelixClientFrame *again = g_new(HelixClientFrame, 1);

    *again = *frame;
    g_atomic_ref_count_init(&again->refs);
    again->repacked = NULL;
    again->release = release;
    again->release_data = data;
    again->buffer = frame->buffer ? helix_client_buffer_ref(frame->buffer) : NULL;
    again->snapshot = frame->snapshot ? helix_client_snapshot_ref(frame->snapshot) : NULL;
    again->unverified = frame->path == HELIX_CLIENT_PATH_GUEST_COPY;
    again->drawn = FALSE;
    again->again = TRUE;
    again->cpu_bytes = 0;
    client_stats_count(client->stats, CLIENT_COUNT_CPU_BYTES, frame->pixel_bytes);
    if (frame->n_parts > 0 && !keep_pixels(again, frame)) {
        g_clear_pointer(&again, helix_client_frame_unref);
    }
    return again;
}
