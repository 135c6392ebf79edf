# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 queue_size.py QEMU - see queue_size.md: QEMU ends by SIGABRT."""

import struct
import sys
import tempfile
import time

import gpu      # noqa: F401  the path of tests/vm
from virtio_mmio import F_VERSION_1, WRITE
from virtio_pci import QUEUE_SELECT, QUEUE_SIZE, PciDevice, PciMachine

F_RING_PACKED = 1 << 34
AVAILABLE = 1 << 7

with tempfile.TemporaryDirectory() as folder:
    machine = PciMachine(sys.argv[1], folder, ["virtio-rng-pci,packed=on"])
    try:
        device = PciDevice(machine, 1, (8,))
        device.start(F_VERSION_1 | F_RING_PACKED)
        queue = device.queues[0]
        for slot in range(4):
            machine.qtest.write(queue.desc + 16 * slot, struct.pack("<QIHH", device.memory.take(64), 64, slot, WRITE | AVAILABLE))
        queue.kick()
        time.sleep(1)
        device.set(QUEUE_SELECT, 2, 0)
        device.set(QUEUE_SIZE, 2, 2)
        queue.kick()
        time.sleep(1)
        device.status()
        print("QEMU runs on")
    except OSError:
        print("QEMU ended with status %s" % machine.process.wait(30))
    finally:
        print(machine.said())
        machine.close()
