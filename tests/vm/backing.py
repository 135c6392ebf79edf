# SPDX-License-Identifier: GPL-2.0-or-later
"""A resource that changes while a picture is read from it, between two pieces: other pages, fewer, none, another resource.

No guest runs: a driver of the test's own (virtio_mmio.py) makes a resource, asks for its picture by helix-listen=, stops the VM
in the middle of the read, takes the pages or the resource away, fills the pages with poison and lets the VM go on. Whatever is
answered shows one resource from top to bottom, as it was before it was taken away; poison and a mixture never appear. The picture
is read from the guest's pages, from the 2D device's image, and on a GL device from a texture and from a blob.
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
from vm import RUN, Display, Qmp, VMError, built

CREATE_2D, UNREF, TRANSFER_TO_HOST_2D, ATTACH_BACKING, DETACH_BACKING, CREATE_BLOB = 0x101, 0x102, 0x105, 0x106, 0x107, 0x10C
CREATE_3D, OK_NODATA = 0x204, 0x1100
BLOB_MEM_GUEST, BLOB_MAPPABLE = 1, 1
B8G8R8X8 = 2
CONFIG_REQ, ANSWER, CONFIG_RESP, CONSTANT_QUALITY, QUANTISER = 0x04, 0x01, 0x05, 3, 10
EXT, NOT_READABLE, GEOMETRY = 0x08, -3, -8
TEXTURE, PAGES = 1, 2           # a request's source
RESOURCE, OTHER = 1, 2
WIDTH, HEIGHT = 8192, 4352      # the largest picture there is: it takes many iterations of the main loop
CODED = 640, 340                # and is quick to encode
PIECE = 4 << 20                 # guest memory under all of a backing, again and again
FIRST, SECOND, POISON = 0x20, 0x60, 0xE0
DETACHES = 3
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

    def unref(self, resource=RESOURCE):
        self.command(UNREF, struct.pack("<2I", resource, 0))

    def detach(self):
        self.command(DETACH_BACKING, struct.pack("<2I", RESOURCE, 0))

    def entries(self, piece, size):
        """@size bytes of backing: the same pages lie under every part of it."""
        lengths = [min(PIECE, size - at) for at in range(0, size, PIECE)]
        return len(lengths), b"".join(struct.pack("<QII", self.pieces[piece], length, 0) for length in lengths)

    def attach(self, level, size=WIDTH * HEIGHT * 4, piece=None):
        """All of it shows @level."""
        piece = piece or level
        self.fill(piece, level)
        count, entries = self.entries(piece, size)
        self.command(ATTACH_BACKING, struct.pack("<2I", RESOURCE, count) + entries)

    def create_blob(self, level, size=WIDTH * HEIGHT * 4, piece=None, resource=RESOURCE):
        piece = piece or level
        self.fill(piece, level)
        count, entries = self.entries(piece, size)
        self.command(CREATE_BLOB, struct.pack("<4I2Q", resource, BLOB_MEM_GUEST, BLOB_MAPPABLE, count, 0, size) + entries)

    def transfer(self):
        self.command(TRANSFER_TO_HOST_2D, struct.pack("<4IQ2I", 0, 0, WIDTH, HEIGHT, 0, RESOURCE, 0))

    def fill(self, piece, value):
        self.qtest.command("memset %#x %#x %#x" % (self.pieces[piece], PIECE, value))


# ---- what is read: how a resource is made that shows @level, in the pages of @piece ----

def make_backed(gpu, level, piece=None):
    gpu.create()
    gpu.attach(level, piece=piece)


def make_image(gpu, level, piece=None):
    make_backed(gpu, level, piece)
    gpu.transfer()


def make_blob(gpu, level, piece=None):
    gpu.create_blob(level, piece=piece)


# ---- what the guest does in the middle of a read ----

def other_pages(gpu, _):
    gpu.detach()
    gpu.fill(FIRST, POISON)
    gpu.attach(SECOND)


def fewer_pages(gpu, _):
    gpu.detach()
    gpu.fill(FIRST, POISON)
    gpu.attach(SECOND, WIDTH * HEIGHT)


def no_pages(gpu, _):
    gpu.detach()
    gpu.fill(FIRST, POISON)


def another_resource(gpu, make):
    gpu.unref()
    gpu.fill(FIRST, POISON)
    make(gpu, SECOND)


def another_in_its_pages(gpu, make):
    """Neither the place of QEMU's structure, which is often the same, nor that of the pages tells them apart."""
    gpu.unref()
    make(gpu, SECOND, FIRST)


