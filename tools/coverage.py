# SPDX-License-Identifier: GPL-2.0-or-later
"""make coverage [BASE=FILE]: lines and branches of the C product that the suites without a VM run, per folder and in all.

A build of its own, with gcc and without optimisation, so that a branch is what the source says. Leaves the figures of each line in
out/coverage.json. With BASE, such a file of an earlier run, it also lists the lines on which fewer branches ran than then: what a
change of the tests lost. Files that changed since are compared by their share of branches. A few branches between threads depend on
the scheduler, so two runs of the same tree differ by some five of 7,900, and the list fails nothing."""

import glob
import json
import os
import subprocess

import build
import check
from steps import OUT, TREE, Failed, Step, StepError, say

SUITES = ("core", "vsock", "encoder", "poison", "videotoolbox", "fuzz", "client", "element", "screencast")
PRODUCT = ("hw/display/helix/", "desktop/")


def gcovr(folder, full, patterns=PRODUCT, *more):
    """Write gcovr's report of each line of the files that match @patterns (of paths in the tree) to @full."""
    command = ["gcovr", "--root", TREE, "--object-directory", folder, "--json", full,
               "--merge-mode-functions", "merge-use-line-min",
               "--gcov-ignore-errors", "no_working_dir_found",      # notes of a source that was renamed since
               *more]
    for pattern in patterns:
        command += ["--filter", os.path.join(TREE, pattern)]
    done = subprocess.run(command + [folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepError("gcovr ended with %d: %s" % (done.returncode, done.stderr.strip()[-1000:]))


def forget(folder):
    """Remove an earlier run's counts."""
    for path in glob.glob(os.path.join(folder, "**", "*.gcda"), recursive=True):
        os.unlink(path)


def load(path):
    """{file: {line: (whether it ran, branches that ran, branches)}}"""
    with open(path) as file:
        files = json.load(file)["files"]
    result = {}
    for entry in files:
        lines = result.setdefault(entry["file"], {})
        for line in entry["lines"]:
            ran = sum(bool(branch["count"]) for branch in line["branches"])
            lines[line["line_number"]] = (bool(line["count"]), ran, len(line["branches"]))
    return result


def sums(lines):
    """(lines that ran, lines, branches that ran, branches)"""
    values = list(lines.values())
    return sum(value[0] for value in values), len(values), sum(value[1] for value in values), sum(value[2] for value in values)


def table(report):
    """[(folder, sums)], the last one of everything."""
    folders = {}
    for path, lines in report.items():
        folders.setdefault(os.path.dirname(path), []).append(sums(lines))
    rows = [(folder, [sum(column) for column in zip(*entries)]) for folder, entries in sorted(folders.items())]
    return rows + [("all", [sum(column) for column in zip(*(row[1] for row in rows))])]


def lost(before, after):
    """What ran in @before and not in @after: a text for each line, or for a file that changed."""
    texts = []
    for path in sorted(before.keys() & after.keys()):
        then, now = sums(before[path]), sums(after[path])
        if {number: value[2] for number, value in before[path].items()} == {
                number: value[2] for number, value in after[path].items()}:
            texts += ["%s:%d: %d of %d branches ran, %d do" % (path, number, value[1], value[2], after[path][number][1])
                      for number, value in sorted(before[path].items()) if after[path][number][1] < value[1]]
        elif now[2] * then[3] < then[2] * now[3]:
            texts.append("%s: %d of %d branches ran, %d of %d do" % (path, then[2], then[3], now[2], now[3]))
    return texts


def run(arguments):
    count = check.Count()
    path = os.path.join(OUT, "coverage.json")
    try:
        before = load(os.path.join(TREE, arguments[0])) if arguments else None
        folder = build.meson("build: coverage", "coverage", TREE, *build.OPTIONS, "-Db_coverage=true", "-Doptimization=0")
        forget(folder)
        for suite in SUITES:
            check.run_meson_suite(folder, suite, count, arguments=("--timeout-multiplier", "3"))
        with Step("coverage"):
            gcovr(folder, path)
    except (OSError, ValueError, StepError) as error:
        say("FAILED: coverage: %s" % error)
        return 1
    except Failed:
        return 1
    after = load(path)
    for name, (ran, lines, taken, branches) in table(after):
        say("   %5.1f %% of %6d lines, %5.1f %% of %6d branches (%6d)  %s"
            % (100 * ran / max(lines, 1), lines, 100 * taken / max(branches, 1), branches, taken, name))
    for text in lost(before, after) if before else ():
        say("   fewer: " + text)
    say(count.line())
    return 1 if count.failed else 0
