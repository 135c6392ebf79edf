# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture test: what a guest draws is what comes out, for every kind of buffer on every kind of virtio-gpu.

The guest's programs (tests/guest) draw numbered pictures, send their resource ids, by the raw protocol and through
vsockenc, and keep the access units. The host decodes them and compares each frame with its drawing computed anew
(check-picture). A case passes if the guest's half and the film are both right.
"""

import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time

import build
import clients
from tap import Tap
from vm import VM, VMError

MEMFD = ("-object", "memory-backend-memfd,id=ram,size=3G,share=on", "-machine", "memory-backend=ram")

PROGRAMS = (("picture-client", "vsock:2:5000"), ("picture-element", "5000"))

# name, VM's arguments, what the guest's GPU must be able to, programs; gl-pieces has no EGL, which a thread that reads
# textures needs
DEVICES = (
    ("gl", {"gpu": "virtio-gpu-gl-pci", "gpu_options": "blob=on,hostmem=256M"}, ("3d", "blob", "card"), PROGRAMS),
    ("gl-pieces", {"gpu": "virtio-gpu-gl-pci", "environment": {"SDL_VIDEO_X11_FORCE_EGL": "0"}}, ("3d",), PROGRAMS[:1]),
    ("2d", {"gpu": "virtio-gpu-pci"}, ("card",), PROGRAMS),
    ("2d-blob", {"gpu": "virtio-gpu-pci", "gpu_options": "blob=on", "extra": MEMFD}, ("blob", "card"), PROGRAMS),
)
CLIENT_KINDS = {"gl": ("gl", "classic"), "2d": ("dumb",)}      # what the clients of desktop/client film there
GUEST_SECONDS = 240


def pull_films(vm, folder):
    vm.run("tar -C /tmp/films -cf /tmp/films.tar .")
    with tarfile.open(fileobj=io.BytesIO(vm.pull("/tmp/films.tar"))) as tar:
        tar.extractall(folder, filter="data")


def judge(checker, film):
    """(whether it is right, the figures or what is wrong)"""
    if not os.path.exists(film + ".index"):
        return False, "the guest wrote no film"
    done = subprocess.run([checker, film], capture_output=True, text=True, timeout=120)
    right = done.returncode == 0
    return right, (done.stdout.split(": ", 1)[-1] if right else done.stderr[:2000]).strip()


def run_program(tap, vm, checker, device, program, address, words):
    """One of the guest's programs and its films."""
    vm.run("rm -rf /tmp/films && mkdir -p /tmp/films")
    begin = time.monotonic()
    result = vm.run(["/helix/bin/" + program, address, "/tmp/films"] + list(words), timeout=GUEST_SECONDS, check=False)
    print("# %s: %s took %.0f s" % (device, program, time.monotonic() - begin))
    said, errors = result.out.decode(errors="replace"), result.err.decode(errors="replace")
    with tempfile.TemporaryDirectory() as folder:
        pull_films(vm, folder)
        for name, verdict in re.findall(r"^case (\S+) (\S+)$", said, re.M):
            right, text = judge(checker, os.path.join(folder, name))
            title = "%s %s" % (device, name) + (": " + text if right else "")
            why = [line for line in errors.splitlines() if line.startswith(name + ":")] + ([] if right else [text])
            tap.check(right and verdict == "ok", title, "\n".join(why))
    ended = re.search(r"^done$", said, re.M)
    tap.check(ended and result.rc in (0, 1), "%s %s came to its end" % (device, program),
              "status %s\n%s" % (result.rc, errors[-2000:]))


def quit_while_streaming(tap, vm, device, words):
    """QEMU ends in order while the thread that reads textures has work."""
    program, address = PROGRAMS[0]
    vm.run("rm -rf /tmp/films && mkdir -p /tmp/films")
    before = vm.helix_stats()["frames"]["encoded"]
    with vm.start(["/helix/bin/" + program, address, "/tmp/films"] + list(words)) as process:
        end = time.monotonic() + 30
        while vm.helix_stats()["frames"]["encoded"] < before + 20 and not process.done() and time.monotonic() < end:
            time.sleep(0.02)
        vm.qmp("quit")
        try:
            status = vm.process.wait(20)
        except subprocess.TimeoutExpired:
            status = "none within 20 s"
    tap.check(status == 0, device + " QEMU quits while pictures are read", "its status: %s" % status)


def run_device(tap, checker, device, options, words, programs):
    with VM(name="picture-" + device, **options) as vm:
        print("# %s: booted in %.0f s" % (device, vm.boot_seconds))
        for program, address in programs:
            run_program(tap, vm, checker, device, program, address, words)
        if device in CLIENT_KINDS:
            clients.run(tap, vm, device, CLIENT_KINDS[device], lambda film: judge(checker, film))
        stats = vm.helix_stats()
        print("# %s: %s" % (device, stats["host_paths"]))
        tap.check(stats["streams"]["now"] == 0 and stats["connections"]["now"] == 0,
                  device + " no stream or connection is left over", stats)
        threaded = vm.qmp("qom-get", path="/machine/peripheral/gpu/virtio-backend", property="x-helix-threaded")
        if device == "gl":
            tap.check(threaded > 0, "gl textures are read by a thread of its own", threaded)
            quit_while_streaming(tap, vm, device, words)
        elif device != "gl-pieces" or "sdl,gl=on" in vm.display.arguments:
            tap.check(threaded == 0, device + " no texture is read by a thread", threaded)


def main():
    checker = os.path.join(build.project(tests=True), "tests", "vm", "check-picture")
    tap = Tap()
    for device, options, words, programs in DEVICES:
        if device == "2d-blob" and not os.access("/dev/udmabuf", os.R_OK | os.W_OK):
            tap.skip("2d-blob", "QEMU refuses blob=on on a 2D device without /dev/udmabuf on the host")
            continue
        try:
            run_device(tap, checker, device, options, words, programs)
        except VMError as error:
            tap.check(False, device, error)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
