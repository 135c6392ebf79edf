# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 5400
"""QEMU trees other than the one that is run: integrated, the touched objects compiled, and reversed to the byte.

Debian's source packages of every version that can be had: 10.0.2 (the base of UTM's fork), 10.2, 11. Of 10.0.2 the whole emulator is
built. HELIX_UTM_PATCH is a file with UTM's patch of that version (patches/qemu-10.0.2-utm.patch of its repository), which this project
does not hold: then the tree with those of its commits that apply is treated in the same way.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

import qemu
from steps import CACHE, TREE
from tap import Tap

INTEGRATE = os.path.join(TREE, "qemu", "integrate")
WORK = os.path.join(CACHE, "other-trees")
FIRMWARE = (("pc-bios", r"'(edk2-[\w-]+\.fd)'", ".bz2"), ("pc-bios/dtb", r"'([\w-]+\.dtb)'", ""))
UTMS = "10.0.2"         # what UTM's fork begins with
TOUCHED = re.compile(r"^(\S*(?:hw_display_helix|helix/libhelix|hw_display_virtio-(?:gpu|vga))\S*\.o): ", re.M)


def run(argv, log, **options):
    with open(log, "ab") as file:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False, **options)
    return done.returncode == 0


def tail(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        return file.read()[-3000:]


def snapshot(root):
    """{name: hash} of every file; what Python and the compiler cache there is nobody's source."""
    result = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in ("__pycache__", ".git")]
        for name in files:
            path = os.path.join(folder, name)
            data = os.readlink(path).encode() if os.path.islink(path) else open(path, "rb").read()
            result[os.path.relpath(path, root)] = hashlib.sha256(data).hexdigest()
    return result


def upstream_version(version):
    return re.sub(r"^\d+:", "", version).split("-")[0]


def name_firmware(tree):
    """Debian takes prebuilt firmware out, and UTM's is not in its patch; the names are asked for, the contents are not."""
    for folder, pattern, suffix in FIRMWARE:
        listed = os.path.join(tree, folder, "meson.build")
        if not os.path.exists(listed):      # 10.0 has no pc-bios/dtb
            continue
        with open(listed, encoding="utf-8") as file:
            for name in re.findall(pattern, file.read()):
                open(os.path.join(tree, folder, name + suffix), "ab").close()


def fetch(version, log):
    """The upstream source of Debian's @version, unpacked; None if the archive has it no longer."""
    tree = os.path.join(WORK, "qemu-" + upstream_version(version))
    if os.path.isdir(tree):
        return tree
    download = os.path.join(WORK, "download")
    shutil.rmtree(download, ignore_errors=True)
    os.makedirs(download)
    # of an old version the original may be all that is left
    run(["apt-get", "-q", "source", "--download-only", "--only-source", "qemu=" + version], log, cwd=download)
    archives = glob.glob(os.path.join(download, "*.orig.tar.xz"))
    if not archives:
        return None
    shutil.rmtree(tree + ".new", ignore_errors=True)        # of a run that was stopped
    os.makedirs(tree + ".new")
    if not run(["tar", "-C", tree + ".new", "--strip-components=1", "-xf", archives[0]], log):
        return None
    name_firmware(tree + ".new")
    os.rename(tree + ".new", tree)
    return tree


def compile_touched(build, log, more=()):
    """Compile what the integration adds and edits; the number of objects, 0 if one fails."""
    ninja = ["ninja", "-C", build]
    objects = TOUCHED.findall(subprocess.run(ninja + ["-t", "targets", "all"], capture_output=True, text=True,
                                             check=False).stdout)
    return len(objects) if objects and run(ninja + objects + list(more), log) else 0


def only_measures(build):
    """Built files that hold the names of what only measures."""
    found = []
    for folder, _, files in os.walk(build):
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith((".o", ".so")) and os.path.isfile(path):      # else a link to what was not built
                with open(path, "rb") as file:
                    data = file.read()
                found += [name for word in (b"x-helix-", b"null-texture", b"helix_measure") if word in data]
    return found


