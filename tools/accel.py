# SPDX-License-Identifier: GPL-2.0-or-later
"""What this machine can really do for a VM: tried, not assumed. A /dev/kvm that opens may still boot nothing."""

import glob
import os
import subprocess

from qemu import FIRMWARE
from steps import CACHE, say

KVM_SECONDS = 15
NODE_SECONDS = 10


def kvm_boots(emulator, kernel):
    """Boot the guest's kernel without a disk until it panics and QEMU leaves."""
    argv = [emulator, "-accel", "kvm", "-machine", "q35", "-cpu", "host", "-m", "256M", "-nodefaults", "-no-reboot",
            "-display", "none", "-serial", "stdio", "-kernel", kernel, "-append", "console=ttyS0 panic=-1"]
    for folder in FIRMWARE:
        argv += ["-L", folder]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=KVM_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return b"Kernel panic" in done.stdout


def remembered(name, ask):
    """The verdict of this boot of the system on @name; asks once."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    path = os.path.join(CACHE, "tried-" + name)
    if os.path.exists(path):
        with open(path) as file:
            known, _, verdict = file.read().partition(" ")
        if known == boot:
            return verdict == "yes"
    verdict = ask()
    with open(path + ".new", "w") as file:
        file.write("%s %s" % (boot, "yes" if verdict else "no"))
    os.replace(path + ".new", path)
    return verdict


def best(emulator, kernel):
    """The -accel to use."""
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        def ask():
            works = kvm_boots(emulator, kernel)
            say("   /dev/kvm %s" % ("boots the guest's kernel" if works else
                                    "is there but does not boot the guest's kernel: emulating instead"))
            return works
        if remembered("kvm", ask):
            return "kvm"
    return "tcg,thread=multi"


def render_node_works(emulator):
    """Whether QEMU gets an EGL context on a DRM render node."""
    if not any(os.access(node, os.R_OK | os.W_OK) for node in glob.glob("/dev/dri/renderD*")):
        return False

    def ask():
        try:
            return subprocess.run([emulator, "-machine", "none", "-nodefaults", "-display", "egl-headless", "-qmp",
                                   "stdio"], input=b'{"execute":"qmp_capabilities"}{"execute":"quit"}',
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=NODE_SECONDS,
                                  check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False
    return remembered("render-node", ask)
