# SPDX-License-Identifier: GPL-2.0-or-later
"""The first half of the suite darwin: which files a Mac compiles, and clang's compilation of them for macOS."""

import glob
import os
import re

from lint import check
from steps import TREE, say

ARCHITECTURES = ("arm64", "x86_64")
TARGETS = ("11.0", "13.0")      # UTM's deployment target, and Homebrew's oldest
OVERLAY = os.path.join(TREE, "hw", "display", "helix")
# The warnings of the project's meson build.
STRICT = ("-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wshadow", "-Wvla", "-Wstrict-prototypes", "-Wmissing-prototypes",
          "-Werror", "-Wunguarded-availability", "-D_GNU_SOURCE", "-DHELIX_HAVE_VIDEOTOOLBOX", "-DHELIX_HAVE_LIBAVCODEC", "-DHELIX_MEASURE")


def read(path):
    with open(path) as file:
        return file.read()


def sources():
    """Every C file of the overlay that a Mac compiles: all but those that a meson.build names under a condition that is false there."""
    elsewhere = set()
    builds = sorted(glob.glob(os.path.join(OVERLAY, "**", "meson.build"), recursive=True))
    lists = dict(re.findall(r"^(\w+) = files\(([^)]*)\)", "".join(read(path) for path in builds), re.M))
    for path in builds:
        for block in re.findall(r"^ *if host_(?:os|machine\.system\(\)) (?:!= 'darwin'|== 'linux').*?^ *endif", read(path), re.S | re.M):
            named = [block] + [lists[name] for name in lists if re.search(r"\b%s\b" % name, block)]
            elsewhere |= set(re.findall(r"'([\w/-]+\.c)'", "".join(named)))
    found = sorted(glob.glob(os.path.join(OVERLAY, "**", "*.c"), recursive=True))
    return [path for path in found if not path.endswith(tuple("/" + name for name in elsewhere))]


def on_qemu(path):
    """Whether a file needs QEMU's headers."""
    return '#include "qemu/osdep.h"' in read(path)


def compile_all(title, compilers, files, objects, count):
    """Compile @files {name: path} by @compilers {(processor, target): the command without source and object}."""
    for (architecture, target), command in compilers.items():
        folder = os.path.join(objects, "%s-%s" % (architecture, target))
        os.makedirs(folder, exist_ok=True)
        check("%s, %s, macOS %s" % (title, architecture, target),
              {name: (*command, "-c", path, "-o", os.path.join(folder, name.replace("/", "-") + ".o")) for name, path in files.items()}, count)


def compile_core(sdk, folder, count):
    files = {os.path.relpath(path, OVERLAY): path for path in sources() if not on_qemu(path)}
    compilers = {(architecture, target): ("ccache", "clang", *sdk.flags(architecture, target), *STRICT)
                 for architecture in ARCHITECTURES for target in TARGETS}
    compile_all("darwin: core", compilers, files, os.path.join(folder, "objects"), count)
    present = {"encode/videotoolbox/vt-session.c", "capture/apple/gl-blit.c", "capture/apple/metal-copy.c"} <= set(files)
    count.add(passed=present, failed=not present)
    if not present:
        say("not ok: darwin: the Mac's own files are not among those compiled")
