# SPDX-License-Identifier: GPL-2.0-or-later
"""The site of the documents (`make site`): mkdocs finds nothing to warn of, and no page needs the web."""

import os
import shutil
import subprocess
import sys
import tempfile

from source_tree import PROJECT, HouseTest

sys.path.insert(0, os.path.join(PROJECT, "tools"))
import docs     # noqa: E402


class Site(HouseTest):
    def folder(self):
        folder = tempfile.mkdtemp(prefix="helix-site-")
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def test_project(self):
        if not shutil.which("mkdocs"):
            self.skipTest("there is no mkdocs: make check SUITE=house runs this in the build root")
        site = self.folder()
        done = subprocess.run(docs.command(site), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(os.path.exists(os.path.join(site, "index.html")))
        self.assertTrue(os.path.exists(os.path.join(site, "rooms.svg")))
        self.assertNothingFound(list(docs.loaded_from_web(site)))

    def test_web_is_found(self):
        site = self.folder()
        with open(os.path.join(site, "a.html"), "w", encoding="utf-8") as file:
            file.write('<a href="https://there.invalid">fine</a><script async src="https://there.invalid/x.js"></script>\n'
                       '<link rel="stylesheet" href="//there.invalid/x.css"><img src="x.png">')
        self.assertFound(list(docs.loaded_from_web(site)), ("a.html", "x.js"), ("a.html", "x.css"))
