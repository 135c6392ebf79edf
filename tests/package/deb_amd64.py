# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's package for amd64: what is in it, what it asks for, and that its plugin, command and unit can be used as
they are. (The suite vm-screencast installs it in a guest.)"""

import os
import re
import subprocess
import sys
import tempfile

import deb
from steps import Failed
from tap import Tap

MACHINE = "x86_64-linux-gnu"
FILES = {"usr/bin/helix-screencast", "usr/lib/%s/libhelix-client.so.0", "usr/lib/%s/libhelix-client.so.0.1.0",
         "usr/lib/%s/libhelix-client.so", "usr/lib/%s/pkgconfig/helix-client.pc", "usr/include/helix-client.h",
         "usr/lib/%s/gstreamer-1.0/libgstvsockenc.so",
         "usr/lib/systemd/user/helix-screencast.service", "usr/share/doc/helix-guest/guest.md",
         "usr/share/doc/helix-guest/pipelines.md", "usr/share/doc/helix-guest/screencast.md",
         "usr/share/doc/helix-guest/troubleshooting.md", "usr/share/doc/helix-guest/changelog.gz",
         "usr/share/doc/helix-guest/copyright", "usr/share/doc/helix-guest/environment.example",
         "usr/share/doc/helix-guest/vsockenc.md", "usr/share/man/man1/helix-screencast.1.gz"}
DEPENDS = {"gstreamer1.0-pipewire", "libc6", "libdrm2", "libglib2.0-0t64", "libgstreamer-plugins-base1.0-0",
           "libgstreamer1.0-0"}


def output(*argv, env=None):
    """(status, what it said)."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env)
    return done.returncode, done.stdout


def files_in(folder):
    return {os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names}


def check_contents(tap, package, machine, folder):
    """Unpack @package to @folder and compare what is in it; the same for every architecture."""
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    wanted = {name.replace("%s", machine) for name in FILES}
    found = files_in(folder)
    tap.check(found == wanted, "the package has its files and no others", "too much: %s, missing: %s" % (
        found - wanted, wanted - found))
    field = output("dpkg-deb", "-f", package, "Depends")[1]
    names = set(re.findall(r"(?:^|, )([a-z0-9.+-]+)", field))
    tap.check(names == DEPENDS, "it depends on what it is linked with, and on PipeWire's plugin", field)


def main():
    tap = Tap()
    package = deb.make("amd64")
    with tempfile.TemporaryDirectory() as folder:
        check_contents(tap, package, MACHINE, folder)
        plugins = os.path.join(folder, "usr/lib", MACHINE, "gstreamer-1.0")
        environment = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(plugins), GST_PLUGIN_PATH=plugins, GST_REGISTRY=os.path.join(folder, "registry"))
        status, text = output("gst-inspect-1.0", "vsockenc", env=environment)
        tap.check(status == 0 and plugins in text and "bitrate" in text, "gst-inspect-1.0 vsockenc", text)
        status, text = output(os.path.join(folder, "usr/bin/helix-screencast"), "--version")
        tap.check(status == 0 and text.startswith("helix-screencast "), "helix-screencast --version", text)
        # Its program is where the package puts it, not in this root.
        unit = os.path.join(folder, "usr/lib/systemd/user/helix-screencast.service")
        with open(unit) as file:
            written = file.read()
        tap.check("ExecStart=/usr/bin/helix-screencast " in written, "the unit runs the package's program", written)
        with open(unit, "w") as file:
            file.write(written.replace("/usr/bin/helix-screencast", folder + "/usr/bin/helix-screencast"))
        status, text = output("systemd-analyze", "--user", "--man=no", "verify", unit,
                              env=dict(os.environ, XDG_RUNTIME_DIR=folder))
        tap.check(status == 0 and not text.strip(), "systemd-analyze finds nothing wrong with the unit", text)
    return tap.end()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed:
        sys.exit(1)
