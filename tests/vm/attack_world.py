# SPDX-License-Identifier: GPL-2.0-or-later
"""What the random attacker (attack.py) attacks: a QEMU driven by qtest, its devices on virtio-mmio or behind PCIe root ports,
and rings in guest memory.

Commands are sent in batches and their answers read later, so that many fit in a second.
"""

import struct

from virtio_mmio import (CONFIG, DEVICE_ID, DRIVER_FEATURES, DRIVER_FEATURES_SEL, BASE, INDIRECT, INTERRUPT_ACK, MAGIC, NEXT,
                         QUEUE_DESC, QUEUE_DEVICE, QUEUE_DRIVER, QUEUE_NOTIFY, QUEUE_NUM, QUEUE_READY, QUEUE_SEL, STATUS, STRIDE,
                         Machine, Qtest)

BATCH = 200             # commands sent before their answers are read
ANSWER_SECONDS = 300    # a sanitized QEMU on a busy machine may take long
MEMORY_BEGIN, MEMORY_END = 0x100000, 0x3F00000
ECAM = 0xB0000000       # where the q35 machine's configuration space is put
WINDOW = 0x800000       # of memory below each root port
F_EVENT_IDX, F_RING_PACKED = 1 << 29, 1 << 34
AVAIL_BIT, USED_BIT = 1 << 7, 1 << 15       # virtio 1.2, 2.8.1: flags of a packed descriptor


class BatchedQtest(Qtest):
    def __init__(self, path):
        super().__init__(path)
        self.socket.settimeout(ANSWER_SECONDS)
        self.waiting = []
        self.commands = 0

    def post(self, text):
        """Send @text some time before the next answer is asked for."""
        self.waiting.append(text + "\n")
        self.commands += 1
        if len(self.waiting) >= BATCH:
            self.flush()

    def flush(self):
        waiting, self.waiting = self.waiting, []
        self.file.write("".join(waiting))
        self.file.flush()
        for text in waiting:
            answer = self.file.readline()
            if not answer.startswith("OK"):
                raise OSError("qtest: '%s' got '%s'" % (text[:60].strip(), answer.strip()))

    def command(self, text):
        self.flush()
        self.commands += 1
        return super().command(text)

    def write(self, address, data):
        if data:
            self.post("write %#x %#x 0x%s" % (address, len(data), bytes(data).hex()))

    def writeb(self, address, value):
        self.post("writeb %#x %#x" % (address, value & 0xFF))

    def writew(self, address, value):
        self.post("writew %#x %#x" % (address, value & 0xFFFF))

    def writel(self, address, value):
        self.post("writel %#x %#x" % (address, value & 0xFFFFFFFF))

    def readw(self, address):
        return int(self.command("readw %#x" % address)[0], 16)

    def readb(self, address):
        return int(self.command("readb %#x" % address)[0], 16)


class BatchedMachine(Machine):
    qtest_class = BatchedQtest


class Memory:
    """Guest memory, handed out from the bottom up and again from the bottom when all was."""

    def __init__(self, qtest):
        self.qtest, self.next = qtest, MEMORY_BEGIN

    def take(self, size, align=16):
        address = (self.next + align - 1) // align * align
        if address + size > MEMORY_END:
            address = MEMORY_BEGIN
        self.next = address + size
        return address

    def put(self, data):
        address = self.take(max(len(data), 1))
        self.qtest.write(address, data)
        return address


# ---- transports: the registers of one virtio device ----

class Mmio:
    """virtio 1.2, 4.2.2"""

    def __init__(self, qtest, base):
        self.qtest, self.base = qtest, base

    def registers(self):
        """Addresses whose writing does something."""
        often = [STATUS] * 4 + [QUEUE_NOTIFY] * 3
        return [self.base + register for register in often + [QUEUE_READY, QUEUE_SEL, QUEUE_NUM, INTERRUPT_ACK, DRIVER_FEATURES,
                QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE, CONFIG, CONFIG + 4]]

    def status(self, value):
        self.qtest.writel(self.base + STATUS, value)

    def accept(self, features):
        for half in (0, 1):
            self.qtest.writel(self.base + DRIVER_FEATURES_SEL, half)
            self.qtest.writel(self.base + DRIVER_FEATURES, features >> 32 * half)

    def queue(self, number, size, places):
        self.qtest.writel(self.base + QUEUE_SEL, number)
        self.qtest.writel(self.base + QUEUE_NUM, size)
        for register, address in zip((QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE), places):
            self.qtest.writel(self.base + register, address)
            self.qtest.writel(self.base + register + 4, address >> 32)
        self.qtest.writel(self.base + QUEUE_READY, 1)

    def notify(self, number):
        self.qtest.writel(self.base + QUEUE_NOTIFY, number)

    def messages(self, addresses):
        """Interrupts have no address here."""


