# SPDX-License-Identifier: GPL-2.0-or-later
"""The program in docs/client.md, as it stands there: compiled against the library, and run against the real host."""

import os
import subprocess
import sys
import tempfile

import films
from host import Host
from tap import Tap

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WIDTH, HEIGHT, FRAMES, RESOURCE = 128, 96, 60, 5        # the program's


def program():
    """The page's block of code that begins with an #include."""
    with open(os.path.join(TREE, "docs", "client.md"), encoding="utf-8") as file:
        blocks = file.read().split("\n\n    #include", 1)[1]
    lines = []
    for line in ("    #include" + blocks).split("\n"):
        if line and not line.startswith("    "):
            break
        lines.append(line[4:])
    return "\n".join(lines).rstrip() + "\n"


def main():
    tap = Tap()
    library = os.environ["HELIX_CLIENT_LIBRARY"]        # its folder
    with tempfile.TemporaryDirectory() as folder:
        source, binary, film = (os.path.join(folder, name) for name in ("film.c", "film", "film.h264"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(program())
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], check=True, capture_output=True, text=True).stdout.split()
        done = subprocess.run([*os.environ["CC"].split(), "-std=gnu11", "-Wall", "-Wextra", "-Werror", source, "-o", binary,
                               "-I" + os.path.join(TREE, "desktop", "client"), *flags, "-L" + library, "-lhelix-client",
                               "-Wl,-rpath," + library], capture_output=True, text=True, check=False)
        if tap.check(done.returncode == 0, "the program of docs/client.md compiles without a warning", done.stderr):
            with Host(folder, "--encoder=x264") as host, open(film, "wb") as output:
                done = subprocess.run([binary, host.path], stdout=output, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
            tap.check(done.returncode == 0 and not done.stderr, "it films a resource", done.stderr)
            found = [films.pixel(picture, WIDTH, *films.PLAIN) for picture in films.decoded(film, WIDTH, HEIGHT)]
            tap.check(len(found) == FRAMES and all(films.near(colour, films.colour_of(RESOURCE)) for colour in found),
                      "every frame has the resource's colour", "%d frames: %s" % (len(found), found[:3]))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
