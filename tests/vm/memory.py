# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures in plain memory: guest-copy on every kind of virtio-gpu, and what is said and done where it cannot be.

The guest's picture-memory sends numbered drawings in every format and checks the element's statistics; check-picture
compares the films. videotestsrc's pictures, an X server's screen and two streams at once go through gst-launch.
"""

import os
import re
import subprocess
import sys
import time

import build
import film
from demo import element_stats
from picture import MEMFD, judge, pull_films
from steps import LOGS
from tap import Tap
from vm import VM, VMError

# name, VM's arguments, the ways to take out so that each is seen: VSOCKENC_AVOID, and the cases that then remain
DEVICES = (
    ("gl", {"gpu": "virtio-gpu-gl-pci"}, (("", ""), ("blob,pages", "memory-rgb"), ("blob,pages", "memory-pool-bgr"))),
    ("gl-blob", {"gpu": "virtio-gpu-gl-pci", "gpu_options": "blob=on,hostmem=256M"}, (("", ""), ("blob", "memory-nv12"))),
    ("2d", {"gpu": "virtio-gpu-pci"}, (("", ""), ("blob,pages", "memory-pool-rgb"))),
    ("2d-blob", {"gpu": "virtio-gpu-pci", "gpu_options": "blob=on", "extra": MEMFD}, (("", ""),)),
)
FORMATS = ("BGRx", "BGRA", "RGBx", "RGBA", "NV12", "I420")
FFMPEG_NAME = {"BGRx": "bgr0", "BGRA": "bgra", "RGBx": "rgb0", "RGBA": "rgba", "NV12": "nv12", "I420": "yuv420p"}
WIDTH, HEIGHT, FRAMES = 320, 240, 20
LEAST_RGB, LEAST_YUV = 22.0, 32.0   # dB; 4:2:0 alone leaves 24.5 of these RGB bars, red and blue swapped not 12
PROGRAM_SECONDS = 200
BYTES_A_FRAME = 1024
LARGE = "video/x-raw,format=BGRx,width=1920,height=1080,framerate=60/1"
LAUNCH = ["gst-launch-1.0", "-m", "-e"]


def paths_of(stats):
    return {path: stats[path] for path in ("dmabuf", "guest-copy", "pixel-data") if stats[path]}


def check_stats(tap, title, stats, frames):
    """Every frame by guest-copy, and hardly a byte beside the bitstream."""
    good = (paths_of(stats) == {"guest-copy": frames} and stats["frames"] == frames and not stats["dropped"] and
            stats["bytes-to-host"] <= BYTES_A_FRAME * frames)
    tap.check(good, "%s: %d frames by guest-copy, %d bytes to the host a frame" %
              (title, stats["frames"], stats["bytes-to-host"] // max(1, stats["frames"])), stats)


# ---- drawings ----

def run_drawings(tap, vm, checker, device, avoid, prefix):
    vm.run("rm -rf /tmp/films && mkdir -p /tmp/films")
    begin = time.monotonic()
    result = vm.run(["/helix/bin/picture-memory", "5000", "/tmp/films", "guest-copy", "case=" + prefix],
                    timeout=PROGRAM_SECONDS, check=False, env={"VSOCKENC_AVOID": avoid})
    print("# %s: picture-memory %s took %.0f s" % (device, prefix, time.monotonic() - begin), flush=True)
    said, errors = result.out.decode(errors="replace"), result.err.decode(errors="replace")
    folder = os.path.join(LOGS, "memory-films-" + device)
    os.makedirs(folder, exist_ok=True)
    pull_films(vm, folder)
    title = device + (" without " + avoid if avoid else "")
    for name, verdict in re.findall(r"^case (\S+) (\S+)$", said, re.M):
        right, text = judge(checker, os.path.join(folder, name))
        why = [line for line in errors.splitlines() if line.startswith(name + ":")] + ([] if right else [text])
        tap.check(right and verdict == "ok", "%s %s%s" % (title, name, ": " + text if right else ""), "\n".join(why))
    tap.check(re.search(r"^done$", said, re.M), "%s picture-memory came to its end" % title,
              "status %s\n%s" % (result.rc, errors[-2000:]))


# ---- videotestsrc ----

def psnr(film_path, raw_path, pixels):
    """The worst frame's PSNR in dB of a film against raw frames."""
    common = "yuv420p" if pixels in ("nv12", "yuv420p") else "gbrp"
    text = subprocess.run(["ffmpeg", "-v", "info", "-r", "30", "-i", film_path, "-f", "rawvideo", "-pix_fmt", pixels, "-s",
                           "%dx%d" % (WIDTH, HEIGHT), "-r", "30", "-i", raw_path, "-lavfi",
                           "[0]format=%s[a];[1]format=%s[b];[a][b]psnr" % (common, common), "-f", "null", "-"],
                          capture_output=True, text=True, check=True, timeout=120).stderr
    found = re.search(r"PSNR .*min:(\S+)", text)
    return float(found.group(1)) if found else 0.0


