/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.h - VA buffers: parameters of pictures, access units, and the memory of images. */
#ifndef HELIX_VA_BUFFER_H
#define HELIX_VA_BUFFER_H

#include "surface.h"

typedef struct HvaBuffer {
    HvaObject object;
    VABufferType type;
    guint size, n; /* of an element; elements */
    GMutex lock;   /* all below */
    guint8 *data;  /* NULL: of VAEncCodedBufferType, and of an image that was derived */
    /* VAEncCodedBufferType: */
    HvaJob *job;                  /* the encode that fills it */
    GBytes *unit;                 /* what it mapped last */
    VACodedBufferSegment segment; /* says where that is */
    /* VAImageBufferType: */
    HvaSurface *surface; /* derived: its pixels are the buffer's; NULL: not derived */
    HvaPixels *mapped;   /* as long as it is mapped */
} HvaBuffer;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaBuffer, hva_unref)

/* NULL: no memory. @size, @n: their product fits 32 bits. */
HvaBuffer *hva_buffer_new(VABufferType type, guint size, guint n);
/* The buffer of an image that is @surface's own pixels. */
HvaBuffer *hva_buffer_new_derived(HvaSurface *surface, guint size);
/* @job's access unit is what the coded buffer holds from here on. */
void hva_buffer_set_job(HvaBuffer *buffer, HvaJob *job);
/* The data of a parameter buffer, if it holds at least @size bytes; else NULL. */
const void *hva_buffer_parameters(const HvaBuffer *buffer, gsize size);

#endif
