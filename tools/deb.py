# SPDX-License-Identifier: GPL-2.0-or-later
"""make deb: the guest's part as Debian packages for amd64 and arm64, in out/: helix-guest, helix-va-driver, the library that both need,
libhelix-client0, and libhelix-client-dev.

Only what the package needs is copied into a source tree of its own, with packaging/debian as its debian folder.
"""

import os
import re
import shutil

import arm64
import build
from steps import OUT, TREE, Step, host_path, say

SOURCES = ("meson.build", "meson_options.txt", "COPYING.LESSER", "desktop", "hw/display/helix/protocol/helix-wire.h",
           *("docs/%s.md" % page for page in ("guest", "pipelines", "screencast", "troubleshooting", "va-driver", "vsockenc")))
PACKAGES = ("libhelix-client0", "libhelix-client-dev", "helix-guest", "helix-va-driver")
ARCHITECTURES = ("amd64", "arm64")


def make_source(folder):
    """The package's source tree in @folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in SOURCES:
        source, target = os.path.join(TREE, name), os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    shutil.copytree(os.path.join(TREE, "packaging", "debian"), os.path.join(folder, "debian"))


def version():
    with open(os.path.join(TREE, "packaging", "debian", "changelog")) as file:
        return re.match(r"\S+ \((\S+)\)", file.readline()).group(1)


def make(architecture):
    """Build the packages for @architecture; {name: path in out/}."""
    top = os.path.join(build.BUILDS, "deb-" + architecture)
    source = os.path.join(top, "helix-guest-" + version())
    command = ["dpkg-buildpackage", "-b", "-us", "-uc", "-a" + architecture]
    environment = dict(os.environ, LC_ALL="C.UTF-8", DEB_BUILD_OPTIONS="nocheck parallel=%d" % (os.cpu_count() or 1))
    if architecture == arm64.ARCHITECTURE:
        root = arm64.sysroot()
        command += ["-d"]       # what it depends on for building is in the sysroot, not installed
        environment.update(HELIX_SYSROOT=root, DH_MESON_CROSS_FILE=os.path.join(top, "cross.ini"))
    with Step("package for " + architecture, "deb-" + architecture) as step:
        shutil.rmtree(top, ignore_errors=True)
        make_source(source)
        if architecture == arm64.ARCHITECTURE:
            arm64.cross_file(root, environment["DH_MESON_CROSS_FILE"])
        step.run(command, cwd=source, env=environment)
        os.makedirs(OUT, exist_ok=True)
        return {name: shutil.copy(os.path.join(top, "%s_%s_%s.deb" % (name, version(), architecture)), OUT)
                for name in PACKAGES}


def run():
    for architecture in ARCHITECTURES:
        for path in make(architecture).values():
            say("   " + host_path(path))