def test_formats(tap, vm, device):
    for name in FORMATS:
        title = "%s videotestsrc %s" % (device, name)
        source = ["videotestsrc", "num-buffers=%d" % FRAMES, "pattern=smpte100", "horizontal-speed=3", "!",
                  "video/x-raw,format=%s,width=%d,height=%d,framerate=30/1%s" %
                  (name, WIDTH, HEIGHT, ",colorimetry=bt709" if name in ("NV12", "I420") else ""), "!"]
        text = vm.run(LAUNCH + source + ["vsockenc", "bitrate=20000", "!", "filesink", "location=/tmp/film.h264"]
                      ).out.decode(errors="replace")
        vm.run(LAUNCH + source + ["filesink", "location=/tmp/film.raw"])
        films = [os.path.join(LOGS, "memory-%s-%s" % (device, end)) for end in ("film.h264", "film.raw")]
        vm.pull("/tmp/film.h264", films[0])
        vm.pull("/tmp/film.raw", films[1])
        likeness = psnr(films[0], films[1], FFMPEG_NAME[name])
        least = LEAST_YUV if name in ("NV12", "I420") else LEAST_RGB
        tap.check(likeness >= least, "%s: PSNR at least %.1f dB" % (title, likeness))
        check_stats(tap, title, element_stats(text), FRAMES)
        os.unlink(films[1])


# ---- sources and situations ----

def test_large(tap, vm):
    text = vm.run(LAUNCH + ["videotestsrc", "num-buffers=60", "!", LARGE, "!", "vsockenc", "!", "fakesink"]
                  ).out.decode(errors="replace")
    stats = element_stats(text)
    check_stats(tap, "1080p", stats, 60)
    tap.check(stats["drawn-in-place"] == 60 and stats["cpu-bytes"] == 0, "1080p: drawn in place, no byte copied", stats)


def seconds(vm, frames, source, avoid):
    """Seconds on the clock, and of the guest's processors, that gst-launch took for @frames of 1080p."""
    launch = " ".join(LAUNCH + ["videotestsrc", "num-buffers=%d" % frames, "!", "'%s'" % LARGE, "!", source, "vsockenc", "!",
                                "fakesink"])
    text = vm.run(["bash", "-c", "time -p " + launch], timeout=150, env={"VSOCKENC_AVOID": avoid}).err.decode()
    real, user, system = (float(re.search(r"^%s (\S+)" % name, text, re.M).group(1)) for name in ("real", "user", "sys"))
    return real, user + system


def print_figures(vm):
    """What a frame costs by each path: the difference of a long and a short run, so that starting does not count."""
    few, many = 10, 60
    for title, source, avoid in (("guest-copy, drawn in place", "", ""), ("guest-copy, copied", "tee !", ""),
                                 ("pixel-data", "", "guest-copy")):
        short, long = seconds(vm, few, source, avoid), seconds(vm, many, source, avoid)
        real, cpu = ((b - a) / (many - few) for a, b in zip(short, long))
        print("# 1080p BGRx by %s: %.1f fps, %.1f ms of the guest's processors a frame" % (title, 1 / real, cpu * 1000),
              flush=True)


def test_two(tap, vm):
    """Two streams of different size and format at once, each with its own pool."""
    argv = [LAUNCH + ["videotestsrc", "num-buffers=60", "pattern=ball", "!",
                      "video/x-raw,format=%s,width=%d,height=%d,framerate=30/1" % size, "!", "vsockenc", "!", "filesink",
                      "location=/tmp/two-%d.h264" % size[1]] for size in (("BGRx", 640, 480), ("I420", 1280, 720))]
    with vm.start(argv[0]) as one, vm.start(argv[1]) as other:
        for process, name in ((one, "one of two"), (other, "the other")):
            check_stats(tap, name, element_stats(process.check(100).out.decode(errors="replace")), 60)
    for width, height in ((640, 480), (1280, 720)):
        path = os.path.join(LOGS, "memory-two-%d.h264" % width)
        vm.pull("/tmp/two-%d.h264" % width, path)
        tap.check(film.size_of(path) == (width, height), "%dx%d came out of two at once" % (width, height))


