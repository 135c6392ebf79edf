# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
"""The recipes for Fedora and Arch Linux, with rpmbuild and makepkg of Debian 13 and against its libraries: both build, every file that is
installed is in one of their packages, and the linters find nothing wrong. Names of packages that the recipes depend on are not looked up: no
archive of those distributions is at hand."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import deb
from deb_amd64 import output
from steps import LOGS, TREE, Failed
from tap import Tap

NOBODY = 65534
SPEC = os.path.join(TREE, "packaging", "fedora", "helix-guest.spec")
PKGBUILD = os.path.join(TREE, "packaging", "arch", "PKGBUILD")

# What Fedora's packages of meson and systemd add to rpm, as far as the recipe uses it (data/macros.meson of meson,
# src/rpm/macros.systemd of systemd).
MACROS = {
    "meson": "meson setup --buildtype=plain --prefix=%{_prefix} --libdir=%{_libdir} --mandir=%{_mandir} --wrap-mode=nodownload "
             ". redhat-linux-build",
    "meson_build": "meson compile -C redhat-linux-build --verbose",
    "meson_install": "DESTDIR=%{buildroot} meson install -C redhat-linux-build --no-rebuild",
    "_environmentdir": "/usr/lib/environment.d", "_userunitdir": "/usr/lib/systemd/user",
    "systemd_user_post": "%{nil}", "systemd_user_preun": "%{nil}", "dist": ".fc42", "_libdir": "/usr/lib64", "debug_package": "%{nil}"}
RPMS = {"helix-guest": ("/usr/bin/helix-screencast", "/usr/lib64/gstreamer-1.0/libgstvsockenc.so"),
        "helix-va-driver": ("/usr/lib64/dri/helix_drv_video.so", "/usr/lib/environment.d/60-helix-va-driver.conf"),
        "libhelix-client": ("/usr/lib64/libhelix-client.so.0",),
        "libhelix-client-devel": ("/usr/include/helix-client.h", "/usr/lib64/pkgconfig/helix-client.pc")}
PACMAN = {"helix-guest": ("usr/bin/helix-screencast", "usr/lib/gstreamer-1.0/libgstvsockenc.so"),
          "helix-va-driver": ("usr/lib/dri/helix_drv_video.so", "usr/lib/environment.d/60-helix-va-driver.conf"),
          "libhelix-client": ("usr/lib/libhelix-client.so.0", "usr/include/helix-client.h")}


def logged(name, *argv, **options):
    """(whether it succeeded, the end of what it said); all of it is in out/log."""
    path = os.path.join(LOGS, name + ".log")
    os.makedirs(LOGS, exist_ok=True)
    with open(path, "wb") as log:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=300, check=False, **options)
    with open(path, errors="replace") as log:
        return done.returncode == 0, log.read()[-2500:]


def check_packages(tap, title, found, wanted):
    """@found: {package: its files}."""
    missing = {name: [path for path in paths if path not in found.get(name, ())] for name, paths in wanted.items()}
    tap.check(set(found) == set(wanted) and not any(missing.values()), title + ": each package has its files", found)


# ---- Fedora ----

def version_of(spec):
    with open(spec) as file:
        return re.search(r"^Version:\s*(\S+)", file.read(), re.M).group(1)


def check_fedora(tap, folder):
    top = os.path.join(folder, "rpm")
    name = "helix-guest-" + version_of(SPEC)
    deb.make_source(os.path.join(folder, name))
    os.makedirs(os.path.join(top, "SOURCES"))
    subprocess.run(["tar", "-C", folder, "-czf", os.path.join(top, "SOURCES", name + ".tar.gz"), name], check=True)
    definitions = [word for item in MACROS.items() for word in ("--define", "%s %s" % item)]
    done, said = logged("rpmbuild", "rpmbuild", "-bb", "--nodeps", "--define", "_topdir " + top, *definitions, SPEC)
    if not tap.check(done, "Fedora: rpmbuild makes the packages, and no file is left over", said):
        return
    found = {}
    for path in glob.glob(os.path.join(top, "RPMS", "*", "*.rpm")):
        found[output("rpm", "-qp", "--qf", "%{NAME}", path)[1]] = output("rpm", "-qlp", path)[1].split()
    check_packages(tap, "Fedora", found, RPMS)
    said = output("rpmlint", "-r", SPEC.replace(".spec", ".rpmlintrc"), SPEC)[1]
    tap.check(re.search(r" 0 errors, 0 warnings", said), "Fedora: rpmlint finds nothing in the recipe", said)


# ---- Arch Linux ----

def check_arch(tap, folder):
    """makepkg wants an ordinary user, and writes beside its recipe."""
    tree = os.path.join(folder, "arch")
    deb.make_source(tree)
    place = os.path.join(tree, "packaging", "arch")
    os.makedirs(place)
    shutil.copy(PKGBUILD, place)
    for top, folders, files in os.walk(tree):
        for one in [".", *folders, *files]:
            os.chown(os.path.join(top, one), NOBODY, NOBODY, follow_symlinks=False)
    environment = dict(os.environ, HOME=place, PKGEXT=".pkg.tar", PKGDEST=place,
                       CCACHE_DISABLE="1", PACMAN="true")     # pacman lists what is installed, and would install what is missing
    done, said = logged("makepkg", "makepkg", "--nodeps", cwd=place, env=environment, user=NOBODY, group=NOBODY, extra_groups=())
    if not tap.check(done, "Arch: makepkg makes the packages", said):
        return
    found = {}
    for path in glob.glob(os.path.join(place, "*.pkg.tar")):
        name = re.sub(r"-[^-]+-\d+-\w+\.pkg\.tar$", "", os.path.basename(path))
        found[name] = output("bsdtar", "-tf", path)[1].split()
    check_packages(tap, "Arch", {name: files for name, files in found.items() if not name.endswith("-debug")}, PACMAN)
    whole = os.path.join(place, "src", "whole")
    left = [os.path.join(top, one) for top, _, files in os.walk(whole) for one in files]
    tap.check(not left, "Arch: every file that is installed is in a package", left)
    status, said = output("shellcheck", PKGBUILD)
    tap.check(status == 0, "Arch: shellcheck finds nothing in the recipe", said)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        check_fedora(tap, folder)
        check_arch(tap, folder)
    return tap.end()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed:
        sys.exit(1)
