# SPDX-License-Identifier: GPL-2.0-or-later
"""The suites element, client, va and vaapi once more, as make check SUITE=element and SUITE=all run it: with the address, leak and undefined behaviour
sanitizers, and with the thread sanitizer. What that cannot see of GLib and GStreamer is in tests/element/tsan-gstreamer.c."""

import build
import videotoolbox
from steps import TREE, Failed, StepError, say

# gcc: its thread sanitizer names functions without another program's help, and what is suppressed is suppressed by name.
BUILDS = (
    ("address, leak and undefined behaviour sanitizers", "address,undefined"),
    ("thread sanitizer", "thread"),
)
SUITES = ("element", "client", "va", "vaapi")


def run(count):
    for number, (name, sanitizer) in enumerate(BUILDS):
        try:
            folder = build.meson("build: " + name, "element-%d" % number, TREE, *build.OPTIONS, "-Db_sanitize=" + sanitizer,
                                 "-Db_lundef=false", targets=("element-tests", "client-tests", "va-tests", "vaapi-tests"))
            for suite in SUITES:
                videotoolbox.test(folder, name, suite)
                count.add(passed=1)
        except (StepError, Failed) as error:
            say("FAILED: suites %s, %s: %s" % (", ".join(SUITES), name, error))
            count.add(failed=1)
