/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign.h - DMA-BUFs that are not the virtio-gpu's: of the kernel's udmabuf device, and of its virtual GPU vgem.
 */
#ifndef HELIX_TEST_FOREIGN_H
#define HELIX_TEST_FOREIGN_H

#include <stdint.h>

typedef enum ForeignKind {
    FOREIGN_UDMABUF,
    FOREIGN_VGEM,
} ForeignKind;

/* An fd of at least @size bytes that the CPU may mmap, or -1 after printing why. */
int foreign_new(ForeignKind kind, uint32_t size);
/* The same of vgem, which somebody draws into until @device is closed, ten seconds at most. */
int foreign_unfinished(uint32_t size, int *device);

#endif
