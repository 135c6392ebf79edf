# SPDX-License-Identifier: GPL-2.0-or-later
"""What the suites of faults share: a VM in which things go wrong on purpose, guests that must not notice, and what has
to hold after each fault: QEMU alive, the guest answering, the other streams going on in order, the next connection
working.

    with FaultVM("faults") as faults:
        faults.check("a client is killed", kill_a_client)     # a function of the FaultVM: True, or what is wrong
        return faults.end()

Two streams go on beside every fault, one of a program of the host (through helix-listen=, so it outlives the guest) and
one in the guest. Their films are decoded and compared with what was drawn when the suite ends.
"""

import io
import os
import re
import struct
import subprocess
import tarfile
import tempfile
import threading
import time

import build
from tap import Tap
from vm import VM, VMError

SECONDS = 60
GOAL_US = 5000
CLIENT = "/helix/bin/fault-client"
VSOCK = "vsock:2:5000"
ORDERS = ("width", "delay_ms", "fail_frames", "lose_session", "fail_opens", "refuse_bytes")
COUNTS = ("frames", "delayed", "failed", "refused_opens", "refused_allocations", "held_kib")


def tool(*parts):
    return os.path.join(build.BUILDS, "tests", "tests", *parts)


class Encoders:
    """faults-preload.c's orders: encoders.order(delay_ms=500); encoders.order() takes all back."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "faults")
        with open(self.path, "wb") as file:
            file.write(bytes(4 * len(ORDERS + COUNTS)))

    def environment(self):
        return {"HELIX_FAULTS": self.path, "LD_PRELOAD": tool("vm", "libfaults-preload.so")}

    def order(self, **orders):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("<6i", *(orders.get(name, 0) for name in ORDERS)))

    def count(self, name):
        with open(self.path, "rb") as file:
            return struct.unpack("<12i", file.read())[len(ORDERS) + COUNTS.index(name)]


class Bystander:
    """A stream that goes on; @lines gives what its program says."""

    def __init__(self, name):
        self.name = name
        self.units = 0
        self.worst_ms = 0
        self.last = None
        self.lock = threading.Lock()

    def feed(self, line):
        match = re.match(r"unit (\d+) (\d+)", line)
        if match:
            with self.lock:
                at = int(match.group(2))
                if self.last is not None:
                    self.worst_ms = max(self.worst_ms, at - self.last)
                self.last = at
                self.units = int(match.group(1)) + 1

    def gap(self):
        """The longest time between two access units since the last call."""
        with self.lock:
            worst, self.worst_ms = self.worst_ms, 0
            return worst


class HostBystander(Bystander):
    def __init__(self, address, folder):
        super().__init__("a stream of the host's")
        films = os.path.join(folder, "host")
        os.makedirs(films, exist_ok=True)
        self.film = os.path.join(films, "pixels")
        self.process = subprocess.Popen([tool("guest", "fault-client"), "unix:" + address, films, "pixels"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.feed(line)

    def problem(self):
        return None if self.process.poll() is None else "it ended: " + self.process.stderr.read()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "it does not end: answers stopped"
        return self.process.returncode == 0 or self.process.stderr.read()


class GuestBystander(Bystander):
    def __init__(self, vm):
        super().__init__("a stream of the guest's")
        vm.run("mkdir -p /tmp/bystander")
        self.process = vm.start([CLIENT, VSOCK, "/tmp/bystander", "bystander"])
        self.vm, self.seen = vm, 0

    def poll(self):
        text = bytes(self.process.out)
        for line in text[self.seen:].decode().splitlines():
            self.feed(line)
        self.seen = text.rfind(b"\n") + 1

    def problem(self):
        self.poll()
        return None if not self.process.done() else "it ended: " + bytes(self.process.err).decode()

    def end(self):
        self.process.kill(15)
        result = self.process.wait(SECONDS)
        self.poll()
        return result.rc == 0 or result.err.decode()


def judge(film):
    """True, or what is wrong with a film."""
    done = subprocess.run([tool("vm", "check-picture"), film], capture_output=True, text=True, timeout=300)
    print("# " + done.stdout.strip())
    return done.returncode == 0 or done.stderr[:1500]


class FaultVM:
    def __init__(self, name, preload=False, guest_stream=True, host_stream=True, extra=(), **options):
        self.tap = Tap()
        self.stack = tempfile.TemporaryDirectory(prefix="helix-")
        self.folder = self.stack.name
        self.address = os.path.join(self.folder, "socket")
        self.encoders = Encoders(self.folder) if preload else None
        gpu = options.setdefault("gpu", "virtio-gpu-gl-pci")
        device = "virtio-gpu-gl-device" if "-gl" in gpu else "virtio-gpu-device"
        listen = ("-global", "%s.helix-listen=unix:%s" % (device, self.address))
        self.vm = VM(name=name, extra=listen + tuple(extra), append="virtio_gpu.virglhack=0",
                     environment=self.encoders.environment() if preload else {}, **options)
        self.wants = host_stream, guest_stream
        self.bystanders = []

    def __enter__(self):
        try:
            self.vm.launch()
            self.vm.qmp("set-action", reboot="reset")
            self.start_bystanders()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.vm.close()
        for bystander in self.bystanders:
            if isinstance(bystander, HostBystander) and bystander.process.poll() is None:
                bystander.process.kill()
        self.stack.cleanup()

    def start_bystanders(self):
        if self.wants[0]:
            self.bystanders.append(HostBystander(self.address, self.folder))
        if self.wants[1]:
            self.bystanders.append(GuestBystander(self.vm))

    # ---- what faults are made of ----

    def client(self, *what):
        """argv of tests/guest/fault-client.c in the guest; its films go to /tmp/films."""
        return ["sh", "-c", "mkdir -p /tmp/films && exec %s %s /tmp/films %s" % (CLIENT, VSOCK, " ".join(map(str, what)))]

    def play(self, *what, timeout=120, film=True):
        """Run a client to its end and judge its film."""
        result = self.vm.run(self.client(*what), timeout=timeout, check=False)
        for line in result.out.decode().splitlines():
            if line.startswith("#") and "as may be" not in line and "as expected" not in line:
                print(line)
        if result.rc:
            return result.err.decode()[-1500:] or "ended with %d" % result.rc
        return self.judge(what[0]) if film else True

    def judge(self, name):
        for ending in ("h264", "index"):
            self.vm.pull("/tmp/films/%s.%s" % (name, ending), os.path.join(self.folder, "%s.%s" % (name, ending)))
        return judge(os.path.join(self.folder, name))

    def started(self, process, word=b"started"):
        return self.vm.wait_for(lambda: word in process.out or process.done(), SECONDS) and word in process.out

    def wait_guest(self, action, timeout=180):
        """Do @action, which restarts the guest, and wait until it is up again."""
        self.vm.hello = None
        with self.vm.changed:       # what ran in it will not end
            self.vm.commands.clear()
        action()
        return self.vm.wait_for(lambda: self.vm.hello is not None, timeout)

    # ---- after each fault ----

    def _advances(self, bystander, before):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            problem = bystander.problem()
            if problem:
                return problem
            if bystander.units >= before + 3:
                return None
            time.sleep(0.1)
        return "no access unit came for %d s" % SECONDS

    def others_go_on(self):
        """None, or which of the other streams has stopped."""
        for bystander in self.bystanders:
            problem = self._advances(bystander, bystander.units)
            if problem:
                return "%s: %s" % (bystander.name, problem)
        return None

    def _after(self):
        if not self.vm.alive() or self.vm.qmp("query-status")["status"] != "running":
            return "the VM does not run"
        return self.others_go_on() or self.play("once", timeout=60)

    def check(self, what, fault, *arguments):
        for bystander in self.bystanders:
            bystander.problem()
            bystander.gap()
        begin = time.monotonic()
        try:
            result = fault(self, *arguments)
            if self.encoders:
                self.encoders.order()
            if result is True:
                result = self._after()
        except (VMError, OSError, subprocess.SubprocessError) as error:
            result = str(error)
        gaps = ", ".join("%s %d ms" % (bystander.name, bystander.gap()) for bystander in self.bystanders)
        print("# %s: %.1f s; longest wait for an access unit: %s" % (what, time.monotonic() - begin, gaps))
        self.tap.check(result is True, what, "" if result is True else result)
        return result is True

    def main_loop(self):
        """Print how long the main loop was ours; timing fails no test."""
        times = self.vm.helix_stats()["main_loop_us"]
        for name in ("cpu", "blocked"):
            t = times[name]
            print("# main loop, %s a turn of ours: p50 %d us, p99 %d us, p99.9 %d us, worst %d us over %d turns: goal of "
                  "%d us at p99.9 %s" % (name, t["p50"], t["p99"], t["p999"], t["max"], t["count"], GOAL_US,
                                         "met" if t["p999"] < GOAL_US else "MISSED"))

    def end_bystanders(self):
        for bystander in self.bystanders:
            ended = bystander.end()
            self.tap.check(ended is True, "%s was answered in order throughout" % bystander.name, ended)
            if isinstance(bystander, GuestBystander):
                self.vm.run("tar -C /tmp/bystander -cf /tmp/bystander.tar .")
                with tarfile.open(fileobj=io.BytesIO(self.vm.pull("/tmp/bystander.tar"))) as tar:
                    tar.extractall(self.folder, filter="data")
                film = os.path.join(self.folder, "bystander")
            else:
                film = bystander.film
            good = judge(film)
            self.tap.check(good is True, "%s shows what was drawn throughout" % bystander.name, good)
        self.bystanders = []

    def end(self):
        if self.vm.alive():
            self.main_loop()
            self.end_bystanders()
        return self.tap.end()
