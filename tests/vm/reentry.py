# SPDX-License-Identifier: GPL-2.0-or-later
"""A device of QEMU is not entered from inside of its own work, and survives being unplugged or reset there.

No guest runs. A driver of the test's own points a descriptor, a ring or an MSI-X message at one of three places, and has this
project's code enter the device: a look-up carries out the GPU's control queue, the fence source asks for the GPU's fences, and
helix-vsock takes, fills and gives back buffers. The places are the device's own registers, where a 0 is a reset, which the
re-entrancy guard refuses; the slot control of the port above, which unplugs it; and the reset bits of the port or the function.
Requests for pictures come by vsock and by helix-listen=, to the 2D and to the GL device.
"""

import os
import struct
import sys
import tempfile
import time

from faultvm import Encoders
from properties import FRAME_RESPONSE, NOT_FOUND, PIXEL_DATA, PING, Client
from reentry_world import (ATTACH_RESOURCE, CREATE_3D, CTX_CREATE, EVENT_IDX, GPU_BUS, NOTHING, SUBMIT_3D, UNREF, Vsock, World,
                           put, wait)
from tap import Tap
from virtio_mmio import F_VERSION_1, NEEDS_RESET
from virtio_pci import BUS_RESET, FUNCTION_RESET, NO_VECTOR, POWER_OFF, RUNNING
from vm import RUN, Display, built
from vsock_device import CREDIT_UPDATE, REQUEST, RW

# ---- the GPU's own registers ----

def gpu_answer(world, carrier):
    client, device = world.client(carrier), world.gpu.device
    world.gpu.zero_at(device.status_register)
    return world.look_up(client) == NOT_FOUND and device.status() == RUNNING


def gpu_used_ring(world, carrier):
    """The first element's id, 0, is written to the status."""
    device, control = world.gpu.device, world.gpu.control
    control.put_used(device.status_register - 4)
    device.start()
    client = world.client(carrier)
    world.gpu.add(UNREF, NOTHING)
    good = world.look_up(client) == NOT_FOUND and device.status() == RUNNING
    control.put_used(None)
    return good


def gpu_interrupt(world, carrier):
    device, control = world.gpu.device, world.gpu.control
    control.vector = 1
    device.start()
    client = world.client(carrier)
    device.message(1, device.status_register, 0)
    world.gpu.add(UNREF, NOTHING)
    good = world.look_up(client) == NOT_FOUND and device.status() == RUNNING
    control.vector = NO_VECTOR
    device.no_messages()
    return good


# ---- unplugged, or reset, in the middle of the GPU's commands ----

def gpu_unplugged(world, carrier):
    client = world.client(carrier)
    world.gpu.value_at(world.gpu.device.port.slot_control, POWER_OFF)
    for _ in range(3):                          # what is behind it in the queue
        world.gpu.add(UNREF, NOTHING)
    return world.look_up(client) == NOT_FOUND


def gpu_unplugged_by_interrupt(world, carrier):
    device = world.gpu.device
    world.gpu.control.vector = 1
    device.start()
    client = world.client(carrier)
    device.message(1, device.port.slot_control & ~3, POWER_OFF)
    for _ in range(3):
        world.gpu.add(UNREF, NOTHING)
    return world.look_up(client) == NOT_FOUND


def gpu_reset(world, carrier, register, value):
    client = world.client(carrier)
    world.gpu.value_at(register(world.gpu.device), value)
    for _ in range(3):
        world.gpu.add(UNREF, NOTHING)
    return world.look_up(client) == NOT_FOUND and world.gpu.device.status() != RUNNING


BRIDGE = (lambda device: device.port.bridge_control, BUS_RESET)
FUNCTION = (lambda device: device.device_control, FUNCTION_RESET)


# ---- the fence source ----

FENCES_ANSWERED = "helix_fences_answered"


def context(world, kind, payload=b"", **options):
    world.gpu.add(kind, payload, context=1, **options)


def busy_gpu(world, blits):
    """Work for the GPU that takes it a while: scaled copies from one texture to another."""
    for number in (2, 3):
        world.gpu.add(CREATE_3D, struct.pack("<11I4x", number, 2, 2, 0xA, 2048, 2048, 1, 1, 0, 0, 0))
    context(world, CTX_CREATE, struct.pack("<II64s", 4, 0, b"test"))
    for number in (2, 3):
        context(world, ATTACH_RESOURCE, struct.pack("<II", number, 0))
    blit = struct.pack("<22I", 16 | 21 << 16, 0xF | 1 << 8, 0, 0, 3, 0, 2, 0, 0, 0, 2048, 2048, 1, 2, 0, 2, 0, 0, 0, 1999,
                       1999, 1)
    context(world, SUBMIT_3D, struct.pack("<II", len(blit) * blits, 0) + blit * blits)


