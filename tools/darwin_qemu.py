# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite darwin on QEMU's headers: the overlay's files that need them, and those of QEMU that the module's edits touch."""

import json
import os
import re

import qemu
from darwin_compile import ARCHITECTURES, OVERLAY, TARGETS, compile_all, on_qemu, read, sources
from darwin_sdk import write
from steps import CACHE, Step, StepError, locked, say

IN_QEMU = ("-std=gnu11", "-Wall", "-Wundef", "-Werror", "-Wunguarded-availability", "-D_GNU_SOURCE", "-fno-strict-aliasing", "-fwrapv")
# What QEMU's configure finds on Linux and not on a Mac, and the other way round.
NOT_ON_DARWIN = ("EPOLL", "EPOLL_CREATE1", "EVENTFD", "FALLOCATE", "FALLOCATE_PUNCH_HOLE", "FALLOCATE_ZERO_RANGE", "INOTIFY", "INOTIFY1",
                 "LINUX", "LINUX_MAGIC_H", "MEMFD", "OPEN_BY_HANDLE", "SIGNALFD", "SYNC_FILE_RANGE", "TIMERFD", "POSIX_FALLOCATE",
                 "FDATASYNC", "ACCEPT4", "DUP3", "PPOLL", "SPLICE", "PRCTL_PR_SET_TIMERSLACK", "SYSMACROS", "SYNCFS",
                 "SETNS", "SENDFILE", "UTIMENSAT", "PTHREAD_CONDATTR_SETCLOCK", "PTHREAD_AFFINITY_NP", "CLOCK_ADJTIME", "GETRANDOM", "STATX",
                 "STATX_MNT_ID", "GETCPU", "USBFS", "RTNETLINK", "GBM", "X11")
NO_HEADERS_ON_DARWIN = ("COPY_FILE_RANGE", "DRM_H", "PTY_H", "STRCHRNUL", "BTRFS_H", "OPENAT2_H", "IPPROTO_MPTCP", "MLOCK_ONFAULT", "FSXATTR")
ON_DARWIN = ("DARWIN", "BSD")
# Of QEMU's own files: besides those with edits, what reads the headers with edits.
READ_EDITED_HEADERS = ("hw/display/virtio-gpu-base.c", "hw/display/virtio-gpu-gl.c")
MODEL = "hw/display/virtio-gpu-virgl.c"     # its command has the folders of headers


def edited_files():
    """QEMU's files that the module's edits touch, and what reads its headers with edits."""
    names = re.findall(r"^file (hw/display/\S+\.c)$", read(os.path.join(OVERLAY, "qemu", "edits")), re.M)
    return sorted({*names, *READ_EDITED_HEADERS})


def darwin_config(out, folder):
    """A config-host.h in @folder as configure writes it on a Mac, from the one in QEMU's build folder @out."""
    text = read(os.path.join(out, "config-host.h"))
    gone = ["CONFIG_" + name for name in NOT_ON_DARWIN] + ["HAVE_" + name for name in NO_HEADERS_ON_DARWIN]
    for name in gone:
        text = re.sub(r"^#define %s\b.*" % name, "#undef " + name, text, flags=re.M)
    for name in ON_DARWIN:
        text = re.sub(r"^#undef CONFIG_%s$" % name, "#define CONFIG_" + name, text, flags=re.M)
    write(os.path.join(folder, "config-host.h"), text)
    return folder


def qemu_command(out, entry, flags, architecture, config):
    """clang with the folders of headers of @entry of QEMU's compile_commands.json, for Darwin."""
    cpu, quoted = architecture.replace("arm64", "aarch64"), []
    for path in re.findall(r" -iquote (\S+)", entry["command"]):
        quoted += ["-iquote", os.path.normpath(os.path.join(out, path)).replace("host/include/x86_64", "host/include/" + cpu)]
    own = [os.path.normpath(os.path.join(out, path)) for path in re.findall(r" -I(\S+\.p) ", entry["command"])[:1]]
    return ("env", "-C", out, "ccache", "clang", "-iquote", config, *quoted, *flags, *("-I" + path for path in own), *IN_QEMU)


def compile_tree(sdk, version, out, folder, count):
    """Compile for QEMU @version, built in @out."""
    tree = os.path.join(os.path.dirname(out), "src")
    config = darwin_config(out, os.path.join(folder, "qemu-" + version))
    entry = next(entry for entry in json.loads(read(os.path.join(out, "compile_commands.json"))) if entry["file"].endswith(MODEL))
    commands = {(architecture, target): qemu_command(out, entry, sdk.flags(architecture, target), architecture, config)
                for architecture in ARCHITECTURES for target in TARGETS}
    files = {os.path.relpath(path, OVERLAY): path for path in sources() if on_qemu(path)}
    files.update(("QEMU's " + name, os.path.join(tree, name)) for name in edited_files())
    compile_all("darwin: on QEMU " + version, commands, files, os.path.join(folder, "objects-qemu-" + version), count)


def newest_source(used):
    """The newest QEMU after @used, both as Debian writes versions, that the archive has; None without one. What it lists and has not is said."""
    with Step("QEMU's newest source", "darwin-newest", quiet=True) as step:
        try:
            step.run(["apt-get", "-q", "update"])
        except StepError as error:
            say("   not every package list could be had: %s" % error)
        own = ".".join(qemu.shown(used).split(".")[:2])
        newer = [version for line in reversed(qemu.WANTED[qemu.WANTED.index(own) + 1:])
                 for version in qemu.versions_offered() if qemu.shown(version).startswith(line + ".")]
        for version in newer:
            try:
                if not os.path.isdir(qemu.folder_of(version)):
                    qemu.unpack(step, version, qemu.folder_of(version))
                return version
            except StepError:
                say("   QEMU %s is not compiled: the archive lists it and does not have it" % version)
        if not newer:
            say("   no QEMU newer than %s is compiled: the archive lists none" % own)
    return None


def headers_of_newest(version):
    """Configure that QEMU, and have its build make the headers that a file takes; returns the build folder."""
    out = qemu.compile_tree("QEMU " + qemu.shown(version), "darwin-newest", qemu.folder_of(version), ["--cc=ccache gcc"] + qemu.CONFIGURE,
                            ["build.ninja"])
    objects = [entry["output"] for entry in json.loads(read(os.path.join(out, "compile_commands.json"))) if entry["file"].endswith(MODEL)]
    with Step("QEMU %s: headers that its build makes" % qemu.shown(version), "darwin-newest-headers", quiet=True) as step:
        step.run(["ninja", "-C", out] + objects)
    return out


def compile_on_qemu(sdk, folder, count, newer):
    """For the QEMU that VMs run, and with @newer for the newest that can be had, which takes minutes the first time."""
    with locked(os.path.join(CACHE, "lock"), "the cache"):
        version = qemu.source()
        compile_tree(sdk, qemu.shown(version), os.path.dirname(qemu.build(version)), folder, count)
        newest = newest_source(version) if newer else None
        if newest:
            compile_tree(sdk, qemu.shown(newest), headers_of_newest(newest), folder, count)
