# SPDX-License-Identifier: GPL-2.0-or-later
"""The second half of the suite darwin: the project's own meson build, crossed to macOS down to linked Mach-O programs.

clang compiles and zig links, behind a script that answers meson's questions as Apple's linker does. The libraries are lists of symbols: of
frameworks, what the doubles' headers declare (darwin_sdk.py has the others).
"""

import glob
import hashlib
import json
import os
import re
import struct
import subprocess

import build
from darwin_sdk import DOUBLES, write, write_tbd
from lint import lint
from steps import TREE, Step, StepError, say

ARCHITECTURES = {"arm64": 0x0100000C, "x86_64": 0x01000007}     # Mach-O's cputype
TARGET = "13.0"
# Names of clang's own runtime library, which zig's has not. That library is no shared one: __cpu_model is read without the table of imports.
RUNTIME = """struct { unsigned int words[4]; } __cpu_model __attribute__((visibility("hidden"))) = { { 0 } };
int __cpu_indicator_init(void) { return 0; }
int __isPlatformVersionAtLeast(unsigned int platform, unsigned int major, unsigned int minor, unsigned int patch) { return 0; }
"""
FRAMEWORKS = ("CoreFoundation", "CoreMedia", "CoreVideo", "IOSurface", "VideoToolbox")

# What meson asks a compiler that links for macOS, answered as Apple's linker does; options that zig's linker does not know are left out.
COMPILER = """#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
link=yes
for argument; do
    shift
    case $argument in
    -Wl,--version) echo 'ld: unknown option: --version' >&2; exit 1 ;;
    -Wl,-v) echo '@(#)PROGRAM:ld  PROJECT:ld64-820.1' >&2; exit 0 ;;
    -Wl,--wrap*|-Wl,-z*|-Wl,--as-needed|-Wl,--no-undefined) echo "ld: unknown option: ${argument#-Wl,}" >&2; exit 1 ;;
    -Wl,-headerpad_max_install_names|-Wl,-dead_strip_dylibs) continue ;;
    -c|-E|-S|-fsyntax-only|--version|-v|-print-*|--print-*) link= ;;
    esac
    set -- "$@" "$argument"
done
[ "$link" ] || exec ccache clang COMPILE_FLAGS "$@"
export ZIG_GLOBAL_CACHE_DIR='ZIG_CACHE' ZIG_LOCAL_CACHE_DIR='ZIG_CACHE'
exec 'ZIG' cc -target CPU-macos.TARGET INCLUDE_FLAGS "$@"
"""


def declared(headers):
    """Functions and constants that the doubles' @headers (a pattern) declare."""
    symbols = []
    for path in glob.glob(os.path.join(os.path.dirname(DOUBLES), headers)):
        with open(path) as file:
            text = re.sub(r"/\*.*?\*/|^#.*?$", "", file.read(), flags=re.S | re.M)
        text = re.sub(r"\s+API_AVAILABLE\([^;]*\)(?=;)", "", text)
        symbols += re.findall(r"^extern const \w+ (\w+);", text, re.M)
        symbols += re.findall(r"^(?!typedef)[\w ]+[ *](\w+)\([^;{]*?\);", text, re.M | re.S)
    return symbols


def make_frameworks(folder):
    exports = {name: declared("include/%s/*.h" % name) for name in FRAMEWORKS}
    # Metal and the runtime are reached without headers of C; CoreGraphics is linked and not called.
    more = declared("not-in-c.h")
    exports["Metal"] = [name for name in more if name.startswith("MTL")]
    exports["CoreGraphics"] = ["CGMainDisplayID"]
    for name, symbols in exports.items():
        write_tbd(os.path.join(folder, name + ".framework", name + ".tbd"), "/System/Library/Frameworks/%s.framework/%s" % (name, name), symbols)
    write_tbd(os.path.join(folder, "lib", "libobjc.tbd"), "/usr/lib/libobjc.A.dylib",
              declared("include/objc/*.h") + [name for name in more if name.startswith("objc_")])


def runtime(folder, compiler, architecture):
    """The object that stands in for clang's runtime library."""
    source, made = write(os.path.join(folder, "runtime.c"), RUNTIME), os.path.join(folder, "runtime-%s.o" % architecture)
    status, text = lint([compiler, "-c", source, "-o", made])
    if status:
        raise StepError("the stand-in for clang's runtime library was not compiled: %s" % text)
    return made


def cross_file(sdk, folder, architecture):
    """meson's cross file for a Mac with this processor, and its compiler."""
    cpu, frameworks = architecture.replace("arm64", "aarch64"), os.path.join(folder, "frameworks")
    text = COMPILER
    for word, value in (("COMPILE_FLAGS", " ".join(sdk.flags(architecture, TARGET))), ("ZIG_CACHE", os.path.join(folder, "zig-cache")),
                        ("INCLUDE_FLAGS", " ".join("-isystem " + path for path in sdk.include())), ("ZIG", os.path.join(sdk.zig, "zig")),
                        ("CPU", cpu), ("TARGET", TARGET)):
        text = re.sub(r"\b%s\b" % word, lambda _, value=value: value, text)
    compiler = write(os.path.join(folder, "cc-" + architecture), text, 0o755)
    archiver = write(os.path.join(folder, "ar"), "#!/bin/sh\nexec '%s' ar \"$@\"\n" % os.path.join(sdk.zig, "zig"), 0o755)
    links = ["-F" + frameworks, "-L" + os.path.join(frameworks, "lib"), runtime(folder, compiler, architecture)]
    cross = "\n".join((
        "[binaries]", "c = '%s'" % compiler, "ar = '%s'" % archiver, "strip = 'true'", "pkg-config = 'pkg-config'",
        "[properties]", "pkg_config_libdir = '%s'" % os.path.join(sdk.folder, "pkgconfig"),
        "[built-in options]", "c_link_args = %r" % links,
        "[host_machine]", "system = 'darwin'", "cpu_family = '%s'" % cpu, "cpu = '%s'" % cpu, "endian = 'little'", ""))
    # The build folder is made anew where this name changes.
    name = "%s-%s.ini" % (architecture, hashlib.sha256((cross + text).encode()).hexdigest()[:8])
    return compiler, write(os.path.join(folder, name), cross)


