/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-gpu.h - stands in for QEMU's header of this name: the names that resource.h mentions. */
#ifndef HW_VIRTIO_GPU_H
#define HW_VIRTIO_GPU_H

#include <pixman.h>

typedef struct VirtIOGPU VirtIOGPU;

#endif
