# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 86400
"""A random attacker of virtio-gpu with helix-frame-export=on and of helix-vsock, in a QEMU built with ASan and UBSan.

No guest's processor runs: commands of qtest are what a guest's kernel could do (attack_guest.py), and programs of the host's user
take part. Each seed has a machine of its own: 2D or GL, on virtio-mmio or behind PCIe root ports with hot-unplug, with or without
blobs and packed rings. A report that names a file of ours, a QEMU that ends or does not answer, and one that does not quit fail
the suite; reports of QEMU's or its libraries' code alone are shown. out/attack/ keeps the stacks of each machine that failed.

HELIX_ATTACK_SECONDS   how long (60)
HELIX_ATTACK_SEED      the first seed (1); a failure is printed with its seed
HELIX_ATTACK_JOBS      machines at once (1)
HELIX_ATTACK_STEPS     of a seed (2500)
"""

import collections
import glob
import multiprocessing
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import qemu
from attack_guest import PROGRAM_PORT, Guest
from attack_world import ANSWER_SECONDS, INTERLOCK, BatchedMachine, BatchedPciMachine, EndlessMemory, Pci, RootPort, mmio_devices
from sanitizers import reports
from steps import OUT, StepError
from tap import Tap
from virtio_pci import POWER_OFF, POWER_ON
from vm import RUN, Display, Qmp, VMError

SECONDS = float(os.environ.get("HELIX_ATTACK_SECONDS", "60"))
FIRST_SEED = int(os.environ.get("HELIX_ATTACK_SEED", "1"))
JOBS = int(os.environ.get("HELIX_ATTACK_JOBS", "1"))
STEPS = int(os.environ.get("HELIX_ATTACK_STEPS", "2500"))
PLUG_SECONDS = 60
VIRTIO_GPU, VIRTIO_VSOCK = 16, 19       # device ids, virtio 1.2, 5

# Faults of QEMU's own that are met through our code: a queue of ours runs into them as any other device's does, or a wrapper of ours
# around a call of QEMU's is on the stack.
KNOWN = ((r"ABRT.*\n(virtio_lduw_phys_cached|address_space_cache_invalidate|address_space_write_cached)\n.*"
          r"\n(vring_packed_desc_read_flags|vring_packed_desc_write_data|virtqueue_get_head)\n", "docs/upstream/queue_size.md"),
         (r"heap-use-after-free.*\nvirtio_gpu_cleanup_mapping_iov\n.*\nvirtio_gpu_reset_bh\n", "docs/upstream/blob_backing.md"),
         (r"\nupdate_cursor\n.*\nvirtio_gpu_cursor_bh\n", "docs/upstream/cursor.md"),
         (r"ABRT.*\nqemu_memfd_alloc\n.*\nqemu_console_resize\n", "docs/upstream/scanout.md"))

Result = collections.namedtuple("Result", "seed title commands counts ours others problem said")


