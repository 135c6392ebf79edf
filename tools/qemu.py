# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU with the module: Debian's source, the overlay put into it by qemu/integrate, an incremental build.

The tree and its build are cached under a name made of the source's version and the configure line; qemu/integrate
brings the overlay in it up to date on every run. The variant with sanitizers has its own copy of that tree, so
that its long build holds no lock that other runs need.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess

from steps import CACHE, NINJA, TREE, Step, StepError, locked, say

# Debian 13's first, then the nearest that the archive offers: a version that cannot be fetched is no reason to fail.
WANTED = ("10.0", "10.1", "10.2", "11.0", "11.1")

CONFIGURE = ["--target-list=x86_64-softmmu", "--without-default-features", "--enable-tcg", "--enable-kvm",
             "--enable-virglrenderer", "--enable-opengl", "--enable-sdl", "--enable-slirp", "--enable-fdt=system",
             "--enable-pixman", "--disable-docs", "--disable-werror", "--disable-install-blobs"]

# clang's sanitizers, and what QEMU's own fuzzer of devices (docs/devel/testing/fuzzing.rst in its tree) needs.
SANITIZED = CONFIGURE + ["--cc=ccache clang", "--cxx=ccache clang++", "--enable-asan", "--enable-ubsan",
                         "--enable-fuzzing"]

BINARY = "qemu-system-x86_64"
FUZZER = "qemu-fuzz-x86_64"

# Where the root's packages keep the firmware that a system emulator loads.
FIRMWARE = ["/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu"]


def key(options=None):
    return hashlib.sha256("\n".join(options or CONFIGURE).encode()).hexdigest()[:8]


def shown(version):
    """A version as people say it: without Debian's epoch and revision."""
    return re.sub(r"^\d+:|[+~-].*", "", version)


def folder_of(version, options=None):
    return os.path.join(CACHE, "qemu-%s-%s" % (re.sub(r"^\d+:", "", version), key(options)))


def versions_offered():
    """Versions that the package index lists, best first: Debian 13's own line, newest update of a line first."""
    text = subprocess.run(["apt-cache", "showsrc", "qemu"], capture_output=True, text=True, check=False).stdout
    found = set(re.findall(r"^Version: (\S+)", text, re.M))
    ranked = []
    for version in found:
        number = re.sub(r"^\d+:", "", version)
        line = ".".join(number.split(".")[:2])
        if line in WANTED:
            update = [int(part) for part in re.findall(r"\d+", number.split("+")[0])]
            # Only what Debian 13 itself ships counts as its line; a backport of an older one comes after it.
            ranked.append((WANTED.index(line), "bpo" in number, [-part for part in update], version))
    return [entry[-1] for entry in sorted(ranked)]


def unpack(step, version, target):
    """Fetch and unpack one version to @target, with Debian's patches if they can be had. StepError when it can't be."""
    work = os.path.join(CACHE, "new.qemu")
    shutil.rmtree(work, ignore_errors=True)
    fetched = os.path.join(work, "fetch")
    os.makedirs(fetched)
    step.progress("fetching %s" % version)
    source = os.path.join(work, "src")
    try:
        step.run(["apt-get", "-q", "source", "--download-only", "--only-source", "qemu=" + version], cwd=fetched)
        description, = glob.glob(os.path.join(fetched, "*.dsc"))
        step.progress("unpacking %s" % version)
        step.run(["dpkg-source", "--no-check", "-x", description, source])
    except StepError:
        # Of an older version the original source may be all that is left.
        archives = glob.glob(os.path.join(fetched, "*.orig.tar.xz"))
        if not archives:
            shutil.rmtree(work, ignore_errors=True)
            raise
        say("   QEMU %s: Debian's patches can't be had, using the original source" % version)
        shutil.rmtree(source, ignore_errors=True)
        os.makedirs(source)
        step.run(["tar", "-C", source, "--strip-components=1", "-xf", archives[0]])
    shutil.rmtree(fetched)
    os.rename(work, target)


def newest_cached():
    """The tree of an earlier run, if there is one; which version it has was decided then."""
    marker = os.path.join(CACHE, "qemu-%s.current" % key())
    if os.path.exists(marker):
        with open(marker) as current:
            version = current.read().strip()
        if os.path.isdir(folder_of(version)):
            return version
    return None


def source():
    """Make sure of a source tree; returns its version."""
    version = newest_cached()
    if version:
        return version
    with Step("QEMU's source", "qemu-source") as step:
        step.progress("reading package lists")
        try:
            step.run(["apt-get", "-q", "update"])
        except StepError as error:      # one suite that does not answer takes no other away
            say("   not every package list could be had: %s" % error)
        offered = versions_offered()
        if not offered:
            raise StepError("no source of QEMU %s is in the package lists" % " or ".join(WANTED))
        for version in offered:
            try:
                if not os.path.isdir(folder_of(version)):
                    unpack(step, version, folder_of(version))
                break
            except StepError:
                say("   QEMU %s can't be had from the archive today" % version)
        else:
            raise StepError("none of the versions offered could be fetched: %s" % ", ".join(offered))
        with open(os.path.join(CACHE, "qemu-%s.current" % key()), "w") as current:
            current.write(version)
        say("   using QEMU %s" % version)
    return version


def compile_tree(name, log, folder, options, targets):
    """Integrate the overlay, with what benches and tests measure by, into @folder's tree; configure and build @targets there."""
    tree, out = os.path.join(folder, "src"), os.path.join(folder, "build")
    with Step("%s: integrate" % name, log + "-integrate", quiet=True) as step:
        step.run([os.path.join(TREE, "qemu", "integrate"), tree, "--measure"])
    configured = os.path.join(out, "configured")
    if not os.path.exists(configured):
        with Step("%s: configure (once)" % name, log + "-configure") as step:
            shutil.rmtree(out, ignore_errors=True)
            os.makedirs(out)
            step.run([os.path.join(tree, "configure")] + options, cwd=out)
            with open(configured, "w"):
                pass
    with Step("%s: build" % name, log + "-build", quiet=True) as step:
        step.run(["ninja", "-C", out] + list(targets), progress=NINJA)
    return out


def build(version=None):
    """Integrate and build; returns the path of the system emulator. Seconds when little changed."""
    version = version or source()
    out = compile_tree("QEMU %s" % shown(version), "qemu", folder_of(version), ["--cc=ccache gcc"] + CONFIGURE, [BINARY])
    return os.path.join(out, BINARY)


def build_sanitized():
    """The variant with ASan, UBSan and the device fuzzer; returns the paths of emulator and fuzzer."""
    with locked(os.path.join(CACHE, "lock"), "the cache"):
        version = source()
    folder = folder_of(version, SANITIZED)
    os.makedirs(folder, exist_ok=True)
    with locked(os.path.join(folder, "lock"), "QEMU with sanitizers"):
        if not os.path.isdir(os.path.join(folder, "src")):
            with Step("QEMU %s with sanitizers: copy its source" % shown(version), "qemu-source") as step:
                new = os.path.join(folder, "new.src")
                shutil.rmtree(new, ignore_errors=True)
                step.run(["cp", "-a", os.path.join(folder_of(version), "src"), new])
                os.rename(new, os.path.join(folder, "src"))
        out = compile_tree("QEMU %s with sanitizers" % shown(version), "qemu-sanitized", folder, SANITIZED,
                           [BINARY, FUZZER])
    return os.path.join(out, BINARY), os.path.join(out, FUZZER)
