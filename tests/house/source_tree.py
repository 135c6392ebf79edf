# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a source tree, for the checks of the suite house: the project's own tree, or a small one that a test plants."""

import os
import shutil
import subprocess
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_SOURCE = {".git", "out", "__pycache__"}


class SourceTree:
    def __init__(self, root=PROJECT):
        self.root = root

    def files(self, *folders):
        """Paths relative to the root, sorted: what git tracks or would add; every file where there is no repository."""
        if not hasattr(self, "_files"):
            self._files = sorted(self._from_git() or self._from_disk())
        return [path for path in self._files if not folders or path.startswith(tuple(folder + "/" for folder in folders))]

    def _from_git(self):
        if not os.path.exists(os.path.join(self.root, ".git")):
            return None
        # The build root sees the checkout as another user's, which git refuses unless it is told.
        listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                cwd=self.root, capture_output=True, check=False)
        names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
        return [name for name in names if os.path.isfile(os.path.join(self.root, name))]

    def _from_disk(self):
        paths = []
        for top, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in NOT_SOURCE]
            paths += [os.path.relpath(os.path.join(top, name), self.root) for name in names]
        return paths

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def text(self, path):
        """Content of a file, or None if it is not text (UTF-8 without NUL)."""
        with open(os.path.join(self.root, path), "rb") as file:
            data = file.read()
        try:
            return None if b"\0" in data else data.decode()
        except UnicodeDecodeError:
            return None

    def texts(self, *folders):
        """(path, content) of each text file."""
        for path in self.files(*folders):
            text = self.text(path)
            if text is not None:
                yield path, text


class HouseTest(unittest.TestCase):
    """A test case with trees: self.project is the project's own, self.plant() makes one."""
    maxDiff = None
    project = SourceTree()

    def plant(self, files):
        """A tree in a temporary folder. @files: {path: content}."""
        root = tempfile.mkdtemp(prefix="helix-house-")
        self.addCleanup(shutil.rmtree, root)
        for path, content in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        return SourceTree(root)

    def assertNothingFound(self, findings):
        if findings:
            self.fail("%d found:\n%s" % (len(findings), "\n".join(findings)))

    def assertFound(self, findings, *expected):
        """As many findings as @expected, each with the words of its tuple."""
        self.assertEqual(len(findings), len(expected), findings)
        for finding, words in zip(findings, expected):
            for word in words:
                self.assertIn(word, finding)
