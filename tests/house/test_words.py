# SPDX-License-Identifier: GPL-2.0-or-later
"""Words that this project does not use, in code, comments, documents, messages and file names: names of its own for what the field has
a name for, and phrases that a reader has to guess at.

A word of letters alone is also found as a part of an identifier ("crew" in HelixCrew and in crew_begin); anything else is a regular
expression over a line.
"""

import fnmatch
import re

from source_tree import HouseTest

NOT_READ = ("COPYING*", "tests/fuzz/corpus/*", "tests/house/*", "packaging/debian/changelog")

VSOCK = {"hw/display/helix/vsock/*": "the field \"op\" of virtio-vsock's header", "hw/display/helix/qemu/helix-vsock*": "the same",
         "hw/display/helix/trace-events": "the same", "tests/vsock/*": "the same", "tests/fuzz/*": "the same",
         "tests/vm/*": "the same", "guest/agent.py": "the field of the agent's messages", "tools/vm.py": "the same",
         "*.1": "a macro of man pages"}
PCI = {"tests/vm/*": "PCI slots", "tools/vm.py": "PCI slots", "docs/qemu.md": "PCI slots", "docs/security.md": "PCI slots",
       "docs/upstream/*": "PCI slots", "hw/display/helix/qemu/*": "the slot control of a PCIe port",
       "tests/guest/picture-element.c": "a table's places"}

# Word: (what the field says, {path: why it may be there}).
WORDS = {
    "op": ("request", VSOCK),
    "ops": ("requests", VSOCK),
    "ticket": ("pending capture", {}),
    "crew": ("encode threads, encode pool", {}),
    "worker": ("encode thread", {"tests/vm/soak.py": "the name of a thread of QEMU"}),
    "workers": ("encode threads", {}),
    "gate": ("scheduler", {}),
    "bands": ("slices", {}),
    "outbox": ("send queue", {}),
    "ladder": ("session candidates", {}),
    "rung": ("candidate, tier", {}),
    "rungs": ("candidates, tiers", {}),
    "trial": ("probing", {}),
    "unjudged": ("unverified", {}),
    "owes": ("idr_pending, needs_initial_frame", {}),
    "asker": ("random client", {}),
    "gallery": ("fake capture", {}),
    "whoever": ("name the thread, the peer or the user", {}),
    r"(?<!user )(?<!viewer )(?<!viewers )\b[Ww]ho\b": ("a noun, or \"that\"; \"who\" is for people", {}),
    "slot": ("IOSurface pool entry", PCI),
    "slots": ("IOSurface pool entries", PCI),
    r"HelixShare|helix_share\b|helix_share_": ("parallel for", {}),
    r"HelixAhead|helix_ahead|\bahead\.[ch]\b|test-ahead": ("pre-convert", {}),
    r"HelixTurn|helix_turn|\bturn\.[ch]\b|test-turn": ("loop time", {}),
    r"HelixLater|helix_later|\blater\.[ch]\b": ("deferred", {}),
    r"HelixPixels\b|helix_pixels_(?!reorder)": ("pixel upload", {}),
    r"\bturns? of (?:the|QEMU's) (?:main )?loop": ("iteration of the main loop", {}),
    r"\bin_force\b": ("active", {}),
    r"\bagreement_|_agreement\b": ("negotiated", {}),
    r"(?i)\bfor ever\b": ("forever, without limit, until ...", {}),
    r"(?i)\bany more\b": ("no longer", {}),
    r"(?i)\bputs? aside\b": ("preempt, defer", {}),
}


# The words of an identifier or a sentence: "HelixCrew", "crew_begin" and "CREW" each have the word crew.
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def allowed(path, exceptions):
    return any(fnmatch.fnmatch(path, pattern) for pattern in exceptions)


def check_words(tree, words):
    """{word: findings}"""
    findings = {word: [] for word in words}
    patterns = {word: re.compile(word) for word in words if not word.isalpha()}
    for path, text in tree.texts():
        if allowed(path, NOT_READ):
            continue
        text = path + "\n" + text       # a file's name is its line 0
        found = {word: {} for word in words}
        for match in WORD.finditer(text):
            lines = found.get(match.group(0).lower())
            if lines is not None:
                lines[text.count("\n", 0, match.start())] = match.group(0)
        for word, pattern in patterns.items():
            for match in pattern.finditer(text):
                found[word][text.count("\n", 0, match.start())] = match.group(0)
        for word, lines in found.items():
            if not allowed(path, words[word][1]):
                findings[word] += ["%s:%d: \"%s\": %s" % (path, number, said, words[word][0]) for number, said in lines.items()]
    return findings


class Words(HouseTest):
    def test_project(self):
        self.assertNothingFound([finding for some in check_words(self.project, WORDS).values() for finding in some])

    def test_words_are_found(self):
        tree = self.plant({"a.c": "HelixCrew *crew_of(int x);\nscrew, crewed, CREW\nHELIX_CREW\nmyCrew\n", "crew.h": "fine\n",
                           "COPYING": "crew\n"})
        self.assertFound(check_words(tree, {"crew": ("pool", {})})["crew"], ("a.c:1:", "pool"), ("a.c:2:",), ("a.c:3:",), ("a.c:4:",),
                         ("crew.h:0:",))

    def test_patterns_are_found(self):
        tree = self.plant({"a.md": "It waits\nFor ever, forever.\n"})
        self.assertFound(check_words(tree, WORDS)[r"(?i)\bfor ever\b"], ("a.md:2:", "For ever"))

    def test_exceptions_are_where_they_are(self):
        tree = self.plant({"hw/display/helix/vsock/a.c": "op\n", "hw/display/helix/stream/a.c": "op\n"})
        self.assertFound(check_words(tree, WORDS)["op"], ("stream/a.c:1:",))

    def test_exceptions_are_needed(self):
        found = check_words(self.project, {word: (instead, {}) for word, (instead, _) in WORDS.items()})
        places = {id(exceptions): [] for _, exceptions in WORDS.values()}
        for word, (_, exceptions) in WORDS.items():
            places[id(exceptions)] += [finding.split(":")[0] for finding in found[word]]
        self.assertNothingFound(["%s: no %s there" % (pattern, word) for word, (_, exceptions) in WORDS.items() for pattern in exceptions
                                 if not any(fnmatch.fnmatch(path, pattern) for path in places[id(exceptions)])])
