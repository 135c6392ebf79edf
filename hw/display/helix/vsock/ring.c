/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.c - see ring.h. */
#include "ring.h"

#include <string.h>

#define RING_SMALLEST 4096u

static gboolean ring_grow(HelixVsockRing *ring, gsize needed, gsize limit)
{
    gsize capacity = MAX(ring->capacity, RING_SMALLEST);
    guint8 *data;
    gsize first;

    while (capacity < needed) {
        capacity *= 2;
    }
    capacity = MIN(capacity, limit);
    data = g_try_malloc(capacity);
    if (!data) {
        return FALSE;
    }
    first = MIN(ring->used, ring->capacity - ring->start);
    if (ring->used) {
        memcpy(data, ring->data + ring->start, first);
        memcpy(data + first, ring->data, ring->used - first);
    }
    g_free(ring->data);
    ring->data = data;
    ring->capacity = capacity;
    ring->start = 0;
    return TRUE;
}

gboolean helix_vsock_ring_append(HelixVsockRing *ring, const guint8 *bytes, gsize len, gsize limit)
{
    gsize end, first;

    if (ring->used > limit || len > limit - ring->used) {
        return FALSE;
    }
    if (!len) {
        return TRUE;
    }
    if (ring->used + len > ring->capacity && !ring_grow(ring, ring->used + len, limit)) {
        return FALSE;
    }
    end = (ring->start + ring->used) % ring->capacity;
    first = MIN(len, ring->capacity - end);
    memcpy(ring->data + end, bytes, first);
    memcpy(ring->data, bytes + first, len - first);
    ring->used += len;
    return TRUE;
}

const guint8 *helix_vsock_ring_peek(const HelixVsockRing *ring, gsize *len)
{
    *len = MIN(ring->used, ring->capacity - ring->start);
    return *len ? ring->data + ring->start : NULL;
}

void helix_vsock_ring_drop(HelixVsockRing *ring, gsize len)
{
    g_assert(len <= ring->used);
    ring->used -= len;
    if (!ring->used) {
        helix_vsock_ring_clear(ring);
        return;
    }
    ring->start = (ring->start + len) % ring->capacity;
}

void helix_vsock_ring_clear(HelixVsockRing *ring)
{
    g_free(ring->data);
    memset(ring, 0, sizeof *ring);
}
