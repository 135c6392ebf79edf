/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.c - a kept picture, and parts of it as surfaces. */
#include "../protocol/error.h"
#include "snapshot.h"

HelixSnapshot *helix_snapshot_new(guint32 number, guint64 life)
{
    HelixSnapshot *snapshot = g_rc_box_new0(HelixSnapshot);

    snapshot->number = number;
    snapshot->life = life;
    snapshot->pending = TRUE;
    return snapshot;
}

HelixSnapshot *helix_snapshot_ref(HelixSnapshot *snapshot)
{
    return g_rc_box_acquire(snapshot);
}

static void clear(gpointer data)
{
    HelixSnapshot *snapshot = data;

    helix_surface_unref(snapshot->surface);
    g_clear_error(&snapshot->error);
}

void helix_snapshot_unref(HelixSnapshot *snapshot)
{
    if (snapshot) {
        g_rc_box_release_full(snapshot, clear);
    }
}

void helix_snapshot_finish(HelixSnapshot *snapshot, HelixSurface *surface, const GError *error)
{
    snapshot->pending = FALSE;
    snapshot->surface = surface;
    if (error) {
        snapshot->error = g_error_copy(error);
    } else {
        snapshot->cpu_bytes = surface->cpu_bytes;
    }
}

/* ---- parts ---- */

static void part_destroy(HelixSurface *surface)
{
    helix_surface_unref(surface->destroy_data);
    g_free(surface);
}

/* Also NV12's edges are of whole pairs: its memory has them even where the picture's size is odd. */
static gboolean part_check(const HelixSnapshot *snapshot, const HelixPicture *picture, GError **error)
{
    const HelixSurface *whole = snapshot->surface;

    if ((guint64)picture->crop_x + picture->width > whole->width ||
        (guint64)picture->crop_y + picture->height > whole->height) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "%ux%u at %u,%u is not within snapshot %u, which is %ux%u",
                    picture->width, picture->height, picture->crop_x, picture->crop_y, snapshot->number, whole->width,
                    whole->height);
        return FALSE;
    }
    if (whole->fourcc == HELIX_FORMAT_NV12 && (picture->crop_x | picture->crop_y) & 1) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "NV12 can't be cropped at %u,%u: even numbers only",
                    picture->crop_x, picture->crop_y);
        return FALSE;
    }
    return TRUE;
}

HelixSurface *helix_snapshot_part(HelixSnapshot *snapshot, const HelixPicture *picture, GError **error)
{
    HelixSurface *whole = snapshot->surface, *part;
    gboolean nv12;

    if (!whole) {
        g_propagate_error(error, g_error_copy(snapshot->error));
        return NULL;
    }
    if (!part_check(snapshot, picture, error)) {
        return NULL;
    }
    nv12 = whole->fourcc == HELIX_FORMAT_NV12;
    part = g_new(HelixSurface, 1);
    *part = *whole;
    g_atomic_ref_count_init(&part->refs);
    part->width = picture->width;
    part->height = picture->height;
    for (guint i = 0; i < part->n_planes; i++) {
        part->offset[i] += (gsize)(picture->crop_y >> i) * part->stride[i] + (gsize)picture->crop_x * (nv12 ? 1 : 4);
    }
    part->path = HELIX_HOST_PATH_SNAPSHOT;
    part->cpu_bytes = snapshot->cpu_bytes;
    snapshot->cpu_bytes = 0;
    part->destroy = part_destroy;
    part->destroy_data = helix_surface_ref(whole);
    return part;
}
