# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 14400
"""The other VM suites, once, in a QEMU built with ASan and UBSan. HELIX_SUITES="vm-boot vm-vsock" runs some of them.

Leaks are not looked for: QEMU is killed at a test's end, and its libraries keep what they have. A report that names a
file of ours fails its suite; one of QEMU's or its libraries' alone is shown. Nothing is suppressed.
"""

import glob
import os
import re
import subprocess
import sys
import time

import check
import qemu
from steps import LOGS, host_path
from tap import Tap

# They build QEMU themselves, measure it, or are this one.
LEFT_OUT = {"vm-attack", "vm-build-ways", "vm-other-trees", "vm-qemu-fuzz", "vm-sanitizers", "vm-soak"}
SECONDS = 3600
OURS = "hw/display/helix"


def with_lines(part):
    """@part with function and source line of each place in its stacks. The sanitizers name them only where there is
    llvm-symbolizer."""
    places = {}
    for path, offset in re.findall(r"(?m)^ *#\d+ 0x[0-9a-f]+ +\((/[^\n]*)\+(0x[0-9a-f]+)\)", part):
        places.setdefault(path, []).append(offset)
    lines = [part]
    for path, offsets in places.items():
        lines.append(subprocess.run(["addr2line", "-f", "-e", path, *offsets], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    check=True).stdout)
    return "\n".join(lines)


def reports(base, known=()):
    """[(whether it is ours, its first line)] of what the sanitizers wrote. @known: (pattern of the report, where it is written
    down) of faults that are not ours although our code is on the stack."""
    found = []
    for path in sorted(glob.glob(base + ".*")):
        with open(path, errors="replace") as file:
            text = file.read()
        # one error after the other, each with its stack
        for part in re.split(r"(?m)^(?=.*(?:runtime error:|ERROR: AddressSanitizer))", text):
            line = part.strip().split("\n")[0]
            if "runtime error:" in line or "ERROR: AddressSanitizer" in line:
                places = line if "runtime error:" in line else with_lines(part)
                written = [where for pattern, where in known if re.search(pattern, places, re.S)]
                found.append((OURS in places and not written, line + "".join(" (%s)" % where for where in written)))
    return found


def run(tap, name, script, environment):
    base = os.path.join(LOGS, "sanitizer-" + name)
    for path in glob.glob(base + ".*"):
        os.unlink(path)
    options = "log_path=%s:detect_leaks=0:print_stacktrace=1" % base
    begin = time.monotonic()
    log = os.path.join(LOGS, name + "-sanitized.log")
    with open(log, "w") as out:
        done = subprocess.run(["timeout", "-k", "10", str(SECONDS), "python3", script], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, env=dict(environment, ASAN_OPTIONS=options, UBSAN_OPTIONS=options))
    with open(log, errors="replace") as file:
        said = file.read()
    found = reports(base)
    ours = sorted({line for mine, line in found if mine})
    others = sorted({line for mine, line in found if not mine})
    failures = re.findall(r"^not ok .*$", said, re.M)
    print("# %s: %d ok, %d not ok in %.0f s; reports: %d of ours, %d of others" % (
        name, len(re.findall(r"^ok ", said, re.M)), len(failures), time.monotonic() - begin, len(ours), len(others)))
    for line in others:
        print("# not ours: " + line)
    tap.check(done.returncode in (0, 77), "%s passes" % name, "ended with %d; see %s\n%s" % (
        done.returncode, host_path(log), "\n".join(failures)))
    tap.check(not ours, "%s: nothing of ours is reported" % name, "\n".join(ours))


def main():
    tap = Tap()
    emulator = qemu.build_sanitized()[0]
    environment = dict(os.environ, HELIX_QEMU=emulator, HELIX_BOOT_SECONDS="900")
    scripts = check.scripts_in("vm", "vm-")[0]
    wanted = os.environ.get("HELIX_SUITES", "").split() or [name for name in scripts if name not in LEFT_OUT]
    for name in wanted:
        run(tap, name, scripts[name], environment)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
