# SPDX-License-Identifier: GPL-2.0-or-later
"""exit() on a thread that is not the main loop's (exit-preload.c): what the guest and the monitor still ask for finds a module and
a vsock device that are gone, and QEMU exits all the same. No guest runs: see virtio_mmio.py."""

import os
import signal
import sys
import tempfile
import time

import build
from tap import Tap
from virtio_mmio import SECONDS, STATUS, Device, Machine
from vm import RUN, Qmp, VMError, built


def start(folder, name, *arguments):
    os.environ["LD_PRELOAD"] = os.path.join(build.BUILDS, "tests", "tests", "vm", "libexit-preload.so")
    try:
        return Machine(built()["qemu"], folder, list(arguments), name)
    finally:
        del os.environ["LD_PRELOAD"]


def leave(machine, path, poke):
    """True, or what is wrong: QEMU calls exit(), and @poke comes when the socket at @path says that the notifiers have run."""
    try:
        qmp = Qmp(machine.qmp_path)
        device = Device(machine, (16, 16, 8) if "vsock" in path else (16, 16))
        device.start()
        os.kill(machine.process.pid, signal.SIGUSR1)
        end = time.monotonic() + SECONDS
        while os.path.exists(path):
            if time.monotonic() > end:
                return "the socket is still there"
            time.sleep(0.01)
        poke(device, qmp)
        status = machine.process.wait(SECONDS)
        return status == 0 or "QEMU ended with %d: %s" % (status, machine.said())
    except OSError as error:
        return "%s; QEMU ended with %s: %s" % (error, machine.process.wait(SECONDS), machine.said())
    finally:
        machine.close()


def poke_vsock(device, qmp):
    """A kick, a reset and a kick again: each is work for the bottom half."""
    device.queues[1].add([(device.memory.take(64), 64, 0)])
    device.queues[1].kick()
    qmp.command("query-status")
    device.start()
    device.queues[1].kick()
    qmp.command("stop")
    qmp.command("cont")


def poke_gpu(device, qmp):
    device.set(STATUS, 0)
    qmp.command("query-status")
    qmp.command("stop")
    qmp.command("cont")
    try:
        qmp.command("qom-get", path="/machine/peripheral/gpu", property="helix-stats")
        raise OSError("there are statistics of a module that is gone")
    except VMError as error:
        if "QEMU exits" not in str(error):
            raise OSError(str(error)) from None
    qmp.command("system_reset")
    qmp.command("query-status")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="exits-", dir=RUN) as folder:
        path = os.path.join(folder, "vsock")
        result = leave(start(folder, "v", "-device", "helix-vsock-device,uds-path=" + path), path, poke_vsock)
        tap.check(result is True, "vsock is used while another thread exits", result)
        path = os.path.join(folder, "socket")
        device = "virtio-gpu-device,id=gpu,helix-frame-export=on,helix-listen=unix:" + path
        result = leave(start(folder, "g", "-device", device), path, poke_gpu)
        tap.check(result is True, "the GPU and its module are used while another thread exits", result)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