# the change, and the errors it may end in
PAGES_CHANGE = (
    ("other pages", other_pages, (NOT_FOUND,)),
    ("fewer pages", fewer_pages, (NOT_FOUND, GEOMETRY)),
    ("no pages", no_pages, (NOT_FOUND, NOT_READABLE)),
)
RESOURCE_CHANGES = (
    ("another resource under the same id", another_resource, (NOT_FOUND,)),
    ("another in its place and pages", another_in_its_pages, (NOT_FOUND,)),
)
SHOWS_SECOND = (other_pages, another_resource, another_in_its_pages)

RENDER_TARGET, SAMPLER_VIEW, VERTEX_BUFFER, Y_0_TOP = 1 << 1, 1 << 3, 1 << 4, 1
# what it is, and of CREATE_3D: target, bind, size, samples, flags
UNREADABLE = (
    ("four samples", 2, RENDER_TARGET | SAMPLER_VIEW, 64, 32, 4, 0),
    ("four samples, bottom up", 2, RENDER_TARGET | SAMPLER_VIEW, 64, 32, 4, Y_0_TOP),
    ("three dimensions", 3, RENDER_TARGET | SAMPLER_VIEW, 64, 32, 0, 0),
    ("a buffer", 0, VERTEX_BUFFER, 8192, 1, 0, 0),
)

# what is read, the device, how it is made, the request's source, what happens to it
CASES = (
    ("pages on the 2D device", "virtio-gpu-device", make_backed, PAGES, PAGES_CHANGE + RESOURCE_CHANGES),
    ("an image on the 2D device", "virtio-gpu-device", make_image, TEXTURE, RESOURCE_CHANGES),
    ("a texture on the GL device", "virtio-gpu-gl-device,blob=on", make_image, TEXTURE, RESOURCE_CHANGES),
    ("pages on the GL device", "virtio-gpu-gl-device,blob=on", make_backed, PAGES, PAGES_CHANGE + RESOURCE_CHANGES),
    ("a blob on the GL device", "virtio-gpu-gl-device,blob=on", make_blob, PAGES, PAGES_CHANGE + RESOURCE_CHANGES),
)


# ---- the host's answers ----

def ask(client, source):
    """The picture of RESOURCE, as one of virtio's own frames."""
    fixed = struct.pack("<5I2qB7x", RESOURCE, WIDTH, HEIGHT, XR24, WIDTH * 4, 0, 0, 1)
    ext = struct.pack("<HBB4I3I3IQ", 52, source, 1, 0, 0, WIDTH, HEIGHT, 0, 0, 0, WIDTH * 4, 0, 0, 0)
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


def rounds(machine, qmp, gpu, client, case, change, errors):
    """True, or what is wrong: @change in the middle of reads, until ENOUGH of them were caught there."""
    make, source = case[2:4]
    caught = early = late = 0
    for _ in range(ROUNDS):
        make(gpu, FIRST)
        ask(client, source)
        time.sleep(random.uniform(0, 0.01))
        qmp.command("stop")
        change(gpu, make)
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
        elif kind == FRAME_RESPONSE and change in SHOWS_SECOND and shows(payload, SECOND):
            early += 1
        else:
            return "message %#x, grey from %d to %d" % ((kind,) + levels(payload[28:]))
        if caught == ENOUGH:
            break
    print("# %s: %d came in the middle of the read, %d before it, %d after it" % (change.__name__, caught, early, late))
    return machine.process.poll() is None and caught == ENOUGH or "no read was caught in the middle " + machine.said()


