# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 2400
"""The Linux kernel's own tools/testing/vsock against helix-vsock-pci: vsock_test and vsock_perf, in the guest and on the host.

Their source is Debian's `linux` source package, what its linux-source packages are made of; it is fetched once and nothing of
it is kept but their folder and the headers that it needs. On the host they run over UNIX sockets by vsock-shim.c. Every case runs by itself, with
the guest as client and as server; those that cannot run over UNIX sockets are skipped, each with its reason (SKIPPED).
"""

import glob
import os
import re
import shutil
import socket
import subprocess
import sys

from steps import CACHE, TREE, Step, StepError, locked
from tap import Tap
from vm import GUEST_CID, RUN, VM, VMError

FOLDER = os.path.join(CACHE, "vsock-test-")
KNOWN = "7.2."
PROGRAMS = {
    "vsock_test": ("vsock_test.c", "vsock_test_zerocopy.c", "timeout.c", "control.c", "util.c", "msg_zerocopy_common.c"),
    "vsock_perf": ("vsock_perf.c", "msg_zerocopy_common.c"),
}
FLAGS = ("-O2", "-g", "-I.", "-I../../include", "-Wno-pointer-sign", "-fno-strict-overflow", "-fno-strict-aliasing",
         "-U_FORTIFY_SOURCE", "-D_GNU_SOURCE")

PORT = 1234                 # of the tests, and the next one
CONTROL = 1234              # TCP, in the guest
SECONDS = 60                # a case
PERF_BYTES = "64M"

# (guest's side or None: both, pattern of the case's name, why)
SKIPPED = (
    (None, "SOCK_SEQPACKET", "the device offers stream sockets, as hybrid vsock does"),
    ("server", "MSG_ZEROCOPY", "AF_UNIX has no MSG_ZEROCOPY, and here the host's program would use it"),
    ("client", "accept.*ed socket custom setsockopt", "asks for SO_ZEROCOPY of a socket of the host's, an AF_UNIX one"),
    ("server", "transport release use-after-free", "tests the vsock transports of the client's own kernel, which the shim does not use"),
    (None, "TX credit bounds", "a UNIX socket takes, and the guest is credited for, what no program has read; docs/vsock.md says why"),
    ("server", "transport change", "tests the vsock transports of the client's own kernel, which the shim does not use"),
)


# ---- the programs ----

def versions():
    """Of Debian's source package: those whose cases the table was written for, then the newest first."""
    text = subprocess.run(["apt-cache", "showsrc", "linux"], capture_output=True, text=True, check=False).stdout
    newest = sorted(set(re.findall(r"^Version: (\S+)", text, re.M)), reverse=True,
                    key=lambda version: [int(number) for number in re.findall(r"\d+", version)])
    return sorted(newest, key=lambda version: not version.startswith(KNOWN))


def unpack(step, version, target):
    """Fetch the source of @version and keep the tests' folder and the headers beside it at @target."""
    work = os.path.join(CACHE, "new.vsock-test")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, "source"))
    step.progress("fetching linux %s" % version)
    step.run(["apt-get", "-q", "source", "--download-only", "--tar-only", "--only-source", "linux=" + version], cwd=work)
    archive, = glob.glob(os.path.join(work, "*.orig.tar.*"))
    step.progress("unpacking")
    step.run(["tar", "-C", os.path.join(work, "source"), "--strip-components=1", "-xf", archive, "--wildcards",
              "*/tools/testing/vsock/*", "*/tools/include/*"])
    os.rename(os.path.join(work, "source"), target)
    shutil.rmtree(work)


def source():
    """The folder of the newest version that can be had; StepError if none can."""
    with locked(os.path.join(CACHE, "lock"), "the cache"):
        there = sorted(glob.glob(FOLDER + "*"))
        if there:
            return there[-1]
        with Step("the kernel's vsock tests (once)", "vsock-kernel-source") as step:
            try:
                step.run(["apt-get", "-q", "update"])
            except StepError:
                pass                # one suite that does not answer takes no other away
            for version in versions():
                try:
                    target = FOLDER + re.sub(r"[^\w.]", "_", version)
                    unpack(step, version, target)
                    return target
                except StepError:
                    continue        # the index may name what the archive has no longer
    return None


