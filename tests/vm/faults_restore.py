# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 900
"""Snapshots and migration in the middle of a stream. With the 2D device they work: connections do not travel, so the
guest of a snapshot is told that they are gone, and connects anew. The GL device refuses both, and says why."""

import os
import sys
import tempfile
import time

from faultvm import SECONDS, FaultVM
from properties import Machine
from vm import RUN, VM, Display, VMError, built


def monitor(vm, command):
    """HMP; raises VMError with what it said, for success is silence."""
    said = vm.qmp("human-monitor-command", **{"command-line": command}).strip()
    if said:
        raise VMError("%s: %s" % (command, said))


def stream(faults):
    """A client that streams; it has had answers."""
    process = faults.vm.start(faults.client("stream"))
    if not faults.started(process):
        raise VMError("the client did not start: %s" % bytes(process.err).decode())
    return process


def ended_by_host(vm, process):
    """True if the client's connection is gone, as it must be in a guest that was restored."""
    if not vm.wait_for(process.done, SECONDS):
        return "a client of before does not notice that its connection is gone"
    said = bytes(process.err).decode()
    return any(word in said for word in ("reset", "closed", "Broken pipe", "not connected")) or "the client says %r" % said


def save(faults):
    """A VM that was saved goes on, its streams too."""
    process = stream(faults)
    begin = time.monotonic()
    monitor(faults.vm, "savevm one")
    print("# saved in %.1f s" % (time.monotonic() - begin))
    if process.done():
        return "the client ended: %s" % bytes(process.err).decode()
    faults.saved = process
    return True


def restore(faults):
    """Back to a moment at which a client was streaming: that client is told, and others connect."""
    late = faults.vm.start(["sleep", "1000"])       # what came after the snapshot is not in it
    monitor(faults.vm, "loadvm one")
    del faults.vm.commands[late.number]
    return ended_by_host(faults.vm, faults.saved)


def migrate(faults, target):
    """Into a file, and from there into another QEMU."""
    process = stream(faults)
    faults.vm.qmp("migrate", uri="file:" + target)
    end = time.monotonic() + 120
    while True:
        state = faults.vm.qmp("query-migrate")
        if state.get("status") in ("completed", "failed"):
            break
        if time.monotonic() > end:
            return "it does not end: %s" % state
        time.sleep(0.2)
    if state["status"] != "completed":
        return "migration failed: %s" % state
    print("# migrated %d MiB" % (os.path.getsize(target) >> 20))
    try:
        arrive(process, target)
    finally:
        faults.vm.qmp("cont")       # the one that was left may go on as well, for this once
    return True


def arrive(process, source):
    """The VM in @source goes on in a QEMU of its own."""
    vm = VM(name="faults-arrived", gpu="virtio-gpu-pci", append="virtio_gpu.virglhack=0",
            extra=("-incoming", "file:" + source))
    vm.hello = 0                    # its agent said so before it left
    vm.commands = {process.number: process}
    vm._next = process.number + 1
    process.vm = vm
    with vm:
        end = time.monotonic() + 120
        while vm.qmp("query-status")["status"] != "running":
            if time.monotonic() > end:
                raise VMError("the VM does not run in the QEMU that it came to")
            time.sleep(0.2)
        ended = ended_by_host(vm, process)
        if ended is not True:
            raise VMError(ended)
        vm.run(["/helix/bin/fault-client", "vsock:2:5000", "/tmp/films", "once"])


def refused():
    """What a GL device says to it."""
    answers = []
    with tempfile.TemporaryDirectory(prefix="helix-") as folder, \
            open(os.path.join(folder, "display"), "wb") as log:
        emulator = built()["qemu"]
        display = Display(emulator, log)
        try:
            with Machine(emulator, display, folder, "-device", "virtio-gpu-gl-pci,helix-frame-export=on", "-device",
                         "helix-vsock-pci") as machine:
                try:
                    machine.qmp.command("migrate", uri="file:" + os.path.join(folder, "gone"))
                except VMError as error:
                    answers.append(str(error))
                answers.append(machine.qmp.command("human-monitor-command", **{"command-line": "savevm one"}).strip())
        finally:
            display.close()
    return answers


def main():
    answers = refused()
    with FaultVM("faults-restore", gpu="virtio-gpu-pci", guest_stream=False) as faults:
        faults.tap.check(len(answers) == 2 and "virgl" in answers[0] and "migratable" in answers[0],
                         "the GL device refuses to migrate and says why", answers)
        print("# GL: %s" % "; ".join(answers))
        faults.check("a VM is saved while it streams", save)
        faults.check("a VM is restored to a moment at which it streamed", restore)
        with tempfile.TemporaryDirectory(prefix="helix-", dir=RUN) as folder:
            faults.check("a VM migrates while it streams", migrate, os.path.join(folder, "state"))
        return faults.end()


if __name__ == "__main__":
    sys.exit(main())
