# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench [ROW=name]: the performance table, each figure against a rival or a limit in the same run.

Rows are functions in bench/*_rows.py (see bench/row.py); what they run is bench/*.c here and bench/guest/ in the VM.
Leaves out/bench.json, which `make bench ROW=name` brings up to date for its row, and out/bench.md with the table. A row
that misses its goal says so and fails nothing; the command fails only if a row could not be measured.

BENCH_ROUNDS=N takes N pairs of each figure in place of the full number (for development).
"""

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time

import bench_table
import build
from steps import OUT, TREE, Failed, Step, StepError, host_path, locked, say

sys.path.insert(0, os.path.join(TREE, "bench"))
import row as rows  # noqa: E402
import host_rows  # noqa: E402,F401
try:
    import vm_rows  # noqa: E402,F401
except ImportError:
    vm_rows = None

JSON_PATH = os.path.join(OUT, "bench.json")
TABLE_PATH = os.path.join(OUT, "bench.md")


class TooLong(StepError):
    pass


def on_alarm(*_):
    raise TooLong("timed out")


class Lab:
    """What rows measure with: programs on the host, and VMs that serve many rows."""

    def __init__(self):
        self.folder = os.path.join(build.project(tests=True), "bench")
        self.step = None            # of the row that is measured
        self.booted = {}            # name: VM (bench/vm/machine.py)
        self.built = False
        self.only = int(os.environ.get("BENCH_ROUNDS", "0"))

    def rounds(self, full):
        return min(full, self.only) if self.only else full

    def path(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            raise StepError("%s was not built: a library that it needs is missing" % name)
        return path

    def program(self, name, *arguments):
        """Run a bench program; returns what its line of JSON says."""
        argv = [self.path(name)] + [str(argument) for argument in arguments]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        try:
            out, err = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if self.step:
            self.step.write("$ %s\n%s%s" % (" ".join(argv), out, err))
        if process.returncode:
            raise StepError("%s: %s" % (name, err.strip().splitlines()[-1] if err.strip() else
                                        "ended with %d" % process.returncode))
        return json.loads(out.splitlines()[-1])

    def drop(self, name):
        vm = self.booted.pop(name, None)
        if vm:
            vm.close()

    def close(self):
        for name in list(self.booted):
            self.drop(name)


def measure(lab, one):
    """Result of a row; an error is part of it."""
    result = rows.Result(one)
    begin = time.monotonic()
    try:
        with Step("row " + one.name, "bench-" + one.name) as step:
            lab.step = step
            signal.signal(signal.SIGALRM, on_alarm)
            signal.alarm(one.seconds)
            try:
                result.figures = one.measure(lab)
            finally:
                signal.alarm(0)
    except Failed as failed:
        result.error = str(failed.__cause__)
        lab.close()         # a VM that did not do what it should serves no other row
    except Exception as error:      # any error: the other rows are still measured
        result.error = "%s: %s" % (type(error).__name__, error)
        say("FAILED: row %s: %s" % (one.name, result.error))
        lab.close()
    result.seconds = time.monotonic() - begin
    for figure in result.figures:
        say("   " + line(one.name, figure.json()))
    return result


def line(name, figure):
    _, what, ours, rival, ratio, goal, verdict = bench_table.cells(name, figure)
    return "%s: %s against %s, ratio %s, goal %s: %s" % (what, ours, rival, ratio, goal, verdict.strip("*"))


def table(results):
    return "\n".join(bench_table.table(results)) + "\n"


def machine():
    """The machine in a line, for the figures."""
    with open("/proc/cpuinfo") as file:
        info = file.read()
    model = re.search(r"model name\s*: (.*)", info)
    return "%s, %d processors, Linux %s" % (model.group(1) if model else "unknown processor", os.cpu_count(),
                                           os.uname().release)


def save(results, lab):
    """Results of this run in place of older ones of the same rows."""
    old = {}
    if os.path.exists(JSON_PATH):
        with open(JSON_PATH) as file:
            old = {one["name"]: one for one in json.load(file).get("rows", [])}
    old.update((one["name"], one) for one in results)
    everything = [old[name] for name in rows.ROWS if name in old]
    command = "make bench" + (" ROW=" + results[0]["name"] if len(results) == 1 and len(rows.ROWS) > 1 else "")
    with open(JSON_PATH, "w") as file:
        json.dump({"command": command, "machine": machine(),
                   "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                   "load_before": lab.load, "rows": everything}, file, indent=2)
        file.write("\n")
    with open(TABLE_PATH, "w") as file:
        file.write(table(everything))


def run(arguments):
    names = [name for argument in arguments for name in argument.split(",") if name]
    for name in names:
        if name not in rows.ROWS:
            say("there is no row '%s'; there are: %s" % (name, ", ".join(rows.ROWS)))
            return 2
    with locked(os.path.join(OUT, "lock"), "this checkout's out folder"):
        return run_rows([one for name, one in rows.ROWS.items() if not names or name in names])


def run_rows(chosen):
    load = os.getloadavg()[0]       # before we build
    lab = Lab()
    lab.load = load
    say("   %s, load %.2f" % (machine(), lab.load))
    results = []
    try:
        for one in chosen:
            result = measure(lab, one).json()
            result["date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
            results.append(result)
            save(results, lab)
    finally:
        lab.close()
    say("")
    say(table(results))
    missed = [one["name"] for one in results if not one["met"]]
    failed = [one["name"] for one in results if one.get("error")]
    say("%d rows: %d met their goals%s" % (len(results), len(results) - len(missed),
                                          ", missed: " + ", ".join(missed) if missed else ""))
    say("   %s, %s" % (host_path(JSON_PATH), host_path(TABLE_PATH)))
    return 1 if failed else 0