def fenced(world, address, size, offset, fence):
    """Commands whose answers the fence source brings, as its trace says, on the way to @address; QEMU's own timer stands still."""
    device, control = world.gpu.device, world.gpu.control
    for blits in (16, 32, 64, 128, 256):
        device.start()
        world.gpu.add(CREATE_3D, struct.pack("<11I4x", 1, 2, 2, 0xA, 64, 64, 1, 1, 0, 0, 0))
        control.kick()
        client = Client(world.listen)
        client.request(1, width=64, height=64)
        assert client.answer()[0] == FRAME_RESPONSE     # a stream is open
        before = world.machine.said().count(FENCES_ANSWERED)
        busy_gpu(world, blits)
        for _ in range(4):
            context(world, SUBMIT_3D, struct.pack("<III", 4, 0, 0), fence=fence,
                    answer=world.gpu.answer_at(address, size, offset))
        control.kick()
        wait(lambda: not device.function.there() or device.status() != RUNNING or control.used_index() == control.added,
             "fences stay open")
        if not device.function.there() or device.status() != RUNNING or world.machine.said().count(FENCES_ANSWERED) > before:
            return client
        # too quick: the control queue's own call answered them
    raise AssertionError("the GPU is never busy")


def fence_registers(world):
    device = world.gpu.device
    client = fenced(world, device.status_register, 4, 20, 1)
    return device.status() == RUNNING and world.look_up(client) == NOT_FOUND


def fence_reset(world, register, value):
    device = world.gpu.device
    stream = fenced(world, register(device), 2, 8, value)
    wait(lambda: device.status() != RUNNING, "the GPU is not reset")
    return bool(stream)


def fence_unplugged(world):
    device = world.gpu.device
    stream = fenced(world, device.port.slot_control, 2, 8, POWER_OFF)
    wait(lambda: not device.function.there(), "the GPU is not unplugged")
    return bool(stream)


# ---- helix-vsock's own registers ----

def vsock_data(world):
    """From the socket's callback, and a RST from the bottom half."""
    vsock, register = world.vsock, world.vsock.device.status_register
    with world.connect() as peer:
        vsock.rx.add(put(vsock.device.memory, 44, (register, 4)))
        vsock.rx.kick()
        peer.sendall(bytes(4))
        vsock.rx.next_used()
        first = vsock.device.status()
        vsock.rx.add(put(vsock.device.memory, (register, 4), 44))
        vsock.rx.kick()
        vsock.send(RW, src=30000)
        vsock.rx.next_used()
        return first == vsock.device.status() == RUNNING


def with_used_ring(world, queue, used, sizes=(64, 64, 8), features=F_VERSION_1):
    """The device anew, with the used ring of @queue at @used beyond the common configuration's begin."""
    world.vsock = Vsock(world.machine, sizes)
    ring = world.vsock.device.queues[queue]
    ring.put_used(world.vsock.device.common + used)
    world.vsock.device.start(features)
    return ring


def vsock_used_ring(world):
    """RESPONSE, from the bottom half, and data, from the socket: the id of each element is a 0."""
    ring = with_used_ring(world, 0, 20 - 4)
    world.src += 1
    world.vsock.rx.add(put(world.vsock.device.memory, 44))
    world.vsock.send(REQUEST, src=world.src)
    with world.program.accept() as peer:
        ring.added = 0                          # the same slot of the ring, and of the table, again
        ring.free = list(range(64))
        world.vsock.device.qtest.write(ring.avail + 6, bytes(2))
        ring.added = 1
        ring.add(put(world.vsock.device.memory, 100))
        peer.sendall(b"data")
        time.sleep(0.1)
        return world.vsock.device.status() == RUNNING


def vsock_flags(world):
    """Notifications off is a flag of 1 where the used ring begins."""
    with_used_ring(world, 0, 20)
    return flags_written(world)


def vsock_avail_event(world):
    """With EVENT_IDX an index is written behind a used ring of two elements."""
    with_used_ring(world, 0, 0, (2, 64, 8), F_VERSION_1 | EVENT_IDX)
    return flags_written(world)


