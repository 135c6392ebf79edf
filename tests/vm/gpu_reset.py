# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's driver lets go of the GPU and takes it again: old pictures are gone at once, new ones are served.

The renderer keeps the old textures until the next command after a reset; the host must not hand them out. The test
looks from outside, through helix-listen=, with no driver in between.
"""

import os
import sys
import tempfile
import time

from properties import FRAME_RESPONSE, NOT_FOUND, Client
from tap import Tap
from vm import VM

DRIVER = "/sys/bus/virtio/drivers/virtio_gpu"
CLIENT = ["/helix/bin/picture-client", "vsock:2:5000", "/tmp/films", "3d", "blob"]
ROUNDS = 3


def served(client, ids):
    """Those of @ids that the host knows, whether it can read them or not."""
    found = set()
    for number in ids:
        client.request(number)
        kind, payload = client.answer()
        if kind == FRAME_RESPONSE or int.from_bytes(payload[:4], "little", signed=True) != NOT_FOUND:
            found.add(number)
    return found


def play(vm, case):
    vm.run("rm -rf /tmp/films && mkdir -p /tmp/films")
    result = vm.run(CLIENT + ["case=" + case], check=False)
    return result.rc == 0 and b"case %s ok" % case.encode() in result.out, result.out + result.err


def check_rounds(tap, vm, address):
    device = vm.run("ls %s | grep '^virtio[0-9]'" % DRIVER).out.decode().strip()
    client = Client(address)
    ids = range(1, 33)
    for number in range(ROUNDS):
        good, said = play(vm, "gl-64x64")
        tap.check(good, "round %d: pictures are served" % number, said)
        before = served(client, ids)
        tap.check(before, "round %d: the guest's console is a resource too" % number)
        vm.run("echo %s > %s/unbind" % (device, DRIVER))
        after = served(client, ids)
        tap.check(not after, "round %d: without a driver nothing is served" % number,
                  "before %s, after %s" % (before, after))
        vm.run("echo %s > %s/bind" % (device, DRIVER))


def check_stop(tap, vm):
    """A VM stopped in the middle of a stream goes on where it was."""
    vm.run("rm -rf /tmp/films && mkdir -p /tmp/films")
    first = vm.helix_stats()["frames"]["requests"]
    seen = set()
    with vm.start(CLIENT + ["case=gl-1920x1080"]) as process:
        while not process.done():
            vm.qmp("stop")
            before = vm.helix_stats()["frames"]["requests"]
            time.sleep(0.1)
            after = vm.helix_stats()["frames"]["requests"]
            vm.qmp("cont")
            seen.add(before - first)
            if before != after:
                tap.check(False, "a stopped VM's queues are left alone", "%d requests became %d" % (before, after))
            time.sleep(0.02)
        result = process.wait(1)
    tap.check(len(seen) > 3, "the VM was stopped in the middle of a stream", "after these requests: %s" % sorted(seen))
    tap.check(result.rc == 0 and b"case gl-1920x1080 ok" in result.out, "the stream survives stop and cont",
              result.out + result.err)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="helix-") as folder:
        address = os.path.join(folder, "socket")
        extra = ("-global", "virtio-gpu-gl-device.helix-listen=unix:" + address, "-trace", "helix_export_*")
        with VM(name="gpu-reset", gpu="virtio-gpu-gl-pci", gpu_options="blob=on,hostmem=256M", extra=extra) as vm:
            check_rounds(tap, vm, address)
            check_stop(tap, vm)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
