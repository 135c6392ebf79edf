# SPDX-License-Identifier: GPL-2.0-or-later
"""What a report says of a Mac, and what it must not say of its user."""

import getpass
import os
import re
import subprocess

NOT_SAID = "not known"


def ask(*argv, lines=1, path=None):
    """The first @lines lines that a command prints; NOT_SAID if it fails or says nothing."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60,
                              check=True, cwd=path)
    except (OSError, subprocess.SubprocessError):
        return NOT_SAID
    text = done.stdout.decode(errors="replace").strip()
    return "\n".join(text.splitlines()[:lines]) or NOT_SAID


def memory():
    size = ask("sysctl", "-n", "hw.memsize")
    return "%d GiB" % (int(size) >> 30) if size.isdigit() else size


def metal():
    """The chips that draw and their Metal, from a list that also names the displays: only these two lines are taken."""
    text = ask("system_profiler", "SPDisplaysDataType", lines=400)
    found = re.findall(r"^\s*(?:Chipset Model|Metal Support|Metal Family): *(.+)$", text, re.M)
    return ", ".join(found) or NOT_SAID


def machine(tree):
    """(name, value) of each fact, for the report."""
    return [
        ("model", ask("sysctl", "-n", "hw.model")),
        ("chip", ask("sysctl", "-n", "machdep.cpu.brand_string")),
        ("processors", ask("sysctl", "-n", "hw.ncpu")),
        ("memory", memory()),
        ("graphics", metal()),
        ("virtual machine", {"1": "yes", "0": "no"}.get(ask("sysctl", "-n", "kern.hv_vmm_present"), NOT_SAID)),
        ("macOS", "%s (%s)" % (ask("sw_vers", "-productVersion"), ask("sw_vers", "-buildVersion"))),
        ("SDK", ask("xcrun", "--show-sdk-version")),
        ("compiler", ask("xcrun", "clang", "--version")),
        ("Homebrew", ask("brew", "--version")),
        ("project", ask("git", "describe", "--always", "--dirty", path=tree)),
    ]


def file_name(facts):
    """mac-report-MODEL-MACOS.txt."""
    known = dict(facts)
    words = (known["model"], known["macOS"].split(" ")[0])
    return "mac-report-%s.txt" % "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", word) for word in words)


class Scrubber:
    """Takes out of a text what tells of its user: names, home and addresses."""

    def __init__(self):
        home = os.path.expanduser("~")
        found = [(home, "~"), (os.path.realpath(home), "~"), (os.environ.get("TMPDIR", "").rstrip("/"), "$TMPDIR")]
        paths = sorted({pair for pair in found if len(pair[0]) > 1}, key=lambda pair: -len(pair[0]))
        self.pairs = [(re.compile(re.escape(path)), word) for path, word in paths]
        names = [(getpass.getuser(), "USER"), (ask("id", "-F"), "USER")]
        names += [(ask("scutil", "--get", name), "COMPUTER") for name in ("ComputerName", "LocalHostName", "HostName")]
        names += [(ask("hostname"), "COMPUTER"), (ask("hostname", "-s"), "COMPUTER")]
        for name, word in sorted(set(names), key=lambda pair: -len(pair[0])):
            if name not in (NOT_SAID, "localhost") and len(name) > 1:
                self.pairs.append((re.compile(r"(?<![A-Za-z0-9])%s(?![A-Za-z0-9])" % re.escape(name), re.I), word))
        self.pairs += [
            (re.compile(r"/Users/[^/\s'\":]+"), "/Users/user"),
            (re.compile(r"/(?:private/)?var/folders/[\w+]+/[\w+]+"), "$TMPDIR"),
            (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "ADDRESS"),
            (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.I), "ADDRESS"),
            (re.compile(r"\b(?!127\.)(?!0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}\b"), "ADDRESS"),
            (re.compile(r"\b[0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12}\b", re.I), "UUID"),
        ]

    def scrub(self, text):
        for pattern, word in self.pairs:
            text = pattern.sub(word.replace("\\", r"\\"), text)
        return text