def flags_written(world):
    vsock = world.vsock
    world.src += 1
    vsock.rx.add(put(vsock.device.memory, 44))
    vsock.rx.kick()
    vsock.send(REQUEST, src=world.src)
    with world.program.accept() as peer:
        status = vsock.device.status()
        peer.sendall(b"data")                   # the socket's callback finds no buffer, and asks for a notice
        time.sleep(0.1)
        return status == vsock.device.status() == RUNNING


def with_interrupt(world, queue, address, data):
    """One connection; from now on an interrupt of @queue, or of the configuration (None), is written to @address."""
    world.vsock = vsock = Vsock(world.machine)
    if queue is not None:
        vsock.device.queues[queue].vector = 1
    vsock.device.start(config_vector=1 if queue is None else NO_VECTOR)
    peer = world.connect()
    world.machine.qtest.step(2000)              # of the packets until now
    vsock.device.message(1, address, data)
    return peer


def rx_interrupt(world, address, data):
    with with_interrupt(world, 0, address, data) as peer:
        world.vsock.add_buffers(1, (100,))
        peer.sendall(b"data")
        wait(lambda: not world.vsock.device.function.there() or world.vsock.device.status() != RUNNING or
             world.vsock.rx.used_index() == 2, "the data does not come")


def tx_interrupt(world, address, data):
    """From the timer."""
    with with_interrupt(world, 1, address, data):
        world.vsock.send(CREDIT_UPDATE, src=world.src)
        wait(lambda: world.vsock.tx.used_index() == 2, "the packet is not taken")
        world.machine.qtest.step(2000)


def config_interrupt(world, address, data):
    """A receive buffer too small for a header breaks the device."""
    with with_interrupt(world, None, address, data) as peer:
        world.vsock.rx.add(put(world.vsock.device.memory, 20))
        world.vsock.rx.kick()
        peer.sendall(b"data")
        wait(lambda: not world.vsock.device.function.there() or world.vsock.device.status() != RUNNING, "the device is whole")


def interrupt_registers(world, interrupt, status=RUNNING):
    interrupt(world, world.vsock.device.status_register, 0)
    good = world.vsock.device.status() == status
    world.vsock.device.no_messages()
    return good


# ---- helix-vsock unplugged, or reset, in the middle of its work ----

def vsock_value(world, address, value):
    """Two bytes of a host program's go to @address, from the socket's callback; more data is behind them."""
    vsock = world.vsock
    with world.connect() as peer:
        for _ in range(2):
            vsock.rx.add(put(vsock.device.memory, 44, (address, 2), 100))
        vsock.rx.kick()
        peer.sendall(struct.pack("<H", value) + bytes(200))
        wait(lambda: not vsock.device.function.there() or vsock.device.status() == 0, "nothing happened")
    return True


def vsock_unplugged(world):
    return vsock_value(world, world.vsock.device.port.slot_control, POWER_OFF)


def vsock_unplugged_by_used_ring(world):
    """The length of the second element, a packet of 0x700 bytes, goes to the slot control."""
    address = world.vsock.device.port.slot_control & ~3
    ring = with_used_ring(world, 0, address - 8 - 8 - world.vsock.device.common)
    world.src += 1
    ring.add(put(world.vsock.device.memory, 44))
    world.vsock.send(REQUEST, src=world.src)
    with world.program.accept() as peer:
        ring.add(put(world.vsock.device.memory, POWER_OFF))
        ring.kick()
        peer.sendall(bytes(POWER_OFF - 44))
        wait(lambda: not world.vsock.device.function.there(), "nothing happened")
    return True


def vsock_unplugged_by(interrupt, world):
    interrupt(world, world.vsock.device.port.slot_control & ~3, POWER_OFF)
    wait(lambda: not world.vsock.device.function.there(), "nothing happened")
    return True


def vsock_reset(world, register, value):
    return vsock_value(world, register(world.vsock.device), value)


# ---- each device from inside of the other's work ----

def use_up_buffers(client, vsock):
    while vsock.rx.used_index() < vsock.rx.added:
        client.send(PING)
        time.sleep(0.01)


def gpu_reset_by_vsock(world):
    """A PONG's payload is written to the GPU's status: the GPU is not at work, and is reset."""
    client, vsock = world.client("vsock"), world.vsock
    use_up_buffers(client, vsock)
    vsock.rx.add(put(vsock.device.memory, 56, (world.gpu.device.status_register, 4), 100))
    vsock.rx.kick()
    client.send(PING, payload=bytes(4))
    wait(lambda: world.gpu.device.status() == 0, "the GPU is not reset")
    return vsock.device.status() == RUNNING