def check_emulator(tap, title, build, log):
    """Build the whole emulator, and have it say that the module is in it."""
    if tap.check(run(["ninja", "-C", build, qemu.BINARY], log), title + ": the whole emulator is built", tail(log)):
        done = subprocess.run([os.path.join(build, qemu.BINARY), "-device", "virtio-gpu-gl-device,help"], capture_output=True, text=True,
                              check=False)
        tap.check("helix-frame-export" in done.stdout, title + ": its virtio-gpu-gl-device has the module's properties", done.stderr)


def check_build(tap, title, tree, setup, log, more=(), whole=False):
    build = os.path.join(WORK, "build")
    shutil.rmtree(build, ignore_errors=True)
    os.makedirs(build)
    if tap.check(run(setup(tree, build), log, cwd=build), title + ": configured", tail(log)):
        count = compile_touched(build, log, more)
        tap.check(count > 20, "%s: %d touched objects compile" % (title, count), tail(log))
        found = only_measures(build)
        tap.check(not found, title + ": nothing that only measures was built", found[:20])
        if whole:
            check_emulator(tap, title, build, log)


def by_configure(*options):
    return lambda tree, build: [os.path.join(tree, "configure"), "--cc=ccache gcc"] + qemu.CONFIGURE + list(options)


def check_tree(tap, title, tree, log, ways, whole=False):
    run([INTEGRATE, tree, "--reverse"], log)        # a run that was stopped
    before = snapshot(tree)
    integrated = run([INTEGRATE, tree], log) and run([INTEGRATE, tree, "--check"], log)
    if tap.check(integrated, title + ": integrated, and --check agrees", tail(log)):
        for name, setup, more in ways:
            check_build(tap, title + name, tree, setup, log, more, whole)
    tap.check(run([INTEGRATE, tree, "--reverse"], log), title + ": reversed", tail(log))
    after = snapshot(tree)
    wrong = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    tap.check(not wrong, title + ": every byte is what it was", wrong[:20])


def new_log(name):
    os.makedirs(WORK, exist_ok=True)
    path = os.path.join(WORK, name)
    open(path, "w").close()
    return path


def with_utm_patch(tap, tree, patch, log):
    """A copy of @tree with those commits of UTM's patch, each as a whole, that apply; the others are for what UTM's own archive has more."""
    patched, mails = tree + "-utm", os.path.join(WORK, "mails")
    for folder in (patched, mails):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tree, patched, symlinks=True)
    os.makedirs(mails)
    run(["git", "mailsplit", "-o" + mails, os.path.abspath(patch)], log)
    commits, applied = sorted(os.listdir(mails)), 0
    for name in commits:
        command = ["patch", "-d", patched, "-p1", "--forward", "--batch", "--input", os.path.join(mails, name)]
        if run(command + ["--dry-run"], log):
            applied += run(command, log)
    name_firmware(patched)
    tap.check(applied > 5, "UTM's patch: %d of its %d commits applied" % (applied, len(commits)), tail(log))
    return patched


def main():
    tap = Tap()
    log = new_log("other-trees.log")
    run(["apt-get", "-q", "update"], log)
    done = {upstream_version(qemu.source())}
    for version in qemu.versions_offered():
        upstream = upstream_version(version)
        if upstream in done:
            continue
        done.add(upstream)
        tree = fetch(version, log)
        if tree:
            check_tree(tap, "QEMU " + upstream, tree, log, [("", by_configure(), ())], whole=upstream.startswith(UTMS))
            if upstream.startswith(UTMS) and os.environ.get("HELIX_UTM_PATCH"):
                patched = with_utm_patch(tap, tree, os.environ["HELIX_UTM_PATCH"], log)
                check_tree(tap, "QEMU %s with UTM's patch" % upstream, patched, log, [("", by_configure(), ())], whole=True)
        else:
            tap.skip("QEMU " + upstream, "the archive does not have it today")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
