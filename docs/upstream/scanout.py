# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 scanout.py QEMU - see scanout.md: QEMU ends by SIGABRT."""

import struct
import sys

from gpu import CREATE_3D, Gpu

SET_SCANOUT = 0x103     # virtio 1.2, 5.7.6.7
BUFFER, RENDER_TARGET_AND_SAMPLER_VIEW = 0, 0xA
Z16_UNORM = 16
WIDTH, HEIGHT = 64, 0xFFFFFFFF

with Gpu(sys.argv[1]) as gpu:
    gpu.command(CREATE_3D, struct.pack("<11I4x", 1, BUFFER, Z16_UNORM, RENDER_TARGET_AND_SAMPLER_VIEW, WIDTH, HEIGHT, 1, 1, 0, 0, 0))
    gpu.command(SET_SCANOUT, struct.pack("<4I2I", 0, 0, WIDTH, HEIGHT, 0, 1))
    gpu.device.features()       # QEMU answers, if it is there
