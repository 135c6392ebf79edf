# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest pages that change while a picture is read from them, between two bands: other pages, fewer, none, another resource.

No guest runs: a driver of the test's own (virtio_mmio.py) gives a 2D resource its backing, asks for the picture by helix-listen=,
stops the VM in the middle of the read, takes the pages away, fills them with poison and lets the VM go on. Whatever is answered
shows one backing from top to bottom, as it was before it was taken away; poison and a mixture never appear.
"""

import os
import random
import struct
import subprocess
import sys
import tempfile
import time

from properties import ERROR, FRAME_RESPONSE, NOT_FOUND, XR24, Client
from tap import Tap
from virtio_mmio import WRITE, Device, Machine
from vm import RUN, Qmp, built

CREATE_2D, UNREF, ATTACH_BACKING, DETACH_BACKING, OK_NODATA = 0x101, 0x102, 0x106, 0x107, 0x1100
B8G8R8X8 = 2
CONFIG_REQ, ANSWER, CONFIG_RESP, CONSTANT_QUALITY, QUANTISER = 0x04, 0x01, 0x05, 3, 10
EXT, PAGES, NOT_READABLE, GEOMETRY = 0x08, 2, -3, -8
RESOURCE = 1
WIDTH, HEIGHT = 8192, 4352      # the largest picture there is: it takes many turns of the main loop
CODED = 640, 340                # and is quick to encode
PIECE = 4 << 20                 # guest memory under all of a backing, again and again
FIRST, SECOND, POISON = 0x20, 0x60, 0xE0
ROUNDS, ENOUGH = 100, 4         # of each change: at most, and until so many came in the middle of a read


class Gpu:
    """The driver's side of virtio-gpu's control queue (virtio 1.2, 5.7.6)."""

    def __init__(self, machine):
        self.device = Device(machine, (64, 16))
        self.device.start()
        self.qtest, self.memory = self.device.qtest, self.device.memory
        self.room = self.memory.take(65536)
        self.pieces = {level: self.memory.take(PIECE, 4096) for level in (FIRST, SECOND)}

    def command(self, kind, payload):
        request = struct.pack("<IIQII", kind, 0, 0, 0, 0) + payload
        answer = self.room + 61440
        self.qtest.write(self.room, request)
        control = self.device.queues[0]
        control.add([(self.room, len(request), 0), (answer, 24, WRITE)])
        control.kick()
        assert control.next_used() is not None, "no answer to command %#x" % kind
        said = struct.unpack("<I", self.qtest.read(answer, 4))[0]
        assert said == OK_NODATA, "command %#x: %#x" % (kind, said)

    def create(self):
        self.command(CREATE_2D, struct.pack("<4I", RESOURCE, B8G8R8X8, WIDTH, HEIGHT))

    def unref(self):
        self.command(UNREF, struct.pack("<2I", RESOURCE, 0))

    def detach(self):
        self.command(DETACH_BACKING, struct.pack("<2I", RESOURCE, 0))

    def attach(self, level, size=WIDTH * HEIGHT * 4):
        """All of it shows @level; the same pages lie under every part of it."""
        self.fill(level, level)
        lengths = [min(PIECE, size - at) for at in range(0, size, PIECE)]
        entries = b"".join(struct.pack("<QII", self.pieces[level], length, 0) for length in lengths)
        self.command(ATTACH_BACKING, struct.pack("<2I", RESOURCE, len(lengths)) + entries)

    def fill(self, level, value):
        self.qtest.command("memset %#x %#x %#x" % (self.pieces[level], PIECE, value))


# ---- what the guest does in the middle of a read ----

def other_pages(gpu):
    gpu.detach()
    gpu.fill(FIRST, POISON)
    gpu.attach(SECOND)


def fewer_pages(gpu):
    gpu.detach()
    gpu.fill(FIRST, POISON)
    gpu.attach(SECOND, WIDTH * HEIGHT)


def no_pages(gpu):
    gpu.detach()
    gpu.fill(FIRST, POISON)


def another_resource(gpu):
    gpu.unref()
    gpu.fill(FIRST, POISON)
    gpu.create()
    gpu.attach(SECOND)


CHANGES = (
    ("other pages", other_pages, (NOT_FOUND,)),
    ("fewer pages", fewer_pages, (NOT_FOUND, GEOMETRY)),
    ("no pages", no_pages, (NOT_FOUND, NOT_READABLE)),
    ("another resource under the same id", another_resource, (NOT_FOUND,)),
)


# ---- the host's answers ----

def ask(client):
    """The picture from the pages of RESOURCE, as one of virtio's own frames."""
    fixed = struct.pack("<5I2qB7x", RESOURCE, WIDTH, HEIGHT, XR24, WIDTH * 4, 0, 0, 1)
    ext = struct.pack("<HBB4I3I3IQ", 52, PAGES, 1, 0, 0, WIDTH, HEIGHT, 0, 0, 0, WIDTH * 4, 0, 0, 0)
    client.send(0x01, EXT, fixed + ext)


