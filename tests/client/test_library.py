# SPDX-License-Identifier: GPL-2.0-or-later
"""libhelix-client as another program takes it: installed, found by pkg-config, linked by the example, which films a
resource of the real host. The library's binary interface is the recorded one (abi.py)."""

import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

import abi
import films
from host import Host
from tap import Tap

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CLIENT = os.path.join(TREE, "desktop", "client")
HEADER = os.path.join(CLIENT, "helix-client.h")
HEADERS = sorted(glob.glob(os.path.join(CLIENT, "helix-client*.h")))
EXAMPLE = os.path.join(CLIENT, "examples", "film-resource.c")
COMPILER = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
WIDTH, HEIGHT, FRAMES, RESOURCE = 320, 240, 6, 5


def run(*argv, environment=None):
    """(status, what it said)."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout


class Installed:
    """The library installed below @folder: .libraries, and .flags, those that pkg-config gives."""

    def __init__(self, folder):
        subprocess.run(["meson", "install", "-C", os.environ["HELIX_BUILD"], "--no-rebuild", "--quiet", "--destdir",
                        folder, "--tags", "devel,runtime"], check=True, stdout=subprocess.DEVNULL)
        found = next(os.path.join(top, "helix-client.pc") for top, _, names in os.walk(folder)
                     if "helix-client.pc" in names)
        with open(found) as file:
            text = file.read()
        prefix = re.search("^prefix=(.*)$", text, re.M).group(1)
        with open(found, "w") as file:      # it lies in a folder, and not where it was made for
            file.write(text.replace("prefix=" + prefix, "prefix=" + folder + prefix))
        self.libraries = os.path.dirname(os.path.dirname(found))
        self.flags = shlex.split(subprocess.run(
            ["pkg-config", "--cflags", "--libs", "helix-client"], check=True, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(found))).stdout)

    def run(self, *argv):
        return run(*argv, environment={"LD_LIBRARY_PATH": self.libraries})


def check_program(tap, installed, folder):
    with open(EXAMPLE) as file:
        tap.check(len(file.readlines()) < 150, "the example program is short")
    program, film = os.path.join(folder, "film-resource"), os.path.join(folder, "film.h264")
    status, text = run(*COMPILER, EXAMPLE, "-o", program, *installed.flags)
    if not tap.check(status == 0, "the example program compiles with pkg-config's flags", text):
        return
    size = "%dx%d" % (WIDTH, HEIGHT)
    with Host(folder, "--encoder=x264") as host:
        status, text = installed.run(program, str(RESOURCE), size, str(FRAMES), film, host.path)
        tap.check(status == 0 and "encodes with x264" in text, "it films a resource", text)
        pictures = films.decoded(film, WIDTH, HEIGHT)
        found = [films.pixel(picture, WIDTH, *films.PLAIN) for picture in pictures]
        tap.check(len(found) == FRAMES and all(films.near(one, films.colour_of(RESOURCE)) for one in found),
                  "every picture of the film shows it", found)
        status, text = installed.run(program, "70000", size, "3", film, host.path)
        tap.check(status == 1 and "70000" in text, "a resource that does not exist", text)
    status, text = installed.run(program, "5", size, "3", film, os.path.join(folder, "none"))
    tap.check(status == 1 and "none" in text, "no host", text)
    status, text = installed.run(program)
    tap.check(status == 2 and "usage" in text, "no arguments", text)
    for wrong in ("0", "-3", "five"):
        status, text = installed.run(program, wrong, size, "3", film)
        tap.check(status == 2 and wrong in text, "%s as a resource" % wrong, text)


def check_header_example(tap, installed, folder):
    """The header's own example, out of its first comment, does what it says: one access unit of a resource."""
    with open(HEADER) as file:
        comment = re.search(r"^/\*\n \* helix-client\.h.*?\*/", file.read(), re.S | re.M).group(0)
    code = re.findall(r"^ \*     (.*)$|^ \*()$", comment, re.M)
    lines = [line for line, _ in code]
    begin = next(i for i, line in enumerate(lines) if line.startswith("static GBytes *film("))
    end = lines.index("}", begin)
    source, program = os.path.join(folder, "header-example.c"), os.path.join(folder, "header-example")
    with open(source, "w") as file:
        # The host of this test listens at a UNIX socket; the example connects by vsock.
        file.write("#include <helix-client.h>\nstatic HelixClient *here(void)\n{\n    HelixClient *client = helix_client_new();\n\n"
                   "    helix_client_set_socket_path(client, g_getenv(\"SOCKET\"));\n    return client;\n}\n#define helix_client_new here\n"
                   + "\n".join(lines[begin:end + 1]) + """
int main(void)
{
    HelixClientImage image = { .format = HELIX_CLIENT_FORMAT_XR24, .width = %d, .height = %d, .stride = { %d } };
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) unit = film(%d, &image, &error);
    const guint8 start[] = { 0, 0, 0, 1 };

    g_assert_no_error(error);
    return unit && g_bytes_get_size(unit) > 4 && memcmp(g_bytes_get_data(unit, NULL), start, 4) == 0 ? 0 : 1;
}
""" % (WIDTH, HEIGHT, WIDTH * 4, RESOURCE))
    status, text = run(*COMPILER, source, "-o", program, *installed.flags)
    if tap.check(status == 0, "the header's example compiles", text):
        with Host(folder, "--encoder=x264") as host:
            status, text = run(program, environment={"LD_LIBRARY_PATH": installed.libraries, "SOCKET": host.path})
        tap.check(status == 0, "the header's example returns an access unit", text)


def main():
    tap = Tap()
    abi.check(tap, os.environ["HELIX_CLIENT_LIBRARY"], HEADERS)
    with tempfile.TemporaryDirectory() as folder:
        installed = Installed(os.path.join(folder, "installed"))
        check_program(tap, installed, folder)
        check_header_example(tap, installed, folder)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
