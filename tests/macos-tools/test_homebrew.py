#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""packaging/homebrew: the tap that make-tap makes, its formula's syntax, and its install with a stand-in for Homebrew (formula.rb)."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from pycotap import LogMode, TAPTestRunner

from stand_ins import PROJECT, SMALL_TREE

sys.path.insert(0, os.path.join(PROJECT, "tools", "mac"))
import build_qemu      # noqa: E402

HERE = os.path.join(PROJECT, "tests", "macos-tools")


def run(*argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL, **options)


@unittest.skipUnless(shutil.which("ruby"), "there is no ruby")
class Tap(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="helix-tap-")
        self.addCleanup(shutil.rmtree, self.top)
        self.project = os.path.join(self.top, "project")
        for part in ("packaging/homebrew", "hw", "qemu"):
            shutil.copytree(os.path.join(PROJECT, part), os.path.join(self.project, part), ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("COPYING", "COPYING.LESSER"):
            shutil.copy(os.path.join(PROJECT, name), self.project)
        self.commit()
        self.tap = os.path.join(self.top, "tap")

    def commit(self):
        for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--allow-empty", "-m", "x"]):
            done = run("git", "-C", self.project, "-c", "user.name=x", "-c", "user.email=x@localhost", *command)
            self.assertEqual(done.returncode, 0, done.stdout)

    def make(self, folder=None, status=0):
        done = run(os.path.join(self.project, "packaging/homebrew/make-tap"), folder or self.tap)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def formula(self):
        return os.path.join(self.tap, "Formula", "qemu-helix.rb")

    def install(self, *fail):
        tree = os.path.join(self.top, "qemu")
        shutil.rmtree(tree, ignore_errors=True)
        for name, text in SMALL_TREE.items():
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            with open(os.path.join(tree, name), "w", encoding="utf-8") as file:
                file.write(text)
        return tree, run("ruby", os.path.join(HERE, "formula.rb"), self.formula(), tree, *fail)

    def test_syntax(self):
        self.make()
        for path in (self.formula(), os.path.join(PROJECT, "packaging/homebrew/qemu-helix.rb"), os.path.join(HERE, "formula.rb")):
            done = run("ruby", "-wc", path)
            self.assertEqual((done.returncode, done.stdout), (0, "Syntax OK\n"))

    def test_syntax_errors_are_found(self):
        self.make()
        with open(self.formula(), "a", encoding="utf-8") as file:
            file.write("end\n")
        self.assertNotEqual(run("ruby", "-wc", self.formula()).returncode, 0)

    def test_tap(self):
        self.make()
        with open(self.formula(), encoding="utf-8") as file:
            text = file.read()
        path, digest = re.search(r'url "file://(.+)"\n\s+sha256 "([0-9a-f]{64})"', text).groups()
        with open(path, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest)
        self.assertNotRegex(text, r'url "@|sha256 "@')
        self.assertEqual(run("git", "-C", self.tap, "ls-files").stdout, "Formula/qemu-helix.rb\n")
        self.assertEqual(run("git", "-C", self.tap, "status", "--porcelain", "--untracked-files=no").stdout, "")

    def test_same_qemu_as_the_report(self):
        with open(os.path.join(PROJECT, "packaging/homebrew/qemu-helix.rb"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn('url "%s"' % build_qemu.URL, text)
        self.assertIn('sha256 "%s"' % build_qemu.SHA256, text)

    def test_install(self):
        self.make()
        tree, done = self.install()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("QemuHelix " + build_qemu.URL, done.stdout)
        self.assertIn("QEMU 10.0.2): integrated", done.stdout)
        self.assertTrue(os.path.exists(os.path.join(tree, "hw/display/helix/helix-frame-export.h")))
        self.assertFalse(os.path.exists(os.path.join(tree, "hw/display/helix/measure")))
        self.assertRegex(done.stdout, r"system \.\./configure .*--disable-opengl.*--enable-cocoa")
        self.assertIn("system ninja install", done.stdout)
        self.assertIn("test refuses another QEMU", done.stdout)

    def test_failures_end_the_install(self):
        self.make()
        for command in ("../configure", "ninja", "python3.13"):
            done = self.install(command)[1]
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("failed: " + command, done.stdout)

    def test_another_archive_is_refused(self):
        self.make()
        for name in os.listdir(self.tap):
            if name.endswith(".tar"):
                with open(os.path.join(self.tap, name), "ab") as file:
                    file.write(b"x")
        self.assertIn("another digest", self.install()[1].stdout)

    def test_again_after_a_commit(self):
        self.make()
        first = run("git", "-C", self.tap, "rev-parse", "HEAD").stdout
        self.make()         # nothing new is no error
        with open(os.path.join(self.project, "qemu", "new"), "w", encoding="utf-8") as file:
            file.write("x\n")
        self.commit()
        self.make()
        self.assertNotEqual(run("git", "-C", self.tap, "rev-parse", "HEAD").stdout, first)

    def test_other_folders_are_left_alone(self):
        full = os.path.join(self.top, "full")
        os.makedirs(os.path.join(full, "sub"))
        self.assertIn("no tap of this program's", self.make(full, status=1))
        self.assertIn("a blank", self.make(os.path.join(self.top, "a b"), status=1))


if __name__ == "__main__":
    sys.exit(not TAPTestRunner(LogMode.LogToDiagnostics, LogMode.LogToDiagnostics).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])).wasSuccessful())
