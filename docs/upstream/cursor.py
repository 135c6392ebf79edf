# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 cursor.py QEMU - see cursor.md. With ASan: heap-buffer-overflow, a read of 16384 bytes from 4096."""

import struct
import sys

from gpu import UPDATE_CURSOR, Gpu

R8_UNORM = 64           # one byte a pixel

with Gpu(sys.argv[1]) as gpu:
    gpu.create_3d(1, R8_UNORM, 64, 64)
    gpu.command(UPDATE_CURSOR, struct.pack("<4I4I", 0, 0, 0, 0, 1, 0, 0, 0), queue=gpu.cursor)
    gpu.device.features()       # QEMU answers, if it is there
