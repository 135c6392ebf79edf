#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check_links.py: what the Markdown names must be there. Prints TAP; needs nothing but Python.

For each Markdown file of the tree, one test per kind (test_links.py runs them in the suite house):

    links     every relative link has its file, every anchor its heading (by GitHub's rule for heading ids)
    paths     every file named in `code` or in a block of commands is in the tree
    commands  every `make` target and every suite of `make check SUITE=` exists
    words     every name of ours (helix_*, HELIX_*, helix-*) and every GLib test path stands in a file that is not Markdown

Then once for the tree: `make help` names every target; docs/testing.md names every suite; every docs/ file that a source file cites exists; docs/rooms.svg was drawn from docs/rooms.dot
as it is (tools/rooms.py writes the source's SHA-256 into it). Web addresses are not visited.
"""

import ast
import hashlib
import os
import re
import sys

from source_tree import SourceTree

NAMES_A_FILE = re.compile(r"[\w.*/+-]*\w\.(?:c|h|py|md|sh|dot|svg|yml|ini|in|json|1)")

# Files of other projects, of the reader's, and what runs leave: no file of this tree.
ELSEWHERE = re.compile(r"""
    docs/devel/.*                                                       # QEMU's
    | scripts/(?:build_\w+|package_mac)\.sh                              # UTM's
    | epoxy/egl\.h | NAME\.\w+
    | out/.* | demo\.json | bench\.(?:json|md) | compile_commands\.json
    | hw/display/helix/\.integrated                                     # what qemu/integrate leaves in QEMU's tree
""", re.X)
# Absolute paths that are files of a system, not GLib test paths.
SYSTEM = re.compile(r"/(?:bin|cache|dev|etc|home|machine|nonexistent|proc|project|run|sys|tmp|usr|var)\b")


class Names:
    """What a tree has: files, folders, and the text of both."""

    def __init__(self, tree):
        self.files = set(tree.files())
        self.folders = {"."} | {os.path.dirname(path) for path in self.files}
        self.folders |= {os.path.dirname(path) for path in self.folders}
        # Every path by each of its ends: "stream/host.h" and "host.h" name hw/display/helix/stream/host.h.
        self.ends = set()
        for path in self.files | self.folders:
            parts = path.split("/")
            self.ends |= {"/".join(parts[first:]) for first in range(len(parts))}
        self.text = dict(tree.texts())
        self.markdown = sorted(path for path in self.text if path.endswith(".md"))
        self.sources = "\n".join(text for path, text in self.text.items() if not path.endswith(".md"))
        # Files of QEMU's that are edited, as the list of edits names them.
        self.edited = set(re.findall(r"^file (\S+)", self.text["hw/display/helix/qemu/edits"], re.M))
        self.tops = {path.split("/")[0] for path in self.files if "/" in path}

    def has(self, name):
        name = name.rstrip("/")
        if name in self.edited or os.path.basename(name) in map(os.path.basename, self.edited):
            return True
        if "*" in name:
            pattern = re.compile(re.escape(name).replace(r"\*", "[^/]*"))
            return any(pattern.fullmatch(end) for end in self.ends)
        return name in self.ends

    def targets(self):
        return set(re.findall(r"^([a-z][\w-]*):", self.text["Makefile"], re.M))

    def scripts(self):
        """The suites that are scripts: vm-NAME of tests/vm/, NAME of tests/package/."""
        for path in sorted(self.files):
            found = re.fullmatch(r"tests/(vm|package)/(\w+)\.py", path)
            if found and re.search(r"^if __name__ == ", self.text[path], re.M):
                yield ("vm-" if found[1] == "vm" else "") + found[2].replace("_", "-")

    def suites(self):
        """Every word that tools/check.py knows, and the suites that are scripts."""
        known = {node.value for node in ast.walk(ast.parse(self.text["tools/check.py"]))
                 if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        return known | {"NAME", "name"} | set(self.scripts())

    def meson_suites(self):
        """The suites without a VM that tools/check.py lists."""
        for node in ast.parse(self.text["tools/check.py"]).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "MESON_SUITES":
                yield from ast.literal_eval(node.value)


def blocks_and_prose(text):
    """The lines that are commands or code (indented by four or fenced), and the rest."""
    code, prose, fenced = [], [], False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            code.append(line)
        elif fenced or line.startswith("    "):
            code.append(line)
        else:
            prose.append(line)
    return code, "\n".join(prose)


def anchors(text):
    """The ids that GitHub gives to a text's headings."""
    found = {}
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", blocks_and_prose(text)[1], re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        if count:
            found["%s-%d" % (name, count)] = 1
    return set(found)


def check_links(names, path, prose):
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", prose) + re.findall(r"^\[[^\]]+\]: *(\S+)", prose, re.M):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if there not in names.files and there not in names.folders:
            yield "%s links to %s, which is not there" % (path, target)
        elif anchor and there in names.files and anchor not in anchors(names.text[there]):
            yield "%s links to %s: no such heading" % (path, target)


def check_paths(names, path, code, spans):
    named = {span for span in spans if NAMES_A_FILE.fullmatch(span)}
    tops = "|".join(re.escape(top) for top in sorted(names.tops))
    for text in spans + code:
        named |= {found.rstrip(".,:") for found in re.findall(r"(?<![\w/.$~:=-])(?:%s)/[\w./*+-]*" % tops, text)}
    here = os.path.dirname(path)
    for name in sorted(named):
        beside = os.path.normpath(os.path.join(here, name))
        if not names.has(name) and beside not in names.files and not ELSEWHERE.fullmatch(name):
            yield "%s names %s, which is not there" % (path, name)


def check_commands(names, path, code, spans):
    targets, suites = names.targets(), names.suites()
    for text in spans + code:
        for target in re.findall(r"^ *(?:\w+=\S+ )*make ([a-z][\w-]*)", text):
            if target not in targets:
                yield "%s names `make %s`: the Makefile has no such target" % (path, target)
    for suite in re.findall(r"SUITE=([\w-]+)", "\n".join(spans + code)):
        if suite not in suites:
            yield "%s names SUITE=%s: tools/check.py has no such suite" % (path, suite)


def check_words(names, path, code, spans):
    for word in sorted(set(re.findall(r"\bhelix_[a-z]\w+(?=\()|\bHELIX_[A-Z]\w+", "\n".join(code)))):
        if word not in names.sources:
            yield "%s names %s, which no source file has" % (path, word)
    for span in spans:
        for word in re.findall(r"(?<![\w./-])(?:helix_|HELIX_|helix-)[\w-]*\w", span):
            if word not in names.sources and not ELSEWHERE.fullmatch(word):
                yield "%s names %s, which no source file has" % (path, word)
        test = re.fullmatch(r"(/[a-z0-9-]+(?:/[a-z0-9-]+)+)(?:/\.\.\.)?|(/[a-z0-9-]+)/\.\.\.", span)
        if test and not SYSTEM.match(span) and '"' + (test[1] or test[2]) not in names.sources:
            yield "%s names test %s, which no test program has" % (path, span)


def not_in_help(names):
    for target in sorted(names.targets()):
        if not re.search(r"^%s:[^#\n]*## \S" % target, names.text["Makefile"], re.M):
            yield "Makefile: `make help` does not name %s: its line has no \"## text\"" % target


def not_in_testing(names):
    for suite in [*names.meson_suites(), *names.scripts()]:
        if "`%s`" % suite not in names.text["docs/testing.md"]:
            yield "docs/testing.md does not name the suite %s" % suite


def cited(names):
    for path, text in sorted(names.text.items()):
        if path.endswith(".md") or path.startswith("tests/house/"):
            continue
        for name in re.findall(r"(?<![\w/])docs/[\w/-]+\.(?:md|dot|svg|png)", text):
            if name not in names.files and not ELSEWHERE.fullmatch(name):
                yield "%s cites %s, which is not there" % (path, name)


def picture(names):
    digest = hashlib.sha256(names.text["docs/rooms.dot"].encode()).hexdigest()
    if digest not in names.text.get("docs/rooms.svg", ""):
        yield "docs/rooms.svg was drawn from another docs/rooms.dot: run `make site` and commit the picture"


def findings(tree):
    """(name of a test, what it found) for the whole of @tree."""
    names = Names(tree)
    for path in names.markdown:
        code, prose = blocks_and_prose(names.text[path])
        spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)
        yield path + ": links", list(check_links(names, path, prose))
        yield path + ": paths", list(check_paths(names, path, code, spans))
        yield path + ": commands", list(check_commands(names, path, code, spans))
        yield path + ": words", list(check_words(names, path, code, spans))
    yield "make help names every target", list(not_in_help(names))
    yield "docs/testing.md names every suite", list(not_in_testing(names))
    yield "docs that source files cite", list(cited(names))
    yield "docs/rooms.svg is drawn from docs/rooms.dot", list(picture(names))


def main():
    number = failed = 0
    for number, (name, problems) in enumerate(findings(SourceTree()), 1):
        for problem in problems:
            print("# " + problem)
        print("%s %d - %s" % ("not ok" if problems else "ok", number, name))
        failed += bool(problems)
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
