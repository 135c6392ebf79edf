# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of npm in the cache. tools/npm-fetch, outside of the root, has npm download their archives; here they are unpacked if their hash
is the one in packages.npm."""

import base64
import hashlib
import os
import shutil
import tarfile

from steps import CACHE, TREE, Step, StepError, locked

LIST = os.path.join(TREE, "tools", "packages.npm")


class Unavailable(Exception):
    """The package cannot be had now; the message says why."""


def listed(name):
    """(version, hash) of package @name."""
    with open(LIST) as file:
        for line in file:
            words = line.split()
            if words and words[0] == name:
                return words[1], words[2]
    raise StepError("tools/packages.npm has no package %s" % name)


def unpack(archive, integrity, folder):
    """Unpack @archive to @folder, which is not there yet, if its hash is @integrity; an archive with another one is removed."""
    with open(archive, "rb") as file:
        digest = hashlib.sha512(file.read()).digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != integrity:
        os.unlink(archive)
        raise StepError("npm's %s has another hash than in tools/packages.npm: %s, not %s" % (os.path.basename(archive), found, integrity))
    new = folder + ".new"
    shutil.rmtree(new, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(new, filter="data")
    os.rename(os.path.join(new, "package"), folder)
    shutil.rmtree(new)
    os.unlink(archive)


def package(name):
    """The folder of the unpacked package @name; Unavailable if npm could not download it."""
    version, integrity = listed(name)
    base = "%s-%s" % (name.split("/")[-1], version)
    store = os.path.join(CACHE, "npm")
    folder = os.path.join(store, base)
    os.makedirs(store, exist_ok=True)
    with locked(os.path.join(store, "lock"), "npm's packages in the cache"):
        if not os.path.isdir(folder):
            if not os.path.exists(folder + ".tgz"):
                raise Unavailable("npm's package %s %s is not in the cache: %s" % (name, version, why_missing(folder)))
            with Step("unpack npm's package %s %s" % (name, version), "npm"):
                unpack(folder + ".tgz", integrity, folder)
    return folder


def why_missing(folder):
    try:
        with open(folder + ".missing") as file:
            return file.readline().strip()
    except OSError:
        return "tools/npm-fetch has not been run"
