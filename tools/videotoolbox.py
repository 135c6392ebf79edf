# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite videotoolbox once more, as make check SUITE=videotoolbox and SUITE=all run it: with clang, with each sanitizer, and
with coverage: less than 90 % of any file's lines fails, and so does a file that no test was built with."""

import json
import os

import build
import coverage
from steps import TREE, Failed, Step, StepError, say

CLANG = {"CC": "ccache clang"}
BUILDS = (
    ("clang", CLANG, ()),
    ("gcc, address and undefined behaviour sanitizers", {}, ("-Db_sanitize=address,undefined", "-Db_lundef=false")),
    ("clang, undefined behaviour sanitizer", CLANG, ("-Db_sanitize=undefined", "-Db_lundef=false")),
    ("clang, thread sanitizer", CLANG, ("-Db_sanitize=thread", "-Db_lundef=false")),
)
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}
# The look-up's other files run on the real virglrenderer in SUITE=lookup.
FILES = ("hw/display/helix/capture/apple/", r"hw/display/helix/capture/texture-copy-apple\.c", r"hw/display/helix/h264/(?!vui)",
         "hw/display/helix/encode/videotoolbox/")
LINES_NEEDED = 90.0
# Left out of the build where EGL, GLES or pixman's headers are missing, which must not pass for covered.
FILES_NEEDED = ("capture/apple/gl-blit.c", "capture/apple/gpu-copy.c", "capture/apple/iosurface-pool.c",
                "capture/apple/metal-copy.c", "capture/apple/virgl-texture.c",
                "capture/texture-copy-apple.c", "encode/videotoolbox/encoder-videotoolbox.c", "encode/videotoolbox/vt-session.c")


def test(folder, name, suite="videotoolbox"):
    """Run a suite in a build with a sanitizer; StepError if anything in it fails."""
    with build.in_use(folder), Step("suite %s: %s" % (suite, name), "%s-%s" % (suite, os.path.basename(folder))) as step:
        try:
            # builds what the suite needs, and no more
            step.run(["meson", "test", "-C", folder, "--suite", suite, "--print-errorlogs",
                      "--timeout-multiplier", "4"], env=dict(os.environ, **SANITIZERS))
        except StepError:
            step.show_log(60)
            raise


def options(*more):
    return ("-Delement=disabled", "-Dwerror=true", "--buildtype=debugoptimized") + more


def lines_not_run(path):
    """{file: "12-14, 20"} of gcovr's full report."""
    result = {}
    with open(path) as file:
        files = json.load(file)["files"]
    for entry in files:
        groups = []
        for number in sorted({line["line_number"] for line in entry["lines"] if not line["count"]}):
            if groups and number == groups[-1][1] + 1:
                groups[-1][1] = number
            else:
                groups.append([number, number])
        result[entry["file"]] = ", ".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in groups)
    return result


def not_enough(files):
    """What of gcovr's summary does not do: one text for each file."""
    shares = {entry["filename"]: entry["line_percent"] for entry in files}
    few = [name for name in sorted(shares) if shares[name] < LINES_NEEDED]
    absent = [name for name in FILES_NEEDED if "hw/display/helix/" + name not in shares]
    return (["%s: %.1f %% of its lines ran, %d %% are needed" % (name, shares[name], LINES_NEEDED) for name in few] +
            ["%s: no test was built with it" % name for name in absent])


def report_coverage(folder):
    """Print what gcovr found; returns what is not enough of it."""
    path, full = os.path.join(folder, "coverage.json"), os.path.join(folder, "coverage-lines.json")
    coverage.gcovr(folder, full, FILES, "--json-summary", path)
    with open(path) as file:
        summary = json.load(file)
    left = lines_not_run(full)
    for entry in sorted(summary["files"], key=lambda entry: entry["filename"]):
        missed = left.get(entry["filename"])
        say("   %5.1f %% lines, %5.1f %% branches  %s%s"
            % (entry["line_percent"], entry["branch_percent"], entry["filename"], ", not run: " + missed if missed else ""))
    say("   %5.1f %% lines, %5.1f %% branches  all" % (summary["line_percent"], summary["branch_percent"]))
    return not_enough(summary["files"])


def run(count):
    for number, (name, environment, more) in enumerate(BUILDS):
        try:
            folder = build.meson("configure: " + name, "videotoolbox-%d" % number, TREE, *options(*more),
                                 environment=environment, compile=False)
            test(folder, name)
            count.add(passed=1)
        except (StepError, Failed) as error:
            say("FAILED: suite videotoolbox, %s: %s" % (name, error))
            count.add(failed=1)
    try:
        folder = build.meson("configure: coverage", "videotoolbox-coverage", TREE,
                             *options("-Db_coverage=true", "-Doptimization=0"), compile=False)
        coverage.forget(folder)
        test(folder, "coverage")
        problems = report_coverage(folder)
        for problem in problems:
            say("FAILED: suite videotoolbox, coverage: %s" % problem)
        count.add(passed=not problems, failed=bool(problems))
    except (StepError, Failed, OSError) as error:
        say("FAILED: suite videotoolbox, coverage: %s" % error)
        count.add(failed=1)
