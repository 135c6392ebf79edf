# SPDX-License-Identifier: GPL-2.0-or-later
"""The VM that the rows are measured in: with helix-vsock, and beside it what people would use instead of it, virtio-net
on slirp and a virtio-serial port. On the host bench-peer is at the other end of all three.

One VM serves all rows: which encoder new streams get is changed while it runs (qemu/measure.c)."""

import json
import os
import select
import signal
import socket
import subprocess

import build
from steps import StepError, say
from vm import VM

PEER_PORT = 7100                # of vsock
SERIAL = "helix.bench"
HOST_IN_SLIRP = "10.0.2.2"
GPU = "/machine/peripheral/gpu/virtio-backend"


def machine(lab):
    """The VM that runs already, or a new one."""
    vm = lab.booted.get("bench")
    if vm and vm.alive():
        return vm
    left = signal.alarm(0)          # the row's time is for measuring; boot and build have limits of their own
    if not lab.built:
        build.everything(tests=True)
        lab.built = True
    lab.close()                     # two would share the processors
    lab.booted["bench"] = vm = BenchVM()
    vm.launch()
    note("the VM is up after %.0f s (%s)" % (vm.boot_seconds, vm.accel))
    signal.alarm(left)
    return vm


def note(text):
    say("   # " + text)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class BenchVM(VM):
    """Arguments as VM's. Boots with bench-peer running; the guest's network is up."""

    def __init__(self, **options):
        folder = os.path.join(build.BUILDS, "tests", "bench", "vm")
        super().__init__(name="bench", **options)
        self.peer_program = os.path.join(folder, "bench-peer")
        self.tcp_port = free_port()
        self.serial_path = os.path.join(self.folder, "serial")
        self.peer = None
        self.desktop_size = None        # (width, height) of the desktop that runs
        self.arguments += ["-name", "bench,debug-threads=on", "-netdev", "user,id=net", "-device",
                           "virtio-net-pci,netdev=net,romfile=", "-chardev",
                           "socket,id=bench,path=%s,server=on,wait=off" % self.serial_path,
                           "-device", "virtserialport,chardev=bench,name=" + SERIAL]

    def launch(self, timeout=180):
        super().launch(timeout)
        self.peer = subprocess.Popen([self.peer_program, "unix:%s_%d" % (self.uds_path, PEER_PORT),
                                      "tcp:%d" % self.tcp_port, "connect:" + self.serial_path],
                                     stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        if not select.select([self.peer.stdout], [], [], 10)[0] or self.peer.stdout.readline() != "ready\n":
            raise StepError("bench-peer did not start")
        # udev may be renaming it just now
        self.run("modprobe virtio_net; i=0; until n=$(ls /sys/class/net | grep -vx lo | head -n 1); [ \"$n\" ] && "
                 "busybox ip link set $n up && { busybox ip addr add 10.0.2.15/24 dev $n 2>/dev/null; "
                 "busybox ip addr show $n | grep -q 10.0.2.15; }; do sleep 0.2; i=$((i+1)); [ $i -lt 50 ] || exit 1; done")

    def close(self):
        if self.peer:
            self.peer.kill()
            self.peer.wait()
        super().close()

    # ---- where bench-peer is, seen from the guest ----

    def vsock(self):
        return "vsock:2:%d" % PEER_PORT

    def tcp(self):
        return "tcp:%s:%d" % (HOST_IN_SLIRP, self.tcp_port)

    def serial(self):
        return "file:" + self.serial_device()

    def serial_device(self):
        found = self.run("for p in /sys/class/virtio-ports/*; do [ \"$(cat $p/name)\" = %s ] && echo /dev/${p##*/}; "
                         "done; true" % SERIAL).out.decode().split()
        if len(found) != 1:
            raise StepError("the guest has no virtio-serial port %s" % SERIAL)
        return found[0]

    def arrays(self, argv, timeout):
        """What one of the guest's bench programs printed."""
        out = self.run(argv, timeout=timeout).out.decode(errors="replace")
        try:
            return json.loads(out.splitlines()[-1])
        except (IndexError, ValueError):
            raise StepError("%s printed no JSON but: %s" % (argv[0], out[-300:] or "nothing")) from None

    # ---- QEMU ----

    def encoder(self, name):
        """Streams that begin from now on get it."""
        self.qmp("qom-set", path=GPU, property="x-helix-encoder", value=name)

    def readback(self):
        """One whole readback of the texture that was looked up last: {"cpu_us", "wall_us", ...}."""
        return self.qmp("qom-get", path=GPU, property="x-helix-readback")

    def host_cpu(self):
        """CPU seconds of QEMU's threads so far, by what they are."""
        ticks = os.sysconf("SC_CLK_TCK")
        base = "/proc/%d/task" % self.process.pid
        used = {}
        for task in os.listdir(base):
            try:
                with open(os.path.join(base, task, "stat")) as file:
                    text = file.read()
            except OSError:
                continue
            name = text[text.index("(") + 1:text.rindex(")")]
            fields = text[text.rindex(")") + 2:].split()
            kind = thread_kind(name, int(task) == self.process.pid)
            used[kind] = used.get(kind, 0) + (int(fields[11]) + int(fields[12])) / ticks
        return used


def thread_kind(name, main):
    if name.startswith("CPU "):
        return "guest"
    if main:
        return "main loop"
    if name.startswith("helix-enc"):
        return "encoder"
    if name.startswith("llvmpipe"):
        return "llvmpipe"
    return "other"


def spent(before, after):
    return {kind: after[kind] - before.get(kind, 0) for kind in after}