class World:
    """One machine with the two devices, and what it lets the attacker do beside them."""

    def __init__(self, emulator, rng, folder):
        self.rng, self.folder = rng, folder
        self.gl, self.pci, self.packed, self.blobs = (rng.random() < share for share in (0.4, 0.6, 0.4, 0.4))
        self.blobs = self.blobs and self.gl     # a 2D device's need /dev/udmabuf
        self.title = " ".join(["GL" if self.gl else "2D", "PCIe" if self.pci else "mmio"] + ["packed"] * self.packed + ["blobs"] * self.blobs)
        self.plugged = 0
        self.log = open(os.path.join(folder, "display.log"), "w+", encoding="utf-8")
        self.display = Display(emulator, self.log) if self.gl else None
        self.reports = os.path.join(folder, "sanitizer")
        options = "log_path=%s:print_stacktrace=1:handle_abort=1:detect_leaks=0:allocator_may_return_null=1" % self.reports
        environment = dict(self.display.environment if self.gl else os.environ, ASAN_OPTIONS=options, UBSAN_OPTIONS=options)
        devices, display = [self.device("gpu"), self.device("vsock")], self.display.arguments if self.gl else []
        try:
            if self.pci:
                self.machine = BatchedPciMachine(emulator, folder, devices, display, environment=environment)
            else:
                arguments = [word for device in devices for word in ("-device", device)]
                self.machine = BatchedMachine(emulator, folder, arguments + display, environment=environment)
        except OSError:
            self.close_display()
            raise
        self.machine.memory = EndlessMemory(self.machine.qtest)
        self.monitor = Qmp(self.machine.qmp_path)
        self.monitor.socket.settimeout(ANSWER_SECONDS)
        self.find_devices()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(folder, "vsock_%d" % PROGRAM_PORT))
        self.listener.listen(64)
        self.listener.setblocking(False)

    def device(self, name):
        """QEMU's words for the device, with limits that a guest reaches now and then."""
        self.plugged += 1
        suffix = "-pci" if self.pci else "-device"
        if name == "gpu":
            words = "virtio-gpu" + ("-gl" if self.gl else "") + suffix
            words += ",helix-frame-export=on,helix-listen=unix:%s/frames" % self.folder
            words += ",helix-encoder=" + self.rng.choice(["null", "null", "x264"])
            words += self.rng.choice(["", "", ",helix-max-memory=4M", ",helix-max-streams=2,helix-max-in-flight=1"])
            words += ",blob=on" if self.blobs else ""
        else:
            words = "helix-vsock" + suffix + ",guest-cid=7,uds-path=%s/vsock" % self.folder
            words += self.rng.choice(["", "", ",max-connections=8"])
        return words + ",id=%s%d" % (name, self.plugged) + (",packed=on" if self.packed else "")

    def find_devices(self):
        """QEMU plugs no virtio-gpu into a running machine; one that the guest unplugs stays away."""
        if self.pci:
            self.ports = [RootPort(self.machine, 1, False), RootPort(self.machine, 2, True)]
            self.devices = {name: Pci(self.machine, port) for name, port in zip(("gpu", "vsock"), self.ports)}
        else:
            found = mmio_devices(self.machine.qtest)
            self.ports, self.devices = [], {"gpu": found[VIRTIO_GPU], "vsock": found[VIRTIO_VSOCK]}

    def plumb(self):
        """After a reset of the machine its PCIe devices have no addresses."""
        if self.pci:
            self.machine.open_configuration()
            for device in self.devices.values():
                device.port.route()
                device.plumb()

    def qmp(self, name, **arguments):
        self.machine.qtest.flush()
        return self.monitor.command(name, **arguments)

    def plug_again(self, port):
        """The old device takes its time to go: the host plugs the new one in when the slot is free."""
        name = "gpu" if port is self.ports[0] else "vsock"
        words = dict(pair.split("=", 1) for pair in ("driver=%s,bus=port%d" % (self.device(name), port.bus)).split(","))
        for key, value in words.items():
            words[key] = {"on": True}.get(value, int(value) if value.isdigit() else value)
        if "helix-max-memory" in words:
            words["helix-max-memory"] = 4 << 20
        end = time.monotonic() + PLUG_SECONDS
        while True:
            self.machine.qtest.command("clock_step 1000000")
            try:
                self.qmp("device_add", **words)
                break
            except VMError as error:
                if "electromechanically locked" in str(error):
                    port.power(POWER_OFF | INTERLOCK)      # the guest did that by a write of its own: it toggles
                elif time.monotonic() > end:
                    raise OSError("the slot is not free within %d s: %s" % (PLUG_SECONDS, error)) from error
        port.route()
        port.power(POWER_ON)
        self.devices[name] = Pci(self.machine, port)

    def quit(self):
        self.machine.qtest.flush()
        try:
            self.monitor.command("quit")
        except (VMError, OSError):
            pass                # it may be gone before it answers
        return self.machine.process.wait(ANSWER_SECONDS)

    def close_display(self):
        if self.display:
            self.display.close()
        self.log.close()

    def close(self):
        self.machine.close()
        self.listener.close()
        self.close_display()