# ---- what was linked ----

class MachO:
    """A program's header. @wrong: what keeps it from being a program for this processor and macOS, or None; @libraries: what it loads."""

    def __init__(self, path, cpu):
        with open(path, "rb") as file:
            data = file.read()
        self.wrong, self.libraries, self.system = None, [], None
        if len(data) < 32 or data[:4] != bytes.fromhex("cffaedfe"):
            self.wrong = "no 64-bit Mach-O file"
            return
        _, found, _, kind, commands, _, _, _ = struct.unpack_from("<8I", data)
        at = 32
        for _ in range(commands):
            self.load_command(data, at)
            at += struct.unpack_from("<2I", data, at)[1]
        if found != cpu:
            self.wrong = "for processor %#x, not %#x" % (found, cpu)
        elif kind != 2:
            self.wrong = "of kind %d, not a program" % kind
        elif self.system != tuple(map(int, TARGET.split("."))):
            self.wrong = "for macOS %s, not %s" % (self.system, TARGET)

    def load_command(self, data, at):
        kind, _, first, second = struct.unpack_from("<4I", data, at)
        if kind == 0x0C:                                # LC_LOAD_DYLIB
            self.libraries.append(data[at + first:data.index(b"\0", at + first)].decode())
        elif kind == 0x32 and first == 1:               # LC_BUILD_VERSION, of macOS
            self.system = (second >> 16, second >> 8 & 255)


def check_programs(architecture, out, count):
    """Every program of the build is linked, and those that encode load VideoToolbox."""
    targets = json.loads(subprocess.run(["meson", "introspect", "--targets", out], check=True, capture_output=True).stdout)
    programs = [target["filename"][0] for target in targets if target["type"] == "executable"]
    headers = {path: MachO(path, ARCHITECTURES[architecture]) for path in programs}
    for path, header in headers.items():
        if header.wrong:
            say("not ok: darwin: %s: %s" % (os.path.relpath(path, out), header.wrong))
        count.add(passed=not header.wrong, failed=bool(header.wrong))
    encode = [path for path, header in headers.items() if any("/VideoToolbox.framework/" in name for name in header.libraries)]
    say("   %d Mach-O programs for %s, %d of them with VideoToolbox" % (sum(not header.wrong for header in headers.values()), architecture, len(encode)))
    good = any(path.endswith("/helix-host") for path in encode)
    if not good:
        say("not ok: darwin: helix-host does not load VideoToolbox")
    count.add(passed=good, failed=not good)


def warnings_are_errors(out, count):
    with open(os.path.join(out, "compile_commands.json")) as file:
        commands = [entry["command"] for entry in json.load(file)]
    good = bool(commands) and all(" -Werror " in command and " -Wextra " in command for command in commands)
    if not good:
        say("not ok: darwin: a file of the build is compiled without -Wextra -Werror")
    count.add(passed=good, failed=not good)


def control(compiler, architecture, folder, count):
    """A program that calls a function which no list has is not linked; nor is what Linux runs taken for a Mac's."""
    status = {}
    for name in ("accept", "accept4"):
        source = write(os.path.join(folder, name + ".c"), "int %s();\nint main(void)\n{\n    return %s(0, 0, 0, 0);\n}\n" % (name, name))
        status[name] = lint([compiler, "-w", source, "-o", os.path.join(folder, name)])
    good = (status["accept"][0] == 0 and not MachO(os.path.join(folder, "accept"), ARCHITECTURES[architecture]).wrong and
            status["accept4"][0] != 0 and "undefined" in status["accept4"][1] and "accept4" in status["accept4"][1])
    if not good:
        say("not ok: darwin: accept must link and accept4 must not:\n%s\n%s" % (status["accept"][1], status["accept4"][1]))
    count.add(passed=good, failed=not good)
    good = bool(MachO("/bin/true", ARCHITECTURES[architecture]).wrong)
    count.add(passed=good, failed=not good)


def run_linked(sdk, folder, count):
    make_frameworks(os.path.join(folder, "frameworks"))
    for architecture in ARCHITECTURES:
        compiler, cross = cross_file(sdk, folder, architecture)
        out = build.meson("darwin: the project's build, linked for %s" % architecture, "darwin-" + architecture, TREE, "--cross-file", cross,
                          "-Delement=disabled", "-Dwerror=true", "-Ddebug=false", "-Doptimization=1")
        check_programs(architecture, out, count)
        warnings_are_errors(out, count)
        with Step("darwin: a program that must not link for %s" % architecture, "darwin-link-control", quiet=True):
            control(compiler, architecture, os.path.join(folder, "controls"), count)
