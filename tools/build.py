# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything a VM needs, built from the tree as it is now: QEMU, the guest image, its initrd and the payload."""

import atexit
import glob
import hashlib
import json
import os
import shutil
import time

import guest_image
import qemu
from steps import CACHE, NINJA, TREE, Step, locked

# This checkout's build folders; another checkout that shares the cache has its own.
BUILDS = os.path.join(CACHE, "build", hashlib.sha256(os.environ.get("HELIX_HOST_TREE", TREE).encode()).hexdigest()[:12])

OPTIONS = ("-Delement=enabled", "-Dwerror=true", "--buildtype=debugoptimized")


class Built:
    """Paths of what was built, valid for this run: a later build of another run replaces none of these files."""
    qemu = None         # the system emulator
    guest = None        # guest_image.Guest
    initrd = None
    payload = None

    def save(self, run):
        """Leave the paths for tools/vm.py."""
        with open(os.path.join(run, "built.json"), "w") as file:
            json.dump({"qemu": self.qemu, "kernel": self.guest.kernel, "image": self.guest.image,
                       "initrd": self.initrd, "payload": self.payload}, file)


def in_use(folder):
    """A lock on a build folder: one run at a time builds there, or runs what was built there."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    return locked(folder + ".lock", "the build folder '%s' of this checkout" % os.path.basename(folder))


def meson(title, name, source, *options, install=None, environment=None, targets=(), compile=True):
    """Build a meson project, or @targets of it, incrementally under this checkout's builds, or only configure it; with
    @install, install it there as DESTDIR."""
    folder = os.path.join(BUILDS, name)
    with in_use(folder), Step(title, "build-" + name, quiet=True) as step:
        stamp = os.path.join(folder, "configured")
        wanted = "\n".join((source,) + options)
        if not os.path.exists(stamp) or open(stamp).read() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            step.run(["meson", "setup", folder, source] + list(options), env=dict(os.environ, **(environment or {})))
            with open(stamp, "w") as out:
                out.write(wanted)
        if compile:
            step.run(["ninja", "-C", folder] + list(targets), progress=NINJA)
        if install:
            step.run(["meson", "install", "-C", folder, "--no-rebuild", "--destdir", install])
    return folder


def project(tests):
    """Build the tree's own meson project, with its tests or without; returns the build folder."""
    if tests:
        return meson("element and tests", "tests", TREE, *OPTIONS)
    return meson("guest element", "element", TREE, "-Dtests=false", *OPTIONS)


def payload(built, run, tests):
    """The guest's /helix: guest/, the element, and with @tests the programs of tests/guest and bench/vm."""
    folder = os.path.join(run, "payload")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(TREE, "guest"), folder)
    programs = meson("guest programs", "guest", os.path.join(TREE, "guest"), "--prefix=/", "--bindir=bin",
                     "--buildtype=debugoptimized", install=folder)
    module = project(tests)
    os.makedirs(os.path.join(folder, "gst"))
    for path in glob.glob(os.path.join(module, "desktop", "gst-vsockenc", "libgst*.so")):
        shutil.copy(path, os.path.join(folder, "gst"))
    os.makedirs(os.path.join(folder, "dri"))
    for path in glob.glob(os.path.join(module, "desktop", "va-driver", "helix_drv_video.so")):
        shutil.copy(path, os.path.join(folder, "dri"))
    # Where element and driver look for it: their run path is that of the build, $ORIGIN/../client.
    os.makedirs(os.path.join(folder, "client"))
    shutil.copy(os.path.join(module, "desktop", "client", "libhelix-client.so.0"), os.path.join(folder, "client"))
    for path in (glob.glob(os.path.join(module, "tests", "guest", "*")) +
                 glob.glob(os.path.join(module, "bench", "vm", "*"))):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            shutil.copy(path, os.path.join(folder, "bin"))
    built.initrd = os.path.join(run, "initrd")
    guest_image.make_initrd(built.guest, os.path.join(programs, "initrd"), built.initrd)
    built.payload = os.path.join(run, "payload.ext4")
    guest_image.make_payload(folder, built.payload)


def keep(emulator):
    """A link of this run's own to the emulator: the linker makes a new file, so this one stays as it was built now."""
    folder = os.path.join(CACHE, "running")
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):     # runs that were killed
        path = os.path.join(folder, name)
        if time.time() - os.stat(path).st_ctime > 86400:
            os.unlink(path)
    path = os.path.join(folder, "%s-%s" % (os.urandom(4).hex(), os.path.basename(emulator)))
    os.link(emulator, path)
    atexit.register(os.unlink, path)
    return path


def everything(tests=False, run="/run/helix"):
    """Build what changed; returns Built. @run: a folder of this run's own."""
    built = Built()
    os.makedirs(run, exist_ok=True)
    with locked(os.path.join(CACHE, "lock"), "the cache"):
        emulator = qemu.build()
        built.guest = guest_image.Guest()
        built.guest.make()
        payload(built, run, tests)
        built.qemu = keep(emulator)
    built.save(run)
    return built
