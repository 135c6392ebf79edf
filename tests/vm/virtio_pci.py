# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio over PCI Express without a guest: like virtio_mmio.py, with root ports above the devices and MSI-X in them.

A device's registers, its own configuration space and that of the port above it are all at addresses that a descriptor, a ring
or an MSI-X message can name.
"""

import struct

from virtio_mmio import ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, F_VERSION_1, Machine, Memory, Queue

ECAM = 0xB0000000           # q35's, where firmware would put it
WINDOW, WINDOW_SIZE = 0xC0000000, 0x800000      # memory behind a root port; one each
RUNNING = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK

# PCI Local Bus 3.0 and PCI Express Base 3.0: configuration space.
COMMAND, BAR0, CAPABILITIES, BRIDGE_CONTROL = 0x04, 0x10, 0x34, 0x3E
CAP_EXPRESS, CAP_MSIX, CAP_VENDOR = 0x10, 0x11, 0x09
DEVICE_CONTROL, SLOT_CONTROL = 8, 0x18          # in the Express capability
POWER_OFF, POWER_ON = 0x0700, 0x0100            # of SLOT_CONTROL: power and its indicator
BUS_RESET = 0x40                                # of BRIDGE_CONTROL
FUNCTION_RESET = 0x8000                         # of DEVICE_CONTROL

# Intel ICH9: of the LPC bridge's configuration space.
PM_BASE, ACPI_CONTROL = 0x40, 0x44

# virtio 1.2, 4.1.4.3: the common configuration structure.
FEATURE_SELECT, FEATURE, CONFIG_VECTOR, STATUS = 8, 12, 16, 20
QUEUE_SELECT, QUEUE_SIZE, QUEUE_VECTOR, QUEUE_ENABLE = 22, 24, 26, 28
QUEUE_ADDRESSES = (32, 40, 48)
NO_VECTOR = 0xFFFF


class PciMachine(Machine):
    """A q35 with each device behind a root port of its own."""

    def __init__(self, emulator, folder, devices, arguments=(), name="qemu", environment=None):
        """@devices: -device texts; each gets a port of its own, and bus 1, 2, ..."""
        words = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
        for bus, device in enumerate(devices, 1):
            words += ["-device", "pcie-root-port,id=port%d,chassis=%d,slot=%d,addr=%d" % (bus, bus, bus, bus + 1),
                      "-device", "%s,bus=port%d" % (device, bus)]
        super().__init__(emulator, folder, words + list(arguments), name, "q35", environment)
        self.memory = Memory(self.qtest)
        self.open_configuration()

    def open_configuration(self):
        """After a start, and a reset of the machine: configuration space is at ECAM."""
        self.qtest.command("outl 0xcf8 0x80000060")
        self.qtest.command("outl 0xcfc %#x" % (ECAM | 1))

    def power_off(self):
        """As a guest does it by ACPI: soft off in the ICH9's PM1 control."""
        bridge = Function(self, 0, 0x1F)
        bridge.set(PM_BASE, 4, 0x600 | 1)
        bridge.set(ACPI_CONTROL, 1, 0x80)
        self.qtest.command("outw 0x604 0x2000")


class Function:
    """A function's configuration space."""

    def __init__(self, machine, bus, slot):
        self.qtest, self.at = machine.qtest, ECAM + (bus << 20) + (slot << 15)

    def get(self, offset, size):
        return int.from_bytes(self.qtest.read(self.at + offset, size), "little")

    def set(self, offset, size, value):
        self.qtest.command("write%s %#x %#x" % ({1: "b", 2: "w", 4: "l"}[size], self.at + offset, value))

    def there(self):
        return self.get(0, 2) != 0xFFFF

    def capabilities(self, wanted):
        found, offset = [], self.get(CAPABILITIES, 1)
        while offset:
            if self.get(offset, 1) == wanted:
                found.append(offset)
            offset = self.get(offset + 1, 1)
        return found


class Port(Function):
    """The root port of bus @bus."""

    def __init__(self, machine, bus):
        super().__init__(machine, 0, bus + 1)
        self.bus, self.window = bus, WINDOW + (bus - 1) * WINDOW_SIZE
        self.route()
        self.slot_control = self.at + self.capabilities(CAP_EXPRESS)[0] + SLOT_CONTROL
        self.bridge_control = self.at + BRIDGE_CONTROL

    def route(self):
        """Lead to the bus, and to its window of memory."""
        self.set(0x18, 4, self.bus << 8 | self.bus << 16)
        self.set(0x20, 4, (self.window >> 16 & 0xFFF0) | ((self.window + WINDOW_SIZE - 1) & 0xFFF00000))
        self.set(BRIDGE_CONTROL, 2, 0)
        self.set(COMMAND, 2, 6)


