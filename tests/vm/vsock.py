# SPDX-License-Identifier: GPL-2.0-or-later
"""helix-vsock-pci under Linux: plain socat and AF_VSOCK in the guest, UNIX sockets on the host, both ways.

Every byte that goes through is checked at the other end; times are shown, and none fails a test.
"""

import contextlib
import hashlib
import os
import socket
import sys
import threading
import time

from tap import Tap
from vm import VM, VMError

SECONDS = 60
BULK = 100 << 20
CONNECTIONS = 200

MANY = r'''
import select, socket, sys
n, port = int(sys.argv[1]), int(sys.argv[2])
made = [socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) for _ in range(n)]
for s in made:
    s.connect((2, port))
for i, s in enumerate(made):                    # all open, now all talk
    s.sendall(bytes([i & 255]) * (1000 + i))
for i, s in enumerate(made):
    s.shutdown(socket.SHUT_WR)
for i, s in enumerate(made):
    got = b""
    while part := s.recv(65536):
        got += part
    if got != bytes([i & 255]) * (1000 + i):
        sys.exit("connection %d: %d bytes came back" % (i, len(got)))
    s.close()
'''

REFUSED = r'''
import socket, sys, time
for cid, port in ((2, 9), (2, 5000), (9, 7000)):
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    begin = time.monotonic()
    try:
        s.connect((cid, port))
        sys.exit("connected to %d:%d" % (cid, port))
    except ConnectionResetError:
        pass
    print("%d:%d %.1f ms" % (cid, port, (time.monotonic() - begin) * 1000))
'''

PING = r'''
import socket, time
s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
s.connect((2, 7100))
times = []
for i in range(301):
    begin = time.monotonic()
    s.sendall(b"x" * 32)
    got = 0
    while got < 32:
        got += len(s.recv(32))
    times.append(time.monotonic() - begin)
times = sorted(times[1:])
print("round trip of 32 bytes: p50 %.0f us, p99 %.0f us" % (times[150] * 1e6, times[297] * 1e6))
'''

SMALL = r'''
import socket, sys
for size in (4096, 65536, 200000):      # of the guest's own buffer: Linux sends no more ahead than it would take itself
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    s.setsockopt(socket.AF_VSOCK, 0, size)    # SO_VM_SOCKETS_BUFFER_SIZE
    s.connect((2, 7100))
    s.settimeout(20)
    for i in range(16):
        s.sendall(bytes([i]) * 65536)
        got = b""
        while len(got) < 65536 and (part := s.recv(65536)):
            got += part
        if got != bytes([i]) * 65536:
            sys.exit("%d bytes came back with a buffer of %d" % (len(got), size))
'''

HOLD = r'''
import socket, sys, time
s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
s.connect((2, int(sys.argv[1])))
s.sendall(b"here")
%s
'''


ECHO = r'''
import select, socket, sys
server = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
server.bind((socket.VMADDR_CID_ANY, int(sys.argv[1])))
server.listen(256)
there = [server]
while True:
    for s in select.select(there, [], [])[0]:
        if s is server:
            there.append(s.accept()[0])
        elif part := s.recv(4096):
            s.sendall(part)
        else:
            there.remove(s)
            s.close()
'''


