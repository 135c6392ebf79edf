# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that other programs may take (desktop/client), in a guest: each is given the id of a resource that another
process made and keeps (tests/guest/hold-buffer.c), films it by vsock, and the film shows what was drawn."""

import os
import re
import subprocess
import tempfile

import build
from steps import TREE
from vm import VMError

WIDTH, HEIGHT, FRAMES = 640, 360, 5
BITRATE = "20000000"        # leaves a picture of this size nearly untouched
FILM = "/tmp/film.h264"     # in the guest
PYTHON = os.path.join(TREE, "desktop", "client", "python", "helix_client.py")


def commands(vm):
    """{client: (resource, size) -> its command line}, everything it needs being in the guest."""
    vm.push(PYTHON, "/tmp/helix_client.py")
    vm.push(os.path.join(build.BUILDS, "tests", "tests", "client", "film-resource"), "/tmp/film-resource", mode=0o755)
    return {
        "helix_client.py": lambda resource, size: [
            "python3", "/tmp/helix_client.py", "--bitrate", BITRATE, "--frames", str(FRAMES), "--resource", resource,
            "--size", size, "-o", FILM],
        "film-resource": lambda resource, size: [
            "env", "LD_LIBRARY_PATH=/helix/client", "/tmp/film-resource", resource, size, str(FRAMES), FILM],
    }


def hold(vm, kind, number):
    """A process that keeps a resource showing drawing @number, and the resource's id."""
    process = vm.start(["/helix/bin/hold-buffer", kind, str(WIDTH), str(HEIGHT), str(number)])

    def named():
        return re.search(rb"^resource (\d+)\n", bytes(process.out), re.M)

    vm.wait_for(lambda: process.done() or named(), 60)
    found = named()
    if not found:
        process.check(1)
        raise VMError("hold-buffer named no resource")
    return process, found.group(1).decode()


def write_index(film, number):
    """FILM.index (tests/guest/film.h) of FILM.h264, whose access units a parser finds that is not ours."""
    done = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "packet=pos,size,flags", "-of", "csv=p=0",
                           film + ".h264"], capture_output=True, text=True, check=True, timeout=60)
    units = [line.strip(",").split(",") for line in done.stdout.split()]
    with open(film + ".index", "w") as index:
        index.write("film 1\n")
        for size, at, flags in units:
            index.write("unit 0 %d %d %d %d %s %s\n" % (number, WIDTH, HEIGHT, "K" in flags, at, size))
        index.write("end %d\n" % len(units))
    return len(units)


def run(tap, vm, device, kinds, judge):
    """Film a resource of each of @kinds with each client. @judge: (film without its ending) -> (right, text)."""
    for client, command in commands(vm).items():
        for number, kind in enumerate(kinds, 100):
            title = "%s %s films %s" % (device, client, kind)
            process, resource = hold(vm, kind, number)
            with process, tempfile.TemporaryDirectory() as folder:
                film = os.path.join(folder, "film")
                result = vm.run(command(resource, "%dx%d" % (WIDTH, HEIGHT)), check=False, timeout=120)
                if result.rc:
                    tap.check(False, title, result.err.decode(errors="replace"))
                    continue
                vm.pull(FILM, film + ".h264")
                units = write_index(film, number)
                right, text = judge(film)
                tap.check(right and units == FRAMES, title, "%d pictures; %s" % (units, text))
                process.close_input()
                process.check()
