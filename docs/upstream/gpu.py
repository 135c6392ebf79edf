# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reproducers share: a virtio-gpu-gl on microvm, driven by qtest without a guest (tests/vm/virtio_mmio.py)."""

import os
import struct
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path[:0] = [os.path.join(ROOT, "tests", "vm"), os.path.join(ROOT, "tools")]

from virtio_mmio import WRITE, Device, Machine      # noqa: E402
from vm import Display                              # noqa: E402

# virtio 1.2, 5.7.6.7
UPDATE_CURSOR = 0x300
CTX_CREATE, ATTACH_RESOURCE, CREATE_3D, SUBMIT_3D = 0x200, 0x202, 0x204, 0x207
DETACH_BACKING, CREATE_BLOB = 0x107, 0x10C
FENCE = 1


class Gpu:
    """With Gpu(qemu) as gpu: a plain virtio-gpu-gl-device, its two queues, and how QEMU ended."""

    def __init__(self, qemu, options=""):
        self.qemu, self.options = qemu, options

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.display = Display(self.qemu, open(os.path.join(self.folder.name, "display"), "w"))
        environment = dict(self.display.environment)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        self.machine = Machine(self.qemu, self.folder.name, ["-device", "virtio-gpu-gl-device" + self.options,
                                                             *self.display.arguments], environment=environment)
        self.device = Device(self.machine, (64, 16))
        self.device.start()
        self.control, self.cursor = self.device.queues
        return self

    def __exit__(self, kind, error, traceback):
        status = self.machine.process.poll()
        if isinstance(error, OSError) and status is None:
            status = self.machine.process.wait(30)
        print(self.machine.said())
        print("QEMU runs on" if status is None else "QEMU ended with status %d" % status)
        self.machine.close()
        self.display.close()
        self.folder.cleanup()
        return isinstance(error, OSError)

    def command(self, kind, payload=b"", fence=None, context=0, answer=None, queue=None, kick=True):
        """Queue a command, and wait for its answer if it is kicked."""
        header = struct.pack("<IIQIB3x", kind, 0 if fence is None else FENCE, fence or 0, context, 0)
        memory, queue = self.device.memory, queue or self.control
        queue.add([(memory.put(header + payload), len(header + payload), 0)] + (answer or [(memory.take(64), 64, WRITE)]))
        if kick:
            queue.kick()
            queue.next_used()

    def create_3d(self, number, virgl_format, width, height):
        self.command(CREATE_3D, struct.pack("<11I4x", number, 2, virgl_format, 0xA, width, height, 1, 1, 0, 0, 0))
