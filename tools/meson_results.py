# SPDX-License-Identifier: GPL-2.0-or-later
"""What `meson test` leaves in meson-logs: how many cases passed, and what the failed ones say of themselves."""

import xml.etree.ElementTree as ElementTree


def junit_count(path):
    """(passed, failed, skipped) over every test case that meson's report has, TAP's subtests among them."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def tap_failures(path):
    """What the failed cases in a log of meson's say of themselves: their "not ok" with the comments before it."""
    found, comments = [], []
    with open(path, errors="replace") as file:
        for line in file:
            if line.startswith("#"):
                comments.append(line.rstrip())
            else:
                found += comments[:40] + [line.rstrip()] if line.startswith("not ok") else []
                comments = []
    return found
