# SPDX-License-Identifier: GPL-2.0-or-later
"""What the random attacker (attack.py) attacks: a QEMU driven by qtest, its devices on virtio-mmio or behind PCIe root ports,
and rings in guest memory.

Commands are sent in batches and their answers read later, so that many fit in a second.
"""

import struct

from virtio_mmio import (CONFIG, DEVICE_ID, DRIVER_FEATURES, DRIVER_FEATURES_SEL, BASE, INDIRECT, INTERRUPT_ACK, MAGIC, NEXT,
                         QUEUE_DESC, QUEUE_DEVICE, QUEUE_DRIVER, QUEUE_NOTIFY, QUEUE_NUM, QUEUE_READY, QUEUE_SEL, STATUS as MMIO_STATUS,
                         STRIDE, Machine, Memory, Qtest)
from virtio_pci import (BAR0, BRIDGE_CONTROL, CAP_MSIX, COMMAND, CONFIG_VECTOR, FEATURE, FEATURE_SELECT, QUEUE_ADDRESSES,
                        QUEUE_ENABLE, QUEUE_SELECT, QUEUE_SIZE, QUEUE_VECTOR, STATUS, PciDevice, PciMachine, Port)

BATCH = 200             # commands sent before their answers are read
ANSWER_SECONDS = 300    # a sanitized QEMU on a busy machine may take long
MEMORY_BEGIN, MEMORY_END = 0x100000, 0x3F00000
QUEUE_RESET = 58        # virtio 1.2, 4.1.4.3
INTERLOCK = 0x0800      # of a slot's control register
WITHOUT_RESULT = ("write", "outl", "clock_step")
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
        """What has no result is only posted."""
        if text.startswith(WITHOUT_RESULT):
            self.post(text)
            return []
        self.flush()
        self.commands += 1
        return super().command(text)

    def writew(self, address, value):
        self.post("writew %#x %#x" % (address, value & 0xFFFF))

    def writel(self, address, value):
        self.post("writel %#x %#x" % (address, value & 0xFFFFFFFF))


class BatchedMachine(Machine):
    qtest_class = BatchedQtest


class BatchedPciMachine(PciMachine):
    qtest_class = BatchedQtest


class EndlessMemory(Memory):
    """Guest memory, from the bottom again when all was handed out."""

    def take(self, size, align=16):
        if self.next + size + align > MEMORY_END:
            self.next = MEMORY_BEGIN
        return super().take(size, align)


# ---- transports: the registers of one virtio device ----

class Mmio:
    """virtio 1.2, 4.2.2"""

    def __init__(self, qtest, base):
        self.qtest, self.base = qtest, base

    def registers(self):
        """Addresses whose writing does something."""
        often = [MMIO_STATUS] * 4 + [QUEUE_NOTIFY] * 3
        return [self.base + register for register in often + [QUEUE_READY, QUEUE_SEL, QUEUE_NUM, INTERRUPT_ACK, DRIVER_FEATURES,
                QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE, CONFIG, CONFIG + 4]]

    def status(self, value):
        self.qtest.writel(self.base + MMIO_STATUS, value)

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


class RootPort(Port):
    """@pluggable: whether QEMU takes another device of the kind while it runs."""

    def __init__(self, machine, bus, pluggable):
        super().__init__(machine, bus)
        self.pluggable = pluggable

    def registers(self):
        return [self.slot_control] * (3 if self.pluggable else 1) + [self.at + offset for offset in (BRIDGE_CONTROL, COMMAND, 0x18, 0x20)]

    def power(self, value):
        self.qtest.writew(self.slot_control, value)
        self.qtest.writew(self.slot_control + 2, 0x1FF)     # what happened is taken note of


class Pci(PciDevice):
    """virtio 1.2, 4.1.4"""

    def __init__(self, machine, port):
        super().__init__(machine, port.bus, ())
        self.port, self.bus = port, port.bus
        offset = self.function.capabilities(CAP_MSIX)[0]
        table = self.function.get(offset + 4, 4)
        self.msix, self.table = self.function.at + offset + 2, self.bars[table & 7] + (table & ~7)

    def plumb(self):
        """A reset of the function takes its addresses away."""
        for number, address in self.bars.items():
            self.function.set(BAR0 + 4 * number, 4, address)
        self.function.set(COMMAND, 2, 6)

    def registers(self):
        return ([self.status_register] * 6 + [self.common + offset for offset in (FEATURE, CONFIG_VECTOR, QUEUE_SELECT, QUEUE_SIZE,
                QUEUE_VECTOR, QUEUE_ENABLE, *QUEUE_ADDRESSES, QUEUE_RESET)] +
                [self.doorbells + self.doorbell_step * queue for queue in range(3)] + [self.table, self.msix, self.device_control] +
                [self.function.at + offset for offset in (COMMAND, BAR0, BAR0 + 16)])

    def status(self, value):
        self.set(STATUS, 1, value & 0xFF)

    def accept(self, features):
        for half in (0, 1):
            self.set(FEATURE_SELECT, 4, half)
            self.set(FEATURE, 4, features >> 32 * half & 0xFFFFFFFF)

    def queue(self, number, size, places):
        for register, value in ((QUEUE_SELECT, number), (QUEUE_SIZE, size & 0xFFFF), (QUEUE_VECTOR, number + 1)):
            self.set(register, 2, value)
        for register, address in zip(QUEUE_ADDRESSES, places):
            self.set(register, 4, address & 0xFFFFFFFF)
            self.set(register + 4, 4, address >> 32)
        self.set(QUEUE_ENABLE, 2, 1)

    def messages(self, addresses):
        """MSI-X messages go to @addresses, which may be registers too."""
        for vector, address in enumerate(addresses):
            self.qtest.write(self.table + 16 * vector, struct.pack("<QII", address & ~3, vector, 0))
        self.qtest.writew(self.msix, 0x8000)


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
