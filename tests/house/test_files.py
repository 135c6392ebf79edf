# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file: its licence line, .editorconfig's rules, and no trace of the machine that it was written on."""

import fnmatch
import re

from source_tree import HouseTest

# Files without an SPDX line, and why.
NO_SPDX = {
    "COPYING*": "the licences' own texts",
    "*.md": "documents: a reader sees the line; COPYING holds for them",
    ".gitignore": "three lines",
    "packaging/debian/changelog": "dpkg's format has no comments",
    "packaging/debian/copyright": "states the licences itself",
    "packaging/debian/source/format": "dpkg's format has no comments",
    "tests/fuzz/corpus/*": "inputs of fuzzers",
}
# Files that .editorconfig's rules leave alone.
NOT_EDITED = ("COPYING*", "tests/fuzz/corpus/*")

MACHINE = re.compile(r"(?<![\w$.])/(?:work|home|Users|mnt|builds)/(?!user\b)[\w./-]+")
# A package registry or mirror that is named by host, also with an account before it.
REGISTRY = re.compile(r"https?://(?:[^\s/'\"@]+@)?[\w.-]*(?:registry|mirror|proxy|artifactory|nexus|pypi|npmjs|deb\.debian|gitlab|"
                      r"\d+\.\d+\.\d+\.\d+)[\w.-]*")


def matches(path, patterns):
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def check_licences(tree):
    return ["%s: no SPDX-License-Identifier within its first five lines" % path for path, text in tree.texts()
            if text and not matches(path, NO_SPDX)
            and not re.search(r"SPDX-License-Identifier: \S", "\n".join(text.split("\n", 5)[:5]))]


def check_editorconfig(tree):
    findings = []
    for path, text in tree.texts():
        if not text or matches(path, NOT_EDITED):
            continue
        if not text.endswith("\n"):
            findings.append("%s: its last line has no newline" % path)
        if text.endswith("\n\n"):
            findings.append("%s: ends with an empty line" % path)
        makefile = path.endswith("Makefile") or path == "packaging/debian/rules"
        for number, line in enumerate(text.split("\n"), 1):
            if line.endswith((" ", "\t")) and not path.endswith(".md"):
                findings.append("%s:%d: blanks at the end of the line" % (path, number))
            if "\r" in line:
                findings.append("%s:%d: a carriage return; lines end with a line feed alone" % (path, number))
            if "\t" in line.lstrip("\t" if makefile else ""):
                findings.append("%s:%d: a tab; blanks indent here" % (path, number))
    return findings


def check_machine(tree):
    findings = []
    for path, text in tree.texts():
        for number, line in enumerate(text.split("\n"), 1):
            for pattern, what in ((MACHINE, "a path of one machine"), (REGISTRY, "the host of a package registry")):
                found = pattern.search(line)
                if found:
                    findings.append("%s:%d: %s: %s" % (path, number, what, found.group(0)))
    return findings


class Files(HouseTest):
    def test_project_is_read(self):
        self.assertGreater(sum(1 for _ in self.project.texts()), 400)

    def test_licences(self):
        self.assertNothingFound(check_licences(self.project))

    def test_missing_licence_is_found(self):
        tree = self.plant({"a.c": "int a;\n", "b.c": "/* SPDX-License-Identifier: GPL-2.0-or-later */\n", "c.md": "text\n",
                           "late.c": "\n" * 9 + "/* SPDX-License-Identifier: GPL-2.0-or-later */\n", "picture": b"\0\xff"})
        self.assertFound(check_licences(tree), ("a.c: no SPDX",), ("late.c: no SPDX",))

    def test_exceptions_are_needed(self):
        paths = self.project.files()
        self.assertEqual([pattern for pattern in NO_SPDX if not any(fnmatch.fnmatch(path, pattern) for path in paths)], [])

    def test_editorconfig(self):
        self.assertNothingFound(check_editorconfig(self.project))

    def test_editorconfig_faults_are_found(self):
        tree = self.plant({"a": "x", "b": "x \n", "c": "\tx\n", "d": "x\r\n", "e": "x\n\n", "Makefile": "a:\n\tb\n", "f.md": "x  \ny\n"})
        self.assertFound(check_editorconfig(tree), ("a: its last line",), ("b:1: blanks",), ("c:1: a tab",), ("d:1: a carriage",),
                         ("e: ends with an empty line",))

    def test_machine(self):
        self.assertNothingFound(check_machine(self.project))

    def test_machine_is_found(self):
        # Put together here, so that this file has none.
        home, host = "/ho" + "me/somebody/tree", "https://user:word@" + "regi" + "stry.example.org/simple"
        tree = self.plant({"a": "x\ncd %s\n" % home, "b": "index = %s\n" % host, "c": "/work\n$HOME/home/x\n/home/user/Videos\n"})
        self.assertFound(check_machine(tree), ("a:2: a path", home), ("b:1: the host of a package registry",))
