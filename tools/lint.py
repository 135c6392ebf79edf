# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite lint: cppcheck and clang-tidy over the host's code that QEMU is not needed for. Both must be silent.

.clang-tidy says what clang-tidy looks for and what it does not, and why.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import build
from steps import TREE, Failed, Step, StepError, say

FOLDERS = ("hw/display/helix/core/", "hw/display/helix/vsock/")
CPPCHECK = (
    "cppcheck", "--enable=warning,performance,portability", "--std=c11", "--library=gtk",
    "--inline-suppr", "--quiet", "--error-exitcode=1",
    # GLib aborts where it has no memory; what may fail (g_try_malloc) is made to fail in tests/core/test-memory.c.
    "--suppress=nullPointerOutOfMemory",
    # It looks at fewer branches of a long function than there are, and says so: clang-tidy's analyzer looks at all in a minute.
    "--suppress=normalCheckLevelMaxBranches",
    # Other people's headers.
    "--suppress=*:/usr/include/*",
    # G_GSIZE_FORMAT is right wherever GLib was configured.
    "--suppress=invalidPrintfArgType_uint",
)


def lint(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def check(title, commands, count):
    """Run @commands {name: argv}; each is a test, and says nothing but what it found."""
    try:
        with Step(title, "lint-" + title.split()[0]) as step, ThreadPoolExecutor(os.cpu_count()) as pool:
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


def run(count, thorough):
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