def attack(world, guest, end):
    """Returns what went wrong, or None."""
    try:
        for name in ("gpu", "vsock"):
            guest.start(name, sane=True)
        for _ in range(STEPS):
            guest.step()
            if time.monotonic() > end:
                break
        if not guest.running:
            world.qmp("cont")
        status = world.quit()
        return "QEMU ended with %d" % status if status else None
    except (OSError, VMError) as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return "QEMU does not quit"


def keep(seed, folder):
    """Leave QEMU's log and the reports, with their stacks, for somebody to read."""
    kept = os.path.join(OUT, "attack", "seed-%d" % seed)
    shutil.rmtree(kept, ignore_errors=True)
    os.makedirs(kept)
    for path in glob.glob(os.path.join(folder, "sanitizer.*")) + [os.path.join(folder, "qemu.log")]:
        shutil.copy(path, kept)


def run(work):
    try:
        return run_seed(*work)
    except Exception:       # of this program: the pool would lose the others' results with it
        return Result(work[1], "", 0, {}, [], [], traceback.format_exc(), "")


def run_seed(emulator, seed, end):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="attack-", dir=RUN) as folder:
        try:
            world = World(emulator, rng, folder)
        except (OSError, StepError) as error:
            return Result(seed, "", 0, {}, [], [], "no start: %s" % error, "")
        guest = Guest(rng, world)
        try:
            problem = attack(world, guest, end)
            if problem:
                time.sleep(2)       # a report is being written
            said = world.machine.said()[-3000:]
        finally:
            world.close()
        found = reports(world.reports, KNOWN)
        if problem or any(mine for mine, _ in found):
            keep(seed, folder)
        ours = sorted({line for mine, line in found if mine})
        others = sorted({line for mine, line in found if not mine})
        return Result(seed, world.title, world.machine.qtest.commands, guest.counts, ours, others, problem, said)


def seeds(emulator, end, free):
    """The work, as long as there is time; @free: a semaphore of idle jobs, as the pool would take all of it at once."""
    seed = FIRST_SEED
    while time.monotonic() < end:
        if free.acquire(timeout=1):
            yield emulator, seed, end
            seed += 1


def is_others_own(result):
    """Whether the machine ended by an error that is QEMU's or a library's alone."""
    return not result.ours and any("AddressSanitizer" in line for line in result.others)


def main():
    tap = Tap()
    emulator = os.environ.get("HELIX_QEMU") or qemu.build_sanitized()[0]
    os.makedirs(RUN, exist_ok=True)
    end = time.monotonic() + SECONDS
    commands, runs, titles = 0, 0, collections.Counter()
    counts, others = collections.Counter(), collections.Counter()
    failed = []
    free = threading.Semaphore(JOBS)
    with multiprocessing.Pool(JOBS) as pool:
        for result in pool.imap_unordered(run, seeds(emulator, end, free)):
            free.release()
            runs, commands = runs + 1, commands + result.commands
            titles[result.title] += 1
            counts.update(result.counts)
            others.update(re.sub(r"0x[0-9a-f]+|==\d+==", "", line) for line in result.others)
            if result.ours or result.problem and not is_others_own(result):
                failed.append(result.seed)
                print("# seed %d, %s: %s\n# %s\n# %s" % (result.seed, result.title, result.problem, "\n# ".join(result.ours),
                                                     result.said.replace("\n", "\n# ")), flush=True)
    print("# %d seeds from %d, %d commands, %s" % (runs, FIRST_SEED, commands, dict(titles)))
    print("# actions: %s" % dict(counts))
    for line, number in others.most_common():
        print("# not ours, %d times: %s" % (number, line))
    tap.check(commands > 0, "the attacker ran")
    tap.check(not failed, "nothing of ours is reported, and QEMU answers and quits", "seeds %s" % failed)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
