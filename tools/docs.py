# SPDX-License-Identifier: GPL-2.0-or-later
"""make site: the documents as a static site in out/site, from docs/ by mkdocs, and the picture of the rooms.

docs/rooms.svg is kept in the tree, so that it is seen where the Markdown is read. It carries the SHA-256 of the text it was drawn
from, docs/rooms.dot, and is drawn again when that changes; tests/house/check_links.py compares the two. The picture leaves
out arrows that follow from others (tred).
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess

from steps import OUT, TREE, Step, StepError, host_path, say

DOCS = os.path.join(TREE, "docs")
SITE = os.path.join(OUT, "site")


def draw():
    """Draw docs/rooms.svg if it was not drawn from docs/rooms.dot as it is."""
    with open(os.path.join(DOCS, "rooms.dot"), "rb") as file:
        source = file.read()
    picture = os.path.join(DOCS, "rooms.svg")
    mark = "<!-- SPDX-License-Identifier: GPL-2.0-or-later; drawn from rooms.dot, SHA-256 %s -->\n" % hashlib.sha256(source).hexdigest()
    if os.path.exists(picture):
        with open(picture, encoding="utf-8") as file:
            if mark in file.read():
                return
    # The labels of edges fall away with the arrows that tred removes, not the arrows' meaning.
    reduced = subprocess.run(["tred"], input=source, capture_output=True, check=True).stdout
    drawn = subprocess.run(["dot", "-Tsvg"], input=reduced, capture_output=True, check=True).stdout.decode()
    drawn = re.sub(r"<!--.*?-->\n?", "", drawn, flags=re.S)
    with open(picture, "w", encoding="utf-8") as file:
        file.write(drawn.replace("<svg ", mark + "<svg ", 1))


def command(site):
    """mkdocs into the folder @site. (With --quiet it counts no warnings, and --strict would let all pass.)"""
    return ["mkdocs", "build", "--strict", "--config-file", os.path.join(TREE, "mkdocs.yml"), "--site-dir", site]


def loaded_from_web(site):
    """"page: element" for each element of a page that is loaded from the web: a machine without it would not see the page."""
    for path in sorted(glob.glob(os.path.join(site, "**", "*.html"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            for found in re.findall(r'<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*', file.read()):
                yield "%s: %s" % (os.path.relpath(path, site), found)


def run():
    with Step("picture of the rooms"):
        draw()
    with Step("site of the documents", "site") as step:
        shutil.rmtree(SITE, ignore_errors=True)
        step.run(command(SITE))
        for found in loaded_from_web(SITE):
            raise StepError("loaded from the web: " + found)
    say("   " + host_path(os.path.join(SITE, "index.html")))
