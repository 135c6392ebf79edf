# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest on disk: an ext4 image and a kernel made once from Debian's packages, and what changes with every run.

What changes is small: an initrd of one static program with the modules that find the root disk, and the payload, an
ext4 of guest/, the element and the test programs, which the guest mounts at /helix.
"""

import lzma
import os
import re
import shutil
import struct
import subprocess
import tarfile

from steps import CACHE, TREE, Step, StepError, host_path

# What finds and mounts the root disk; everything else is loaded by udev and guest/init.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")     # ext4 asks for crc32c by name

IMAGE_BYTES = 4 << 30       # sparse


class Guest:
    """The guest's image, made or not yet made."""

    def __init__(self):
        key = subprocess.run([os.path.join(TREE, "tools", "make-root"), "--key", "guest"], check=True,
                             capture_output=True, text=True).stdout.strip()
        self.folder = os.path.join(CACHE, "guest-" + key)
        self.tar = self.folder + ".tar"
        self.image = os.path.join(self.folder, "image.ext4")
        self.kernel = os.path.join(self.folder, "vmlinux")
        self.modules = os.path.join(self.folder, "modules")

    def make(self):
        """Make the image from the tar file that tools/run-in-root left, unless it is there."""
        if os.path.isdir(self.folder):
            return
        if not os.path.exists(self.tar):
            raise StepError("%s is not there, which tools/run-in-root makes" % host_path(self.tar))
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
            with open(os.path.join(new, "vmlinux"), "wb") as out:
                out.write(unpack_kernel(tar.extractfile(members[kernel[-1]]).read()))
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


def unpack_kernel(image):
    """The ELF kernel inside of a bzImage. QEMU starts it by its PVH note; an emulated processor would take seconds to
    unpack it. Layout: setup_sects, payload_offset, payload_length in the kernel's Documentation/arch/x86/boot.rst."""
    sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    payload = image[start:start + length - 4]       # its last four bytes are the unpacked size
    if payload.startswith(b"\xfd7zXZ"):
        kernel = lzma.LZMADecompressor().decompress(payload)
    else:
        kernel = subprocess.run(["zstd", "-dc"], input=payload, check=True, capture_output=True).stdout
    if not kernel.startswith(b"\x7fELF"):
        raise StepError("the guest's kernel is packed in a way that this does not know")
    return kernel


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
