# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite darwin: what a Mac compiles is compiled here for Darwin, and the project's own build is linked for it.

For two processors and two deployment targets clang compiles every file of the overlay that a Mac compiles, and those of QEMU that the module's
edits touch. Apple's names are declared by tests/doubles/include with API_AVAILABLE, so that clang finds a name that is used without asking for
the macOS that has it. Then the project's meson build is crossed to macOS (darwin_link.py). Nothing is executed: a Mach-O program does not run
on Linux. desktop/ is for guests, which are Linux: no Mac compiles it.

Every kind of mistake that this is to find is planted once, and must be found. Where npm has no toolchain (darwin_sdk.py), the suite is skipped.
"""

import os
import re

import build
import npm
from darwin_compile import ARCHITECTURES, STRICT, TARGETS, compile_core, read, sources
from darwin_link import run_linked
from darwin_qemu import compile_on_qemu
from darwin_sdk import Sdk, write
from lint import lint
from steps import Failed, Step, StepError, say

GUARD = re.compile(r"\bIF_MACOS ?\(([\d.]+)\)")


# ---- mistakes that must be found ----

def refused(title, command, words, count):
    """The compiler refuses @command, and says @words."""
    status, text = lint(command)
    good = status != 0 and words in text
    if not good:
        say("not ok: darwin: %s was %s\n%s" % (title, "refused for another reason" if status else "not refused", text.strip()))
    count.add(passed=good, failed=not good)


def guards_removed(folder):
    """(what, path of a copy of the file without it, its folder) for every IF_MACOS that asks for more than the oldest target."""
    for path in sources():
        text = read(path)
        for number, guard in enumerate(GUARD.finditer(text)):
            if tuple(map(int, guard.group(1).split("."))) > tuple(map(int, TARGETS[0].split("."))):
                copy = os.path.join(folder, "unguarded-%d-%s" % (number, os.path.basename(path)))
                write(copy, text[:guard.start()] + "if (TRUE)" + text[guard.end():])
                yield "%s without its %s" % (os.path.basename(path), guard.group(0)), copy, os.path.dirname(path)


def controls(sdk, folder, count):
    flags = ("clang", *sdk.flags(ARCHITECTURES[0], TARGETS[0]), *STRICT, "-fsyntax-only")

    def planted(title, text, words):
        path = write(os.path.join(folder, re.sub(r"\W", "-", title) + ".c"), text)
        refused(title, (*flags, path), words, count)
    with Step("darwin: mistakes that must be found", "darwin-controls"):
        guards = list(guards_removed(folder))
        for title, path, include in guards:
            refused(title, (*flags, "-I", include, path), "is only available on macOS", count)
        if not guards:
            raise StepError("no file asks for a macOS by IF_MACOS: the compiler's check of it was not seen to fail")
        planted("a system call of Linux", "#include <sys/socket.h>\nint f(int s);\nint f(int s)\n{\n    return accept4(s, 0, 0, 0);\n}\n", "accept4")
        planted("a header of glibc", "#include <malloc.h>\n", "malloc.h")
        planted("a header of Linux", "#include <sys/epoll.h>\n", "sys/epoll.h")
        planted("a 64-bit format of Linux", "#include <glib.h>\nvoid f(gint64 n);\nvoid f(gint64 n)\n{\n    g_print(\"%li\", n);\n}\n", "format")


def run(count, thorough):
    folder = os.path.join(build.BUILDS, "darwin")
    try:
        with Step("darwin: headers and libraries", "darwin-sdk", quiet=True):
            sdk = Sdk()
    except npm.Unavailable as error:
        say("== suite darwin\n   skipped: %s" % error)
        count.add(skipped=1)
        return
    except Failed:
        count.add(failed=1)
        return
    for part in (lambda: compile_core(sdk, folder, count), lambda: controls(sdk, os.path.join(folder, "controls"), count),
                 lambda: run_linked(sdk, folder, count), lambda: compile_on_qemu(sdk, folder, count, thorough)):
        try:
            part()
        except (Failed, StepError, OSError) as error:
            say("FAILED: suite darwin: %s" % error)
            count.add(failed=1)
