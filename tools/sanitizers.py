# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite sanitizers: the suites without a VM once more, in builds that see what a plain run does not.

No suppressions for our own code.
"""

import os

import build
import check
from steps import TREE, Failed, StepError, say

CLANG = {"CC": "ccache clang"}
OPTIONS = ("-Delement=disabled", "-Dwerror=true", "--buildtype=debugoptimized", "-Db_lundef=false")
SUITES = ("core", "soak", "vsock", "encoder", "fuzz")
BUILDS = (
    # name, folder, environment, sanitizers
    ("gcc, address (leaks too) and undefined behaviour", "gcc-asan", {}, "address,undefined"),
    ("clang, undefined behaviour", "clang-ubsan", CLANG, "undefined"),
    ("clang, threads", "clang-tsan", CLANG, "thread"),
)
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def run(count, thorough):
    for name, folder, environment, sanitizers in BUILDS:
        try:
            built = build.meson("build: " + name, "sanitizers-" + folder, TREE, *OPTIONS, "-Db_sanitize=" + sanitizers,
                                environment=environment)
        except Failed:
            count.add(failed=1)
            continue
        for suite in SUITES:
            try:
                check.run_meson_suite(built, suite, count, title="suite %s: %s" % (suite, name), log="%s-%s" % (folder, suite),
                                      arguments=("--timeout-multiplier", "10"), environment=dict(os.environ, **ENVIRONMENT))
            except (StepError, Failed) as error:
                say("FAILED: suite %s, %s: %s" % (suite, name, error))
                count.add(failed=1)
