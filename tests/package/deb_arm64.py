# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's packages for arm64, cross-built, and run under qemu-aarch64: GStreamer loads the plugin, and its element vah264enc the VA-API
driver; through each a film goes to the real host's program over a UNIX socket (x264) and comes back as H.264 that shows the pictures."""

import os
import re
import struct
import subprocess
import sys
import tempfile

import arm64
import build
import deb
from deb_amd64 import check_contents, output
from steps import TREE, Failed
from tap import Tap

FRAMES, WIDTH, HEIGHT = 30, 320, 240
LEAST_PSNR = 40.0
EM_AARCH64 = 183
PLUGINS = ("coreelements", "videotestsrc", "videoconvertscale", "va")
COMPILER = arm64.MACHINE + "-gcc"
ELEMENT, DRIVER = "vsockenc socket-path=%s bitrate=4000", "vapostproc ! vah264enc rate-control=cbr bitrate=4000"
SOURCE = ["videotestsrc", "pattern=ball", "num-buffers=%d" % FRAMES, "!",
          "video/x-raw,format=BGRx,width=%d,height=%d,framerate=30/1" % (WIDTH, HEIGHT)]


class Host:
    """tests/core's helix-host, this machine's own, on a UNIX socket."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "host")
        program = os.path.join(build.BUILDS, "tests", "tests", "core", "helix-host")
        self.process = subprocess.Popen([program, "--listen=unix:" + self.path, "--encoder=x264"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        line = ""
        while "listening on" not in line:
            line = self.process.stdout.readline()
            if not line:
                raise OSError("helix-host did not start")

    def end(self):
        self.process.terminate()
        return self.process.communicate(timeout=30)[0]


def encode(tap, folder, launch, environment, encoder, film):
    """One picture after the other through @encoder, a pipeline, to @film."""
    host = Host(folder)
    try:
        pipeline = (encoder.replace("%s", host.path) + " ! filesink location=" + film).split()
        status, text = output(*launch, *pipeline, env=environment)
    finally:
        said = host.end()
    tap.check(status == 0, "an encode by %s, emulated, and the host's x264" % encoder.split()[0], text[-2000:] + said[-2000:])


def write_raw(tap, launch, environment, raw):
    """The same pictures as they are."""
    status, text = output(*launch, "filesink", "location=" + raw, env=environment)
    tap.check(status == 0 and os.path.getsize(raw) == FRAMES * WIDTH * HEIGHT * 4, "the same pictures raw",
              text[-2000:])


def driver_environment(tap, folder, root, unpacked, environment):
    """What makes GStreamer find the package's driver, on a render node that tests/va/fake-dri.c plays."""
    fake, dri = os.path.join(folder, "fake-dri.so"), os.path.join(folder, "dri")
    status, text = output(COMPILER, "--sysroot=" + root, "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-I", root + "/usr/include/libdrm",
                          "-o", fake, os.path.join(TREE, "tests/va/fake-dri.c"))
    tap.check(status == 0, "a render node to play, for arm64", text)
    os.mkdir(dri)
    open(os.path.join(dri, "renderD128"), "w").close()
    more = {"FAKE_DRI": dri, "HELIX_VA_SOCKET": os.path.join(folder, "host"), "LIBVA_DRIVER_NAME": "helix", "GST_VA_ALL_DRIVERS": "1",
            "LIBVA_DRIVERS_PATH": os.path.join(unpacked, "usr/lib", arm64.MACHINE, "dri"), "QEMU_SET_ENV": "LD_PRELOAD=" + fake,
            "GST_REGISTRY": os.path.join(folder, "va-registry")}
    return dict(environment, **more)


def check_machine(tap, path):
    with open(path, "rb") as file:
        machine = struct.unpack_from("<H", file.read(20), 18)[0]        # e_machine of an ELF header
    tap.check(machine == EM_AARCH64, "%s is arm64's" % os.path.basename(path), machine)


def judge(tap, film, raw):
    status, text = output("ffprobe", "-v", "error", "-count_frames", "-show_entries",
                          "stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0", film)
    wanted = "h264,%d,%d,%d" % (WIDTH, HEIGHT, FRAMES)
    tap.check(status == 0 and text.strip() == wanted, "the stream decodes, every frame of it",
              "%s, not %s" % (text, wanted))
    _, text = output("ffmpeg", "-v", "info", "-r", "30", "-i", film, "-f", "rawvideo", "-pix_fmt", "bgr0", "-s",
                     "%dx%d" % (WIDTH, HEIGHT), "-r", "30", "-i", raw, "-lavfi", "psnr", "-f", "null", "-")
    found = re.search(r"PSNR .*average:(\S+)", text)
    psnr = float(found.group(1)) if found else 0.0
    print("# PSNR against the source: %.1f dB" % psnr, flush=True)
    tap.check(psnr >= LEAST_PSNR, "it shows the pictures that went in", text[-1500:])


def main():
    tap = Tap()
    packages = deb.make(arm64.ARCHITECTURE)
    root = arm64.sysroot_path()
    with tempfile.TemporaryDirectory() as folder:
        unpacked, chosen = os.path.join(folder, "package"), os.path.join(folder, "plugins")
        check_contents(tap, packages, arm64.MACHINE, unpacked)
        element = os.path.join(unpacked, "usr/lib", arm64.MACHINE, "gstreamer-1.0/libgstvsockenc.so")
        os.mkdir(chosen)
        os.symlink(element, os.path.join(chosen, os.path.basename(element)))
        for name in PLUGINS:
            library = "libgst%s.so" % name
            os.symlink(os.path.join(root, "usr/lib", arm64.MACHINE, "gstreamer-1.0", library),
                       os.path.join(chosen, library))
        # A scanner for plugins would be a program of arm64 too, and started without an emulator.
        environment = dict(os.environ, LD_LIBRARY_PATH=os.path.join(unpacked, "usr/lib", arm64.MACHINE),
                           GST_PLUGIN_PATH=chosen, GST_PLUGIN_SYSTEM_PATH_1_0="", GST_REGISTRY_FORK="no",
                           GST_REGISTRY=os.path.join(folder, "registry"))
        check_machine(tap, element)
        check_machine(tap, os.path.join(unpacked, "usr/lib", arm64.MACHINE, "dri/helix_drv_video.so"))
        status, text = output(*arm64.emulated(root, "/usr/bin/gst-inspect-1.0", "vsockenc"), env=environment)
        tap.check(status == 0 and chosen in text and "bitrate" in text, "gst-inspect-1.0 vsockenc, emulated",
                  text[-2000:])
        status, text = output("qemu-aarch64", "-L", root, unpacked + "/usr/bin/helix-screencast", "--version",
                              env=environment)
        tap.check(status == 0 and text.startswith("helix-screencast "), "helix-screencast --version, emulated", text)
        film, raw = os.path.join(folder, "film.h264"), os.path.join(folder, "film.bgrx")
        launch = arm64.emulated(root, "/usr/bin/gst-launch-1.0", "-q", "-m", "-e", *SOURCE, "!")
        write_raw(tap, launch, environment, raw)
        encode(tap, folder, launch, environment, ELEMENT, film)
        judge(tap, film, raw)
        encode(tap, folder, launch, driver_environment(tap, folder, root, unpacked, environment), DRIVER, film)
        judge(tap, film, raw)
    return tap.end()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed:
        sys.exit(1)
