# SPDX-License-Identifier: GPL-2.0-or-later
"""helix-vsock-device against a driver that does what it likes: split and malformed chains, no buffers, stop, restore.

No guest runs: descriptors are written by hand (virtio_mmio.py), so the device is also tried on another transport than
PCI.
"""

import os
import socket
import struct
import sys
import tempfile
import time

from tap import Tap
from virtio_mmio import (ACKNOWLEDGE, CONFIG, DEVICE_ID, DRIVER, DRIVER_OK, FEATURES_OK, F_INDIRECT_DESC, F_VERSION_1,
                         INDIRECT, SECONDS, STATUS, WRITE, Device, Machine)
from vm import RUN, Qmp, built

CID, HOST, PORT = 7, 2, 5001
VSOCK = 19          # virtio's number of the device
RX, TX, EVENT = 0, 1, 2
HEADER = struct.Struct("<QQIIIHHIII")
REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST = range(1, 8)
CANARY = b"\xC5" * 64


class Driver:
    """The vsock driver's side: receive buffers with a canary behind each, packets in any number of pieces."""

    def __init__(self, machine):
        self.device = Device(machine, (128, 256, 8), VSOCK)
        self.rx, self.tx, self.event = self.device.queues
        self.buffers = {}

    def start(self, features=F_VERSION_1):
        self.buffers = {}
        self.device.start(features)

    def add_buffers(self, count, pieces=(44 + 4096,), kick=True):
        for _ in range(count):
            places = []
            for size in pieces:
                places.append((self.device.memory.put(bytes(size) + CANARY), size, WRITE))
            self.buffers[self.rx.add(places)] = places
        if kick:
            self.rx.kick()

    def receive(self, seconds=SECONDS):
        """(header, payload) of the next packet; asserts that nothing was written beside the buffer."""
        used = self.rx.next_used(seconds)
        if used is None:
            return None
        head, length = used
        data = b""
        for address, size, _ in self.buffers.pop(head):
            content = self.device.qtest.read(address, size + len(CANARY))
            assert content[size:] == CANARY, "bytes behind a receive buffer changed"
            data += content[:size]
        assert not any(data[length:]), "bytes beyond the used length changed"
        header = HEADER.unpack(data[:44])
        assert len(data[44:length]) == header[4], "used length and header differ"
        return header, data[44:length]

    def expect(self, op):
        packet = self.receive()
        while packet and packet[0][6] == CREDIT_UPDATE != op:
            packet = self.receive()
        assert packet and packet[0][6] == op, "expected op %d, got %s" % (op, packet and packet[0])
        return packet

    def packet(self, op, payload=b"", src=1024, dst=PORT, length=None, fwd_cnt=0):
        return HEADER.pack(CID, HOST, src, dst, len(payload) if length is None else length, 1, op, 0, 1 << 18,
                           fwd_cnt) + payload

    def send_bytes(self, data, cuts=(), kick=True):
        """A packet as one chain, cut at the given offsets, each piece somewhere else."""
        edges = [0] + sorted(cuts) + [len(data)]
        parts = [data[a:b] for a, b in zip(edges, edges[1:])]
        self.tx.add([(self.device.memory.put(part), len(part), 0) for part in parts])
        if kick:
            self.tx.kick()

    def send(self, op, payload=b"", cuts=(), kick=True, **fields):
        self.send_bytes(self.packet(op, payload, **fields), cuts, kick)

    def sent(self):
        """Every packet was taken by the device."""
        while self.tx.seen < self.tx.added:
            assert self.tx.next_used() is not None, "the device does not take packets"


class Listener:
    """A program of the host behind port @port."""

    def __init__(self, uds_path, port=PORT):
        self.path = "%s_%d" % (uds_path, port)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        self.socket.settimeout(SECONDS)

    def accept(self):
        peer = self.socket.accept()[0]
        peer.settimeout(SECONDS)
        return peer

    def close(self):
        self.socket.close()
        os.unlink(self.path)


