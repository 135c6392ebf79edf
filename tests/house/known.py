# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checks of the suite house leave out until it is mended. Nothing is added here."""

INCLUDES = {
}

# Arrows and rooms that docs/rooms.dot has before the code has them.
ARROWS = (
    "docs/rooms.dot: no include needs the arrow from measure to stream",
    "docs/rooms.dot: no include needs the arrow from qemu to encode",
    "docs/rooms.dot: no include needs the arrow from qemu to frame",
    "docs/rooms.dot: no include needs the arrow from qemu to h264",
    "docs/rooms.dot: no include needs the arrow from qemu to protocol",
    "docs/rooms.dot: no include needs the arrow from stream to h264",
)

# Lines that still have a word.
WORDS = {
    "crew": 25,
    "worker": 18,
    "workers": 13,
    "gate": 24,
    "bands": 16,
    "outbox": 31,
    "ladder": 9,
    "rungs": 2,
    "trial": 44,
    "owes": 16,
    "whoever": 5,
    r"(?<!user )(?<!viewer )(?<!viewers )\b[Ww]ho\b": 16,
    r"HelixTurn|helix_turn|\bturn\.[ch]\b|test-turn": 4,
    r"\bturns? of (?:the|QEMU's) (?:main )?loop": 10,
    r"\bin_force\b": 10,
    r"\bagreement_|_agreement\b": 1,
    r"(?i)\bfor ever\b": 2,
    r"(?i)\bany more\b": 8,
    r"(?i)\bputs? aside\b": 1,
}
