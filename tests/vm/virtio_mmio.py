# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver without a guest: QEMU's test accelerator runs no CPU, and this writes registers, rings and memory itself.

That makes it possible to hand a device what no guest's kernel would: any chain of descriptors, at any time.
"""

import os
import socket
import struct
import subprocess
import time

from qemu import FIRMWARE

SECONDS = 30

# virtio 1.2, 4.2.2: registers of a virtio-mmio device; microvm has its first at BASE.
BASE, STRIDE = 0xFEB00000, 512
MAGIC, DEVICE_ID = 0x000, 0x008
DEVICE_FEATURES, DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x010, 0x014, 0x020, 0x024
QUEUE_SEL, QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY = 0x030, 0x034, 0x038, 0x044, 0x050
INTERRUPT_STATUS, INTERRUPT_ACK = 0x060, 0x064
STATUS = 0x070
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x080, 0x090, 0x0A0
CONFIG = 0x100
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 0x40
F_INDIRECT_DESC, F_VERSION_1 = 1 << 28, 1 << 32

NEXT, WRITE, INDIRECT = 1, 2, 4     # flags of a descriptor


class Qtest:
    """QEMU's qtest protocol: one line a command, one line an answer."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")

    def command(self, text):
        self.file.write(text + "\n")
        self.file.flush()
        answer = self.file.readline().split()
        if not answer or answer[0] != "OK":
            raise OSError("qtest: '%s' got '%s'" % (text[:60], " ".join(answer)))
        return answer[1:]

    def write(self, address, data):
        if data:
            self.command("write %#x %#x 0x%s" % (address, len(data), bytes(data).hex()))

    def read(self, address, size):
        return bytes.fromhex(self.command("read %#x %#x" % (address, size))[0][2:])

    def writel(self, address, value):
        self.command("writel %#x %#x" % (address, value))

    def readl(self, address):
        return int(self.command("readl %#x" % address)[0], 16)

    def step(self, us):
        """Let the machine's clock, which stands still otherwise, go on."""
        self.command("clock_step %d" % (us * 1000))


