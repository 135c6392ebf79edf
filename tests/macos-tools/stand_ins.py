# SPDX-License-Identifier: GPL-2.0-or-later
"""A Mac that is not one: a folder of stand-ins for its programs, a home, a web, and a copy of this project to run scripts in."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STAND_IN = os.path.join(PROJECT, "tests", "macos-tools", "stand-in")
NAMES = ("uname", "xcode-select", "xcrun", "xcodebuild", "brew", "sw_vers", "sysctl", "system_profiler", "scutil", "id", "hostname", "curl",
         "meson", "ninja", "git", "python3", "pip", "zstd", "codesign", "hdiutil", "gh", "sudo")
USER = "jane"

sys.path.insert(0, os.path.join(PROJECT, "tests", "integrate"))
from test_integrate import SMALL_TREE      # noqa: E402


class MacTest(unittest.TestCase):
    maxDiff = None
    latency = os.path.join(PROJECT, "tests", "macos-tools", "latency-stand-in")
    project_parts = ("tools", "qemu", "hw", "tests/macos", "packaging/homebrew")

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="helix-mac-")
        self.addCleanup(shutil.rmtree, self.top)
        self.folder = self.path("mac")
        self.project = self.path("project")
        self.home = self.path("Users", USER)
        for path in (os.path.join(self.folder, "bin"), os.path.join(self.folder, "web"), self.home, self.path("tmp")):
            os.makedirs(path)
        for name in NAMES:
            self.put_stand_in(name)
        for part in self.project_parts:
            if os.path.isdir(os.path.join(PROJECT, part)):
                shutil.copytree(os.path.join(PROJECT, part), os.path.join(self.project, part), ignore=shutil.ignore_patterns("__pycache__"))

    def path(self, *names):
        return os.path.join(self.top, *names)

    def put(self, name, script):
        """Let the Mac have a program @name that does this."""
        path = os.path.join(self.folder, "bin", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n%s\n" % script)
        os.chmod(path, 0o755)

    def put_stand_in(self, name):
        self.put(name, 'exec "%s" -B -I -S "%s" "%s" "$@"' % (sys.executable, STAND_IN, name))

    def write(self, name, *lines):
        """Conditions for the stand-ins: one a line."""
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    def calls(self):
        with open(os.path.join(self.folder, "calls"), encoding="utf-8") as file:
            return file.read().splitlines()

    def remove(self, name):
        """The Mac has no program @name."""
        os.unlink(os.path.join(self.folder, "bin", name))

    def environment(self, **more):
        # Only what a Mac has too: the root's own brew, meson or ninja must not be found.
        system = self.path("system")
        if not os.path.isdir(system):
            os.makedirs(system)
            for name in ("sh", "bash", "env", "tar", "gzip", "dirname", "basename", "mkdir", "rm", "cp", "mv", "cat", "tee", "grep", "sort", "sed",
                         "head", "tail", "printf", "ls", "test", "true", "false", "patch", "df", "awk", "touch", "date", "find", "xargs", "tr",
                         "chmod", "ln", "wc", "cmp", "sleep", "pwd", "readlink", "uniq", "cut"):
                found = shutil.which(name)
                if found:
                    os.symlink(found, os.path.join(system, name))
        return dict({"PATH": os.path.join(self.folder, "bin") + ":" + system, "HOME": self.home, "USER": USER, "LOGNAME": USER,
                     "STAND_IN_FOLDER": self.folder, "TMPDIR": self.path("tmp"), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                     "STAND_IN_LATENCY": self.latency}, **more)

    def run_script(self, *argv, cwd=None, **more):
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              cwd=cwd or self.project, env=self.environment(**more), timeout=240)

    def put_qemu_on_the_web(self, version="10.0.2", name=None, files=None):
        """An archive of the small tree that qemu/integrate takes, with a configure; its SHA-256."""
        path = os.path.join(self.folder, "web", name or "qemu-%s.tar.xz" % version)
        tree = self.path("archive", "qemu-" + version)
        for file, text in dict(SMALL_TREE, configure="#!/bin/sh\necho \"configure $*\" >>\"$STAND_IN_FOLDER/calls\"\n"
                               "if [ -e \"$STAND_IN_FOLDER/fail\" ] && grep -q opengl-fails \"$STAND_IN_FOLDER/fail\"; then\n"
                               "case \"$*\" in *--enable-opengl*) echo 'epoxy without EGL' >&2; exit 1 ;; esac; fi\n"
                               "if [ -e \"$STAND_IN_FOLDER/fail\" ] && grep -q configure-fails \"$STAND_IN_FOLDER/fail\"; then exit 1; fi\n",
                               **(files or {})).items():
            os.makedirs(os.path.dirname(os.path.join(tree, file)), exist_ok=True)
            with open(os.path.join(tree, file), "w", encoding="utf-8") as out:
                out.write(text)
        os.chmod(os.path.join(tree, "configure"), 0o755)
        with tarfile.open(path, "w:gz") as tar:
            tar.add(tree, "qemu-" + version)
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def put_guest(self, path):
        """An archive as the workflow makes it; the stand-in of zstd leaves it as it is."""
        for name in ("kernel", "image", "initrd", "payload"):
            os.makedirs(self.path("guest", "macos-guest"), exist_ok=True)
            with open(self.path("guest", "macos-guest", name), "w", encoding="utf-8") as file:
                file.write(name)
        with tarfile.open(path, "w") as tar:
            tar.add(self.path("guest", "macos-guest"), "macos-guest")
        return path
