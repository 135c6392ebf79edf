# SPDX-License-Identifier: GPL-2.0-or-later
""".clang-format: every C file is as clang-format writes it. The suite lint runs this too."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from source_tree import PROJECT, HouseTest

STYLE = os.path.join(PROJECT, ".clang-format")
AT_ONCE = 30        # files of one clang-format


def c_files(tree):
    return [path for path in tree.files() if path.endswith((".c", ".h"))]


def check_format(tree):
    """The first place of each file that clang-format would change."""
    def look(paths):
        done = subprocess.run(["clang-format", "--style=file:" + STYLE, "--dry-run", "--Werror", *paths], cwd=tree.root,
                              capture_output=True, text=True, check=False)
        places = {}
        for path, line in re.findall(r"^(.+?):(\d+):\d+: error: ", done.stderr, re.M):
            places.setdefault(path, line)
        if done.returncode and not places:
            return ["clang-format ended with %d: %s" % (done.returncode, done.stderr.strip())]
        return ["%s:%s: clang-format -i %s" % (path, line, path) for path, line in places.items()]

    paths = c_files(tree)
    batches = [paths[at:at + AT_ONCE] for at in range(0, len(paths), AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [finding for some in pool.map(look, batches) for finding in some]


class Format(HouseTest):
    def setUp(self):
        if not shutil.which("clang-format") or " 19." not in subprocess.run(["clang-format", "--version"], capture_output=True, text=True,
                                                                            check=True).stdout:
            self.skipTest("there is no clang-format 19: make check SUITE=house runs this in the build root")

    def test_project(self):
        self.assertNothingFound(check_format(self.project))

    def test_project_is_read(self):
        self.assertGreater(len(c_files(self.project)), 350)

    def test_other_style_is_found(self):
        tree = self.plant({"good.c": "int f(int x)\n{\n    return x;\n}\n", "bad.c": "int a;\nint f(int x) {\n  return x;\n}\n",
                           "bad.h": "int  x;\n", "bad.py": "x =  1\n"})
        self.assertFound(check_format(tree), ("bad.c:2:", "clang-format -i bad.c"), ("bad.h:1:",))

    def test_failure_is_found(self):
        tree = self.plant({"a.c": "int a;\n"})
        os.symlink("nowhere", os.path.join(tree.root, "b.c"))
        self.assertFound(check_format(tree), ("ended with",))
