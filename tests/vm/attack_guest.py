# SPDX-License-Identifier: GPL-2.0-or-later
"""The random attacker: a guest, and programs of the host's user, that do what they like with virtio-gpu and helix-vsock.

Whatever a guest names, an address of memory may be one of a device's register instead, of either device or of the root port
above it: answers, used rings, packets and interrupt messages then reset, reconfigure or unplug a device from inside of its own work.
"""

import os
import socket
import struct

from attack_world import F_EVENT_IDX, F_RING_PACKED, Ring
from virtio_mmio import F_INDIRECT_DESC, F_VERSION_1, WRITE
from virtio_pci import BUS_RESET, COMMAND, FUNCTION_RESET, POWER_OFF

GUEST, HOST = 7, 2                      # CIDs
FRAME_PORT, PROGRAM_PORT = 5000, 5001   # of the module, and of a program of the host
MAGIC = 0x52465848
FORMATS = [1, 2, 3, 4, 67, 68, 121, 134, 98, 100, 104, 230, 0, 5, 64, 10, 16, 110]
FOURCCS = [int.from_bytes(name, "little") for name in (b"XR24", b"AR24", b"XB24", b"NV12", b"YV12")]
STRANGE = [0, 1, 0xFFFFFFFFFFFFF000, 1 << 40, 0x3FFFFF0, 0x4000000 - 8, 0xA0000, 0xFEC00000, 0xFEE00000, 0xFED00000, 0xF0000]
SIDES = [1, 2, 16, 63, 64, 65, 200, 640, 1024]
STRANGE_SIDES = [0, 4096, 8192, 8193, 16384, 0x7FFFFFFF, 0xFFFFFFFF]
IDS = list(range(1, 9))

# virtio 1.2, 5.7.6.7
(CREATE_2D, UNREF, SET_SCANOUT, FLUSH, TRANSFER_TO_HOST_2D, ATTACH_BACKING, DETACH_BACKING) = range(0x101, 0x108)
GET_CAPSET_INFO, GET_EDID, CREATE_BLOB, SET_SCANOUT_BLOB = 0x108, 0x10A, 0x10C, 0x10D
(CTX_CREATE, CTX_DESTROY, CTX_ATTACH, CTX_DETACH, CREATE_3D, TRANSFER_TO_HOST_3D, TRANSFER_FROM_HOST_3D, SUBMIT_3D,
 MAP_BLOB, UNMAP_BLOB) = range(0x200, 0x20A)
UPDATE_CURSOR, MOVE_CURSOR = 0x300, 0x301
FENCE = 1

# virtio 1.2, 5.10.6
REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST = range(1, 8)


def message(kind, payload=b"", session=0, flags=0):
    return struct.pack("<IBBHI", MAGIC, kind, flags, session, len(payload)) + payload


