# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds, tests and measures the module on a Mac, and leaves mac-report-MODEL-MACOS.txt: run by tools/mac-report, whose head says more.

Runs with the Python 3.9 of the Command Line Tools.
"""

import argparse
import json
import os
import shutil
import sys
import time

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import build_qemu       # noqa: E402
import facts            # noqa: E402
import text             # noqa: E402
from meson_results import junit_count, tap_failures      # noqa: E402
from runner import FAILED, Runner, Skip, StepFailed      # noqa: E402

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = ("meson", "ninja", "pkgconf", "glib", "json-glib", "ffmpeg", "pixman", "dtc", "libslirp", "zstd")
SUITES = ("core", "vsock", "encoder", "videotoolbox")
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
MBIT = {"720p": (2, 5, 10), "1080p": (4, 8, 20), "4K": (15, 30, 60)}
INPUTS = ("iosurface", "memory")
WITH_GL = ("gl libraries", "qemu gl", "film gl")    # what a report can do without


class Report:
    def __init__(self, options):
        self.options = options
        self.out = os.path.join(PROJECT, "out", "mac")
        self.core = os.path.join(self.out, "core")
        self.runner = Runner(os.path.join(self.out, "log"))
        self.facts = facts.machine(PROJECT)
        self.latency = []
        self.films = {}         # name of the device: what its VM's statistics and log say
        self.emulators = {}
        self.guest = None

    # ---- the core ----

    def packages(self):
        runner = self.runner
        missing = [name for name in PACKAGES if runner.run(["brew", "list", "--versions", name], check=False)]
        if missing:
            runner.run(["brew", "install", *missing], seconds=3600)
        prefix = runner.output(["brew", "--prefix"]).strip()
        os.environ["PATH"] = os.path.join(prefix, "bin") + ":" + os.environ["PATH"]
        versions = runner.output(["brew", "list", "--versions", *PACKAGES], check=False)
        return ", ".join(versions.split("\n")).strip(", ")

    def build_core(self):
        shutil.rmtree(self.core, ignore_errors=True)
        self.runner.run(["meson", "setup", self.core, PROJECT, "-Delement=disabled"])
        self.runner.run(["meson", "compile", "-C", self.core])

    def suite(self, name):
        runner, base = self.runner, "suite-" + name
        status = runner.run(["meson", "test", "-C", self.core, "--no-rebuild", "--suite", name, "--print-errorlogs", "--logbase", base],
                            check=False, seconds=2400)
        logs = os.path.join(self.core, "meson-logs", base)
        if not os.path.exists(logs + ".junit.xml"):
            raise StepFailed("meson test ended with %d and left no report" % status)
        passed, failed, skipped = junit_count(logs + ".junit.xml")
        counted = "%d passed, %d failed, %d skipped" % (passed, failed, skipped)
        if status or failed:
            for line in tap_failures(logs + ".txt") if os.path.exists(logs + ".txt") else []:
                runner.write(line)
            raise StepFailed(counted)
        if not passed:
            raise StepFailed("no test ran")
        return counted

    # ---- VideoToolbox's figures ----

    def measure(self):
        program, failed = os.path.join(self.core, "bench", "bench-latency"), []
        for size, (width, height) in SIZES.items():
            for mbit in MBIT[size]:
                for given in INPUTS:
                    argv = [program, "videotoolbox", given, str(width), str(height), str(mbit * 1000000), str(self.options.frames)]
                    row = {"size": size, "mbit": mbit, "input": given}
                    try:
                        row.update(json.loads(self.runner.output(argv, seconds=120)))
                    except (StepFailed, ValueError) as error:
                        row["error"] = str(error)
                        failed.append("%s %d Mbit/s %s" % (size, mbit, given))
                    self.latency.append(row)
        if failed:
            raise StepFailed("not measured: " + ", ".join(failed))
        return text.kind_of_session(self.latency)

    # ---- QEMU ----

    def gl_libraries(self):
        if self.options.gl != "taps":
            raise Skip("not asked for (--gl taps)")
        build_qemu.install_gl(self.runner)

    def source(self):
        archive = build_qemu.fetch(self.runner, os.path.join(self.out, "download"))
        build_qemu.unpack(self.runner, archive, os.path.join(self.out, "qemu"))
        build_qemu.integrate(self.runner, PROJECT, os.path.join(self.out, "qemu"))
        return "QEMU " + build_qemu.VERSION

    def build_qemu(self, name):
        folder = os.path.join(self.out, "qemu-build-" + name)
        self.emulators[name] = build_qemu.build(self.runner, os.path.join(self.out, "qemu"), folder, name == "gl")

    def fetch_guest(self):
        self.guest = build_qemu.fetch_guest(self.runner, PROJECT, self.options.guest, os.path.join(self.out, "download"))

    def film(self, name):
        folder = os.path.join(self.out, "film-" + name)
        shutil.rmtree(folder, ignore_errors=True)
        argv = ["python3", os.path.join(PROJECT, "tests", "macos", "film"), self.emulators[name], self.guest, folder, "--encoder",
                "videotoolbox", "--checker", os.path.join(self.core, "tests", "vm", "check-picture")]
        if name == "gl":
            argv.append("--gl")
            for formula in build_qemu.FORMULAE:
                argv += ["--libraries", os.path.join(self.runner.output(["brew", "--prefix", formula]).strip(), "lib")]
        try:
            self.runner.run(argv, seconds=3600)
        finally:
            self.films[name] = text.film_facts(folder)
            for log in ("macos-qemu.log", "macos-console.log"):
                self.runner.write(log + " ends with:\n" + text.tail(os.path.join(folder, log), 40))
        return text.film_line(self.films[name])

    # ---- all of it ----

    def steps(self):
        step = self.runner.step
        step("packages", self.packages)
        step("core", self.build_core, ["packages"])
        for name in SUITES:
            step("suite " + name, lambda name=name: self.suite(name), ["core"])
        step("latency", self.measure, ["core"])
        step("gl libraries", self.gl_libraries, ["packages"])
        step("qemu source", self.source, ["packages"])
        step("qemu gl", lambda: self.build_qemu("gl"), ["qemu source", "gl libraries"])
        step("qemu 2d", lambda: self.build_qemu("2d"), ["qemu source"])
        step("guest", self.fetch_guest, ["packages"])
        step("film gl", lambda: self.film("gl"), ["qemu gl", "guest", "core"])
        step("film 2d", lambda: self.film("2d"), ["qemu 2d", "guest", "core"])

    def write(self):
        scrubber = facts.Scrubber()
        path = os.path.join(PROJECT, facts.file_name(self.facts))
        page = text.page(self.facts, self.runner.results, self.latency, self.films, time.strftime("%Y-%m-%d", time.gmtime()))
        with open(path, "w", encoding="utf-8") as file:
            file.write(scrubber.scrub(page))
        return path


def agreed(options):
    """Ask before anything is installed; sets options.gl."""
    print(text.PLAN % (", ".join(PACKAGES), build_qemu.VERSION))
    if options.yes or not sys.stdin.isatty():
        options.gl = options.gl or "none"
        return True
    if options.gl is None:
        print(text.ABOUT_TAPS % ", ".join(build_qemu.TAPS))
        options.gl = "taps" if input("Install them? [y/N] ").strip().lower() in ("y", "yes") else "none"
    return input("Begin? [y/N] ").strip().lower() in ("y", "yes")


def main():
    parser = argparse.ArgumentParser(prog="mac-report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", metavar="FILE", help="guest.tar.zst of the workflow, or its unpacked folder")
    parser.add_argument("--gl", choices=("taps", "none"), help="whether to install the GL device's libraries from third-party taps")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--frames", type=int, default=240, help="frames of each measurement of latency")
    options = parser.parse_args()
    if options.guest and not os.path.exists(options.guest):
        sys.exit("mac-report: there is no %s" % options.guest)
    if not agreed(options):
        return 1
    report = Report(options)
    interrupted = False
    try:
        report.steps()
    except KeyboardInterrupt:
        interrupted = True
    path = report.write()
    print("\n%s\nis the report. Read it, then attach it to an issue (template \"Report from a Mac\")." % path)
    failed = [result.name for result in report.runner.results if result.state == FAILED and result.name not in WITH_GL]
    return 130 if interrupted else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