def vsock_reset_by_gpu(world, carrier):
    """Inside of a request by vsock the device is at work, and is not reset; inside of another it is."""
    client = world.client(carrier)
    world.gpu.zero_at(world.vsock.device.status_register)
    good = world.look_up(client) == NOT_FOUND
    return good and world.vsock.device.status() == (RUNNING if carrier == "vsock" else 0)


def vsock_unplugged_by_gpu(world, carrier):
    client = world.client(carrier)
    world.gpu.value_at(world.vsock.device.port.slot_control, POWER_OFF)
    if carrier == "vsock":                      # its answer has nowhere to go
        client.request(77)
        wait(lambda: not world.vsock.device.function.there(), "nothing happened")
        return True
    return world.look_up(client) == NOT_FOUND and not world.vsock.device.function.there()


def gpu_unplugged_by_vsock(world):
    """The frame module's own answer to a PING unplugs the GPU whose host is in the middle of it."""
    client, vsock = world.client("vsock"), world.vsock
    other = Client(world.listen)
    other.request(0, PIXEL_DATA, bytes(64 * 64 * 4), 64, 64)
    assert other.answer()[0] == FRAME_RESPONSE  # an encoder is open
    use_up_buffers(client, vsock)
    vsock.rx.add(put(vsock.device.memory, 56, (world.gpu.device.port.slot_control, 2), 100))
    vsock.rx.kick()
    client.send(PING, payload=struct.pack("<H", POWER_OFF))
    wait(lambda: not world.gpu.device.function.there(), "nothing happened")
    try:
        return other.socket.recv(1) == b""
    except ConnectionResetError:
        return True


# ---- unplugged while its threads are at work ----

def encoder_threads(world):
    """Of QEMU's threads, those that encode."""
    folder = "/proc/%d/task" % world.machine.process.pid
    names = [open(os.path.join(folder, task, "comm")).read().strip() for task in os.listdir(folder)]
    return names.count("helix-encoder")


def check_busy(tap, emulator, folder):
    """An encoder hangs for minutes: unplugging its GPU waits for nothing."""
    encoders = Encoders(folder)
    world = World(emulator, folder, "busy", "virtio-gpu-pci", (), dict(os.environ, **encoders.environment()))
    try:
        encoders.order(delay_ms=600000)
        client = Client(world.listen)
        client.request(0, PIXEL_DATA, bytes(64 * 64 * 4), 64, 64)
        wait(lambda: encoders.count("delayed") == 1, "nothing is encoded")
        world.machine.qtest.command("writew %#x %#x" % (world.gpu.device.port.slot_control, POWER_OFF))
        tap.check(encoder_threads(world) == 1, "a GPU is unplugged while its encoder hangs", world.machine.said())
        world.gone(GPU_BUS)
        try:
            ended = client.socket.recv(1) == b""
        except ConnectionResetError:
            ended = True
        tap.check(ended and encoder_threads(world) == 1, "its connections end, and the encoder hangs on")
        tap.check(world.works(gpu=False), "the VM goes on")
    except (AssertionError, OSError) as error:
        tap.check(False, "the GPU of a busy encoder is unplugged", "%s: %s\n%s" % (
            type(error).__name__, error, world.machine.said()))
    finally:
        world.close()


# ---- all of them ----

IN_PLACE = [
    (what + " on its own registers, request by " + carrier, lambda world, f=attack, c=carrier: f(world, c))
    for carrier in ("helix-listen", "vsock")
    for what, attack in (("GPU: an answer", gpu_answer), ("GPU: a used ring", gpu_used_ring),
                         ("GPU: an interrupt", gpu_interrupt))
] + [
    ("vsock: data on its own registers", vsock_data),
    ("vsock: a used ring on its own registers", vsock_used_ring),
    ("vsock: a ring's flags on its own registers", vsock_flags),
    ("vsock: an avail event on its own registers", vsock_avail_event),
    ("vsock: an interrupt for data on its own registers", lambda world: interrupt_registers(world, rx_interrupt)),
    ("vsock: an interrupt for packets taken, from the timer", lambda world: interrupt_registers(world, tx_interrupt)),
    ("vsock: an interrupt for a broken device",
     lambda world: interrupt_registers(world, config_interrupt, RUNNING | NEEDS_RESET)),
    ("a PONG resets the GPU", gpu_reset_by_vsock),
    ("the GPU's answer on vsock's registers, request by helix-listen", lambda world: vsock_reset_by_gpu(world, "helix-listen")),
    ("the GPU's answer on vsock's registers, request by vsock", lambda world: vsock_reset_by_gpu(world, "vsock")),
]

