# SPDX-License-Identifier: GPL-2.0-or-later
"""What a row of the performance table is: figures of ours, each against a rival's or a limit, taken in pairs."""

import statistics
from dataclasses import dataclass, field

ROWS = {}                   # name: Row, in the table's order


@dataclass
class Row:
    name: str
    measure: object         # measure(lab) returns a list of Figure
    seconds: int            # it may take that long
    what: str               # ours against what, for the table


def row(name, what, seconds):
    def register(function):
        ROWS[name] = Row(name, function, seconds, what)
        return function
    return register


@dataclass
class Figure:
    """@ours and @rival are values of the same runs, one pair each; a limit is a rival that always is the same."""
    name: str
    unit: str
    ours: list
    rival: list
    goal: float = None      # of the ratio; None: shown without a verdict
    at_most: bool = True    # the goal is not to be exceeded; else to be reached
    note: str = ""
    limit: bool = False     # rival is a limit, not a measurement

    def ratios(self):
        return [ours / rival if rival else float("inf") for ours, rival in zip(self.ours, self.rival)]

    def ratio(self):
        return statistics.median(self.ratios())

    def met(self):
        if self.goal is None:
            return None
        return self.ratio() <= self.goal if self.at_most else self.ratio() >= self.goal

    def slack(self):
        """How far from its goal, as a factor: below 1 it is missed."""
        if self.goal is None:
            return float("inf")
        ratio = self.ratio() or 1e-9
        return self.goal / ratio if self.at_most else ratio / self.goal

    def json(self):
        def spread(values):
            return [rounded(min(values)), rounded(max(values))]

        result = {
            "name": self.name, "unit": self.unit,
            "ours": rounded(statistics.median(self.ours)), "rival": rounded(statistics.median(self.rival)),
            "ratio": rounded(self.ratio()), "goal": self.goal,
            "goal_is": None if self.goal is None else "at most" if self.at_most else "at least", "met": self.met(),
            "spread": {"ours": spread(self.ours), "rival": spread(self.rival), "ratio": spread(self.ratios())},
            "pairs": len(self.ours),
        }
        if self.limit:
            result["limit"] = result["rival"]
        if self.note:
            result["note"] = self.note
        return result


@dataclass
class Result:
    row: Row
    figures: list = field(default_factory=list)
    error: str = ""
    seconds: float = 0

    def json(self):
        """The row: its own figures are those of the one that is closest to its goal, or farthest beyond it."""
        result = {"name": self.row.name, "what": self.row.what, "ours": None, "rival": None, "ratio": None, "goal": None,
                  "met": False, "spread": None, "seconds": round(self.seconds, 1)}
        if self.figures:
            worst = min(self.figures, key=lambda figure: figure.slack())
            for key, value in worst.json().items():
                if key != "name":
                    result[key] = value
            result["figure"] = worst.name
            result["met"] = not self.error and all(figure.met() is not False for figure in self.figures)
            result["figures"] = [figure.json() for figure in self.figures]
        if self.error:
            result["error"] = self.error
        return result


def rounded(value):
    """Four digits are what a measurement is good for."""
    return float("%.4g" % value)


def from_program(answer, name, **options):
    """Figure @name of what a bench program printed."""
    for figure in answer["figures"]:
        if figure["name"] == name:
            return Figure(name, figure["unit"], figure["ours"], figure["rival"], **options)
    raise KeyError("the program has no figure '%s'" % name)


def joined(answers):
    """What a bench program printed in several runs, as if it had been one."""
    first = answers[0]
    for answer in answers[1:]:
        for figure, more in zip(first["figures"], answer["figures"], strict=True):
            figure["ours"] += more["ours"]
            figure["rival"] += more["rival"]
    return first
