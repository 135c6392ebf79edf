# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 scanout.py QEMU - see scanout.md: QEMU ends by SIGABRT."""

import struct
import sys

from gpu import Gpu

SET_SCANOUT = 0x103     # virtio 1.2, 5.7.6.7
B8G8R8A8_UNORM = 1

with Gpu(sys.argv[1]) as gpu:
    gpu.create_3d(1, B8G8R8A8_UNORM, 64, 64)
    gpu.command(SET_SCANOUT, struct.pack("<4I2I", 0, 0, 0x7FFFFFFF, 0x7FFFFFFF, 0, 1))
    gpu.device.features()       # QEMU answers, if it is there