RESETS = [
    ("GPU: %s reset by its own answer, request by %s" % (what, carrier),
     lambda world, c=carrier, r=reset: gpu_reset(world, c, *r))
    for carrier in ("helix-listen", "vsock") for what, reset in (("its bus", BRIDGE), ("the function", FUNCTION))
] + [
    ("vsock: %s reset by its own data" % what, lambda world, r=reset: vsock_reset(world, *r))
    for what, reset in (("its bus", BRIDGE), ("the function", FUNCTION))
]

VSOCK_UNPLUGGED = [
    ("by data", vsock_unplugged),
    ("by a used ring", vsock_unplugged_by_used_ring),
    ("by an interrupt for data", lambda world: vsock_unplugged_by(rx_interrupt, world)),
    ("by an interrupt for packets taken", lambda world: vsock_unplugged_by(tx_interrupt, world)),
    ("by an interrupt for a broken device", lambda world: vsock_unplugged_by(config_interrupt, world)),
    ("by the GPU's answer, request by helix-listen", lambda world: vsock_unplugged_by_gpu(world, "helix-listen")),
    ("by the GPU's answer, request by vsock", lambda world: vsock_unplugged_by_gpu(world, "vsock")),
]

GPU_UNPLUGGED = [
    ("by its own answer, request by helix-listen", lambda world: gpu_unplugged(world, "helix-listen")),
    ("by its own answer, request by vsock", lambda world: gpu_unplugged(world, "vsock")),
    ("by its own interrupt, request by helix-listen", lambda world: gpu_unplugged_by_interrupt(world, "helix-listen")),
    ("by a PONG of its own host", gpu_unplugged_by_vsock),
]

FENCES = [("GPU: a fence's answer on its own registers", fence_registers),
          ("GPU: its bus reset by a fence's answer", lambda world: fence_reset(world, *BRIDGE)),
          ("GPU: the function reset by a fence's answer", lambda world: fence_reset(world, *FUNCTION))]


class Runs:
    """Attacks, each on a QEMU that the last one left whole, or on a new one."""

    def __init__(self, tap, emulator, folder, name, gpu, display):
        self.tap, self.name = tap, name
        self.number = 0
        environment = dict(display.environment if display else os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        self.make = lambda name: World(emulator, folder, name, gpu, ["-global", "virtio-gpu-device.helix-encoder=null",
                                                                     "-trace", FENCES_ANSWERED] +
                                       (display.arguments if display else []), environment)
        self.world = None

    def run(self, what, attack, after):
        what = "%s: %s" % (self.name, what)
        try:
            if not self.world:
                self.number += 1
                self.world = self.make("%s-%d" % (self.name, self.number))
            self.world.begin()
            good = attack(self.world) and after(self.world)
            if not self.tap.check(good, what, self.world.machine.said()[-4000:]):
                self.stop()
        except (AssertionError, OSError, ValueError, StopIteration) as error:
            said = self.world.machine.said()[-4000:] if self.world else ""
            self.tap.check(False, what, "%s: %s\n%s" % (type(error).__name__, error, said))
            self.stop()

    def stop(self):
        if self.world:
            self.world.close()
            self.world = None


def again(world):
    """Both devices can be set up anew, and work."""
    world.begin()
    return world.works()


def unplugged_vsock(world):
    world.replug_vsock()
    return world.works()


def unplugged_gpu(world):
    world.gone(GPU_BUS)
    return world.works(gpu=False) and world.end()


def run(tap, emulator, folder, name, gpu, display):
    runs = Runs(tap, emulator, folder, name, gpu, display)
    for what, attack in IN_PLACE + RESETS + (FENCES if display else []):
        runs.run(what, attack, again)
    for what, attack in VSOCK_UNPLUGGED:
        runs.run("vsock unplugged " + what, attack, unplugged_vsock)
    for what, attack in GPU_UNPLUGGED + ([("by a fence's answer", fence_unplugged)] if display else []):
        runs.run("GPU unplugged " + what, attack, unplugged_gpu)
        runs.stop()
    runs.stop()


def main():
    tap = Tap()
    emulator = built()["qemu"]
    with tempfile.TemporaryDirectory(prefix="reentry-", dir=RUN) as folder:
        run(tap, emulator, folder, "2D", "virtio-gpu-pci", None)
        check_busy(tap, emulator, folder)
        with open(os.path.join(folder, "display"), "w") as log:
            display = Display(emulator, log)
            try:
                run(tap, emulator, folder, "GL", "virtio-gpu-gl-pci", display)
            finally:
                display.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
