# SPDX-License-Identifier: GPL-2.0-or-later
"""What reentry.py attacks: a GPU that exports its frames and a helix-vsock, each behind a PCIe port of its own, without a guest."""

import os
import struct
import time

from properties import NOT_FOUND, Client
from virtio_mmio import SECONDS, WRITE
from virtio_pci import PciDevice, PciMachine
from vm import Qmp
from vsock_device import CID, CREDIT_UPDATE, REQUEST, RESPONSE, RW, Driver, Listener

GPU_BUS, VSOCK_BUS = 1, 2
FRAMES = 5000                   # the module's vsock port
EVENT_IDX = 1 << 29

# virtio 1.2, 5.7.6: commands of virtio-gpu.
UNREF, CTX_CREATE, ATTACH_RESOURCE, CREATE_3D, SUBMIT_3D = 0x102, 0x200, 0x202, 0x204, 0x207
FENCE = 1
NOTHING = struct.pack("<2I", 0, 0)              # UNREF of no resource: answered with an error, and no harm


class Gpu:
    """The driver's side of the GPU's control queue."""

    def __init__(self, machine):
        self.machine = machine
        self.device = PciDevice(machine, GPU_BUS, (64, 16))
        self.control = self.device.queues[0]

    def add(self, kind, payload, fence=None, answer=None, context=0):
        """Queue a command and do not say so; @answer: where its 24 bytes go."""
        header = struct.pack("<IIQIB3x", kind, 0 if fence is None else FENCE, fence or 0, context, 0)
        memory = self.device.memory
        self.control.add([(memory.put(header + payload), len(header + payload), 0)] +
                         (answer or [(memory.take(64), 64, WRITE)]))

    def answer_at(self, address, size, offset):
        """The parts of an answer whose bytes from @offset on go to @address."""
        memory = self.device.memory
        rest = 24 - offset - size
        return [(memory.take(offset), offset, WRITE), (address, size, WRITE)] + (
            [(memory.take(rest), rest, WRITE)] if rest else [])

    def zero_at(self, address):
        """A command whose answer's flags, a 0, go to @address."""
        self.add(UNREF, NOTHING, answer=self.answer_at(address, 4, 4))

    def value_at(self, address, value):
        """A command whose answer's fence id, the guest's own, goes to @address."""
        self.add(UNREF, NOTHING, fence=value, answer=self.answer_at(address, 2, 8))


class Vsock(Driver):
    def __init__(self, machine, sizes=(64, 64, 8)):
        self.device = PciDevice(machine, VSOCK_BUS, sizes)
        self.rx, self.tx, self.event = self.device.queues
        self.buffers = {}


class Stream:
    """A vsock connection of the guest's, as a socket that properties.Client can use."""

    def __init__(self, vsock, src):
        self.vsock, self.src, self.have = vsock, src, b""
        vsock.send(REQUEST, src=src, dst=FRAMES)
        vsock.expect(RESPONSE)

    def sendall(self, data):
        self.vsock.send(RW, data, src=self.src, dst=FRAMES)

    def recv(self, size):
        while not self.have:
            self.vsock.add_buffers(1)
            packet = self.vsock.receive()
            assert packet, "no packet came"
            assert packet[0][6] in (RW, CREDIT_UPDATE), "op %d instead of data" % packet[0][6]
            self.have += packet[1]
        data, self.have = self.have[:size], self.have[size:]
        return data


class VsockClient(Client):
    def __init__(self, vsock, src):     # no call of the parent's, which opens a socket
        self.socket = Stream(vsock, src)


class World:
    """A GPU that exports its frames and a vsock device, each behind a port of its own."""

    def __init__(self, emulator, folder, name, gpu, arguments=(), environment=None):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder, 0o700)
        self.listen, self.uds_path = os.path.join(self.folder, "h"), os.path.join(self.folder, "v")
        self.machine = PciMachine(emulator, self.folder, [
            "%s,id=gpu,helix-frame-export=on,helix-listen=unix:%s" % (gpu, self.listen),
            "helix-vsock-pci,id=vsock,guest-cid=%d,uds-path=%s" % (CID, self.uds_path)], arguments, "qemu", environment)
        self.qmp = Qmp(self.machine.qmp_path)
        self.program = Listener(self.uds_path)
        self.src = 1024
        self.begin()

    def begin(self):
        """Both devices as after a boot."""
        self.gpu, self.vsock = Gpu(self.machine), Vsock(self.machine)
        self.gpu.device.start()
        self.begin_vsock()

    def begin_vsock(self, sizes=(64, 64, 8), **options):
        self.vsock = Vsock(self.machine, sizes)
        self.vsock.buffers = {}
        self.vsock.device.start(**options)

    def client(self, carrier):
        if carrier == "helix-listen":
            return Client(self.listen)
        self.src += 1
        self.vsock.add_buffers(4)
        return VsockClient(self.vsock, self.src)

    def connect(self, *buffers):
        """A connection of the guest's to a program of the host, whose end is returned. @buffers: the sizes of those left."""
        self.src += 1
        self.vsock.add_buffers(1, (44,))
        self.vsock.send(REQUEST, src=self.src)
        self.vsock.expect(RESPONSE)
        for size in buffers:
            self.vsock.add_buffers(1, (size,))
        return self.program.accept()

    def look_up(self, client):
        """The code of the answer to a request for a resource that is not there."""
        client.request(77)
        return client.error()[0]

    def replug(self, bus, driver, **properties):
        """Device @bus was unplugged: plug it again."""
        port = (self.vsock if bus == VSOCK_BUS else self.gpu).device.port
        self.gone(bus)
        self.machine.qtest.command("writew %#x 0x1ff" % (port.slot_control + 2))
        self.qmp.command("device_add", driver=driver, bus="port%d" % bus, **properties)
        self.machine.qtest.command("writew %#x 0x1c0" % port.slot_control)
        self.machine.qtest.command("writew %#x 0x1ff" % (port.slot_control + 2))

    def gone(self, bus):
        device = (self.vsock if bus == VSOCK_BUS else self.gpu).device
        assert not device.function.there(), "the device is still on its bus"
        path = self.uds_path if bus == VSOCK_BUS else self.listen
        wait(lambda: not os.path.exists(path), "its socket stays")

    def replug_vsock(self):
        self.replug(VSOCK_BUS, "helix-vsock-pci", **{"guest-cid": CID, "uds-path": self.uds_path})

    def works(self, gpu=True, vsock=True):
        """A device that is there does what it is for."""
        assert self.machine.process.poll() is None, "QEMU ended"
        if gpu:
            self.gpu.device.start()
            assert self.look_up(Client(self.listen)) == NOT_FOUND
        if vsock:
            self.begin_vsock()
            with self.connect(4140) as peer:
                peer.sendall(b"fine")
                assert self.vsock.expect(RW)[1] == b"fine"
        return True

    def end(self):
        """QEMU ends well if it is told to."""
        self.qmp.command("quit")
        status = self.machine.process.wait(SECONDS)
        assert status == 0, "QEMU ended with %s" % status
        return True

    def close(self):
        self.machine.close()
        self.program.close()


def wait(condition, otherwise):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.01)


def put(memory, *pieces):
    """Parts of a buffer: sizes are memory, (address, size) is that."""
    return [(piece[0], piece[1], WRITE) if isinstance(piece, tuple) else (memory.take(piece), piece, WRITE)
            for piece in pieces]
