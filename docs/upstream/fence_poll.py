# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 fence_poll.py QEMU - see fence_poll.md. With ASan: heap-use-after-free in virtio_gpu_ctrl_response() or
virgl_write_fence(); without, QEMU ends by a signal or resets the GPU."""

import struct
import sys
import time

from gpu import ATTACH_RESOURCE, CTX_CREATE, SUBMIT_3D, Gpu
from virtio_mmio import STATUS, WRITE

# What a scaled copy of one texture to another is for virglrenderer: work that keeps the GPU busy.
BLIT = struct.pack("<22I", 16 | 21 << 16, 0xF | 1 << 8, 0, 0, 3, 0, 2, 0, 0, 0, 2048, 2048, 1, 2, 0, 2, 0, 0, 0, 1999, 1999, 1)

with Gpu(sys.argv[1]) as gpu:
    for blits in (50, 200, 800, 3200):
        gpu.device.start()
        for number in (2, 3):
            gpu.create_3d(number, 2, 2048, 2048)
        gpu.command(CTX_CREATE, struct.pack("<II64s", 4, 0, b"test"), context=1)
        for number in (2, 3):
            gpu.command(ATTACH_RESOURCE, struct.pack("<II", number, 0), context=1)
        gpu.command(SUBMIT_3D, struct.pack("<II", len(BLIT) * blits, 0) + BLIT * blits, context=1, kick=False)
        for _ in range(8):      # bytes 20 to 23 of the answer, which are 0, go to STATUS: a reset
            gpu.command(SUBMIT_3D, struct.pack("<III", 4, 0, 0), fence=1, context=1, kick=False,
                        answer=[(gpu.device.memory.take(20), 20, WRITE), (gpu.device.base + STATUS, 4, WRITE)])
        gpu.control.kick()
        while gpu.device.get(STATUS) and gpu.control.used_index() < gpu.control.added:
            time.sleep(0.01)
            gpu.machine.qtest.step(11000)       # QEMU's timer has 10 ms
        if gpu.device.get(STATUS) == 0:
            print("the GPU was reset by the answer to its own command")
            break
        print("%d copies: the GPU was too quick" % blits)
