# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 unplug.py QEMU answer|reset|stop - see unplug.md. answer, reset: with ASan, heap-use-after-free; stop: QEMU ends by SIGSEGV."""

import os
import struct
import sys
import tempfile

import gpu      # noqa: F401  the path of tests/vm
from virtio_mmio import WRITE
from virtio_pci import FUNCTION_RESET, POWER_OFF, PciDevice, PciMachine
from vm import Display, Qmp

UNREF, FENCE = 0x102, 1


def run(qemu, how, folder):
    display = Display(qemu, open(os.path.join(folder, "display"), "w")) if how == "stop" else None
    environment = dict(display.environment if display else os.environ)
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    machine = PciMachine(qemu, folder, ["virtio-gpu-gl-pci" if display else "virtio-gpu-pci"],
                         display.arguments if display else [], environment=environment)
    try:
        device = PciDevice(machine, 1, (64, 16))
        device.start()
        memory, control = device.memory, device.queues[0]
        address, value = {"reset": (device.device_control, FUNCTION_RESET)}.get(how, (device.port.slot_control, POWER_OFF))
        if how == "stop":
            machine.qtest.command("writew %#x %#x" % (address, value))
            Qmp(machine.qmp_path).command("stop")
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
