# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 unplug.py QEMU answer|reset|stop|bounce - see unplug.md.

answer, reset: with ASan, heap-use-after-free; stop: QEMU ends by SIGSEGV; bounce: by an assertion.
"""

import os
import struct
import sys
import tempfile
import time

import gpu      # noqa: F401  the path of tests/vm
from virtio_mmio import F_VERSION_1, WRITE
from virtio_pci import FUNCTION_RESET, POWER_OFF, PciDevice, PciMachine
from vm import Display, Qmp

CREATE_2D, UNREF, ATTACH_BACKING, FENCE = 0x101, 0x102, 0x106, 1
ACCESS_PLATFORM = 1 << 33


def attach_registers(device):
    """A resource whose page is a part of the port's configuration space: QEMU maps a buffer of its own for it."""
    for kind, payload in ((CREATE_2D, struct.pack("<4I", 1, 2, 16, 16)),
                          (ATTACH_BACKING, struct.pack("<2IQ2I", 1, 1, device.port.slot_control & ~0xFFF, 64, 0))):
        command = struct.pack("<IIQII", kind, 0, 0, 0, 0) + payload
        device.queues[0].add([(device.memory.put(command), len(command), 0), (device.memory.take(24), 24, WRITE)])
        device.queues[0].kick()
        device.queues[0].next_used()


def run(qemu, how, folder):
    display = Display(qemu, open(os.path.join(folder, "display"), "w")) if how == "stop" else None
    environment = dict(display.environment if display else os.environ)
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    machine = PciMachine(qemu, folder, ["virtio-gpu-gl-pci" if display else "virtio-gpu-pci" + ",iommu_platform=on" * (how == "bounce")],
                         display.arguments if display else [], environment=environment)
    try:
        device = PciDevice(machine, 1, (64, 16))
        device.start(F_VERSION_1 | ACCESS_PLATFORM * (how == "bounce"))
        memory, control = device.memory, device.queues[0]
        address, value = {"reset": (device.device_control, FUNCTION_RESET)}.get(how, (device.port.slot_control, POWER_OFF))
        if how == "stop":
            machine.qtest.command("writew %#x %#x" % (address, value))
            Qmp(machine.qmp_path).command("stop")
        elif how == "bounce":
            attach_registers(device)
            machine.qtest.command("writew %#x %#x" % (address, value))
            time.sleep(2)       # the address space is freed by RCU
        else:                   # the answer's fence id, bytes 8 to 15, is the guest's
            command = struct.pack("<IIQII", UNREF, FENCE, value, 0, 0) + bytes(8)
            control.add([(memory.put(command), len(command), 0), (memory.take(8), 8, WRITE), (address, 2, WRITE),
                         (memory.take(14), 14, WRITE)])
            control.kick()
        machine.qtest.read(0, 4)
        machine.qtest.step(1000)
        print("QEMU runs on")
    except Exception as error:      # whatever the end of QEMU looks like from here
        print("QEMU ended with status %s (%s)" % (machine.process.wait(30), type(error).__name__))
    finally:
        print(machine.said())
        machine.close()
        if display:
            display.close()


with tempfile.TemporaryDirectory() as scratch:
    run(sys.argv[1], sys.argv[2], scratch)
