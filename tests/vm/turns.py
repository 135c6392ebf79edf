# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest asks for beyond a turn's budget of the main loop goes on in later turns: every request is answered once
and in order, others are served too, and a GPU's reset refuses what came before it, whatever the new GPU has.
And a frame's stages are the same in the trace and in the statistics.

No guest runs: the devices are driven by hand (virtio_mmio.py), the module is reached by vsock and by helix-listen=.
"""

import json
import os
import re
import struct
import sys
import tempfile

from properties import ERROR, FRAME_REQUEST, FRAME_RESPONSE, NOT_FOUND, PING, PONG, XR24, Client
from tap import Tap
from virtio_mmio import WRITE, Device, Machine
from vm import Qmp, built

GPU, VSOCK = 16, 19         # virtio's numbers of the devices
CID, HOST, PORT = 7, 2, 5000
REQUEST, RESPONSE, RW = 1, 2, 5
PACKET = struct.Struct("<QQIIIHHIII")
CREATE_2D = 0x0101
BUSY, GEOMETRY = -7, -8
CONNECTIONS, EACH = 16, 1000
FLOOD = 4000                # requests in one packet, far more than there are receive buffers for answers


def message(kind, payload, flags=0, session=1):
    return struct.pack("<IBBHI", 0x52465848, kind, flags, session, len(payload)) + payload


def frame(resource, width=64, height=48, pts=0):
    return message(FRAME_REQUEST, struct.pack("<5I2qB7x", resource, width, height, XR24, width * 4, pts, 0, 0))


def code(kind, payload):
    return struct.unpack("<i", payload[:4])[0] if kind == ERROR else 0


class Gpu:
    def __init__(self, machine):
        self.device = Device(machine, (64, 16), GPU)

    def command(self, kind, *words):
        data = struct.pack("<IIQIB3x", kind, 0, 0, 0, 0) + struct.pack("<%dI" % len(words), *words)
        memory, queue = self.device.memory, self.device.queues[0]
        queue.add([(memory.put(data), len(data), 0), (memory.take(64), 64, WRITE)])
        queue.kick()

    def create(self, resource, width=64, height=48):
        self.command(CREATE_2D, resource, 2, width, height)
        self.device.queues[0].next_used()

    def reset(self):
        self.device.start()


class Guest:
    """The vsock driver's side, with as many receive buffers as its ring takes."""

    ROOM = 44 + 512         # more than an answer has

    def __init__(self, machine):
        self.device = Device(machine, (512, 64, 8), VSOCK)
        self.device.memory.next = 0x400000      # the GPU's driver has what is below
        self.device.queues = [type(queue)(self.device, queue.number, queue.size) for queue in self.device.queues]
        self.rx, self.tx, _ = self.device.queues
        self.device.start()
        self.places = {}
        self.streams = {}       # by port: bytes that came
        self.taken = {}         # by port: bytes that were received, to give credit
        for _ in range(self.rx.size):
            self.add(self.device.memory.take(self.ROOM))

    def add(self, place):
        self.places[self.rx.add([(place, self.ROOM, WRITE)])] = place

    def packet(self, op, src, payload=b"", fwd_cnt=0):
        data = PACKET.pack(CID, HOST, src, PORT, len(payload), 1, op, 0, 1 << 30, fwd_cnt) + payload
        self.tx.add([(self.device.memory.put(data), len(data), 0)])

    def receive(self):
        """The port and the operation of the next packet; what it has is put to its stream."""
        head, length = self.rx.next_used()
        place = self.places.pop(head)
        data = self.device.qtest.read(place, length)
        header = PACKET.unpack(data[:44])
        self.streams[header[3]] = self.streams.get(header[3], b"") + data[44:]
        self.add(place)
        self.rx.kick()
        return header[3], header[6]

    def connect(self, src):
        self.packet(REQUEST, src)
        self.tx.kick()
        while self.receive() != (src, RESPONSE):
            pass

    def messages(self, src):
        """Whole messages that came, as (type, payload)."""
        stream, found = self.streams.get(src, b""), []
        while len(stream) >= 12:
            _, kind, _, _, size = struct.unpack("<IBBHI", stream[:12])
            if len(stream) < 12 + size:
                break
            found.append((kind, stream[12:12 + size]))
            stream = stream[12 + size:]
        self.streams[src] = stream
        return found


