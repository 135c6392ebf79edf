# SPDX-License-Identifier: GPL-2.0-or-later
"""make check SUITE=house: what the source tree promises its readers. house.py [NAME]: every test_*.py of this folder, or one, as TAP.

Each check is a function from a tree to a list of findings "file:line: what is wrong; what would be right". It runs on the project,
where it must find nothing, and on small trees with planted faults, which it must find.
"""

import os
import sys
import unittest

from pycotap import LogMode, TAPTestRunner

FOLDER = os.path.dirname(os.path.abspath(__file__))


def main(name="test_*"):
    sys.path.insert(0, FOLDER)
    suite = unittest.defaultTestLoader.discover(FOLDER, name + ".py", FOLDER)
    result = TAPTestRunner(LogMode.LogToDiagnostics, LogMode.LogToDiagnostics).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
