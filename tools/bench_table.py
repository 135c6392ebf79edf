#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench_table.py: put the figures of the last `make bench` (out/bench.json) into docs/performance.md.

Between the lines <!-- rows --> and <!-- end of rows --> a line for each row, with the figure that is closest to its goal or farthest
beyond it; between <!-- bench --> and <!-- end of bench --> every figure. Needs nothing but Python.
"""

import json
import os
import re
import sys

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def shown(value):
    return "-" if value is None else "%.4g" % value


def spread(figure, what):
    return "%s (%s to %s)" % (shown(figure[what]), shown(figure["spread"][what][0]), shown(figure["spread"][what][1]))


def goal(figure):
    return "-" if figure["goal"] is None else "%s %s" % (figure["goal_is"], shown(figure["goal"]))


def verdict(figure):
    return {True: "met", False: "**missed**", None: "beside"}[figure["met"]]


def rival(figure):
    return shown(figure["rival"]) + " (limit)" if "limit" in figure else spread(figure, "rival")


def unit(figure, name):
    return name + (", " + figure["unit"] if figure["unit"] else "")


def short(rows):
    lines = ["| row | ours; against | figure | ours | rival | ratio | goal | |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        if row.get("error"):
            lines.append("| %s | %s | | | | | | **not measured** |" % (row["name"], row["what"]))
            continue
        lines.append("| %s | %s | %s | %s | %s | %s | %s | %s |" % (
            row["name"], row["what"], unit(row, row["figure"]), shown(row["ours"]), shown(row["rival"]),
            shown(row["ratio"]), goal(row), "met" if row["met"] else "**missed**"))
    return lines


def cells(name, figure):
    """A figure's row of the table, of `make bench` and of docs/performance.md."""
    return [name, unit(figure, figure["name"]), spread(figure, "ours"), rival(figure), spread(figure, "ratio"), goal(figure),
            verdict(figure)]


def not_measured(row):
    return "| %s | - | - | - | - | - | **not measured**: %s |" % (row["name"], row["error"].splitlines()[0].replace("|", "/"))


def table(rows):
    lines = ["| row | figure | ours | rival | ratio | goal | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        lines += ["| %s |" % " | ".join(cells(row["name"], figure)) for figure in row.get("figures", [])]
        if row.get("error"):
            lines.append(not_measured(row))
    return lines


def full(rows):
    notes = ["- %s, %s: %s" % (row["name"], figure["name"], figure["note"])
             for row in rows for figure in row.get("figures", []) if figure.get("note")]
    return table(rows) + ([""] + notes if notes else [])


def put(path, name, lines):
    begin, end = "<!-- %s -->" % name, "<!-- end of %s -->" % name
    with open(path) as file:
        text = file.read()
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), text, re.S)
    if not found:
        sys.exit("%s has no lines %s and %s" % (path, begin, end))
    with open(path, "w") as file:
        file.write(text[:found.start()] + "\n".join([begin] + lines + [end]) + text[found.end():])


def main():
    with open(os.path.join(TREE, "out", "bench.json")) as file:
        data = json.load(file)
    about = "`%s` on %s; %s, load %.1f before it began." % (data["command"], data["machine"], data["date"],
                                                           data["load_before"])
    path = os.path.join(TREE, "docs", "performance.md")
    put(path, "rows", [about, ""] + short(data["rows"]))
    put(path, "bench", [about, ""] + full(data["rows"]))


if __name__ == "__main__":
    main()