def test_x11(tap, vm):
    """An X server's screen, as ximagesrc gives it: 32-bit pixels in memory that it shares with the server."""
    with vm.start("Xvfb :7 -screen 0 1280x720x24 -nolisten tcp") as server:
        vm.run("for i in $(seq 100); do [ -S /tmp/.X11-unix/X7 ] && exit 0; sleep 0.1; done; exit 1")
        text = vm.run(LAUNCH + ["ximagesrc", "use-damage=false", "show-pointer=false", "num-buffers=30", "!",
                                "video/x-raw,framerate=30/1", "!", "vsockenc", "!", "fakesink"],
                      env={"DISPLAY": ":7"}).out.decode(errors="replace")
        stats = element_stats(text)
        tap.check(paths_of(stats).keys() == {"guest-copy"} and stats["frames"] + stats["dropped"] == 30 and
                  stats["bytes-to-host"] <= BYTES_A_FRAME * 30, "ximagesrc: every frame by guest-copy", stats)
        server.kill()


def test_denied(tap, vm):
    """Without permission on the render node it is pixels, and the property says what to do about it."""
    vm.run("chmod 700 /dev/dri/renderD* /dev/dri/card*")
    try:
        argv = ["setpriv", "--reuid=65534", "--clear-groups", "env", "HOME=/tmp", "GST_REGISTRY=/tmp/denied.registry"] + \
            LAUNCH + ["-v", "videotestsrc", "num-buffers=5", "!", "video/x-raw,format=BGRx,width=320,height=240", "!",
                      "vsockenc", "!", "fakesink"]
        text = vm.run(argv).out.decode(errors="replace")
    finally:
        vm.run("chmod 666 /dev/dri/renderD* /dev/dri/card*")
    stats = element_stats(text)
    tap.check(paths_of(stats) == {"pixel-data": 5}, "no permission: pixel-data", stats)
    tap.check(re.search(r"path-reason = .*No permission to open .*renderD.*group", text), "no permission: path-reason says so",
              text[-1500:])


def test_foreign_order(tap, vm):
    """Another GPU's buffer without a modifier may be in any order: refused, with what to insert."""
    result = vm.run(["/helix/bin/picture-memory", "5000", "/tmp/films", "guest-copy", "case=refused-vgem"], check=False)
    tap.check(result.rc and b"Insert glupload" in result.err, "a foreign buffer in an unknown order is refused",
              result.err.decode(errors="replace"))


def test_refusals(tap, vm):
    """The host refuses ways: a scripted host in the guest, the GPU is the VM's own."""
    result = vm.run(["/helix/bin/refused-copy-modes"], check=False)
    text = result.out.decode(errors="replace")
    for verdict, what in re.findall(r"^(ok|not ok) \d+ (.*)$", text, re.M):
        tap.check(verdict == "ok", "refused ways " + what)
    tap.check(result.rc == 0, "refused ways: all right", text + result.err.decode(errors="replace")[-2000:])


def run_device(tap, checker, device, options, ways):
    with VM(name="memory-" + device, **options) as vm:
        print("# %s: booted in %.0f s" % (device, vm.boot_seconds))
        vm.run("modprobe -a vgem udmabuf; udevadm settle")
        for avoid, prefix in ways:
            run_drawings(tap, vm, checker, device, avoid, prefix)
        test_formats(tap, vm, device)
        if device == "gl":
            test_large(tap, vm)
            test_two(tap, vm)
            test_x11(tap, vm)
            test_denied(tap, vm)
            test_foreign_order(tap, vm)
            print_figures(vm)
        if device == "gl-blob":
            test_refusals(tap, vm)
        stats = vm.helix_stats()
        print("# %s: %s" % (device, stats["host_paths"]))
        tap.check(stats["streams"]["now"] == 0 and stats["connections"]["now"] == 0,
                  device + " no stream or connection is left over", stats)


def main():
    checker = os.path.join(build.project(tests=True), "tests", "vm", "check-picture")
    tap = Tap()
    for device, options, ways in DEVICES:
        if device == "2d-blob" and not os.access("/dev/udmabuf", os.R_OK | os.W_OK):
            tap.skip("2d-blob", "QEMU refuses blob=on on a 2D device without /dev/udmabuf on the host")
            continue
        try:
            run_device(tap, checker, device, options, ways)
        except VMError as error:
            tap.check(False, device, error)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
