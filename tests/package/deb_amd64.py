# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's packages for amd64: what is in them, what they ask for, that plugin, command, unit and library can be used as they are,
and that apt installs them in a system that has nothing else of ours. (The suite vm-screencast installs them in a guest.)"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import deb
from fresh_root import fresh_root
from steps import Failed
from tap import Tap

MACHINE = "x86_64-linux-gnu"
DOCUMENTS = {"changelog.gz", "copyright"}
VA_ENVIRONMENT = "usr/lib/environment.d/60-helix-va-driver.conf"
GENERATOR = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
FILES = {
    "helix-guest": {
        "usr/bin/helix-screencast", "usr/lib/%s/gstreamer-1.0/libgstvsockenc.so",
        "usr/lib/systemd/user/helix-screencast.service", "usr/share/doc/helix-guest/guest.md",
        "usr/share/doc/helix-guest/pipelines.md", "usr/share/doc/helix-guest/screencast.md",
        "usr/share/doc/helix-guest/troubleshooting.md", "usr/share/doc/helix-guest/environment.example",
        "usr/share/doc/helix-guest/vsockenc.md", "usr/share/man/man1/helix-screencast.1.gz"},
    "libhelix-client0": {"usr/lib/%s/libhelix-client.so.0", "usr/lib/%s/libhelix-client.so.0.1.0"},
    "libhelix-client-dev": {
        "usr/include/helix-client.h", "usr/include/helix-client-gpu.h", "usr/include/helix-client-snapshot.h",
        "usr/lib/%s/libhelix-client.so", "usr/lib/%s/pkgconfig/helix-client.pc",
        "usr/share/doc/libhelix-client-dev/examples/film-resource.c",
        "usr/share/doc/libhelix-client-dev/examples/helix_client.py", "usr/share/man/man3/helix-client.3.gz"},
    "helix-va-driver": {"usr/lib/%s/dri/helix_drv_video.so", VA_ENVIRONMENT, "usr/share/doc/helix-va-driver/README.md",
                        "usr/share/doc/helix-va-driver/va-driver.md"}}
DEPENDS = {
    "helix-guest": {"gstreamer1.0-pipewire", "libc6", "libglib2.0-0t64", "libgstreamer-plugins-base1.0-0",
                    "libgstreamer1.0-0", "libhelix-client0"},
    "libhelix-client0": {"libc6", "libdrm2", "libglib2.0-0t64"},
    "libhelix-client-dev": {"libdrm-dev", "libglib2.0-dev", "libhelix-client0"},
    "helix-va-driver": {"libc6", "libglib2.0-0t64", "libhelix-client0", "libva2"}}


def output(*argv, env=None):
    """(status, what it said)."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env)
    return done.returncode, done.stdout


def files_in(folder):
    return {os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names}


def check_contents(tap, packages, machine, folder):
    """Unpack @packages to @folder and compare what is in each; the same for every architecture."""
    for name, path in packages.items():
        before = files_in(folder)
        subprocess.run(["dpkg-deb", "-x", path, folder], check=True)
        wanted = {file.replace("%s", machine) for file in FILES[name]}
        wanted |= {"usr/share/doc/%s/%s" % (name, file) for file in DOCUMENTS}
        found = files_in(folder) - before
        tap.check(found == wanted, name + " has its files and no others", "too much: %s, missing: %s" % (
            found - wanted, wanted - found))
        field = output("dpkg-deb", "-f", path, "Depends")[1]
        names = set(re.findall(r"(?:^|, )([a-z0-9.+-]+)", field))
        tap.check(names == DEPENDS[name], name + " depends on what it is linked with, and what it is used with", field)


def check_development(tap, machine, folder):
    """The example of libhelix-client-dev, compiled with what the packages in @folder have."""
    example = os.path.join(folder, "usr/share/doc/libhelix-client-dev/examples/film-resource.c")
    libraries, program = os.path.join(folder, "usr/lib", machine), os.path.join(folder, "film-resource")
    status, text = output("pkg-config", "--cflags", "--libs", "helix-client",
                          env=dict(os.environ, PKG_CONFIG_PATH=os.path.join(libraries, "pkgconfig")))
    tap.check(status == 0 and "-lhelix-client" in text, "pkg-config helix-client", text)
    # It says where the library will be once installed.
    status, text = output("cc", example, "-o", program, "-I" + os.path.join(folder, "usr/include"), "-L" + libraries,
                          *text.split())
    tap.check(status == 0, "the example compiles", text)
    status, text = output(program, env=dict(os.environ, LD_LIBRARY_PATH=libraries))
    tap.check(status == 2 and "usage" in text, "and starts", text)


def check_environment(tap, folder):
    """What systemd makes of the driver's environment.d file, here as a user's own."""
    home = os.path.join(folder, "home")
    mine = os.path.join(home, ".config/environment.d")
    os.makedirs(mine)
    shutil.copy(os.path.join(folder, VA_ENVIRONMENT), mine)
    status, text = output(GENERATOR, env={"HOME": home, "PATH": os.environ["PATH"]})
    tap.check(status == 0 and {"LIBVA_DRIVER_NAME=helix", "GST_VA_ALL_DRIVERS=1"} <= set(text.splitlines()),
              "systemd reads the driver's variables for the session", text)


def check_driver_fields(tap, package):
    """Beside Mesa's driver: it claims nothing of another package."""
    fields = output("dpkg-deb", "-f", package, "Provides", "Conflicts", "Breaks", "Replaces")[1]
    tap.check(not fields.strip(), "helix-va-driver takes no other package's place", fields)


def check_installed(tap, packages):
    chosen = [path for name, path in packages.items() if name in ("libhelix-client0", "helix-va-driver")]
    with fresh_root(chosen) as (root, said):
        if not tap.check(root, "apt installs the driver in a new Debian 13", said):
            return
        driver = "/usr/lib/%s/dri/helix_drv_video.so" % MACHINE
        status, text = output("chroot", root, "ldd", "-r", driver)
        tap.check(status == 0 and "not found" not in text and "undefined" not in text and "libhelix-client.so.0" in text,
                  "every library and symbol of the driver is there", text)
        status, text = output("chroot", root, "sh", "-c", "set -a; . /%s; env" % VA_ENVIRONMENT)
        tap.check(status == 0 and "LIBVA_DRIVER_NAME=helix\n" in text, "a shell reads its variables too", text)
        status, text = output("chroot", root, "sh", "-c", "dpkg --audit; apt-get -q -y purge helix-va-driver")
        left = [name for name in (driver, "/" + VA_ENVIRONMENT) if os.path.exists(root + name)]
        tap.check(status == 0 and not left, "and it can be removed", "%s\n%s" % (left, text))


def main():
    tap = Tap()
    packages = deb.make("amd64")
    with tempfile.TemporaryDirectory() as folder:
        check_contents(tap, packages, MACHINE, folder)
        check_development(tap, MACHINE, folder)
        check_driver_fields(tap, packages["helix-va-driver"])
        check_environment(tap, folder)
        check_installed(tap, packages)
        plugins = os.path.join(folder, "usr/lib", MACHINE, "gstreamer-1.0")
        environment = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(plugins), GST_PLUGIN_PATH=plugins,
                           GST_REGISTRY=os.path.join(folder, "registry"))
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
