# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite lint: clang-format over all C files, cppcheck and clang-tidy over the host's and the guest's code, and both compilers over what
QEMU compiles with flags of its own. All must be silent.

.clang-tidy says what clang-tidy looks for and what it does not, and why. Of the files in qemu/ and capture/ the flags and headers are those of
QEMU's build, which is brought up to date for it; its headers count as system headers.
"""

import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

import build
import qemu
from steps import CACHE, TREE, Failed, Step, StepError, locked, say

FOLDERS = tuple("hw/display/helix/%s/" % room for room in (
    "protocol", "loop", "transport", "vsock", "frame", "h264", "encode", "gpu", "stream", "capture/apple")) + ("desktop/",)
IN_QEMU = ("hw/display/helix/qemu/", "hw/display/helix/capture/")
CPPCHECK = (
    "cppcheck", "--enable=warning,performance,portability", "--std=c11", "--library=gtk",
    "--check-level=exhaustive", "--quiet", "--error-exitcode=1",
    # What its table for GLib has wrong, and no finding of ours: GLib aborts where it has no memory. What may fail (g_try_malloc)
    # is made to fail in tests/core/test-memory.c.
    "--suppress=nullPointerOutOfMemory", "--suppress=ctunullpointerOutOfMemory",
    # System headers.
    "--suppress=*:/usr/include/*",
)
# It knows no list of QEMU's, and fails at an empty argument of a macro.
CPPCHECK_IN_QEMU = CPPCHECK + (
    "-DQTAILQ_HEAD(name,type)=TailqHead", "-DQTAILQ_ENTRY(type)=TailqEntry", "-DQTAILQ_HEAD_INITIALIZER(head)={0}",
    "-DQSIMPLEQ_HEAD(name,type)=SimpleqHead", "-DQSIMPLEQ_ENTRY(type)=SimpleqEntry",
    "-DQTAILQ_FOREACH(item,head,field)=while ((item = tailq_next(head)))",
)
# What the project's own build has (meson.build), and QEMU's has not.
STRICT = ("-Wextra", "-Wshadow", "-Wvla", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wno-unused-parameter", "-Werror")
# QEMU's build asks gcc for what clang calls otherwise.
CLANG = ("-Wno-unknown-warning-option",)


def lint(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def check(title, commands, count):
    """Run @commands {name: argv}; each is a test, and says nothing but what it found."""
    try:
        with Step(title, "lint-" + title.replace(" ", "-").lower()) as step, ThreadPoolExecutor(os.cpu_count()) as pool:
            bad = 0
            for name, (status, text) in zip(commands, pool.map(lint, commands.values())):
                step.write("%s: %d" % (name, status))
                if status:
                    bad += 1
                    say("not ok: %s: %s\n%s" % (title, name, text.strip()))
                count.add(passed=not status, failed=bool(status))
            if bad:
                raise StepError("%d of %d found something" % (bad, len(commands)))
    except Failed:
        pass                    # has been counted


def flags_in_qemu(entry):
    """The flags of a file that QEMU compiles with gcc, as an entry of its compile_commands.json has them; its headers as system's."""
    words = iter(shlex.split(entry["command"]))
    flags = []
    for word in words:
        if word in ("-o", "-MQ", "-MF", "-c"):
            next(words)
        elif word == "-iquote":
            flags += ["-isystem", next(words)]
        elif word.startswith("-I"):
            flags += ["-isystem", word[2:]]
        elif word.startswith("-") and word not in ("-MD", "-Winvalid-pch"):
            flags += [word, next(words)] if word == "-isystem" else [word]
    return flags


def run_in_qemu(count, ours):
    with locked(os.path.join(CACHE, "lock"), "the cache"):
        folder = os.path.dirname(qemu.build())
        with open(os.path.join(folder, "compile_commands.json")) as file:
            entries = json.load(file)
    flags = {}
    for entry in entries:
        for room in IN_QEMU:
            path = os.path.join(TREE, room, os.path.basename(entry["file"]))
            if room in entry["file"] and os.path.exists(path):
                flags[path] = flags_in_qemu(entry)
    # On a Mac alone; every header it needs is here (see suite vm-apple-files, which compiles it too).
    capture = os.path.join(TREE, "hw/display/helix/capture")
    flags[os.path.join(capture, "texture-copy-apple.c")] = flags[os.path.join(capture, "virgl-resource.c")]
    os.makedirs(ours, exist_ok=True)
    with open(os.path.join(ours, "compile_commands.json"), "w") as file:
        json.dump([{"directory": folder, "file": path, "arguments": ["clang", *flags[path], *CLANG, "-c", path]} for path in flags], file)
    shown = {path: os.path.relpath(path, TREE) for path in sorted(flags)}
    for compiler, more in (("gcc", ()), ("clang", CLANG)):
        check("%s in QEMU" % compiler, {shown[path]: ("env", "-C", folder, compiler, *flags[path], *more, *STRICT, "-fsyntax-only", path)
                                        for path in shown}, count)
    check("cppcheck in QEMU", {"all": CPPCHECK_IN_QEMU + tuple(shown)}, count)
    check("clang-tidy in QEMU", {shown[path]: ("clang-tidy", "--quiet", "-p", ours, path) for path in shown}, count)


def run(count, thorough):
    check("clang-format", {"all": ("python3", os.path.join(TREE, "tests", "house", "house.py"), "test_format")}, count)
    try:
        folder = build.project(tests=True)
    except Failed:
        count.add(failed=1)
        return
    with open(os.path.join(folder, "compile_commands.json")) as file:
        entries = json.load(file)
    wanted = {}
    for entry in entries:
        path = os.path.relpath(os.path.realpath(os.path.join(entry["directory"], entry["file"])), TREE)
        if path.startswith(FOLDERS):
            wanted.setdefault(path, entry)      # a file may be built twice: with doubles and without
    ours = os.path.join(folder, "lint")
    os.makedirs(ours, exist_ok=True)
    with open(os.path.join(ours, "compile_commands.json"), "w") as file:
        json.dump(list(wanted.values()), file)
    check("cppcheck", {"all": CPPCHECK + ("--project=" + os.path.join(ours, "compile_commands.json"), "-j%d" % os.cpu_count())}, count)
    check("clang-tidy", {path: ("clang-tidy", "--quiet", "-p", ours, os.path.join(TREE, path)) for path in sorted(wanted)}, count)
    try:
        run_in_qemu(count, os.path.join(folder, "lint-qemu"))
    except Failed:
        count.add(failed=1)
