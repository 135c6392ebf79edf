# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's packages that the guest's image does not have, for one suite: unpacked on a disk of their own, which the guest lays over its
root file system. The image stays as small as all the other suites need it."""

import hashlib
import os
import re
import shutil
import subprocess

from steps import CACHE, Step, StepError
from vm import built

DEVICE = "/dev/vdc"             # behind the image and the payload
ROOT = "/var/extra/root"
MOUNT = """set -e
modprobe overlay
mkdir -p /var/extra/image /var/extra/over %(root)s
mount -o ro %(device)s /var/extra/image
mount -t tmpfs over /var/extra/over
mkdir /var/extra/over/upper /var/extra/over/work
mount -t overlay overlay -o lowerdir=/var/extra/image:/,upperdir=/var/extra/over/upper,workdir=/var/extra/over/work %(root)s
for folder in dev proc sys run tmp helix; do mount --rbind /$folder %(root)s/$folder; done
""" % {"root": ROOT, "device": DEVICE}


def guest_status():
    """dpkg's list of what the image has."""
    done = subprocess.run(["debugfs", "-R", "cat /var/lib/dpkg/status", built()["image"]], capture_output=True, check=True)
    if b"Package: " not in done.stdout:
        raise StepError("the guest's image has no list of packages")
    return done.stdout


def missing_packages(names, status):
    """Names of @names and all that they depend on which the image lacks; bytes to download."""
    argv = ["apt-get", "-q", "-y", "-o", "Dir::State::status=" + status, "-o", "APT::Sandbox::User=root", "-o",
            "APT::Install-Recommends=false", "install", "--print-uris", *names]
    listed = subprocess.run(argv, capture_output=True, text=True, check=False)
    if listed.returncode:           # its lists may be missing, or older than the archive
        subprocess.run(["apt-get", "-q", "update"], check=False, capture_output=True)
        listed = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.findall(r"^'\S+' ([^_\s]+)_\S+ (\d+)", listed.stdout, re.M)
    if listed.returncode or not found:
        raise StepError("apt finds no way to add %s to the guest: %s" % (" ".join(names), listed.stderr[-500:]))
    return [name for name, _ in found], sum(int(size) for _, size in found)


def make_disk(names, status, path):
    work = path + ".new-%d" % os.getpid()
    tree = os.path.join(work, "tree")
    os.makedirs(tree)
    with open(os.path.join(work, "status"), "wb") as file:
        file.write(status)
    try:
        with Step("disk with %s (once)" % ", ".join(names), "extra") as step:
            packages, size = missing_packages(names, os.path.join(work, "status"))
            step.progress("%d packages" % len(packages))
            step.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages], cwd=work)
            for name in sorted(os.listdir(work)):
                if name.endswith(".deb"):
                    step.run(["dpkg-deb", "-x", os.path.join(work, name), tree])
            used = int(subprocess.run(["du", "-sk", tree], check=True, capture_output=True).stdout.split()[0])
            print("# %s: %d packages, %.0f MiB to download, %.0f MiB unpacked" % (" ".join(names), len(packages), size / (1 << 20), used / 1024),
                  flush=True)
            step.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, os.path.join(work, "disk"),
                      "%dk" % (used * 5 // 4 + 32768)])
            os.rename(os.path.join(work, "disk"), path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def disk(*names):
    """Arguments of QEMU for a disk with @names; it is made if it is not in the cache."""
    status = guest_status()
    key = hashlib.sha256(status + " ".join(names).encode()).hexdigest()[:12]
    path = os.path.join(CACHE, "extra-" + key)
    if not os.path.exists(path):
        make_disk(names, status, path)
    os.utime(path)
    return ("-drive", "if=virtio,format=raw,readonly=on,file=" + path)


def mount(vm):
    vm.run(MOUNT)


def argv(*command):
    """A command in the guest that sees the packages."""
    return ["chroot", ROOT, *command]