class Listener:
    """A program of the host behind @port: @serve(connection) on a thread for each connection of the guest."""

    def __init__(self, vm, port, serve):
        self.path = "%s_%d" % (vm.uds_path, port)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(CONNECTIONS)     # a full backlog is refused at once
        self.serve, self.results, self.changed = serve, [], threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.socket.accept()[0]
                connection.settimeout(SECONDS)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                result = self.serve(connection)
        except OSError as error:
            result = error
        with self.changed:
            self.results.append(result)
            self.changed.notify_all()

    def result(self, seconds=SECONDS):
        """What the next connection's serve() returned; an OSError if it failed."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.results, seconds):
                return OSError("nothing within %d s" % seconds)
            return self.results.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        os.unlink(self.path)


def read_all(connection):
    data = b""
    while True:
        part = connection.recv(1 << 16)
        if not part:
            return data
        data += part


def hash_all(connection):
    digest = hashlib.sha256()
    while True:
        part = connection.recv(1 << 18)
        if not part:
            return digest.hexdigest()
        digest.update(part)


def echo(connection):
    while True:
        part = connection.recv(1 << 16)
        if not part:
            return True
        connection.sendall(part)


def read_and_answer(connection):
    """Echo, but nothing goes back that could carry news of credit before a block of 64 KiB has come whole."""
    while True:
        block = b""
        while len(block) < 65536:
            part = connection.recv(65536 - len(block))
            if not part:
                return not block
            block += part
        connection.sendall(block)


def call(vm, port):
    """CONNECT to @port of the guest; (socket, the host's answer)."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(SECONDS)
    sock.connect(vm.uds_path)
    sock.sendall(b"CONNECT %d\n" % port)
    line = b""
    while not line.endswith(b"\n"):
        part = sock.recv(1)
        if not part:
            break
        line += part
    return sock, line


def call_when_up(vm, port):
    """As call(), once something listens there."""
    end = time.monotonic() + SECONDS
    while True:
        sock, line = call(vm, port)
        if line.startswith(b"OK ") or time.monotonic() > end:
            return sock, line
        sock.close()
        time.sleep(0.2)


# ---- tests: each returns True, or what is wrong ----

def guest_connects(vm):
    with Listener(vm, 7000, lambda c: (c.sendall(b"from the host\n"), read_all(c))[1]) as listener:
        out = vm.run(["socat", "-", "VSOCK-CONNECT:2:7000"], stdin=b"from the guest\n").out
        got = listener.result()
    return (out, got) == (b"from the host\n", b"from the guest\n") or "guest got %r, host got %r" % (out, got)


def small_buffers(vm):
    with Listener(vm, 7100, read_and_answer) as listener:
        vm.run(["python3", "-c", SMALL])
        return all(listener.result() is True for _ in range(3)) or "a connection failed"


def refused_at_once(vm):
    out = vm.run(["python3", "-c", REFUSED]).out.decode()
    print("# refused: " + ", ".join(out.splitlines()))
    return out.count("ms") == 3 or out


def host_connects(vm):
    with vm.start(["socat", "-t", "30", "VSOCK-LISTEN:7001,fork", "EXEC:cat"]):
        for _ in range(5):
            sock, line = call_when_up(vm, 7001)
            if not line.startswith(b"OK ") or int(line[3:]) < 1 << 30:
                return "answer %r" % line
            data = os.urandom(300000)
            threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)), daemon=True).start()
            if read_all(sock) != data:
                return "not what was sent"
            sock.close()
    sock, line = call(vm, 7777)
    sock.close()
    return line == b"" or "a port without listener answers %r" % line


def half_close(vm):
    def after_eof(connection):
        data = read_all(connection)
        time.sleep(0.5)
        connection.sendall(b"%d bytes, then end" % len(data))
        return data

    with Listener(vm, 7002, after_eof) as listener:
        out = vm.run(["socat", "-t", "30", "-", "VSOCK-CONNECT:2:7002"], stdin=b"q" * 5000).out
        if out != b"5000 bytes, then end" or listener.result() != b"q" * 5000:
            return "guest got %r" % out
    with vm.start(["socat", "-t", "30", "VSOCK-LISTEN:7003", "SYSTEM:wc -c; sleep 1; echo after"]):
        sock, _ = call_when_up(vm, 7003)
        sock.sendall(b"z" * 70000)
        sock.shutdown(socket.SHUT_WR)
        out = read_all(sock)
        sock.close()
    return out.split() == [b"70000", b"after"] or "host got %r" % out


def bulk(vm):
    """100 MiB in both directions at the same time on one connection."""
    down = os.urandom(1 << 20)
    down_hash = hashlib.sha256(down * (BULK >> 20)).hexdigest()

    def both(connection):
        def send():
            for _ in range(BULK >> 20):
                connection.sendall(down)
            connection.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        digest = hash_all(connection)
        thread.join(SECONDS)
        return digest

    vm.run("head -c %d /dev/urandom >/dev/shm/up" % BULK, timeout=120)
    up_hash = vm.run("sha256sum </dev/shm/up", timeout=120).out.split()[0].decode()
    with Listener(vm, 7004, both) as listener:
        begin = time.monotonic()
        vm.run("socat -b 65536 -t 60 VSOCK-CONNECT:2:7004 - </dev/shm/up >/dev/shm/down", timeout=240)
        seconds = time.monotonic() - begin
        got_up = listener.result(SECONDS)
    got_down = vm.run("sha256sum </dev/shm/down; rm /dev/shm/up /dev/shm/down", timeout=120).out.split()[0].decode()
    print("# %d MiB each way in %.1f s: %.0f MiB/s in all (%s)" % (BULK >> 20, seconds, 2 * (BULK >> 20) / seconds,
                                                                   vm.accel))
    if got_up != up_hash:
        return "guest to host: sha256 %s, not %s" % (got_up, up_hash)
    return got_down == down_hash or "host to guest: sha256 %s, not %s" % (got_down, down_hash)