def mmio_devices(qtest):
    """{virtio device id: Mmio} of a microvm."""
    found = {}
    for number in range(24):
        base = BASE + number * STRIDE
        if qtest.readl(base + MAGIC) == 0x74726976 and qtest.readl(base + DEVICE_ID):
            found[qtest.readl(base + DEVICE_ID)] = Mmio(qtest, base)
    return found


class RootPort:
    """The PCIe root port in @slot of bus 0. What is behind it is bus @bus, with the memory from @window."""
    POWER_OFF, POWER_ON, LOCK = 0x0700, 0x0100, 0x0800      # slot control: power controller and indicator, interlock

    def __init__(self, qtest, slot, bus, window, pluggable):
        """@pluggable: whether QEMU takes another device of the kind while it runs."""
        self.qtest, self.slot, self.bus, self.window, self.pluggable = qtest, slot, bus, window, pluggable
        self.slot_control = self.config(capability(qtest, 0, slot, 0x10)[0] + 0x18)
        self.plumb()

    def config(self, offset):
        return config(0, self.slot, offset)

    def plumb(self):
        self.qtest.writel(self.config(0x18), self.bus << 8 | self.bus << 16)
        self.qtest.writel(self.config(0x20), (self.window >> 16 & 0xFFF0) | ((self.window + WINDOW // 2 - 1) & 0xFFF00000))
        self.qtest.writew(self.config(0x3E), 0)
        self.qtest.writew(self.config(4), 6)

    def registers(self):
        return [self.slot_control] * (3 if self.pluggable else 1) + [self.config(offset) for offset in (0x3E, 4, 0x18, 0x20)]

    def power(self, value):
        self.qtest.writew(self.slot_control, value)
        self.qtest.writew(self.slot_control + 2, 0x1FF)     # what happened is taken note of


def config(bus, slot, offset=0):
    return ECAM + (bus << 20) + (slot << 15) + offset


def capability(qtest, bus, slot, wanted):
    """Where the capabilities of that number are in a function's configuration space."""
    at, found = qtest.readb(config(bus, slot, 0x34)), []
    while at and len(found) < 16:
        if qtest.readb(config(bus, slot, at)) == wanted:
            found.append(at)
        at = qtest.readb(config(bus, slot, at + 1))
    return found


class Pci:
    """virtio 1.2, 4.1.4; the function 0 of the bus behind @port."""
    COMMON, NOTIFY, ISR, DEVICE = 1, 2, 3, 4

    def __init__(self, qtest, port):
        self.qtest, self.port, self.bus = qtest, port, port.bus
        if qtest.readw(config(self.bus, 0)) != 0x1AF4:
            raise OSError("no virtio device is behind the root port in slot %d" % port.slot)
        self.bars = {}
        at, number = port.window, 0
        while number < 6:
            address = config(self.bus, 0, 0x10 + 4 * number)
            qtest.writel(address, 0xFFFFFFFF)
            value = qtest.readl(address)
            if value & ~15:
                size = (~(value & ~15) & 0xFFFFFFFF) + 1
                at = (at + size - 1) // size * size
                self.bars[number] = at
                at += size
            number += 2 if value & 4 else 1
        self.plumb()
        self.places = {}
        for capability_at in capability(qtest, self.bus, 0, 9):
            kind, bar = (qtest.readb(config(self.bus, 0, capability_at + offset)) for offset in (3, 4))
            if self.COMMON <= kind <= self.DEVICE and bar in self.bars:
                self.places.setdefault(kind, self.bars[bar] + qtest.readl(config(self.bus, 0, capability_at + 8)))
                if kind == self.NOTIFY:
                    self.multiplier = qtest.readl(config(self.bus, 0, capability_at + 16))
        self.msix = capability(qtest, self.bus, 0, 0x11)[0]
        table = qtest.readl(config(self.bus, 0, self.msix + 4))
        self.table = self.bars[table & 7] + (table & ~7)
        self.express = capability(qtest, self.bus, 0, 0x10)[0]

    def config(self, offset):
        return config(self.bus, 0, offset)

    def plumb(self):
        """A reset of the function takes its addresses away."""
        for number, address in self.bars.items():
            self.qtest.writel(config(self.bus, 0, 0x10 + 4 * number), address)
        self.qtest.writew(config(self.bus, 0, 4), 6)

    def registers(self):
        common = self.places[self.COMMON]
        return ([common + 20] * 6 + [common + offset for offset in (12, 16, 22, 24, 26, 28, 32, 48, 58)] +
                [self.places[self.NOTIFY] + self.multiplier * queue for queue in range(3)] + [self.places[self.DEVICE], self.table] +
                [config(self.bus, 0, offset) for offset in (4, 0x10, 0x20, self.express + 8, self.msix + 2)])

    def status(self, value):
        self.qtest.writeb(self.places[self.COMMON] + 20, value)

    def accept(self, features):
        common = self.places[self.COMMON]
        for half in (0, 1):
            self.qtest.writel(common + 8, half)
            self.qtest.writel(common + 12, features >> 32 * half)

    def queue(self, number, size, places):
        common = self.places[self.COMMON]
        self.qtest.writew(common + 22, number)
        self.qtest.writew(common + 24, size)
        self.qtest.writew(common + 26, number + 1)
        for offset, address in zip((32, 40, 48), places):
            self.qtest.writel(common + offset, address)
            self.qtest.writel(common + offset + 4, address >> 32)
        self.qtest.writew(common + 28, 1)

    def notify(self, number):
        self.qtest.writew(self.places[self.NOTIFY] + self.multiplier * number, number)

    def messages(self, addresses):
        """MSI-X messages go to @addresses, which may be registers too."""
        for vector, address in enumerate(addresses):
            entry = self.table + 16 * vector
            for offset, value in ((0, address & ~3), (4, address >> 32), (8, vector), (12, 0)):
                self.qtest.writel(entry + offset, value)
        self.qtest.writew(config(self.bus, 0, self.msix + 2), 0x8000)


def enable_config_space(qtest):
    """Let the q35 machine's PCIe configuration space be at ECAM."""
    qtest.post("outl 0xcf8 %#x" % (0x80000000 | 0x60))
    qtest.post("outl 0xcfc %#x" % (ECAM | 1))


# ---- rings ----

class Ring:
    """A virtqueue, split or packed (virtio 1.2, 2.7 and 2.8). Slots are used again whether or not the device is done with them."""

    def __init__(self, transport, memory, number, size, packed, places=None):
        self.transport, self.qtest, self.memory, self.number = transport, memory.qtest, memory, number
        self.size, self.packed = max(1, min(size, 1024)), packed
        self.added = self.slot = 0
        own = (memory.take(16 * self.size + 64, 4096), memory.take(6 + 2 * self.size, 64), memory.take(6 + 8 * self.size, 64))
        self.qtest.write(own[0], bytes(16 * self.size))
        self.qtest.write(own[1], bytes(6 + 2 * self.size))
        self.qtest.write(own[2], bytes(6 + 8 * self.size))
        self.places = [other or mine for other, mine in zip(places or (0, 0, 0), own)]
        transport.queue(number, size, self.places)

    def add(self, parts, kick=True, loop=False, indirect=False):
        """Make a chain of (address, length, flags) available. @loop: its end leads back to its begin."""
        if indirect and parts:
            table = b"".join(struct.pack("<QIHH", address, length & 0xFFFFFFFF, flags | (NEXT if i + 1 < len(parts) else 0), i + 1)
                             for i, (address, length, flags) in enumerate(parts))
            parts = [(self.memory.put(table), len(table), INDIRECT)]
        parts = parts[:self.size]
        if self.packed:
            self._add_packed(parts)
        else:
            self._add_split(parts, loop)
        if kick:
            self.transport.notify(self.number)

    def _add_split(self, parts, loop):
        first = self.slot % self.size
        for i, (address, length, flags) in enumerate(parts):
            more = NEXT if i + 1 < len(parts) or loop else 0
            following = first if loop and i + 1 == len(parts) else (self.slot + 1) % self.size
            self.qtest.write(self.places[0] + 16 * (self.slot % self.size),
                             struct.pack("<QIHH", address, length & 0xFFFFFFFF, flags | more, following))
            self.slot += 1
        self.qtest.write(self.places[1] + 4 + 2 * (self.added % self.size), struct.pack("<H", first))
        self.added += 1
        self.qtest.write(self.places[1] + 2, struct.pack("<H", self.added & 0xFFFF))

    def _add_packed(self, parts):
        rows = []
        for i, (address, length, flags) in enumerate(parts):
            wrapped = self.slot // self.size & 1
            flags |= (NEXT if i + 1 < len(parts) else 0) | (USED_BIT if wrapped else AVAIL_BIT)
            rows.append((self.places[0] + 16 * (self.slot % self.size),
                         struct.pack("<QIHH", address, length & 0xFFFFFFFF, self.number, flags)))
            self.slot += 1
        for place, row in reversed(rows):       # the head last: it makes the chain available
            self.qtest.write(place, row)
