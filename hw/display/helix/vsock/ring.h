/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.h - input of a connection that its user has not consumed yet: a byte ring that grows up to a limit and frees its
 * memory when it is empty.
 */
#ifndef HELIX_VSOCK_RING_H
#define HELIX_VSOCK_RING_H

#include <glib.h>

typedef struct HelixVsockRing {
    guint8 *data;
    gsize capacity; /* bytes at data */
    gsize start;    /* offset of the oldest byte */
    gsize used;     /* bytes held */
} HelixVsockRing;

/* Append all of @bytes, or nothing: FALSE if that would exceed @limit bytes in total, or on lack of memory. */
gboolean helix_vsock_ring_append(HelixVsockRing *ring, const guint8 *bytes, gsize len, gsize limit);
/* The oldest bytes that are contiguous; *@len is 0 and the result NULL if there are none. */
const guint8 *helix_vsock_ring_peek(const HelixVsockRing *ring, gsize *len);
/* Remove the oldest @len bytes (at most those held). */
void helix_vsock_ring_drop(HelixVsockRing *ring, gsize len);
/* Remove everything and free the memory. */
void helix_vsock_ring_clear(HelixVsockRing *ring);

#endif
