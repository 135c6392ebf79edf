# SPDX-License-Identifier: GPL-2.0-or-later
"""File sizes of the product: no .c or .h file over MOST lines, and half of the .c files under MEDIAN.

Headers are left out of the median: they are short, and would hide long sources.
"""

import statistics

from source_tree import HouseTest

FOLDERS = ("hw/display/helix", "desktop")
MOST, MEDIAN = 500, 200


def sizes(tree, *endings):
    return {path: tree.text(path).count("\n") for path in tree.files(*FOLDERS) if path.endswith(endings)}


def check_sizes(tree):
    findings = ["%s: %d lines, %d is the most: split it by meaning" % (path, lines, MOST)
                for path, lines in sorted(sizes(tree, ".c", ".h").items()) if lines > MOST]
    middle = statistics.median(sizes(tree, ".c").values())
    if middle >= MEDIAN:
        findings.append("half of the .c files have %d lines or more, under %d is the goal" % (middle, MEDIAN))
    return findings


class Sizes(HouseTest):
    def test_project(self):
        self.assertNothingFound(check_sizes(self.project))

    def test_project_is_read(self):
        self.assertGreater(len(sizes(self.project, ".c")), 80)
        self.assertGreater(len(sizes(self.project, ".h")), 60)

    def test_long_file_is_found(self):
        tree = self.plant({"desktop/a.c": "\n" * 500, "desktop/b.h": "\n" * 501, "desktop/c.c": "", "desktop/d.c": "",
                           "tests/long.c": "\n" * 900})
        self.assertFound(check_sizes(tree), ("desktop/b.h: 501 lines",))

    def test_high_median_is_found(self):
        tree = self.plant({"desktop/a.c": "\n" * 200, "desktop/b.c": "\n" * 210, "desktop/c.c": "", "desktop/c.h": "", "desktop/d.h": ""})
        self.assertFound(check_sizes(tree), ("have 200 lines or more",))
