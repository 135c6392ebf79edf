# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture test: what a guest draws is what comes out, for every kind of buffer on every kind of virtio-gpu.

The guest's programs (tests/guest) draw numbered pictures, send their resource ids, by the raw protocol and through vsockenc, and keep
the access units. The host decodes them and compares each frame with its drawing computed anew (check-picture). A case passes
if the guest's half and the film are both right.
"""

import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile

import build
from vm import VM, VMError

MEMFD = ("-object", "memory-backend-memfd,id=ram,size=3G,share=on", "-machine", "memory-backend=ram")

# name, VM's arguments, what the guest's GPU must be able to
DEVICES = (
    ("gl", {"gpu": "virtio-gpu-gl-pci", "gpu_options": "blob=on,hostmem=256M"}, ("3d", "blob", "card")),
    ("2d", {"gpu": "virtio-gpu-pci"}, ("card",)),
    ("2d-blob", {"gpu": "virtio-gpu-pci", "gpu_options": "blob=on", "extra": MEMFD}, ("blob", "card")),
)
PROGRAMS = (("picture-client", "vsock:2:5000"), ("picture-element", "5000"))
GUEST_SECONDS = 150


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def report(self, good, name, why=""):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        for line in why.splitlines() if not good else ():
            print("#   " + line)

    def skip(self, name, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, why))


def pull_films(vm, folder):
    vm.run("tar -C /tmp/films -cf /tmp/films.tar .")
    with tarfile.open(fileobj=io.BytesIO(vm.pull("/tmp/films.tar"))) as tar:
        tar.extractall(folder, filter="data")


def judge(checker, film):
    """(whether it is right, the figures or what is wrong)"""
    if not os.path.exists(film + ".index"):
        return False, "the guest wrote no film"
    done = subprocess.run([checker, film], capture_output=True, text=True, timeout=120)
    return done.returncode == 0, (done.stdout.split(": ", 1)[-1] if done.returncode == 0 else done.stderr[:2000]).strip()


def run_program(tap, vm, checker, device, program, address, words):
    """One of the guest's programs and its films."""
    vm.run("rm -rf /tmp/films && mkdir -p /tmp/films")
    result = vm.run(["/helix/bin/" + program, address, "/tmp/films"] + list(words), timeout=GUEST_SECONDS, check=False)
    said, errors = result.out.decode(errors="replace"), result.err.decode(errors="replace")
    with tempfile.TemporaryDirectory() as folder:
        pull_films(vm, folder)
        for name, verdict in re.findall(r"^case (\S+) (\S+)$", said, re.M):
            right, text = judge(checker, os.path.join(folder, name))
            title = "%s %s" % (device, name) + (": " + text if right else "")
            tap.report(right and verdict == "ok", title,
                       "\n".join([line for line in errors.splitlines() if line.startswith(name + ":")] + ["" if right else text]))
    ended = re.search(r"^done$", said, re.M)
    tap.report(ended and result.rc in (0, 1), "%s %s came to its end" % (device, program),
               "status %s\n%s" % (result.rc, errors[-2000:]))


def run_device(tap, checker, device, options, words):
    with VM(name="picture-" + device, **options) as vm:
        print("# %s: booted in %.0f s" % (device, vm.boot_seconds))
        for program, address in PROGRAMS:
            run_program(tap, vm, checker, device, program, address, words)
        stats = vm.helix_stats()
        print("# %s: %s" % (device, stats.get("host_paths")))


def main():
    checker = os.path.join(build.project(tests=True), "tests", "vm", "check-picture")
    tap = Tap()
    for device, options, words in DEVICES:
        if device == "2d-blob" and not os.access("/dev/udmabuf", os.R_OK | os.W_OK):
            tap.skip("2d-blob", "QEMU refuses blob=on on a 2D device without /dev/udmabuf on the host")
            continue
        try:
            run_device(tap, checker, device, options, words)
        except VMError as error:
            tap.report(False, device, str(error))
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
