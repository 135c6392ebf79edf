# SPDX-License-Identifier: GPL-2.0-or-later
"""Documents: what they link to and name is there (check_links.py, which also runs alone)."""

import check_links
from source_tree import HouseTest

# What check_links.py reads of every tree.
BASE = {
    "Makefile": "check: ## run\n\ttrue\n",
    "tools/check.py": 'MESON_SUITES = ("core",)\n',
    "docs/testing.md": "`core`\n",
    "hw/display/helix/qemu/edits": "file hw/display/virtio-gpu.c\n",
    "docs/rooms.dot": "digraph {}\n",
    "docs/rooms.svg": "<svg><!-- SHA-256 of another text --></svg>",
    "src/a.c": 'int helix_there; /* docs/page.md */\nadd("/a/b");\n',
    "docs/page.md": "# A page\n\n## Two words\n\n## Two words\n",
}


class Links(HouseTest):
    def found(self, files):
        tree = self.plant(dict(BASE, **files))
        return [problem for name, problems in check_links.findings(tree) if "rooms.svg" not in name for problem in problems]

    def test_project(self):
        self.assertNothingFound([problem for _, problems in check_links.findings(self.project) for problem in problems])

    def test_project_is_read(self):
        self.assertGreater(len(list(check_links.findings(self.project))), 100)

    def test_links(self):
        self.assertFound(self.found({"a.md": "[x](docs/page.md#two-words-1) [y](docs/pages.md)\n[z](docs/page.md#three) [w](https://there.invalid)\n"
                                             "`[v](no.md)`\n\n    [u](no.md)\n"}),
                         ("docs/pages.md", "not there"), ("docs/page.md#three", "no such heading"))

    def test_paths(self):
        self.assertFound(self.found({"a.md": "`a.c`, `src/a.c`, `b.c`, `virtio-gpu.c`\n\n    cat src/none\n"}),
                         ("b.c",), ("src/none",))

    def test_commands(self):
        self.assertFound(self.found({"a.md": "`make check SUITE=core`, `make check SUITE=none`\n\n    make nothing\n"}),
                         ("make nothing",), ("SUITE=none",))

    def test_words(self):
        self.assertFound(self.found({"a.md": "`helix_there`, `helix_gone()`, `/a/b`, `/a/c`, `/dev/null`\n"}), ("helix_gone",), ("/a/c",))

    def test_help(self):
        self.assertFound(self.found({"Makefile": "check: ## run\n\ttrue\nall: check\n"}), ("does not name all",))

    def test_suites(self):
        self.assertFound(self.found({"tools/check.py": 'MESON_SUITES = ("core", "new")\n', "tests/vm/a_b.py": 'if __name__ == "__main__":\n',
                                     "tests/vm/part.py": "\n"}), ("suite new",), ("suite vm-a-b",))

    def test_cited(self):
        self.assertFound(self.found({"src/b.c": "/* docs/gone.md, docs/devel/qemu.rst */\n"}), ("docs/gone.md",))

    def test_picture_of_another_graph(self):
        tree = self.plant(BASE)
        self.assertFound(dict(check_links.findings(tree))["docs/rooms.svg is drawn from docs/rooms.dot"], ("docs/rooms.svg", "make site"))