class Guest:
    def __init__(self, rng, world):
        """@world: what attack.py started (its machine, devices and paths)."""
        self.rng, self.world, self.qtest = rng, world, world.machine.qtest
        self.memory = world.machine.memory
        self.rings, self.features = {}, {}
        self.clients = []
        self.sizes = {}             # of resources
        self.counts = {}
        self.running = True
        self.actions = [(30, self.gpu_command), (26, self.packet), (10, self.receive_buffers), (12, self.client), (4, self.program),
                        (5, self.made_again), (3, self.poke), (1.5, self.reset_device), (0.5, self.break_ring), (1, self.stop_or_go),
                        (0.3, self.system_reset), (1, self.advance_clock), (2, self.cursor)]
        if world.ports:
            self.actions += [(0.6, self.unplug), (1, self.function_level)]
        self.weights = [weight for weight, _ in self.actions]

    def count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1

    def chance(self, share):
        return self.rng.random() < share

    def step(self):
        action = self.rng.choices(self.actions, self.weights)[0][1]
        self.count(action.__name__)
        action()

    # ---- addresses ----

    def register(self):
        """The address of a register of some device, of this guest's choice or of any."""
        places = [address for device in self.world.devices.values() for address in device.registers()]
        places += [address for port in self.world.ports for address in port.registers()]
        return self.rng.choice(places)

    def place(self, size):
        """Where a device is told to read or write @size bytes: memory in most cases."""
        chance = self.rng.random()
        if chance < 0.87:
            return self.memory.take(size)
        return self.register() if chance < 0.97 else self.rng.choice(STRANGE)

    def pieces(self, size, flags):
        """@size bytes as one or more parts of a chain."""
        parts = []
        while size > 0 and len(parts) < 7:
            length = size if self.chance(0.6) else self.rng.randrange(1, size + 1)
            parts.append((self.place(length), length, flags))
            size -= length
        return parts

    def data(self, payload):
        """A part of a chain that the device reads; now and then it is cut."""
        if len(payload) > 1 and self.chance(0.2):
            cut = self.rng.randrange(1, len(payload))
            return [(self.memory.put(part), len(part), 0) for part in (payload[:cut], payload[cut:])]
        return [(self.memory.put(payload), len(payload) if self.chance(0.98) else self.rng.choice([0, 1, 0xFFFFFFFF]), 0)]

    def side(self):
        return self.rng.choice(SIDES if self.chance(0.93) else STRANGE_SIDES)

    def resource(self):
        return self.rng.choice(IDS) if self.chance(0.97) else self.rng.choice([0, 9, 0xFFFFFFFF])

    # ---- devices ----

    def start(self, name, sane=False):
        """Reset the device and make its rings, of which some lie on registers."""
        device, rng = self.world.devices[name], self.rng
        device.status(0)
        device.status(3)
        features = F_VERSION_1
        for bit, share in ((F_EVENT_IDX, 0.5), (F_INDIRECT_DESC, 0.6), (F_RING_PACKED, 0.7 if self.world.packed else 0)):
            features |= bit if self.chance(share) else 0
        if name == "gpu" and self.chance(0.9):
            features |= 0x1F
        device.accept(features)
        device.status(11)
        if self.chance(0.5):
            device.messages([self.register() if self.chance(0.3) and not sane else 0x80000 + 4 * k for k in range(4)])
        self.features[name] = features
        self.rings[name] = []
        for number, most in enumerate((256, 16) if name == "gpu" else (512, 256, 16)):
            size = min(most, rng.choice([2, 4, 16, 64, 256]))
            places = [0, 0, 0]
            if not sane and self.chance(0.05):
                places[rng.randrange(3)] = (self.register() - 4 - 8 * rng.randrange(2)) & ~3
            self.rings[name].append(Ring(device, self.memory, number, size, bool(features & F_RING_PACKED), places))
        device.status(15 if sane or self.chance(0.95) else rng.choice([11, 3, 0x4F, 0x8F, 255]))
        if name == "gpu":
            self.sizes.clear()

    def add(self, name, number, parts, kick=True):
        indirect = bool(self.features.get(name, 0) & F_INDIRECT_DESC) and self.chance(0.4)
        self.rings[name][number].add(parts, kick, loop=self.chance(0.002), indirect=indirect)

    def reset_device(self):
        self.start(self.rng.choice(["gpu", "vsock"]))

    def break_ring(self):
        """One queue is set up anew while the device runs."""
        name = self.rng.choice(["gpu", "vsock"])
        number = self.rng.randrange(len(self.rings[name]))
        old = self.rings[name][number]
        self.rings[name][number] = Ring(old.transport, self.memory, number, self.rng.choice([1, 2, 3, 16, 1024, 1025]), old.packed)

    def poke(self):
        self.qtest.writel(self.register() & ~3, self.rng.choice([0, 1, 2, 3, 15, 16, 0x40, self.rng.getrandbits(32)]))

    def stop_or_go(self):
        self.world.qmp("cont" if not self.running else "stop")
        self.running = not self.running

    def system_reset(self):
        self.world.qmp("system_reset")
        self.world.plumb()
        for name in ("gpu", "vsock"):
            self.start(name)

    def advance_clock(self):
        if self.running:
            self.qtest.post("clock_step %d" % self.rng.choice([1000, 1000000, 20000000, 200000000]))

    # ---- the GPU ----

    def control(self, kind, payload=b"", fenced=None, context=0, queue=0):
        flags = FENCE if (self.chance(0.1) if fenced is None else fenced) else 0
        header = struct.pack("<IIQIB3x", kind, flags, self.rng.randrange(64), context, 0)
        parts = self.data(header + payload) + self.pieces(self.rng.choice([24, 24, 24, 408, 1056, 8]), WRITE)
        self.add("gpu", queue, parts, self.chance(0.8))

    def create(self, identity):
        width, height, blob = self.side(), self.side(), False
        chance = self.rng.random()
        if self.world.blobs and chance < 0.3:
            size = self.rng.choice([4096, 65536, 1 << 20, 0, 1 << 40])
            entries = self.entries(min(size, 1 << 20))
            self.control(CREATE_BLOB, struct.pack("<4I2Q", identity, self.rng.choice([1, 1, 1, 2, 3]), self.rng.choice([0, 1, 7]),
                                                  len(entries) // 16, 0, size) + entries)
            width, height = 64, 64
        elif self.world.gl and chance < 0.7:
            self.control(CREATE_3D, struct.pack("<11I4x", identity, self.rng.choice([2, 2, 2, 0, 1, 3, 5]), self.rng.choice(FORMATS),
                                                self.rng.choice([2, 0xA, 0x4000A, 0]), width, height, 1, self.rng.choice([1, 1, 1, 6]),
                                                self.rng.choice([0, 0, 1]), self.rng.choice([0, 0, 0, 4]), self.rng.choice([0, 1])))
        else:
            self.control(CREATE_2D, struct.pack("<4I", identity, self.rng.choice(FORMATS), width, height))
        self.sizes[identity] = width, height

    def entries(self, size):
        """A backing of @size bytes as the device takes it: (address, length, padding) each."""
        rows = b""
        while size > 0 and len(rows) < 16 * 40:
            length = min(size, self.rng.choice([4096, 16384, 65536, 100]))
            rows += struct.pack("<QII", self.place(length), length, 0)
            size -= length
        return rows

    def attach(self, identity):
        width, height = self.sizes.get(identity, (64, 64))
        entries = self.entries(min(width * height * 4, 1 << 20))
        self.control(ATTACH_BACKING, struct.pack("<2I", identity, len(entries) // 16 + (0 if self.chance(0.95) else 3)) + entries)

    def box(self, identity):
        width, height = self.sizes.get(identity, (64, 64))
        return struct.pack("<4I", 0, 0, width, height) if self.chance(0.9) else struct.pack("<4I", *(self.side() for _ in range(4)))

    def gpu_command(self):
        identity = self.resource()
        kind = self.rng.choice(["create"] * 4 + ["attach"] * 4 + ["detach", "unref", "unref", "transfer", "transfer", "scanout", "flush",
                                                                 "query", "garbage"] + (["context", "submit", "blob"] if self.world.gl else []))
        if kind == "create":
            self.create(identity)
        elif kind == "attach":
            self.attach(identity)
        elif kind == "detach":
            self.control(DETACH_BACKING, struct.pack("<2I", identity, 0))
        elif kind == "unref":
            self.control(UNREF, struct.pack("<2I", identity, 0))
        elif kind == "transfer":
            self.control(TRANSFER_TO_HOST_2D, self.box(identity) + struct.pack("<QII", 0, identity, 0))
        elif kind == "scanout":
            self.control(SET_SCANOUT, self.box(identity) + struct.pack("<II", self.rng.choice([0, 0, 1, 16]), identity))
        elif kind == "flush":
            self.control(FLUSH, self.box(identity) + struct.pack("<II", identity, 0))
        elif kind == "query":
            self.control(self.rng.choice([0x100, GET_CAPSET_INFO, 0x109, GET_EDID]), struct.pack("<II", self.rng.choice([0, 1, 2, 99]), 0))
        elif kind == "context":
            self.control(self.rng.choice([CTX_CREATE, CTX_ATTACH, CTX_ATTACH, CTX_DETACH, CTX_DESTROY]),
                         struct.pack("<II64s", identity, 0, b"attack"), context=self.rng.choice([1, 2]))
        elif kind == "submit":
            words = struct.pack("<I", 0) * self.rng.choice([1, 8])      # no-ops: what virglrenderer makes of others is not ours
            self.control(SUBMIT_3D, struct.pack("<II", len(words), 0) + words, fenced=self.chance(0.7), context=1)
        elif kind == "blob":
            self.control(self.rng.choice([MAP_BLOB, UNMAP_BLOB, SET_SCANOUT_BLOB]), struct.pack("<IIQ80x", identity, 0, 0))
        else:
            self.control(self.rng.getrandbits(16), self.rng.randbytes(self.rng.randrange(64)))

    def cursor(self):
        self.control(self.rng.choice([UPDATE_CURSOR, MOVE_CURSOR]), struct.pack("<8I", 0, 0, 0, 0, self.resource(), 0, 0, 0), False, 0, 1)

    def made_again(self):
        """A resource is made again under its id while its picture is read."""
        identity = self.rng.choice(IDS[:3])
        self.create(identity)
        self.attach(identity)
        self.send(self.frame(identity) * 2)
        self.control(UNREF, struct.pack("<2I", identity, 0))
        self.create(identity)
        self.attach(identity)

    # ---- the frame protocol ----

    def frame(self, identity=None):
        identity = self.resource() if identity is None else identity
        width, height = self.sizes.get(identity, (64, 64))
        if self.chance(0.1):
            width, height = self.side(), self.side()
        flags = self.rng.choice([8, 8, 8, 0, 2, 4, 0x10, 0x1E])
        pixels = b""
        if self.chance(0.06):
            flags, width, height, identity = 1, 32, 32, 0
            pixels = bytes(32 * 32 * 4) if self.chance(0.9) else bytes(100)
        payload = struct.pack("<IIIIIqqB7x", identity if not flags & 0x10 else 0, width, height, self.rng.choice(FOURCCS), width * 4 & 0xFFFFFFFF,
                              self.rng.randrange(1 << 40), 0, self.rng.randrange(2))
        if flags & 8:
            crop = (0, 0) if self.chance(0.8) else (self.side(), self.side())
            payload += struct.pack("<HBBIIII3I3IQ", 52, self.rng.choice([0, 1, 2, 2, 3]), self.rng.choice([0, 1, 1, 2]), *crop, 0, 0,
                                   *(self.rng.choice([0, 0, 4096, 0xFFFFFFF0]) for _ in range(3)),
                                   *(self.rng.choice([0, width * 4 & 0xFFFFFFFF, 0xFFFFFFF0]) for _ in range(3)), 0)
        return message(1, payload + pixels, self.rng.choice([0, 0, 1, 2, 9]), flags)

    def config(self):
        width, height = self.rng.choice([(0, 0), (0, 0), (64, 64), (320, 200), (8192, 4352), (self.side(), self.side())])
        payload = struct.pack("<IIIIIBBBB4x", width, height, self.rng.choice([0, 100000, 0xFFFFFFFF]), self.rng.choice([0, 30, 1]),
                              self.rng.choice([1, 1, 10, 0]), self.rng.choice([0, 66, 77, 100, 1]), self.rng.choice([0, 41, 62]), 1, 0)
        if self.chance(0.5):
            payload += struct.pack("<IIBBBBB3x", 0, self.rng.choice([0, 30]), self.rng.randrange(5), self.rng.randrange(60), 0,
                                   self.rng.randrange(9), self.rng.randrange(2))
        return message(4, payload, self.rng.choice([0, 0, 1, 2]), self.rng.choice([0, 1, 1]))

    def messages(self):
        out = b""
        for _ in range(self.rng.choice([1, 1, 1, 2, 5, 40])):
            kind = self.rng.random()
            if kind < 0.6:
                out += self.frame()
            elif kind < 0.72:
                out += self.config()
            elif kind < 0.92:
                out += message(self.rng.choice([3, 7, 0x10, 0x10, 0x22]), b"", self.rng.choice([0, 1, 2]))
            else:
                out += self.rng.randbytes(self.rng.randrange(1, 40))
        if self.chance(0.03):
            out = out[:self.rng.randrange(len(out) + 1)]
        return out[:60000]

    def send(self, data):
        """By vsock, or by one of the clients of the host's user."""
        if self.chance(0.6) or not self.clients:
            self.vsock(RW, data, self.rng.choice([1024, 1025]), FRAME_PORT)
        else:
            self.write_to(self.rng.choice(self.clients), data)

    # ---- vsock ----

    def vsock(self, op, data=b"", source=1024, port=FRAME_PORT, flags=0):
        length = len(data) if self.chance(0.98) else self.rng.choice([0, 1, 0xFFFFFFFF])
        room = self.rng.choice([1 << 18, 1 << 18, 0, 1, 0xFFFFFFFF])
        header = struct.pack("<QQIIIHHIII", GUEST if self.chance(0.98) else 1, HOST, source, port, length, 1 if self.chance(0.98) else 2,
                             op, flags, room, self.rng.choice([0, 0, 1000, 0xFFFFFFFF]))
        self.add("vsock", 1, self.data(header + data), self.chance(0.8))

    def packet(self):
        source, port = self.rng.randrange(1024, 1032), self.rng.choice([FRAME_PORT] * 4 + [PROGRAM_PORT] * 2 + [9])
        chance = self.rng.random()
        if chance < 0.3:
            self.vsock(REQUEST, b"", source, port)
        elif chance < 0.75:
            self.vsock(RW, self.messages(), source, port)
        elif chance < 0.85:
            self.vsock(self.rng.choice([CREDIT_UPDATE, CREDIT_REQUEST]), b"", source, port)
        elif chance < 0.93:
            self.vsock(SHUTDOWN, b"", source, port, self.rng.choice([1, 2, 3]))
        else:
            self.vsock(self.rng.choice([RST, RESPONSE, 0, 99]), self.rng.randbytes(self.rng.choice([0, 0, 20])), source, port)

    def receive_buffers(self):
        for _ in range(self.rng.choice([1, 4, 16])):
            self.add("vsock", self.rng.choice([0] * 9 + [2]), self.pieces(self.rng.choice([4140, 4140, 44, 300, 43, 8]), WRITE), self.chance(0.5))

    # ---- programs on the host ----

    def client(self):
        """A program of the host's user on helix-listen."""
        if len(self.clients) < 6 and self.chance(0.3):
            self.connect("frames", b"")
        elif self.clients and self.chance(0.15):
            self.clients.pop(self.rng.randrange(len(self.clients))).close()
        elif self.clients:
            self.write_to(self.rng.choice(self.clients), self.messages())

    def program(self):
        """A program on the host connects to the guest by the hybrid socket, or takes what the guest connected."""
        self.qtest.flush()
        if self.chance(0.5):
            self.connect("vsock", self.rng.choice([b"CONNECT 99\n", b"connect 1024\r\n", b"CONN", b"x" * 100]))
        try:
            self.clients.append(self.world.listener.accept()[0])
            self.clients[-1].setblocking(False)
        except OSError:
            pass
        while len(self.clients) > 12:
            self.clients.pop(0).close()

    def connect(self, name, data):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(os.path.join(self.world.folder, name))
        except OSError:
            client.close()      # unplugged, or its backlog is full
            return
        self.clients.append(client)
        self.write_to(client, data)

    def write_to(self, client, data):
        try:
            client.send(data)
            if self.chance(0.8):
                client.recv(1 << 18)
        except OSError:
            pass

    # ---- PCIe ----

    def unplug(self):
        """The guest switches a slot off, by itself or from inside of the device's work, and the host plugs a new device in."""
        port = self.rng.choice([port for port in self.world.ports if port.pluggable])
        if self.chance(0.5):
            port.power(POWER_OFF)
        else:
            self.add("vsock", 0, [(self.memory.take(20), 20, WRITE), (port.slot_control, 2, WRITE), (self.memory.take(100), 100, WRITE)])
            self.vsock(RW, b"", POWER_OFF, 9)
            port.power(POWER_OFF)
        self.world.plug_again(port)
        for name, device in self.world.devices.items():
            if device.bus == port.bus:
                self.start(name)

    def function_level(self):
        """A reset of the function by its PCIe capability, or of its bus, and its memory decoding switched off and on."""
        device = self.rng.choice(list(self.world.devices.values()))
        chance = self.rng.random()
        if chance < 0.4:
            self.qtest.writew(device.device_control, FUNCTION_RESET)
        elif chance < 0.6:
            self.qtest.writew(device.port.bridge_control, BUS_RESET)
        device.function.set(COMMAND, 2, self.rng.choice([0, 2, 4, 6]))
        device.port.route()
        device.plumb()