def configure(client):
    """Pictures scaled to CODED, near to what they are."""
    short = struct.pack("<5I4B4x", *CODED, 0, 0, 0, 0, 0, 1, 0)
    for request in (short, short + struct.pack("<2I8B", 0, 0, CONSTANT_QUALITY, QUANTISER, 0, 0, 0, 0, 0, 0)):
        client.send(CONFIG_REQ, ANSWER, request)
        kind, payload = client.answer()
        assert kind == CONFIG_RESP, (kind, payload)


def levels(unit):
    """The darkest and the brightest grey of an access unit's picture, 0 to 255."""
    argv = ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(argv, input=unit, capture_output=True, check=True, timeout=60)
    assert len(done.stdout) == CODED[0] * CODED[1], done.stderr
    return min(done.stdout), max(done.stdout)


def shows(payload, level):
    """Whether the access unit in @payload is @level from top to bottom."""
    low, high = levels(payload[28:])
    return level - 6 < low and high < level + 6


def rounds(machine, qmp, gpu, client, change, errors):
    """True, or what is wrong: @change in the middle of reads, until ENOUGH of them were caught there."""
    caught = early = late = 0
    for _ in range(ROUNDS):
        gpu.create()
        gpu.attach(FIRST)
        ask(client)
        time.sleep(random.uniform(0, 0.01))
        qmp.command("stop")
        change(gpu)
        qmp.command("cont")
        kind, payload = client.answer()
        gpu.unref()
        if kind == ERROR:
            code, text = struct.unpack("<i", payload[:4])[0], payload[4:].split(b"\0")[0].decode()
            if code not in errors:
                return "error %d: %s" % (code, text)
            caught += "while it was read" in text
            early += "while it was read" not in text
        elif kind == FRAME_RESPONSE and shows(payload, FIRST):
            late += 1
        elif kind == FRAME_RESPONSE and change in (other_pages, another_resource) and shows(payload, SECOND):
            early += 1
        else:
            return "message %#x, grey from %d to %d" % ((kind,) + levels(payload[28:]))
        if caught == ENOUGH:
            break
    print("# %s: %d came in the middle of the read, %d before it, %d after it" % (change.__name__, caught, early, late))
    return machine.process.poll() is None and caught == ENOUGH or "no read was caught in the middle " + machine.said()


def untouched(gpu, client):
    """Without any change the picture is the backing's: what the rounds look for can be seen."""
    gpu.create()
    gpu.attach(SECOND)
    ask(client)
    kind, payload = client.answer()
    gpu.unref()
    return kind == FRAME_RESPONSE and shows(payload, SECOND) and not shows(payload, FIRST)


def too_small(gpu, client):
    """Pages fewer than the geometry claims are refused before any is read."""
    gpu.create()
    gpu.attach(FIRST, WIDTH * HEIGHT * 4 - 1)
    ask(client)
    code, text = client.error()
    gpu.unref()
    return code == GEOMETRY and "ends at byte" in text or text


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="backing-", dir=RUN) as folder:
        address = os.path.join(folder, "socket")
        gpu_device = "virtio-gpu-device,id=gpu,helix-frame-export=on,helix-listen=unix:" + address
        machine = Machine(built()["qemu"], folder, ["-device", gpu_device])
        try:
            qmp, gpu, client = Qmp(machine.qmp_path), Gpu(machine), Client(address)
            configure(client)
            tap.check(untouched(gpu, client), "a backing that stays is seen")
            result = too_small(gpu, client)
            tap.check(result is True, "a backing smaller than the geometry claims", result)
            for what, change, errors in CHANGES:
                result = rounds(machine, qmp, gpu, client, change, errors)
                tap.check(result is True, what + " in the middle of a read", result)
            times = qmp.command("qom-get", path="/machine/peripheral/gpu", property="helix-stats")["main_loop_us"]
            print("# main loop: cpu p99.9 %d us, worst %d us; blocked p99.9 %d us" % (
                times["cpu"]["p999"], times["cpu"]["max"], times["blocked"]["p999"]))
        finally:
            machine.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
