# SPDX-License-Identifier: GPL-2.0-or-later
"""make check [SUITE=name [TEST=name]]: the project's tests.

The suite house looks at the source tree alone (tests/house). Suites without a VM are meson's, in one build folder; VM suites are
the scripts tests/vm/NAME.py (tools/vm.py shows one), called vm-NAME. A script with a line "# suite: long" runs only by its name or with SUITE=all; one
with "# seconds: N" has that long instead of ten minutes. SUITE=faults is all of the scripts faults*.py. Some suites are, or go on
with, a module of this folder: PROGRAMS.
TEST=name runs one test program of a suite without a VM. The last line says how many tests passed, failed and were skipped.
"""

import glob
import importlib
import json
import os
import re
import subprocess

import build
import element
import qemu
import videotoolbox
from meson_results import junit_count, tap_failures
from steps import CACHE, TREE, Failed, Step, StepError, locked, say

MESON_SUITES = ("core", "soak", "encoder", "vsock", "fuzz", "gpu-convert", "lookup", "poison", "videotoolbox", "element", "peer", "client", "va", "vaapi", "screencast", "integrate",
                "run-in-root", "macos-tools")
PROGRAMS = ("darwin", "fuzz", "lint", "sanitizers")     # modules with run(count, thorough)
HOUSE = os.path.join(TREE, "tests", "house", "house.py")    # needs no build
LONG = {"lint", "sanitizers"}
MESON_PROGRESS = re.compile(rb"^\s*(\d+)/(\d+) ")
VM_SECONDS = 600


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def line(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        return text + (", %d skipped" % self.skipped if self.skipped else "")


def scripts_in(folder, prefix):
    """{suite: path of its script}, and the set of those that are long."""
    scripts = {prefix + os.path.basename(path)[:-len(".py")].replace("_", "-"): path
               for path in sorted(glob.glob(os.path.join(TREE, "tests", folder, "*.py")))
               if re.search(r"^if __name__ == ", open(path).read(), re.M)}
    long = {name for name, path in scripts.items() if re.search(r"^# suite: long$", open(path).read(), re.M)}
    return scripts, long


# ---- suites without a VM ----

def run_meson_suite(folder, suite, count, title=None, log=None, arguments=(), environment=None):
    tests = subprocess.run(["meson", "introspect", "--tests", folder], check=True, capture_output=True).stdout
    if not any(name.split(":")[-1] == suite for test in json.loads(tests) for name in test["suite"]):
        raise StepError("the build has no test in suite '%s'" % suite)
    base = "suite-" + (log or suite)
    with build.in_use(folder), Step(title or "suite " + suite, base) as step:
        bad = False
        report = os.path.join(folder, "meson-logs", base + ".junit.xml")
        if os.path.exists(report):
            os.unlink(report)       # of a run before: this one may end without one
        try:
            step.run(["meson", "test", "-C", folder, "--no-rebuild", "--suite", suite, "--print-errorlogs", "--logbase",
                      base, *arguments], progress=MESON_PROGRESS, env=environment)
        except StepError:
            bad = True
        passed, failed, skipped = junit_count(report) if os.path.exists(report) else (0, 0, 0)
        if bad and not failed:      # crashed or ran out of time outside of any test case
            failed = 1
        count.add(passed, failed, skipped)
        say("   %d passed, %d failed, %d skipped" % (passed, failed, skipped))
        if failed:
            step.show_log(60)
            log_path = os.path.join(folder, "meson-logs", base + ".txt")
            for line in tap_failures(log_path) if os.path.exists(log_path) else []:
                say("   " + line)


def run_meson_suites(suites, count, thorough, tests=()):
    folder = build.project(tests=True)
    if "integrate" in suites:
        with locked(os.path.join(CACHE, "lock"), "the cache"):
            os.environ["HELIX_QEMU_TREES"] = os.path.join(qemu.folder_of(qemu.source()), "src")
    for suite in suites:
        try:
            run_meson_suite(folder, suite, count, arguments=tests)
        except StepError as error:
            say("FAILED: suite %s: %s" % (suite, error))
            count.add(failed=1)
    if thorough:
        try:
            build.meson("build: clang, warnings are errors", "tests-clang", TREE, *build.OPTIONS,
                        environment={"CC": "ccache clang"})
            count.add(passed=1)
        except Failed:
            count.add(failed=1)


# ---- suites that are scripts ----

class TapReader:
    """Counts what a script reports, and shows what is not plain success."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.planned = None
        self.last = ""

    def total(self):
        return self.passed + self.failed + self.skipped

    def read(self, line):
        self.last = line or self.last
        plan = re.match(r"1\.\.(\d+)", line)
        if plan:
            self.planned = int(plan.group(1))
        elif line.startswith("not ok "):
            self.failed += 1
            say("   " + line)
        elif line.startswith("ok ") and re.search(r"# *skip", line, re.I):
            self.skipped += 1
            say("   " + line)
        elif line.startswith("ok "):
            self.passed += 1
        elif line.startswith("#"):
            say("   " + line)

    def end(self, status, seconds):
        """The script ended with @status: what it did not report itself."""
        problem = None
        if status == 77:
            self.skipped += 1
            say("   skipped: " + self.last)
        elif status == 124:
            problem = "timed out after %d s" % seconds
        elif status and not self.failed:
            problem = "ended with %d" % status
        elif not status and self.planned is not None and self.planned != self.total():
            problem = "%d tests were planned, %d reported" % (self.planned, self.total())
        elif not status and not self.total():
            problem = "it reported no test"
        if problem:
            self.failed += 1
            say("   not ok: " + problem)


def run_script(name, path, count):
    own = re.search(r"^# seconds: (\d+)$", open(path).read(), re.M)
    seconds = int(own.group(1)) if own else VM_SECONDS
    with Step("suite " + name, name) as step:
        reader = TapReader()
        environment = dict(os.environ, PYTHONPATH=os.path.join(TREE, "tools"), PYTHONUNBUFFERED="1")
        with subprocess.Popen(["timeout", "-k", "10", str(seconds), "python3", path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=environment) as process:
            for line in process.stdout:
                step.write(line.rstrip("\n"))
                reader.read(line.rstrip("\n"))
                step.progress("%d passed, %d failed" % (reader.passed, reader.failed))
        reader.end(process.returncode, seconds)
        if reader.failed:
            step.show_log(40)
        count.add(reader.passed, reader.failed, reader.skipped)
        say("   %d passed, %d failed, %d skipped" % (reader.passed, reader.failed, reader.skipped))


def run(arguments):
    scripts, long = scripts_in("vm", "vm-")
    packages, long_packages = scripts_in("package", "")
    long |= long_packages
    wanted, tests = arguments[0] if arguments else "", tuple(arguments[1:])
    long |= LONG
    programs = [name for name in PROGRAMS if name not in MESON_SUITES]
    everyone = ["house"] + list(MESON_SUITES) + programs + list(packages) + list(scripts)
    groups = {"faults": [name for name in scripts if name.startswith("vm-faults")]}
    if wanted == "list":
        for name in everyone:
            say(name + (" (long)" if name in long else ""))
        return 0
    if wanted and wanted != "all" and wanted not in everyone and wanted not in groups:
        say("there is no suite '%s'; there are: %s, all" % (wanted, ", ".join(everyone + list(groups))))
        return 2
    if tests and wanted not in MESON_SUITES:
        say("TEST=%s needs one of the suites without a VM: SUITE=%s" % (tests[0], ", SUITE=".join(MESON_SUITES)))
        return 2
    if wanted in groups:
        chosen = groups[wanted]
    else:
        chosen = [wanted] if wanted and wanted != "all" else [name for name in everyone if wanted or name not in long]
    count = Count()
    if "house" in chosen:
        try:
            run_script("house", HOUSE, count)
        except Failed:
            count.add(failed=1)
    without_vm = [name for name in chosen if name in MESON_SUITES]
    with_vm = [name for name in chosen if name in scripts]
    if without_vm:
        try:
            run_meson_suites(without_vm, count, len(chosen) > 1, tests)
            if wanted in ("all", "videotoolbox") and not tests:
                videotoolbox.run(count)
            if wanted in ("all", "element") and not tests:
                element.run(count)
        except Failed:
            count.add(failed=1)
    with_packages = [name for name in chosen if name in packages]
    if with_packages:
        try:
            build.project(tests=True)
            for name in with_packages:
                run_script(name, packages[name], count)
        except Failed:
            count.add(failed=1)
    for name in chosen:
        if name in PROGRAMS:
            importlib.import_module(name).run(count, thorough=bool(wanted))
    if with_vm:
        try:
            build.everything(tests=True)
            for name in with_vm:
                run_script(name, scripts[name], count)
        except Failed:
            count.add(failed=1)
    say(count.line())
    return 1 if count.failed else 0
