# SPDX-License-Identifier: GPL-2.0-or-later
"""The library's binary interface is the recorded one (libhelix-client.abi): programs built with an earlier version go
on working.

    abi.py LIBRARY HEADER...    record the interface as it is now

Each HEADER is a public one: types that they do not show may change. The record is of one architecture,
as sizes and offsets are; elsewhere nothing is compared.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libhelix-client.abi")
MACHINE = "x86_64"
ERROR, CHANGED, INCOMPATIBLE = 1 | 2, 4, 8      # bits of abidiff's exit status


class PublicFolder:
    """A folder with the public headers alone: that is how libabigail is told which types are public."""

    def __init__(self, headers):
        self.folder = tempfile.TemporaryDirectory()
        for header in headers:
            shutil.copy(header, self.folder.name)

    def __enter__(self):
        return self.folder.name

    def __exit__(self, *_):
        self.folder.cleanup()


def record(library, headers, path):
    with PublicFolder(headers) as folder:
        subprocess.run(["abidw", "--headers-dir", folder, "--drop-private-types", "--no-corpus-path",
                        "--no-comp-dir-path", "--no-parameter-names", "--out-file", path, library],
                       check=True)
    with open(path) as file:
        first, rest = file.read().split("\n", 1)      # libabigail knows the file by its first line
    # Of where a type is declared the file's name counts, which says whether it is public.
    rest = re.sub(r"filepath='[^']*/([^'/]*)' line='\d+' column='\d+'", r"filepath='\1' line='1' column='1'", rest)
    with open(path, "w") as file:
        file.write(first + "\n<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n" + rest)


def compare(path, library, headers):
    """(abidiff's status, its report)."""
    with PublicFolder(headers) as folder:
        done = subprocess.run(["abidiff", "--headers-dir1", folder, "--headers-dir2", folder, "--no-show-locs", path,
                               library], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def verdict(status, report, library):
    """What is wrong, in words; None if nothing is."""
    how = ("To record the interface as it is now:\n"
           "    tools/run-in-root shell python3 tests/client/abi.py %s desktop/client/helix-client*.h" % library)
    if status & ERROR:
        return "abidiff failed:\n" + report
    if status & INCOMPATIBLE:
        return ("INCOMPATIBLE: programs built with the recorded interface would break. Keep what was there and add "
                "beside it, in a new version of helix-client.map. If it must be, with a new soversion: %s\n%s" % (
                    how, report))
    if status & CHANGED:
        return ("The interface has grown, or a type changed. If nothing in the report is what a program built before "
                "relies on: %s\n%s" % (how, report))
    return None


def planted(folder):
    """Copies of the record that the library must not fit: {what: (path, the bit that must be set)}."""
    with open(RECORD) as file:
        text = file.read()
    symbol = re.search(r"^ *<elf-symbol name='helix_client_connect'.*/>\n", text, re.M).group(0)
    removed = symbol.replace("helix_client_connect", "helix_client_removed")
    grown = re.search(r"<class-decl name='HelixClientImage' .*?</class-decl>", text, re.S).group(0)
    moved = re.sub(r"layout-offset-in-bits='448'", "layout-offset-in-bits='416'", re.sub(r" hash='\w+'", "", grown))
    texts = {"a function that was removed": (text.replace(symbol, symbol + removed), INCOMPATIBLE),
             "a function that was added": (text.replace(symbol, ""), CHANGED),
             "a member of a struct that moved": (text.replace(grown, moved), CHANGED)}
    paths = {}
    for number, (what, (changed, bit)) in enumerate(texts.items()):
        if changed == text:
            raise ValueError("the record has no place for: " + what)
        path = os.path.join(folder, "%d.abi" % number)
        with open(path, "w") as file:
            file.write(changed)
        paths[what] = (path, bit)
    return paths


def exported(library):
    """{name: its version} of the symbols that @library defines."""
    text = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    names = [line.split()[-1] for line in text.splitlines() if " A " not in line]
    return {name.split("@")[0]: name.split("@")[-1] if "@" in name else "" for name in names}


def declared(headers):
    """The functions of the public headers."""
    found = set()
    for header in headers:
        with open(header) as file:
            code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        found |= set(re.findall(r"^[A-Za-z][\w ]*[ *](helix_client_\w+)\(", code, re.M))
    return found


def check(tap, library, headers):
    symbols = exported(library)
    tap.check(all(version.startswith("HELIX_CLIENT_") for version in symbols.values()), "every symbol has a version",
              symbols)
    tap.check(symbols.keys() == declared(headers), "what is exported is what the headers declare",
              symbols.keys() ^ declared(headers))
    if not shutil.which("abidiff") or platform.machine() != MACHINE:
        tap.skip("the interface is the recorded one", "no abidiff, or not " + MACHINE)
        return
    wrong = verdict(*compare(RECORD, library, headers), library)
    tap.check(wrong is None, "the interface is the recorded one", wrong)
    with tempfile.TemporaryDirectory() as folder:
        for what, (path, bit) in planted(folder).items():
            status, report = compare(path, library, headers)
            tap.check(not status & ERROR and status & bit and verdict(status, report, library), "it would find " + what,
                      report)


if __name__ == "__main__":
    record(sys.argv[1], sys.argv[2:], RECORD)
