# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite fuzz: each target of tests/fuzz as a fuzzer, in a build with clang's sanitizers, for a bounded time.

Before that, meson's suite of this name has replayed what is in tests/fuzz/corpus. What a fuzzer learns it keeps in out/fuzz/TARGET
and goes on from there; what it finds lies in out/fuzz as found-TARGET-*, and belongs into tests/fuzz/corpus/TARGET when it is mended.
"""

import glob
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import build
from steps import OUT, TREE, Failed, Step, StepError, say

SECONDS_BRIEF, SECONDS = 4, 60          # a target: in make check, and asked for by name
MOST_BYTES = 4096                       # of one input
OPTIONS = ("-Delement=disabled", "-Dfuzz=true", "-Dwerror=true", "--buildtype=debugoptimized", "-Db_lundef=false",
           "-Db_sanitize=address,undefined")
FOLDER = os.path.join(OUT, "fuzz")
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


def fuzz(program, seconds):
    """(target, what it reports, None or the file with what it found)"""
    target = os.path.basename(program)[len("fuzz-"):]
    corpus = os.path.join(FOLDER, target)
    os.makedirs(corpus, exist_ok=True)
    log_path = os.path.join(FOLDER, target + ".log")
    argv = [program, "-max_total_time=%d" % seconds, "-max_len=%d" % MOST_BYTES, "-timeout=20", "-rss_limit_mb=2048",
            "-print_final_stats=1", "-artifact_prefix=%s/found-%s-" % (FOLDER, target), corpus,
            os.path.join(TREE, "tests", "fuzz", "corpus", target)]
    with open(log_path, "wb") as log:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                                env=dict(os.environ, **SANITIZERS)).returncode
    with open(log_path, errors="replace") as log:
        text = log.read()
    runs = re.search(r"number_of_executed_units:\s*(\d+)", text)
    covered = re.findall(r" cov: (\d+) ", text)
    return (target, "%.2f million executions, %s edges" % (int(runs.group(1)) / 1e6 if runs else 0, covered[-1] if covered else "?"),
            log_path if status else None)


def run(count, thorough):
    seconds = SECONDS if thorough else SECONDS_BRIEF
    try:
        folder = build.meson("build: fuzzers (clang, address and undefined behaviour sanitizers)", "fuzz", TREE, *OPTIONS,
                             environment={"CC": "ccache clang"}, targets=("fuzzers",))
        with Step("fuzzing, %d s a target" % seconds, "fuzz") as step:
            programs = sorted(path for path in glob.glob(os.path.join(folder, "tests", "fuzz", "fuzz-*")) if os.path.isfile(path))
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for target, text, found in pool.map(lambda program: fuzz(program, seconds), programs):
                    step.write("%s: %s" % (target, text))
                    say("   %-10s %s" % (target, text))
                    count.add(passed=not found, failed=bool(found))
                    if found:
                        say("not ok: %s found something:" % target)
                        with open(found, errors="replace") as log:
                            for line in log.read().splitlines()[-60:]:
                                say("    | " + line)
            if not programs:
                raise StepError("there are no fuzzers in %s" % folder)
    except Failed:
        count.add(failed=1)