def compile_all(folder, out):
    """Both programs and the shim, for host and guest, which are the same Debian."""
    os.makedirs(out, exist_ok=True)
    for name, files in PROGRAMS.items():
        subprocess.run(["gcc", *FLAGS, "-o", os.path.join(out, name), *files, "-lpthread"], check=True,
                       cwd=os.path.join(folder, "tools", "testing", "vsock"))
    subprocess.run(["gcc", "-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                    os.path.join(out, "shim.so"), os.path.join(TREE, "tests", "vm", "vsock-shim.c")], check=True)


def cases(out):
    """[(number, name)]."""
    text = subprocess.run([os.path.join(out, "vsock_test"), "--list", "--control-port=1", "--mode=client", "--peer-cid=3"],
                          capture_output=True, text=True, check=False).stdout
    return [(int(number), name) for number, name in re.findall(r"^(\d+)\t(.+)$", text, re.M)]


# ---- both ends ----

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """A program on the host, over the shim; its output goes to a file."""

    def __init__(self, vm, out, name, *arguments):
        self.uds_path, self.path = vm.uds_path, os.path.join(out, "host.log")
        self.log = open(self.path, "wb")
        environment = dict(os.environ, LD_PRELOAD=os.path.join(out, "shim.so"), HELIX_VSOCK_UDS=vm.uds_path)
        self.process = subprocess.Popen(["stdbuf", "-oL", os.path.join(out, name), *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=environment)

    def said(self):
        with open(self.path, errors="replace") as log:
            return log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        for path in glob.glob(self.uds_path + "_[0-9]*"):
            os.unlink(path)         # of one that was killed


def wait_said(vm, said, text, seconds=SECONDS):
    if not vm.wait_for(lambda: text in said(), seconds):
        raise VMError("no '%s' within %d s, only: %s" % (text, seconds, said()))


def ends(vm, guest, host):
    """Both ended with 0; else what they said."""
    try:
        result = guest.wait(SECONDS)
        host.process.wait(SECONDS)
    except (VMError, subprocess.TimeoutExpired) as error:
        return "%s\nhost: %s" % (error, host.said())
    if result.rc or host.process.returncode:
        return "guest (%d): %s\nhost (%d): %s" % (result.rc, (result.out + result.err).decode(errors="replace")[-800:],
                                                 host.process.returncode, host.said()[-800:])
    return True


def run_case(vm, out, control, side, number):
    """One case with the guest as @side; True, or what is wrong."""
    guest_arguments = ["/tmp/vsock_test", "--mode=" + side, "--peer-cid=2", "--peer-port=%d" % PORT, "--pick=%d" % number]
    host_arguments = ["--peer-cid=%d" % GUEST_CID, "--peer-port=%d" % PORT, "--pick=%d" % number, "--control-host=127.0.0.1"]
    if side == "client":
        port = free_port()
        with Host(vm, out, "vsock_test", "--mode=server", "--control-port=%d" % port, *host_arguments) as host:
            wait_said(vm, host.said, "Control socket listening")
            with vm.start(guest_arguments + ["--control-host=10.0.2.2", "--control-port=%d" % port]) as guest:
                return ends(vm, guest, host)
    with vm.start(guest_arguments + ["--control-host=0.0.0.0", "--control-port=%d" % CONTROL]) as guest:
        wait_said(vm, lambda: guest.out.decode(errors="replace"), "Control socket listening")
        with Host(vm, out, "vsock_test", "--mode=client", "--control-port=%d" % control, *host_arguments) as host:
            return ends(vm, guest, host)


def why_skipped(side, name):
    return next((why for of, pattern, why in SKIPPED if of in (None, side) and re.search(pattern, name)), None)


def run_cases(tap, vm, out, control):
    for side in ("client", "server"):
        for number, name in cases(out):
            title = "%d, %s, the guest as %s" % (number, name, side)
            why = why_skipped(side, name)
            if why:
                tap.skip(title, why)
                continue
            result = run_case(vm, out, control, side, number)
            tap.check(result is True, title, result)


def wait_listens(vm, port):
    """Until the guest has a socket that listens on @port: vsock_diag lists it, which a connection of ours would use up."""
    vm.run(["python3", "-c", LISTENS, str(port)], timeout=SECONDS)


def run_perf(tap, vm, out):
    """Figures, which fail no test; that all bytes arrive does."""
    sender = ["--port=%d" % PORT, "--bytes=" + PERF_BYTES, "--buf-size=64K"]
    receiver = ["--port=%d" % PORT, "--buf-size=64K"]
    with Host(vm, out, "vsock_perf", *receiver) as host:
        vm.wait_for(lambda: os.path.exists("%s_%d" % (vm.uds_path, PORT)), SECONDS)
        with vm.start(["/tmp/vsock_perf", "--sender=2", *sender]) as guest:
            result = ends(vm, guest, host)
            figures = re.findall(r"[tr]x performance: .*", guest.out.decode(errors="replace") + host.said())
            tap.check(result is True, "vsock_perf, %s from the guest" % PERF_BYTES, result)
            print("# guest to host: %s" % ", ".join(figures))
    with vm.start(["/tmp/vsock_perf", *receiver]) as guest:
        wait_listens(vm, PORT)
        with Host(vm, out, "vsock_perf", "--sender=%d" % GUEST_CID, *sender) as host:
            result = ends(vm, guest, host)
            figures = re.findall(r"[tr]x performance: .*", guest.out.decode(errors="replace") + host.said())
            tap.check(result is True, "vsock_perf, %s from the host" % PERF_BYTES, result)
            print("# host to guest: %s" % ", ".join(figures))


# sock_diag(7) for AF_VSOCK: struct vsock_diag_req (family, states) in, struct vsock_diag_msg (family, type, state, ..., port) out.
LISTENS = r'''
import socket, struct, sys, time
while True:
    diag = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4)
    diag.send(struct.pack("=IHHII", 40, 20, 0x301, 1, 0) + struct.pack("=BBHIIIII", 40, 0, 0, 1 << 10, 0, 0, 0, 0))
    data = diag.recv(1 << 16)
    while len(data) >= 32 and struct.unpack_from("=IH", data)[1] == 20:
        size = struct.unpack_from("=I", data)[0]
        if struct.unpack_from("=BBBBII", data, 16)[5] == int(sys.argv[1]):
            sys.exit(0)
        data = data[size + 3 & ~3:] or diag.recv(1 << 16)
    time.sleep(0.05)
'''

NETWORK = r'''
modprobe virtio_net
for i in $(seq 100); do ls /sys/class/net | grep -q '^e' && break; sleep 0.1; done
name=$(ls /sys/class/net | grep '^e' | head -n 1)
busybox ip link set "$name" up && busybox ip addr add 10.0.2.15/24 dev "$name"
'''


def main():
    folder = source()
    if not folder:
        print("no source of the Linux kernel can be had from Debian's archive here")
        return 77
    print("# %s" % os.path.basename(folder))
    out = os.path.join(RUN, "vsock-kernel")
    compile_all(folder, out)
    tap = Tap()
    control = free_port()
    network = ["-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:%d-:%d" % (control, CONTROL), "-device",
               "virtio-net-pci,netdev=net,romfile="]
    with VM(name="vsock-kernel", gpu=None, memory="1G", extra=network) as vm:
        vm.run(NETWORK)
        for name in PROGRAMS:
            vm.push(os.path.join(out, name), "/tmp/" + name, 0o755)
        run_cases(tap, vm, out, control)
        run_perf(tap, vm, out)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
