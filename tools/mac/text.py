# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of a report: its page, its tables, and the row for docs/mac-results.md."""

import json
import os
import re

PLAN = """This builds and tests the module on this Mac. It will
  - install with Homebrew what is missing of: %s
  - download QEMU %s, and build it in out/mac (nothing is installed from there)
  - start a virtual machine, if there is a guest for it
  - leave one file, mac-report-MODEL-MACOS.txt, here, and send nothing
It takes about an hour and 10 GB."""

ABOUT_TAPS = """
QEMU's GL device needs libraries that Homebrew itself does not have in that form. These taps do: %s.
They are a third party's: Homebrew runs their code with your rights, and their libraries replace Homebrew's own libepoxy and
virglrenderer if you have these. Without them the report covers the 2D device alone."""

CONTENTS = """This file was made by tools/mac-report. It holds: the Mac's model, chip, number of processors, memory, graphics and macOS;
versions of the compiler and of Homebrew's packages; the project's commit; each step's result and time; VideoToolbox's latencies;
statistics of the module in a VM; the end of the log of each step that failed. It holds no serial number, no name of a user or of
the computer, no address: paths, names and addresses in logs were replaced (~, USER, COMPUTER, ADDRESS). Read it before you send it."""

LOG_LINES = 120


def tail(path, lines):
    try:
        with open(path, "rb") as file:
            said = file.read()[-60000:].decode(errors="replace").splitlines()
    except OSError:
        return "(no such file)"
    return "\n".join(line[:400] for line in said[-lines:])


# ---- VideoToolbox ----

def kind_of_session(rows):
    """Whether VideoToolbox was in hardware, of what each measurement's session said of itself."""
    kinds = set()
    for row in rows:
        found = re.findall(r"asked for ([\w -]+), got (hardware|software)", row.get("session", ""))
        kinds |= {"%s (asked for %s)" % (got, asked) for asked, got in found}
    return ", ".join(sorted(kinds)) or "not known"


def latency_table(rows):
    lines = ["%-6s %7s %-10s %8s %8s %8s %8s %8s %9s" % ("size", "Mbit/s", "input", "p50 ms", "p99 ms", "max ms", "first ms", "dropped",
                                                       "got Mbit/s")]
    for row in rows:
        start = "%-6s %7d %-10s " % (row["size"], row["mbit"], row["input"])
        if "error" in row:
            lines.append(start + "not measured: " + row["error"].replace("\n", " ")[:160])
            continue
        milliseconds = " ".join("%8.2f" % (row[name] / 1000) for name in ("p50_us", "p99_us", "max_us", "first_us"))
        rate = row["bytes"] * 8 * 60 / max(1, row["frames"]) / 1e6
        lines.append(start + milliseconds + " %8d %9.2f" % (row["dropped"], rate))
    return "\n".join(lines)


# ---- films ----

def film_facts(folder):
    """What a VM's run left: paths, encoder, stages, the renderer's own word for its GL."""
    result = {}
    try:
        with open(os.path.join(folder, "stats.json"), encoding="utf-8") as file:
            stats = json.load(file)
    except (OSError, ValueError):
        stats = {}
    for name in ("encoder", "host_paths", "cpu_bytes", "stage_us", "main_loop_us", "errors", "frames"):
        if name in stats:
            result[name] = stats[name]
    log = tail(os.path.join(folder, "macos-qemu.log"), 4000)
    gl = re.search(r"^.*gl_version \d+.*$", log, re.M)
    result["gl"] = gl.group(0).strip() if gl else "none said in QEMU's log"
    result["streams"] = re.findall(r"stream [\d.]+ started for .*", log)[:3]
    return result


def film_line(film):
    paths = ", ".join("%s %d" % pair for pair in sorted(film.get("host_paths", {}).items()) if pair[1])
    return "%s; paths: %s" % (film.get("encoder", "no statistics"), paths or "none")


# ---- the page ----

def result_row(machine, rows, films, date):
    """The row for docs/mac-results.md."""
    known = dict(machine)

    def of(size):
        times = [row for row in rows if row["size"] == size and row["input"] == "iosurface" and "error" not in row]
        if not times:
            return "-"
        middle = times[len(times) // 2]
        return "%.1f / %.1f at %d" % (middle["p50_us"] / 1000, middle["p99_us"] / 1000, middle["mbit"])

    paths = sorted({path for film in films.values() for path, count in film.get("host_paths", {}).items() if count})
    gl = films["gl"]["gl"] if "gl" in films else "none"
    return "| %s | %s | %s | %s | %s | %s | %s | %s | %s |" % (
        date, known["model"], known["macOS"], kind_of_session(rows), of("720p"), of("1080p"), of("4K"), ", ".join(paths) or "-", gl)


def page(machine, results, rows, films, date):
    parts = ["mac-report 1, %s" % date, CONTENTS, "== This Mac =="]
    parts.append("\n".join("%-16s %s" % pair for pair in machine))
    parts.append("== Steps ==")
    parts.append("\n".join("%-20s %-8s %6.0f s  %s" % (result.name, result.state, result.seconds, result.note.replace("\n", " "))
                           for result in results))
    parts.append("== VideoToolbox ==\nsession: " + kind_of_session(rows))
    parts.append("time from a picture to its access unit, 60 frames/s, by bench-latency:\n" + latency_table(rows))
    for name, film in sorted(films.items()):
        parts.append("== VM with the %s device ==\n%s" % (name.upper(), json.dumps(film, indent=1, sort_keys=True)))
    parts.append("== Row for docs/mac-results.md ==\n" + result_row(machine, rows, films, date))
    for result in results:
        if result.state == "failed":
            parts.append("== Log of step '%s' ends with ==\n%s" % (result.name, tail(result.log, LOG_LINES)))
    return "\n\n".join(parts) + "\n"