def many(vm):
    with Listener(vm, 7005, echo):
        vm.push(MANY.encode(), "/tmp/many.py")
        vm.run(["python3", "/tmp/many.py", str(CONNECTIONS), "7005"], timeout=120)
    return True


def many_from_host(vm):
    with vm.start(["socat", "-t", "30", "VSOCK-LISTEN:7006,fork,backlog=200", "EXEC:cat"]):
        call_when_up(vm, 7006)[0].close()
        socks = [call_when_up(vm, 7006)[0] for _ in range(20)]
        for i, sock in enumerate(socks):
            sock.sendall(bytes([i]) * 10000)
            sock.shutdown(socket.SHUT_WR)
        lengths = [len(data) for i, sock in enumerate(socks) if (data := read_all(sock)) != bytes([i]) * 10000]
        for sock in socks:
            sock.close()
    return not lengths or "of 10000 bytes came back %r" % lengths


def many_at_once(vm):
    """More CONNECTs than are asked at once, none of which waits for another: all are answered."""
    socks, bad = [], 0
    with vm.start(["python3", "-c", ECHO, "7012"]):
        call_when_up(vm, 7012)[0].close()
        for _ in range(CONNECTIONS):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(vm.uds_path)           # waits while the backlog is full
            sock.settimeout(SECONDS)
            sock.sendall(b"CONNECT 7012\n")
            socks.append(sock)
        for number, sock in enumerate(socks):
            with sock, sock.makefile("rb") as file:
                if not file.readline().startswith(b"OK "):
                    bad += 1
                    continue
                sock.sendall(b"%06d" % number)
                bad += file.read(6) != b"%06d" % number
    return not bad or "%d of %d failed" % (bad, CONNECTIONS)


def last_words(vm):
    """A client of the host is gone before the guest has answered; what it said arrives."""
    with vm.start(["socat", "-u", "VSOCK-LISTEN:7013,fork", "-"]) as process:
        call_when_up(vm, 7013)[0].close()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(vm.uds_path)
            sock.sendall(b"CONNECT 7013\ntest\n")
        return vm.wait_for(lambda: process.out == b"test\n", SECONDS) or "the guest got %r" % bytes(process.out)


def late_reader(vm):
    """The guest sends and closes; the host's program reads when it likes."""
    size, closed = 420000, threading.Event()

    def late(connection):
        closed.wait(SECONDS)
        return len(read_all(connection))

    with Listener(vm, 7014, late) as listener:
        vm.run("head -c %d /dev/zero | socat -u - VSOCK-CONNECT:2:7014" % size)
        time.sleep(1)
        closed.set()
        got = listener.result()
    return got == size or "%r bytes" % got


def guest_dies(vm):
    """A process of the guest is killed: the host's end closes, at once and not after a time-out."""
    ends = []

    def wait(connection):
        connection.recv(4)
        ends.append(None)
        read_all(connection)
        return time.monotonic()

    with Listener(vm, 7007, wait) as listener:
        with vm.start(["python3", "-c", HOLD % "time.sleep(1000)", "7007"]) as process:
            if not vm.wait_for(lambda: ends, SECONDS):
                return "it did not connect"
            begin = time.monotonic()
            process.kill()
            ended = listener.result()
    if isinstance(ended, OSError):
        return "the host's end: %s" % ended
    print("# the host saw the end %.0f ms after the kill" % ((ended - begin) * 1000))
    return True


