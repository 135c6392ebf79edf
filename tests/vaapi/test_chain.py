# SPDX-License-Identifier: GPL-2.0-or-later
"""A client, a host whose encoder is "vaapi", the guest's VA-API driver behind its libva, and a host with x264: pictures
through all of them, changes in mid-stream, and what is said where VA-API is missing."""

import os
import subprocess
import sys
import tempfile

for folder in ("../client", "../va"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))

import films
import helix_client
import rig
from helix_client import Client
from host import Host
from tap import Tap

WIDTH, HEIGHT = 640, 352
FRAMES = 24


class VaapiHost(Host):
    """A helix-host that sees the driver of @vm, a Rig."""

    def __init__(self, vm, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="helix-vaapi-")
        before = dict(os.environ)
        os.environ.update(vm.environment())
        try:
            super().__init__(self.folder.name, *options)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def __exit__(self, *_):
        super().__exit__()
        self.folder.cleanup()


def film(client, numbers):
    """The access units of test pictures, one at a time."""
    units = []
    for number in numbers:
        client.request_pixels(helix_client.test_picture(WIDTH, HEIGHT, number), WIDTH, HEIGHT, pts=number)
        units.append(client.receive())
    return units


def differing(units):
    """The pictures whose bars are not the drawn ones."""
    with tempfile.NamedTemporaryFile(suffix=".h264") as out:
        out.write(b"".join(unit.data for unit in units))
        out.flush()
        pictures = films.decoded(out.name, WIDTH, HEIGHT)
    wrong = [] if len(pictures) == len(units) else ["%d pictures of %d" % (len(pictures), len(units))]
    for number, picture in enumerate(pictures):
        for bar, colour in enumerate(helix_client.BARS):
            found = films.pixel(picture, WIDTH, (2 * bar + 1) * WIDTH // 16, HEIGHT // 3)
            if not films.near(found, colour):
                wrong.append("picture %d, bar %d: %s, not %s" % (number, bar, found, colour))
    return wrong


def check_film(tap):
    with rig.Rig() as vm, VaapiHost(vm, "--encoder=vaapi") as host, Client(host.address) as client:
        active = client.negotiate(bitrate=4000000, framerate_num=30, framerate_den=1)
        tap.check(active["encoder"] == "vaapi", "the host says that its encoder is vaapi", active["encoder"])
        units = film(client, range(FRAMES))
        tap.check([unit.keyframe for unit in units] == [True] + [False] * (FRAMES - 1), "one keyframe, the first")
        tap.check(not differing(units), "each picture is the drawn one", "; ".join(differing(units)[:3]))

        client.keyframe()
        tap.check(film(client, [0])[0].keyframe, "a keyframe comes when it is asked for")
        client.request_repeat(pts=1)
        tap.check(not client.receive().dropped, "the last picture is encoded again")
        client.negotiate(bitrate=1000000, framerate_num=30, framerate_den=1)
        units = film(client, range(4))
        tap.check(units[0].keyframe and not differing(units), "another bit rate begins with a keyframe",
                  "; ".join(differing(units)[:3]))


def check_auto(tap):
    with rig.Rig() as vm, VaapiHost(vm, "--encoder=auto") as host, Client(host.address) as client:
        tap.check(client.negotiate(framerate_num=30, framerate_den=1)["encoder"] == "vaapi", "auto takes vaapi where it encodes")
    with rig.Rig(host=False) as vm, VaapiHost(vm, "--encoder=auto") as host, Client(host.address) as client:
        tap.check(client.negotiate(framerate_num=30, framerate_den=1)["encoder"] == "x264",
                  "auto takes x264 where VA-API opens and cannot encode")


def check_refusal(tap):
    with rig.Rig(host=False) as vm, tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([os.environ["HELIX_HOST"], "--encoder=vaapi", "--listen=unix:%s/host" % folder],
                              env=dict(vm.environment(), LIBVA_DRIVERS_PATH=folder), text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=60)
        tap.check(done.returncode == 1 and "no VA-API driver" in done.stderr and "vainfo" in done.stderr,
                  "without a driver the error says what to look at", done.stderr)


def main():
    tap = Tap()
    check_film(tap)
    check_auto(tap)
    check_refusal(tap)
    sys.exit(tap.end())


if __name__ == "__main__":
    main()
