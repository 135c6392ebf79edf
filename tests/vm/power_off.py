# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest powers off, QEMU stays (-no-shutdown, as libvirt has it), and the VM is reset and runs again: textures are read by the
thread that is there for them, before and after. No guest runs: see virtio_pci.py."""

import os
import struct
import sys
import tempfile
import time

from properties import FRAME_RESPONSE, Client
from reentry_world import CREATE_3D, Gpu
from tap import Tap
from virtio_mmio import SECONDS
from virtio_pci import PciMachine
from vm import RUN, Display, Qmp, built

SIDE = 64
ROUNDS = 2


def read_textures(machine, address, count):
    """So many pictures of a texture, after a reset of the machine."""
    machine.open_configuration()
    gpu = Gpu(machine)
    gpu.device.start()
    gpu.add(CREATE_3D, struct.pack("<11I4x", 1, 2, 2, 0xA, SIDE, SIDE, 1, 1, 0, 0, 0))
    gpu.control.kick()
    client = Client(address)
    good = True
    for number in range(count):
        client.request(1, width=SIDE, height=SIDE, pts=number)
        good = good and client.answer()[0] == FRAME_RESPONSE
    return good


def wait_status(qmp, status):
    end = time.monotonic() + SECONDS
    while qmp.command("query-status")["status"] != status:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def check(tap, machine, address):
    qmp = Qmp(machine.qmp_path)

    def threaded():
        return qmp.command("qom-get", path="/machine/peripheral/gpu/virtio-backend", property="x-helix-threaded")

    tap.check(read_textures(machine, address, 3) and threaded() == 3, "textures are read by a thread", machine.said())
    for number in range(1, ROUNDS + 1):
        machine.power_off()
        tap.check(wait_status(qmp, "shutdown"), "power-off %d: QEMU stays" % number, machine.said())
        qmp.command("system_reset")
        qmp.command("cont")
        tap.check(read_textures(machine, address, 3) and threaded() == 3 + 3 * number,
                  "power-off %d: after reset and cont textures are read by a thread" % number,
                  "%d read so; %s" % (threaded(), machine.said()))
    qmp.command("quit")
    status = machine.process.wait(SECONDS)
    tap.check(status == 0, "QEMU ends well", "ended with %s: %s" % (status, machine.said()))


def main():
    tap = Tap()
    emulator = built()["qemu"]
    with tempfile.TemporaryDirectory(prefix="power-", dir=RUN) as folder, open(os.path.join(folder, "display"), "w") as log:
        address = os.path.join(folder, "socket")
        display = Display(emulator, log)
        device = "virtio-gpu-gl-pci,id=gpu,helix-frame-export=on,helix-encoder=null,helix-listen=unix:" + address
        machine = PciMachine(emulator, folder, [device], ["-no-shutdown", *display.arguments], environment=display.environment)
        try:
            check(tap, machine, address)
        except (AssertionError, OSError) as error:
            tap.check(False, "the test came to its end", "%s: %s\n%s" % (type(error).__name__, error, machine.said()))
        finally:
            machine.close()
            display.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
