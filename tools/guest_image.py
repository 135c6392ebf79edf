# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest on disk: an ext4 image and a kernel made once from Debian's packages, and what changes with every run.

What changes is small: an initrd of one static program with the modules that find the root disk, and the payload, an
ext4 of guest/, the element and the test programs, which the guest mounts at /helix.
"""

import os
import re
import shutil
import subprocess
import tarfile

from steps import CACHE, TREE, Step, StepError, say

# What finds and mounts the root disk; everything else is loaded by udev and guest/init.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")     # ext4 asks for crc32c by name

IMAGE_BYTES = 4 << 30       # sparse


class Guest:
    """A guest image: @kind is guest (PipeWire 1.6) or guest-stock (Debian 13's own)."""

    def __init__(self, kind="guest"):
        key = subprocess.run([os.path.join(TREE, "tools", "make-root"), "--key", kind], check=True,
                             capture_output=True, text=True).stdout.strip()
        self.folder = os.path.join(CACHE, "guest-" + key)
        self.tar = self.folder + ".tar"
        self.kind = kind
        self.image = os.path.join(self.folder, "image.ext4")
        self.kernel = os.path.join(self.folder, "vmlinuz")
        self.modules = os.path.join(self.folder, "modules")

    def make(self):
        """Make the image from the tar file that tools/front left, unless it is there."""
        if os.path.isdir(self.folder):
            return
        if not os.path.exists(self.tar):
            raise StepError("no %s file system in the cache: HELIX_GUEST=%s tools/front shell true makes it"
                            % (self.kind, self.kind))
        new = os.path.join(CACHE, "new.guest")
        with Step("guest image (once)", "guest-image") as step:
            shutil.rmtree(new, ignore_errors=True)
            os.makedirs(os.path.join(new, "modules"))
            step.progress("kernel and boot modules")
            self._take_kernel(new)
            step.progress("ext4")
            image = os.path.join(new, "image.ext4")
            step.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1", "-d", self.tar,
                      image, "%dk" % (IMAGE_BYTES >> 10)])
            os.rename(new, self.folder)
            os.unlink(self.tar)

    def _take_kernel(self, new):
        with tarfile.open(self.tar) as tar:
            members = {member.name.lstrip("./"): member for member in tar}
            kernel = sorted(name for name in members if re.match(r"boot/vmlinuz-", name))
            if not kernel:
                raise StepError("the guest's file system has no kernel")
            version = kernel[-1][len("boot/vmlinuz-"):]
            with open(os.path.join(new, "vmlinuz"), "wb") as out:
                shutil.copyfileobj(tar.extractfile(members[kernel[-1]]), out)
            base = "usr/lib/modules/%s/" % version
            if base + "modules.dep" not in members:
                base = base[len("usr/"):]
            dependencies = {}
            for line in tar.extractfile(members[base + "modules.dep"]).read().decode().splitlines():
                module, _, needs = line.partition(":")
                dependencies[module] = needs.split()
            by_name = {re.sub(r"\.ko.*", "", os.path.basename(path)).replace("-", "_"): path for path in dependencies}
            order = []
            for name in BOOT_MODULES:
                if name in by_name:         # else it is built into the kernel
                    path = by_name[name]
                    for need in list(reversed(dependencies[path])) + [path]:
                        if need not in order:
                            order.append(need)
            for number, path in enumerate(order):
                data = tar.extractfile(members[base + path]).read()
                if path.endswith(".xz"):
                    data = subprocess.run(["xz", "-dc"], input=data, check=True, capture_output=True).stdout
                name = "%02d-%s" % (number, re.sub(r"\.ko.*", ".ko", os.path.basename(path)))
                with open(os.path.join(new, "modules", name), "wb") as out:
                    out.write(data)


def make_initrd(guest, init, target):
    """Write the initrd of the static program @init and @guest's boot modules to @target."""
    work = target + ".d"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, "root"))
    os.makedirs(os.path.join(work, "dev"))
    shutil.copytree(guest.modules, os.path.join(work, "modules"))
    shutil.copy(init, os.path.join(work, "init"))
    names = subprocess.run(["find", ".", "-print0"], cwd=work, check=True, capture_output=True).stdout
    with open(target, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc"], cwd=work, input=names, stdout=out, check=True)
    shutil.rmtree(work)


def make_payload(folder, target):
    """Write an ext4 image of @folder to @target."""
    used = sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(folder) for name in names
               if not os.path.islink(os.path.join(top, name)))
    if os.path.exists(target):
        os.unlink(target)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", folder, target,
                    "%dk" % (used * 3 // 2 // 1024 + 8192)], check=True, stdout=subprocess.DEVNULL)