def receive_exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            break
        data += part
    return data


class Test:
    def __init__(self, emulator, folder):
        self.emulator, self.folder = emulator, folder
        self.uds_path = os.path.join(folder, "v")
        self.device_arguments = ["-device", "helix-vsock-device,guest-cid=%d,uds-path=%s" % (CID, self.uds_path)]
        self.machine = Machine(emulator, folder, self.device_arguments)
        self.qmp = Qmp(self.machine.qmp_path)
        self.driver = Driver(self.machine)
        self.listener = Listener(self.uds_path)

    def close(self):
        self.listener.close()
        self.machine.close()

    def connect(self, src=1024, buffers=4):
        """A fresh device and one connection; returns the host's end."""
        self.driver.start()
        self.driver.add_buffers(buffers)
        self.driver.send(REQUEST, src=src)
        self.driver.expect(RESPONSE)
        return self.listener.accept()

    def works(self):
        """After whatever happened, a reset makes the device good again."""
        with self.connect() as peer:
            self.driver.send(RW, b"fine")
            return receive_exactly(peer, 4) == b"fine" and self.machine.process.poll() is None

    # ---- tests ----

    def identity(self):
        device = self.driver.device
        self.driver.start()
        cid = struct.unpack("<Q", self.machine.qtest.read(device.base + CONFIG, 8))[0]
        features = device.features()
        return device.get(DEVICE_ID) == VSOCK and cid == CID and not features & 2 and features & F_VERSION_1

    def tx_over_several_descriptors(self):
        """libkrun, Firecracker, vhost-device: a packet is what the chain holds, however it is cut."""
        payload = bytes(i * 7 & 0xFF for i in range(5000))
        total = 0
        with self.connect() as peer:
            for cuts in ((), (44,), (20,), (1, 2, 3), (44, 45, 46), range(1, 60), (10, 44, 1000, 4000), (43, 5043)):
                self.driver.send(RW, payload, cuts=cuts)
                if receive_exactly(peer, len(payload)) != payload:
                    return False
                total += len(payload)
        return True

    def tx_indirect(self):
        self.driver.start(F_VERSION_1 | F_INDIRECT_DESC)
        self.driver.add_buffers(4)
        self.driver.send(REQUEST)
        self.driver.expect(RESPONSE)
        with self.listener.accept() as peer:
            data = self.driver.packet(RW, b"indirect")
            memory = self.driver.device.memory
            first, second = memory.put(data[:30]), memory.put(data[30:])
            table = memory.put(struct.pack("<QIHHQIHH", first, 30, 1, 1, second, len(data) - 30, 0, 0))
            self.driver.tx.add([(table, 32, INDIRECT)])
            self.driver.tx.kick()
            return receive_exactly(peer, 8) == b"indirect"

    def rx_over_several_descriptors(self):
        data = bytes(range(256)) * 20
        with self.connect(buffers=1) as peer:
            peer.sendall(data)
            got = b""
            for pieces in ((44, 100), (1,) * 44 + (50,), (20, 24, 7, 9), (60,), (4,) * 100):
                self.driver.add_buffers(1, pieces)
                got += self.driver.expect(RW)[1]
            self.driver.add_buffers(8)
            while len(got) < len(data):
                got += self.driver.expect(RW)[1]
            return got == data

    def lengths_that_lie(self):
        """Firecracker CVE-2019-18960: a length beyond the chain resets the connection and reads nothing."""
        for length in (5, 4096, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 43):
            with self.connect() as peer:
                self.driver.send(RW, b"1234", length=length)
                self.driver.expect(RST)
                if receive_exactly(peer, 1) != b"":
                    return False
        return True

    def beyond_credit(self):
        with self.connect() as peer:
            self.driver.send(RW, bytes(300 * 1024))
            self.driver.expect(RST)
            return receive_exactly(peer, 1) == b""

    def broken(self, provoke):
        """@provoke breaks the device, as virtio says, and nothing else; a reset mends it."""
        self.driver.start()
        self.driver.add_buffers(1)
        provoke()
        return self.driver.device.wait_broken() and self.works()

    def short_packets(self):
        return all(self.broken(lambda n=size: self.driver.send_bytes(bytes(n))) for size in (1, 43))

    def packet_without_bytes(self):
        memory = self.driver.device.memory

        def provoke():
            self.driver.tx.add([(memory.take(64), 64, WRITE)])
            self.driver.tx.kick()
        return self.broken(provoke)

    def buffers_outside_memory(self):
        """Where nothing is, QEMU reads zeros and writes nowhere."""
        self.driver.start()
        self.driver.rx.add([(1 << 40, 4096, WRITE)])
        self.driver.rx.kick()
        self.driver.tx.add([(1 << 40, 100, 0)])
        self.driver.tx.kick()
        return self.driver.tx.next_used() is not None and self.works()

    def looped_chain(self):
        memory = self.driver.device.memory

        def provoke():
            self.driver.tx.add([(memory.take(64), 64, 0), (memory.take(64), 64, 0)], loop=True)
            self.driver.tx.kick()
        return self.broken(provoke)

    def small_receive_buffer(self, size):
        self.driver.start()
        self.driver.add_buffers(1, (size,))
        self.driver.send(RW)                # to a connection that is not there: a RST is owed
        return self.driver.device.wait_broken() and self.works()

    def unwritable_receive_buffer(self):
        self.driver.start()
        self.driver.rx.add([(self.driver.device.memory.take(4096), 4096, 0)])
        self.driver.rx.kick()
        self.driver.send(RW)
        return self.driver.device.wait_broken() and self.works()

    def own_registers(self):
        """CVE-2024-3446's kind: buffers on the device's own registers, where a 0, or a CID, is a reset in the midst of its work."""
        device, memory = self.driver.device, self.driver.device.memory
        running = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
        register = device.base + STATUS
        with self.connect(buffers=1) as peer:
            self.driver.rx.add([(memory.take(44), 44, WRITE), (register, 4, WRITE)])
            self.driver.rx.kick()
            peer.sendall(bytes(4))                                      # from the socket's callback
            if self.driver.rx.next_used() is None or device.get(STATUS) != running:
                return False
            self.driver.rx.add([(register, 4, WRITE), (memory.take(44), 44, WRITE)])
            self.driver.rx.kick()
            self.driver.send(RW, src=30000)                             # a RST, from the bottom half
            if self.driver.rx.next_used() is None or device.get(STATUS) != running:
                return False
        return "re-entrant IO" in self.machine.said() and self.works()

    def no_spin(self):
        """Firecracker, vhost-device: without receive buffers, whatever waits, QEMU rests; nothing is lost."""
        strays = 600
        with self.connect(buffers=1) as peer:
            peer.setblocking(False)
            try:
                while True:
                    peer.send(bytes(65536))
            except BlockingIOError:
                pass
            left = strays
            while left:
                while left and self.driver.tx.free:
                    self.driver.send(RW, src=30000 + left, dst=9, kick=False)
                    left -= 1
                self.driver.tx.kick()
                if self.driver.tx.next_used(0.5) is None:
                    break                   # the device remembers as many RSTs as it can, and takes no more
            taken_all = not left and self.driver.tx.seen == self.driver.tx.added
            before = self.machine.cpu_seconds()
            time.sleep(1)
            used = self.machine.cpu_seconds() - before
            print("# %.2f s of processor time in 1 s" % used)
            resets = 0
            while resets < strays:
                while self.driver.tx.free and left:
                    self.driver.send(RW, src=30000 + left, dst=9)
                    left -= 1
                while self.driver.tx.used_index() != self.driver.tx.seen & 0xFFFF:
                    self.driver.tx.next_used()
                self.driver.add_buffers(16)
                for _ in range(16):
                    packet = self.driver.receive()
                    if not packet:
                        return False
                    resets += packet[0][6] == RST
            return used < 0.5 and not taken_all

    def notices(self):
        """Nobody waits for an interrupt a packet: it comes a millisecond later, with a quarter of the queue or with 128 KiB."""
        device, queue = self.driver.device, self.driver.tx

        def send(count):
            for _ in range(count):
                self.driver.send(CREDIT_UPDATE)
            self.driver.sent()

        with self.connect():
            self.machine.qtest.step(1000)
            device.interrupted()
            send(1)
            at_once = device.interrupted()
            self.machine.qtest.step(1000)
            later = device.interrupted()
            self.machine.qtest.step(10000)
            twice = device.interrupted()
            send(queue.size // 4 - 1)
            before = device.interrupted()
            send(1)
            quarter = device.interrupted()
            self.driver.send(REQUEST, src=1025)
            self.driver.expect(RESPONSE)
            with self.listener.accept():
                self.machine.qtest.step(1000)
                device.interrupted()
                self.driver.send(RW, bytes(65536))      # half of what makes the host send news of credit, an interrupt too
                self.driver.sent()
                some = device.interrupted()
                self.driver.send(RW, bytes(65536), src=1025)
                self.driver.sent()
                much = device.interrupted()
            assert self.driver.receive(), "the second connection's end is not told"
            self.machine.qtest.step(1000)
            device.interrupted()
            send(1)
            self.qmp.command("stop")
            self.qmp.command("cont")
            self.machine.qtest.step(1000)
            resumed = device.interrupted()
            return later and quarter and much and resumed and not (at_once or twice or before or some)

    def stopped(self):
        """Queues are not touched while the VM is stopped; what came meanwhile goes on afterwards."""
        with self.connect(buffers=8) as peer:
            self.qmp.command("stop")
            rx, tx = self.driver.rx.used_index(), self.driver.tx.used_index()
            peer.sendall(b"from the host")
            self.driver.send(RW, b"from the guest")
            self.driver.add_buffers(1)
            time.sleep(0.3)
            untouched = (rx, tx) == (self.driver.rx.used_index(), self.driver.tx.used_index())
            self.qmp.command("cont")
            return (untouched and self.driver.expect(RW)[1] == b"from the host"
                    and receive_exactly(peer, 14) == b"from the guest")

    def device_reset(self):
        """The guest reboots: its connections end for the host, and their ports are free."""
        peers = []
        self.driver.start()
        self.driver.add_buffers(32)
        for src in range(16):
            self.driver.send(REQUEST, src=src + 100)
            self.driver.expect(RESPONSE)
            peers.append(self.listener.accept())
        self.driver.device.set(STATUS, 0)
        ended = all(receive_exactly(peer, 1) == b"" for peer in peers)
        for peer in peers:
            peer.close()
        return ended and self.works()

    def reset_of_many(self):
        """More connections than are closed in one turn: the next driver's packets wait, and none of theirs comes to it."""
        peers = []
        self.driver.start()
        for src in range(300):
            self.driver.add_buffers(1)
            self.driver.send(REQUEST, src=src + 100)
            self.driver.sent()
            self.driver.expect(RESPONSE)
            peers.append(self.listener.accept())
        for peer in peers:
            peer.sendall(b"waits for a buffer")
        self.driver.start()                 # a reset first of all
        self.driver.add_buffers(8)
        self.driver.send(REQUEST, src=399)  # one of theirs
        header, _ = self.driver.receive()
        fresh = self.listener.accept()
        fresh.sendall(b"fresh")
        payload = self.driver.expect(RW)[1]
        ended = 0
        for peer in peers:
            try:
                ended += receive_exactly(peer, 1) == b""
            except ConnectionResetError:    # what it had sent was left unread
                ended += 1
            peer.close()
        fresh.close()
        return header[6] == RESPONSE and payload == b"fresh" and ended == 300 and self.works()

    def system_reset(self):
        with self.connect() as peer:
            self.qmp.command("system_reset")
            return receive_exactly(peer, 1) == b"" and self.works()

    def restore(self):
        """Firecracker, cloud-hypervisor: after a restore the guest hears TRANSPORT_RESET, or it would wait without limit."""
        state = os.path.join(self.folder, "state")
        with self.connect(buffers=3):
            event = self.driver.device.memory.put(b"\xFF" * 8)
            self.driver.event.add([(event, 8, WRITE)])
            self.driver.event.kick()
            self.qmp.command("stop")
            self.qmp.command("migrate", uri="file:" + state)
            end = time.monotonic() + SECONDS
            while self.qmp.command("query-migrate")["status"] not in ("completed", "failed") and time.monotonic() < end:
                time.sleep(0.02)
            if self.qmp.command("query-migrate")["status"] != "completed":
                return False
        old = self.driver
        self.machine.close()
        self.machine = Machine(self.emulator, self.folder, self.device_arguments + ["-incoming", "file:" + state],
                               "restored")
        self.qmp = Qmp(self.machine.qmp_path)
        end = time.monotonic() + SECONDS
        while self.qmp.command("query-status")["status"] == "inmigrate" and time.monotonic() < end:
            time.sleep(0.02)
        self.qmp.command("cont")
        old.device.qtest = old.device.memory.qtest = self.machine.qtest
        self.driver = old
        used = old.event.next_used()
        told = used is not None and used[1] == 4 and self.machine.qtest.read(event, 8) == bytes(4) + b"\xFF" * 4
        old.device.interrupted()
        self.machine.qtest.step(1000)
        noticed = old.device.interrupted()  # of packets taken before, in case it was not yet
        old.send(RW, b"lost")               # the connection is unknown here; the receive buffers are not lost
        old.expect(RST)
        old.send(REQUEST, src=4000)
        old.expect(RESPONSE)
        self.listener.accept().close()
        return told and noticed and self.works()


def unusable_properties(emulator, folder):
    """Each is refused at start, with what would be right."""
    others = os.path.join(folder, "others")
    os.mkdir(others)
    os.mkdir(os.path.join(others, "private"), 0o700)
    os.chmod(others, 0o777)
    cases = (("guest-cid=0", "must be from 3"), ("guest-cid=1", "must be from 3"), ("guest-cid=2", "must be from 3"),
             ("guest-cid=4294967295", "must be from 3"), ("guest-cid=18446744073709551615", "must be from 3"),
             ("uds-path=%s/v" % others, "not writable by group or others"),
             ("uds-path=%s/private/v" % others, "a folder above"),
             ("uds-path=%s/%s" % (folder, "x" * 90), "bytes"),
             ("uds-path=%s/nowhere/v" % folder, "nowhere"))
    for number, (properties, word) in enumerate(cases):
        name = "refused%d" % number
        try:
            machine = Machine(emulator, folder, ["-device", "helix-vsock-device," + properties], name)
        except OSError:
            machine = None          # it was gone even before its first socket
        try:
            if machine:
                Qmp(machine.qmp_path)
                return properties + " was taken"
        except (OSError, ValueError):
            machine.process.wait(SECONDS)   # it ends instead of speaking
        finally:
            if machine:
                machine.close()
        with open(os.path.join(folder, name + ".log")) as log:
            said = log.read()
        if word not in said:
            return "%s: %s" % (properties, said)
    return True


def refused_by_module(emulator, folder):
    """The frame module's port is its own: one connection more than it takes is reset, and no UNIX socket gets it."""
    for number, port in enumerate((5000, 6000)):
        uds_path = os.path.join(folder, "m%d" % number)
        listeners = [Listener(uds_path, port) for port in (5000, 6000)]
        machine = Machine(emulator, folder, [
            "-device", "virtio-gpu-device,helix-frame-export=on,helix-encoder=null,helix-max-connections=1,helix-vsock-port=%d" % port,
            "-device", "helix-vsock-device,guest-cid=%d,uds-path=%s" % (CID, uds_path)], "module%d" % number)
        try:
            driver = Driver(machine)
            driver.start()
            driver.add_buffers(8)
            driver.send(REQUEST, src=2000, dst=port)
            driver.expect(RESPONSE)
            for src in (2001, 2002):
                driver.send(REQUEST, src=src, dst=port)
                driver.expect(RST)
            driver.send(REQUEST, src=2003, dst=11000 - port)    # the other of the two is no port of the module's
            driver.expect(RESPONSE)
            for listener in listeners:
                listener.socket.setblocking(False)
                try:
                    listener.accept().close()
                    got = True
                except BlockingIOError:
                    got = False
                if got != (listener.path.endswith(str(11000 - port))):
                    return "%s was%s connected to" % (listener.path, "" if got else " not")
        finally:
            machine.close()
            for listener in listeners:
                listener.close()
    return True


def unplugged(emulator, folder):
    """device_del takes device and socket away, device_add makes them again."""
    path = os.path.join(folder, "u")
    machine = Machine(emulator, folder, ["-S"], "plug", "pc")
    try:
        qmp = Qmp(machine.qmp_path)
        for _ in range(2):
            qmp.command("device_add", driver="helix-vsock-pci", id="v", **{"uds-path": path})
            if not os.path.exists(path):
                return "no socket at " + path
            qmp.command("device_del", id="v")
            qmp.command("system_reset")         # no guest is there to let it go
            end = time.monotonic() + SECONDS
            while os.path.exists(path):
                if time.monotonic() > end:
                    return "the socket stays"
                time.sleep(0.02)
        qmp.command("device_add", driver="helix-vsock-pci", id="v", **{"uds-path": path})
        qmp.command("quit")
        machine.process.wait(SECONDS)
        return not os.path.exists(path) or "the socket outlives QEMU"
    finally:
        machine.close()


def main():
    tap = Tap()
    emulator = built()["qemu"]
    with tempfile.TemporaryDirectory(prefix="vsock-", dir=RUN) as folder:
        for what, check in (("unusable properties are refused", unusable_properties),
                            ("the module's port is reset when the module refuses", refused_by_module),
                            ("plugged, unplugged, plugged again", unplugged)):
            try:
                result = check(emulator, folder)
            except AssertionError as error:
                result = str(error)
            tap.check(result is True, what, "" if result is True else result)
        test = Test(emulator, folder)
        try:
            for what, check in (
                    ("device id, CID and features, on virtio-mmio", test.identity),
                    ("packets over several descriptors, cut anywhere", test.tx_over_several_descriptors),
                    ("packets in indirect descriptors", test.tx_indirect),
                    ("receive buffers over several descriptors", test.rx_over_several_descriptors),
                    ("lengths beyond the chain reset the connection", test.lengths_that_lie),
                    ("more than the credit resets the connection", test.beyond_credit),
                    ("packets shorter than a header break the device", test.short_packets),
                    ("a packet with nothing to read breaks the device", test.packet_without_bytes),
                    ("buffers outside of memory do no harm", test.buffers_outside_memory),
                    ("buffers on the device's own registers do not enter it again", test.own_registers),
                    ("a looped chain breaks the device", test.looped_chain),
                    ("a receive buffer of 43 bytes breaks the device", lambda: test.small_receive_buffer(43)),
                    ("a receive buffer that can't be written breaks the device", test.unwritable_receive_buffer),
                    ("without receive buffers nothing spins and nothing is lost", test.no_spin),
                    ("one interrupt for many packets taken, a millisecond later at most", test.notices),
                    ("a stopped VM's queues are left alone", test.stopped),
                    ("a device reset ends connections and frees ports", test.device_reset),
                    ("so does one of 300 connections, in turns", test.reset_of_many),
                    ("a system reset does", test.system_reset),
                    ("after a restore the guest is told, and no buffer is lost", test.restore)):
                try:
                    tap.check(check(), what, test.machine.said())
                except (AssertionError, OSError) as error:
                    tap.check(False, what, "%s: %s\n%s" % (type(error).__name__, error, test.machine.said()))
        finally:
            test.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