def host_dies(vm):
    """The host's program goes, leaving bytes unread: the guest sees the end, and EPIPE when it writes on."""
    script = HOLD % r'''
print(len(s.recv(100)))
try:
    for i in range(200):
        s.sendall(b"more" * 1000)
        time.sleep(0.05)
    print("all was taken")
except (BrokenPipeError, ConnectionResetError) as error:
    print(type(error).__name__)
'''
    with Listener(vm, 7008, lambda c: c.recv(1)):
        out = vm.run(["python3", "-c", script, "7008"]).out.split()
    return out in ([b"0", b"BrokenPipeError"], [b"0", b"ConnectionResetError"]) or "guest saw %r" % out


def slow_reader(vm):
    """A host that does not read stops the guest's writer, and nothing is lost when it reads on."""
    size = 8 << 20

    def slow(connection):
        time.sleep(3)
        return len(read_all(connection))

    with Listener(vm, 7009, slow) as listener:
        before = time.monotonic()
        vm.run("head -c %d /dev/zero | socat -u - VSOCK-CONNECT:2:7009" % size)
        took = time.monotonic() - before
        got = listener.result()
    return got == size and took > 2 or "%r bytes, writer done after %.1f s" % (got, took)


def stop_and_continue(vm):
    """The VM is stopped in the middle of traffic: it goes on where it was."""
    size = 24 << 20
    with Listener(vm, 7010, hash_all) as listener:
        vm.run("head -c %d /dev/urandom >/dev/shm/s" % size)
        want = vm.run("sha256sum </dev/shm/s").out.split()[0].decode()
        with vm.start("socat -u OPEN:/dev/shm/s VSOCK-CONNECT:2:7010") as process:
            for _ in range(4):
                time.sleep(0.1)
                vm.qmp("stop")
                time.sleep(0.2)
                vm.qmp("cont")
            process.check(SECONDS)
        got = listener.result()
    return got == want or "sha256 %s, not %s" % (got, want)


def ping(vm):
    with Listener(vm, 7100, echo):
        print("# " + vm.run(["python3", "-c", PING]).out.decode().strip())
    return True


def reboot(vm):
    """The guest reboots with connections open: the host sees their end, and all works afterwards."""
    started = []

    def wait(connection):
        connection.recv(4)
        started.append(None)
        return read_all(connection)

    vm.qmp("set-action", reboot="reset")
    with Listener(vm, 7011, wait) as listener:
        for _ in range(5):
            vm.start(["python3", "-c", HOLD % "time.sleep(1000)", "7011"])
        if not vm.wait_for(lambda: len(started) == 5, SECONDS):
            return "the connections did not come"
        vm.hello = None
        vm.start("sync; echo b >/proc/sysrq-trigger")
        ends = [listener.result(120) for _ in range(5)]
        if ends != [b""] * 5:
            return "the host's ends: %r" % ends
    if not vm.wait_for(lambda: vm.hello is not None, 120):
        return "the guest did not come up again" + vm.last_words()
    return guest_connects(vm)


def main():
    tap = Tap()
    with VM(name="vsock", gpu=None, memory="1G") as vm:
        for what, test in (
                ("socat in the guest reaches a UNIX socket of the host", guest_connects),
                ("a guest with small buffers is not left waiting for credit", small_buffers),
                ("what nobody serves is refused at once", refused_at_once),
                ("CONNECT on the host reaches socat in the guest", host_connects),
                ("half-close, both ways", half_close),
                ("100 MiB each way arrive intact", bulk),
                ("%d connections at once" % CONNECTIONS, many),
                ("20 connections at once from the host", many_from_host),
                ("%d CONNECTs at once from the host" % CONNECTIONS, many_at_once),
                ("a client of the host that is gone at once has said what it said", last_words),
                ("a guest that closes is read later", late_reader),
                ("a guest process that is killed ends its connection", guest_dies),
                ("a host program that goes ends the guest's connection", host_dies),
                ("a host that does not read holds the guest back", slow_reader),
                ("a VM stopped in the middle goes on", stop_and_continue),
                ("round trips", ping),
                ("the guest reboots with connections open", reboot)):
            try:
                result = test(vm)
                tap.check(result is True, what, "" if result is True else result)
            except (VMError, OSError) as error:
                tap.check(False, what, error)
                if not vm.alive():
                    break
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