class Machine:
    """A microvm (or other `machine`) driven by qtest; `arguments` of QEMU name its virtio-mmio device."""
    qtest_class = Qtest

    def __init__(self, emulator, folder, arguments, name="qemu", machine="microvm", environment=None):
        self.qmp_path = os.path.join(folder, name + ".qmp")
        qtest_path = os.path.join(folder, name + ".qtest")
        self.log = open(os.path.join(folder, name + ".log"), "w+", errors="replace")
        firmware = [word for path in FIRMWARE for word in ("-L", path)]     # never run, but QEMU wants to load it
        self.process = subprocess.Popen(
            [emulator, "-machine", machine, "-accel", "qtest", "-m", "64M", "-nodefaults", "-no-user-config",
             "-display", "none", "-global", "virtio-mmio.force-legacy=false", *firmware,
             "-qtest", "unix:%s,server=on,wait=off" % qtest_path, "-qtest-log", "none",
             "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path] + arguments,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment)
        self.qtest = self._open(qtest_path)

    def _open(self, path):
        end = time.monotonic() + SECONDS
        while True:
            try:
                return self.qtest_class(path)
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise OSError("QEMU did not start: " + self.said()) from None
                time.sleep(0.02)

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read().strip()

    def cpu_seconds(self):
        """Processor time QEMU used so far."""
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Memory:
    """Guest memory, handed out from the bottom up."""

    def __init__(self, qtest, begin=0x100000):
        self.qtest, self.next = qtest, begin

    def take(self, size, align=16):
        address = (self.next + align - 1) // align * align
        self.next = address + size
        return address

    def put(self, data):
        address = self.take(max(len(data), 1))
        self.qtest.write(address, data)
        return address


class Queue:
    """One split virtqueue (virtio 1.2, 2.7)."""

    def __init__(self, device, number, size):
        self.device, self.number, self.size = device, number, size
        memory = device.memory
        self.desc = memory.take(16 * size, 16)
        self.avail = memory.take(6 + 2 * size, 2)
        self.used = memory.take(6 + 8 * size, 4)
        self.reset()

    def reset(self):
        qtest = self.device.qtest
        qtest.write(self.avail, bytes(6 + 2 * self.size))
        qtest.write(self.used, bytes(6 + 8 * self.size))
        self.free = list(range(self.size))
        self.chains = {}
        self.added = self.seen = 0

    def enable(self):
        device = self.device
        device.set(QUEUE_SEL, self.number)
        assert device.get(QUEUE_NUM_MAX) >= self.size
        device.set(QUEUE_NUM, self.size)
        for register, address in ((QUEUE_DESC, self.desc), (QUEUE_DRIVER, self.avail), (QUEUE_DEVICE, self.used)):
            device.set(register, address)
            device.set(register + 4, 0)
        device.set(QUEUE_READY, 1)

    def add(self, parts, loop=False):
        """Make a chain of (address, length, flags) available; returns its head. @loop: its end leads back there."""
        slots = [self.free.pop(0) for _ in parts]
        for i, (address, length, flags) in enumerate(parts):
            following = slots[(i + 1) % len(slots)]
            more = NEXT if i + 1 < len(parts) or loop else 0
            descriptor = struct.pack("<QIHH", address, length, flags | more, following)
            self.device.qtest.write(self.desc + 16 * slots[i], descriptor)
        self.chains[slots[0]] = slots
        self.device.qtest.write(self.avail + 4 + 2 * (self.added % self.size), struct.pack("<H", slots[0]))
        self.added += 1
        self.device.qtest.write(self.avail + 2, struct.pack("<H", self.added & 0xFFFF))
        return slots[0]

    def kick(self):
        self.device.set(QUEUE_NOTIFY, self.number)

    def used_index(self):
        return struct.unpack("<H", self.device.qtest.read(self.used + 2, 2))[0]

    def next_used(self, seconds=SECONDS):
        """(head, length) of the next chain the device gave back; None if there is none within @seconds."""
        end = time.monotonic() + seconds
        while self.used_index() == self.seen & 0xFFFF:
            if time.monotonic() > end:
                return None
            time.sleep(0.002)
        head, length = struct.unpack("<II", self.device.qtest.read(self.used + 4 + 8 * (self.seen % self.size), 8))
        self.seen += 1
        self.free += self.chains.pop(head)
        return head, length


class Device:
    """The one virtio device of a Machine, or the one with this device id."""

    def __init__(self, machine, queue_sizes, device_id=None):
        self.qtest = machine.qtest
        self.memory = Memory(self.qtest)
        self.base = None
        for number in range(64):
            base = BASE + number * STRIDE
            if self.qtest.readl(base + MAGIC) != 0x74726976:
                break
            found = self.qtest.readl(base + DEVICE_ID)
            if found and device_id in (None, found):
                self.base = base
        if self.base is None:
            raise OSError("no virtio-mmio device is there")
        self.queues = [Queue(self, number, size) for number, size in enumerate(queue_sizes)]

    def set(self, register, value):
        self.qtest.writel(self.base + register, value)

    def get(self, register):
        return self.qtest.readl(self.base + register)

    def interrupted(self):
        """Whether a queue's interrupt came since this was asked last."""
        pending = self.get(INTERRUPT_STATUS)
        self.set(INTERRUPT_ACK, pending)
        return bool(pending & 1)

    def features(self):
        value = 0
        for half in (0, 1):
            self.set(DEVICE_FEATURES_SEL, half)
            value |= self.get(DEVICE_FEATURES) << (32 * half)
        return value

    def start(self, features=F_VERSION_1):
        """Reset, agree on features, enable the queues, DRIVER_OK."""
        self.set(STATUS, 0)
        self.set(STATUS, ACKNOWLEDGE | DRIVER)
        for half in (0, 1):
            self.set(DRIVER_FEATURES_SEL, half)
            self.set(DRIVER_FEATURES, features >> (32 * half) & 0xFFFFFFFF)
        self.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert self.get(STATUS) & FEATURES_OK
        for queue in self.queues:
            queue.reset()
            queue.enable()
        self.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def wait_broken(self, seconds=SECONDS):
        end = time.monotonic() + seconds
        while not self.get(STATUS) & NEEDS_RESET:
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True
