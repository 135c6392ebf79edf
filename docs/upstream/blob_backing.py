# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 blob_backing.py QEMU - see blob_backing.md. With ASan: heap-use-after-free in the unmapping at reset."""

import struct
import sys

from gpu import CREATE_BLOB, DETACH_BACKING, Gpu
from virtio_mmio import STATUS

GUEST, MAPPABLE = 1, 1
SIZE = 0x10000

with Gpu(sys.argv[1], ",blob=on") as gpu:
    pages = gpu.device.memory.take(SIZE, 4096)
    entries = b"".join(struct.pack("<QII", pages + at, 0x4000, 0) for at in range(0, SIZE, 0x4000))
    gpu.command(CREATE_BLOB, struct.pack("<IIIIQQ", 7, GUEST, MAPPABLE, 4, 0, SIZE) + entries)
    gpu.command(DETACH_BACKING, struct.pack("<II", 7, 0))
    gpu.device.set(STATUS, 0)
    gpu.device.features()
