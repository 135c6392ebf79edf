# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checks of the suite house leave out until it is mended. Nothing is added here."""

# Lines that still have a word.
WORDS = {
    "crew": 22,
    "worker": 15,
    "workers": 13,
    "gate": 24,
    "bands": 16,
    "outbox": 1,
    "ladder": 9,
    "rungs": 2,
    "trial": 44,
    "owes": 15,
    "whoever": 4,
    r"(?<!user )(?<!viewer )(?<!viewers )\b[Ww]ho\b": 15,
    r"HelixTurn|helix_turn|\bturn\.[ch]\b|test-turn": 4,
    r"\bturns? of (?:the|QEMU's) (?:main )?loop": 10,
    r"\bin_force\b": 2,
    r"\bagreement_|_agreement\b": 1,
    r"(?i)\bfor ever\b": 2,
    r"(?i)\bany more\b": 8,
    r"(?i)\bputs? aside\b": 1,
}
