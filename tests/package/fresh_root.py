# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 13 with nothing of ours, into which apt installs the packages as a user's does: what they depend on is found, and is enough."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import build
from steps import LOGS

SOURCES = "/etc/apt/sources.list"       # tools/make-root's mirror


@contextmanager
def fresh_root(packages, *more):
    """(path of the root, what apt said). Installs the files @packages, and the archive's packages @more, without what these recommend."""
    root = os.path.join(build.BUILDS, "fresh-root")
    names = " ".join("/tmp/" + os.path.basename(path) for path in packages)
    install = 'chroot "$1" apt-get -q -y install --no-install-recommends %s %s' % (names, " ".join(more))
    argv = ["mmdebstrap", "--mode=root", "--variant=apt", '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "3"',
            "--customize-hook=copy-in %s /tmp" % " ".join(packages), "--customize-hook=" + install, "trixie", root, SOURCES]
    log = os.path.join(LOGS, "fresh-root.log")
    shutil.rmtree(root, ignore_errors=True)
    try:
        with open(log, "wb") as file:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=300, check=False)
        with open(log, errors="replace") as file:
            yield (root if done.returncode == 0 else None), file.read()[-2000:]
    finally:
        shutil.rmtree(root, ignore_errors=True)