def check_flood_by_vsock(tap, machine):
    """One packet with more than a turn has time for, and a PING of another connection behind it. (How much goes before
    that is a matter of time: suite core has it, with a clock of its own.)"""
    guest = Guest(machine)
    guest.connect(2000)
    guest.connect(2001)
    wrong = frame(1, 64, 4096)          # found out by the look-up
    guest.packet(RW, 2000, wrong * FLOOD)
    guest.packet(RW, 2001, message(PING, b"and I?"))
    guest.tx.kick()
    flood, other = [], []
    while len(flood) < FLOOD or not other:
        guest.receive()
        flood += guest.messages(2000)
        other += guest.messages(2001)
    tap.check(other == [(PONG, b"and I?")], "a PING of another connection is answered beside a flood by vsock")
    tap.check(all(code(*answer) == GEOMETRY for answer in flood), "every request of the flood is answered")


def check_flood_by_socket(tap, address):
    flood, other = Client(address), Client(address)
    other.send(PING, payload=b"there?")
    good = other.answer() == (PONG, b"there?")
    sent = 1000
    flood.socket.sendall(b"".join(frame(1, 64, 4096) + message(PING, struct.pack("<Q", i)) for i in range(sent)))
    other.send(PING, payload=b"still?")
    good = other.answer() == (PONG, b"still?") and good
    answers = [flood.answer() for _ in range(2 * sent)]
    in_order = all(code(*answers[2 * i]) == GEOMETRY and answers[2 * i + 1] == (PONG, struct.pack("<Q", i))
                   for i in range(sent))
    tap.check(good and in_order, "a flood by helix-listen= is answered in order, and another client too")


def check_reset(tap, gpu, qmp, address):
    """The VM stands, so what is asked for waits: four look-ups a stream, and refused requests behind them."""
    clients = [Client(address) for _ in range(CONNECTIONS)]
    qmp.command("stop")
    for client in clients:
        client.socket.sendall(frame(1) * EACH)
        client.send(PING, payload=b"all here?")
    ready = all(client.answer() == (PONG, b"all here?") for client in clients)
    gpu.reset()
    for client in clients:
        client.socket.sendall(frame(1, pts=9))      # of the new GPU
    qmp.command("cont")
    gpu.create(1)
    wrong = []
    for client in clients:
        codes = [code(*client.answer()) for _ in range(EACH)]
        if codes != [NOT_FOUND] * 4 + [BUSY] * (EACH - 4):
            wrong.append(codes)
        client.answer()     # asked for before or after there was a resource 1 again
    tap.check(ready and not wrong, "a GPU's reset refuses all that came before it, once and in order",
              "%d streams were answered otherwise" % len(wrong))
    good = []
    for client in clients:
        client.request(1, width=64, height=48)
        good.append(client.answer()[0] == FRAME_RESPONSE)
    tap.check(all(good), "and the new GPU's resources are served")


def stats(qmp):
    value = qmp.command("qom-get", path="/machine/peripheral/gpu", property="helix-stats")
    return json.loads(value) if isinstance(value, str) else value


def check_stages(tap, machine, qmp, address):
    client = Client(address)
    for i in range(20):
        client.request(1, width=64, height=48, pts=i)
        client.answer()
    counted = stats(qmp)
    bad = []
    for stage in ("queued", "resolved", "encoded", "returned"):
        traced = [int(us) for us in re.findall(r"helix_frame_%s .*? us (\d+)" % stage, machine.said())]
        statistics = counted["stage_us"][stage]
        if len(traced) != statistics["count"] or not traced or max(traced) != statistics["max"]:
            bad.append("%s: %s traced, %s counted" % (stage, traced, statistics))
    tap.check(not bad, "the trace and the statistics have the same stages", "\n".join(bad))


def start(folder, name, *arguments):
    address = os.path.join(folder, name)
    gpu_options = "virtio-gpu-device,id=gpu,helix-frame-export=on,helix-encoder=null,helix-max-streams=32"
    machine = Machine(built()["qemu"], folder, ["-m", "256M", "-device", gpu_options + ",helix-listen=unix:" + address,
                                                *arguments], name=name + "-vm")
    gpu = Gpu(machine)
    gpu.reset()
    gpu.create(1)
    return machine, gpu, Qmp(machine.qmp_path), address


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="helix-") as folder:
        machine, _, qmp, address = start(folder, "stages", "-trace", "helix_frame_*")
        try:
            check_stages(tap, machine, qmp, address)
        finally:
            machine.close()
        machine, gpu, qmp, address = start(folder, "floods", "-device", "helix-vsock-device,guest-cid=%d" % CID)
        try:
            check_flood_by_socket(tap, address)
            check_flood_by_vsock(tap, machine)
            check_reset(tap, gpu, qmp, address)
            tap.check(machine.process.poll() is None, "QEMU runs on", machine.said())
        finally:
            machine.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