class PciQueue(Queue):
    vector, own_used = NO_VECTOR, None

    def put_used(self, address):
        """The used ring lies there from the next start on; None: in memory again."""
        self.own_used = self.own_used or self.used
        self.used = address or self.own_used

    def reset(self):
        used, self.used = self.used, self.own_used or self.used
        super().reset()
        self.used = used

    def enable(self):
        device = self.device
        device.set(QUEUE_SELECT, 2, self.number)
        device.set(QUEUE_SIZE, 2, self.size)
        device.set(QUEUE_VECTOR, 2, self.vector)
        for register, address in zip(QUEUE_ADDRESSES, (self.desc, self.avail, self.used)):
            device.set(register, 4, address)
            device.set(register + 4, 4, 0)
        device.set(QUEUE_ENABLE, 2, 1)

    def kick(self):
        self.device.notify(self.number)


class PciDevice:
    """The virtio device on bus @bus: its queues, and where its registers are."""

    def __init__(self, machine, bus, queue_sizes):
        self.machine, self.qtest, self.memory = machine, machine.qtest, machine.memory
        self.port = Port(machine, bus)
        self.function = Function(machine, bus, 0)
        assert self.function.get(0, 2) == 0x1AF4, "no virtio device is on bus %d" % bus
        self.bars = self._place_bars()
        self.function.set(COMMAND, 2, 6)
        self._find_structures()
        self.device_control = self.function.at + self.function.capabilities(CAP_EXPRESS)[0] + DEVICE_CONTROL
        self.status_register = self.common + STATUS
        self.queues = [PciQueue(self, number, size) for number, size in enumerate(queue_sizes)]

    def _place_bars(self):
        function, bars, number, free = self.function, {}, 0, self.port.window
        while number < 6:
            register = BAR0 + 4 * number
            function.set(register, 4, 0xFFFFFFFF)
            value = function.get(register, 4)
            wide = bool(value & 4)
            if value & ~15:
                size = (~(value & ~15) & 0xFFFFFFFF) + 1
                free = (free + size - 1) // size * size
                function.set(register, 4, free)
                if wide:
                    function.set(register + 4, 4, 0)
                bars[number] = free
                free += size
            number += 1 + wide
        return bars

    def _find_structures(self):
        function = self.function
        for offset in function.capabilities(CAP_VENDOR):
            kind, bar = function.get(offset + 3, 1), function.get(offset + 4, 1)
            if kind == 1:
                self.common = self.bars[bar] + function.get(offset + 8, 4)
            elif kind == 2:
                self.doorbells = self.bars[bar] + function.get(offset + 8, 4)
                self.doorbell_step = function.get(offset + 16, 4)

    def set(self, register, size, value):
        self.qtest.command("write%s %#x %#x" % ({1: "b", 2: "w", 4: "l"}[size], self.common + register, value))

    def get(self, register, size):
        return int.from_bytes(self.qtest.read(self.common + register, size), "little")

    def status(self):
        return self.get(STATUS, 1)

    def notify(self, number):
        self.qtest.command("writew %#x %#x" % (self.doorbells + self.doorbell_step * number, number))

    def start(self, features=F_VERSION_1, config_vector=NO_VECTOR):
        """Reset, agree on features, enable the queues, DRIVER_OK."""
        self.set(STATUS, 1, 0)
        self.set(STATUS, 1, ACKNOWLEDGE | DRIVER)
        for half in (0, 1):
            self.set(FEATURE_SELECT, 4, half)
            self.set(FEATURE, 4, features >> (32 * half) & 0xFFFFFFFF)
        self.set(STATUS, 1, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        assert self.status() & FEATURES_OK
        self.set(CONFIG_VECTOR, 2, config_vector)
        for queue in self.queues:
            queue.reset()
            queue.enable()
        self.set(STATUS, 1, RUNNING)

    def message(self, vector, address, data):
        """MSI-X on; the message of @vector writes the 32 bits of @data to @address."""
        offset = self.function.capabilities(CAP_MSIX)[0]
        where = self.function.get(offset + 4, 4)
        entry = self.bars[where & 7] + (where & ~7) + 16 * vector
        self.qtest.write(entry, struct.pack("<QII", address, data, 0))
        self.function.set(offset + 2, 2, 0x8000)

    def no_messages(self):
        self.function.set(self.function.capabilities(CAP_MSIX)[0] + 2, 2, 0)
