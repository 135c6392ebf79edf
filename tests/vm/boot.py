# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest comes up on each GPU model, its control channel carries what it should, and it goes down in order."""

import os
import signal
import sys
import time

from tap import Tap
from vm import VM


def main():
    tap = Tap()
    blob = os.urandom(3000000)
    with VM(name="boot") as vm:
        print("# up after %.1f s (kernel to agent %.1f s, %s)" % (vm.boot_seconds, vm.hello, vm.accel))
        tap.check(vm.run(["echo", "a b"]).out == b"a b\n", "a command's output comes back")
        result = vm.run("echo wrong >&2; exit 3", check=False)
        tap.check((result.rc, result.err) == (3, b"wrong\n"), "status and standard error come back")
        tap.check(vm.run(["sha256sum"], stdin=blob).rc == 0, "3 MB of input are taken")
        vm.push(blob, "/tmp/blob")
        tap.check(vm.pull("/tmp/blob") == blob, "a file goes there and back")
        with vm.start(["sleep", "1000"]) as process:
            begin = time.monotonic()
            process.kill(signal.SIGTERM)
            ended = process.wait(10).rc == -signal.SIGTERM
            tap.check(ended and time.monotonic() - begin < 10, "a command can be killed")
        nodes = vm.run("ls /dev/dri").out
        tap.check(b"renderD" in nodes, "the guest has a render node of virtio-gpu")
        vm.desktop()
        renderer = vm.run("/helix/bin/scene >/tmp/scene.log & sleep 5; kill $!; cat /tmp/scene.log", timeout=40).out
        print("# scene draws with " + renderer.decode(errors="replace").strip())
        tap.check(b"virgl" in renderer, "a Wayland client draws with virgl")
        tap.check(vm.power_off(), "the guest powers off")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
