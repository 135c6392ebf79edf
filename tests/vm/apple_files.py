# SPDX-License-Identifier: GPL-2.0-or-later
"""What only a Mac's QEMU builds compiles against QEMU's headers, with doubles of Apple's; no VM is started."""

import os
import subprocess
import sys

import qemu
from steps import CACHE, TREE, locked
from tap import Tap


def main():
    tap = Tap()
    with locked(os.path.join(CACHE, "lock"), "the cache"):
        build = os.path.join(qemu.folder_of(qemu.source()), "build")
        done = subprocess.run([os.path.join(TREE, "tests", "macos", "compile-gl"), build,
                               "-I", os.path.join(TREE, "tests", "doubles", "include"), "-I", "/usr/include/virgl"],
                              capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok - ", "not ok - "))]
    for line in lines:
        tap.check(line.startswith("ok"), line.split(" - ", 1)[1] + " compiles")
    tap.check(done.returncode == 0 and "1..%d\n" % len(lines) in done.stdout and "texture-copy-apple.c" in done.stdout,
              "all were compiled", done.stdout + done.stderr)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
