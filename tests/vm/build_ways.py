# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
"""The two other ways to build the QEMU that is run: with modules, and by plain meson with qemu/linux-native.ini.

Not all of QEMU is built, but what the integration touches, and the modules that it goes into. These are trees as users make
them: nothing that only measures (hw/display/helix/measure/) may be in their objects.
"""

import os
import shutil
import subprocess
import sys

import qemu
from other_trees import INTEGRATE, WORK, by_configure, check_tree, new_log
from steps import TREE
from tap import Tap

NATIVE = os.path.join(TREE, "qemu", "linux-native.ini")
MODULES = ("hw-display-virtio-gpu.so", "hw-display-virtio-gpu-gl.so")


def by_meson(tree, build):
    return ["meson", "setup", build, tree, "--native-file=" + NATIVE]


def main():
    tap = Tap()
    log = new_log("build-ways.log")
    tree = os.path.join(WORK, "reference")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(os.path.join(qemu.folder_of(qemu.source()), "src"), tree, symlinks=True)
    subprocess.run([INTEGRATE, tree, "--reverse"], check=True, capture_output=True)
    check_tree(tap, "reference", tree, log, [(", with modules", by_configure("--enable-modules"), MODULES),
                                             (", by plain meson", by_meson, ())])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