def untouched(gpu, client, make, source):
    """Without any change the picture is the resource's: what the rounds look for can be seen."""
    make(gpu, SECOND)
    ask(client, source)
    kind, payload = client.answer()
    gpu.unref()
    return kind == FRAME_RESPONSE and shows(payload, SECOND) and not shows(payload, FIRST)


def too_small(gpu, client):
    """Pages fewer than the geometry claims are refused before any is read."""
    gpu.create()
    gpu.attach(FIRST, WIDTH * HEIGHT * 4 - 1)
    ask(client, PAGES)
    code, text = client.error()
    gpu.unref()
    return code == GEOMETRY and "ends at byte" in text or text


def detached(gpu, client, make, source):
    """Pages that were taken away are not there, whatever lies now where QEMU kept the list of them."""
    for _ in range(DETACHES):
        make(gpu, FIRST)
        for again in (False, True):
            gpu.detach()
            if make is make_blob:       # takes the place of that list
                gpu.create_blob(SECOND, resource=OTHER)
            ask(client, source)
            code, text = client.error()
            if make is make_blob:
                gpu.unref(OTHER)
            if code != NOT_READABLE or "no guest pages" not in text:
                return "error %d: %s" % (code, text)
            gpu.attach(SECOND)
            ask(client, source)
            kind, payload = client.answer()
            if kind != FRAME_RESPONSE or not shows(payload, SECOND):
                return "pages that were attached %s are not seen" % ("again" if again else "later")
        gpu.unref()
    return True


def unreadable(gpu, client):
    """What virglrenderer leaves unread is refused: textures of several samples, buffers with a picture's format."""
    for what, target, bind, width, height, samples, flags in UNREADABLE:
        fields = RESOURCE, target, B8G8R8X8, bind, width, height, 1, 1, 0, samples, flags, 0
        gpu.command(CREATE_3D, struct.pack("<12I", *fields))
        client.request(RESOURCE, width=64, height=32)
        code, text = client.error()
        gpu.unref()
        if code != NOT_READABLE:
            return "%s: error %d: %s" % (what, code, text)
    return True


def run(tap, folder, display, case):
    what, device, make, source, changes = case
    address = os.path.join(folder, "socket")
    arguments = ["-device", device + ",id=gpu,max_hostmem=1G,helix-frame-export=on,helix-listen=unix:" + address]
    if "-gl-" in device:
        arguments += display.arguments
    machine = Machine(built()["qemu"], folder, arguments, environment=display.environment)
    try:
        qmp, gpu, client = Qmp(machine.qmp_path), Gpu(machine), Client(address)
        configure(client)
        tap.check(untouched(gpu, client, make, source), what + ": one that stays is seen")
        if make is make_backed:
            result = too_small(gpu, client)
            tap.check(result is True, what + ": smaller than the geometry claims", result)
        if source == PAGES:
            result = detached(gpu, client, make, source)
            tap.check(result is True, what + ": pages that were taken away", result)
        if "texture" in what:
            result = unreadable(gpu, client)
            tap.check(result is True, what + ": what virglrenderer does not read is refused", result)
        for name, change, errors in changes:
            result = rounds(machine, qmp, gpu, client, case, change, errors)
            tap.check(result is True, "%s: %s in the middle of a read" % (what, name), result)
        times = qmp.command("qom-get", path="/machine/peripheral/gpu", property="helix-stats")["main_loop_us"]
        print("# main loop: cpu p99.9 %d us, worst %d us; blocked p99.9 %d us" % (
            times["cpu"]["p999"], times["cpu"]["max"], times["blocked"]["p999"]))
    except (OSError, VMError) as error:
        tap.check(False, "%s: QEMU goes on" % what, "%s\n%s" % (error, machine.said()))
    finally:
        machine.close()


def main():
    tap = Tap()
    wanted = sys.argv[1:]       # parts of the cases' names; none: all
    with tempfile.TemporaryDirectory(prefix="backing-", dir=RUN) as folder, open(os.path.join(folder, "display"), "w") as log:
        display = Display(built()["qemu"], log)
        try:
            for case in CASES:
                if not wanted or any(part in case[0] for part in wanted):
                    run(tap, folder, display, case)
        finally:
            display.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
