# SPDX-License-Identifier: GPL-2.0-or-later
"""Real compositors through vsockenc: pipewiresrc path=N ! vsockenc ! h264parse ! filesink, with no caps between.

Mutter's ScreenCast and Weston's PipeWire backend, each with PipeWire 1.6 (every frame by DMA-BUF) and with Debian 13's
own 1.4, which can't negotiate DMA-BUFs: its plain memory is copied into buffers of the GPU and named too. Of each the film is decoded and looked at
(film.py). With Mutter also: a pool of two buffers, and a viewer that joins while nothing moves.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import film
from demo import element_stats
from steps import CACHE, LOGS, TREE, host_path
from tap import Tap
from vm import VM, VMError

WIDTH, HEIGHT = 1280, 720
FRAMES = 80
STILL = 20                  # the last ones, with the scene's time stopped: one of them is compared with a screenshot
LEAST_MOVING = 0.5          # of the moving frames; a compositor repeats a picture when the guest is slow
LEAST_FACES = 1             # as many as are surely seen within a second
LEAST_PSNR = 30.0
STREAM_SECONDS = 120
POOL_FRAMES = 60
POOL_SECONDS = 60
START_SECONDS = 60          # for gst-launch to have started on an emulated processor


# ---- Debian 13's own PipeWire ----

def stock_packages():
    """Debian 13's packages of those that the guest has from backports, kept in the cache; paths."""
    with open(os.path.join(TREE, "tools", "packages.guest")) as file:
        names = re.findall(r"^backports:(\S+)", file.read(), re.M)
    folder = os.path.join(CACHE, "pipewire-stock")
    if not os.path.isdir(folder):
        new = os.path.join(CACHE, "new.pipewire-stock-%d" % os.getpid())
        os.makedirs(new)
        fetch = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"] + names
        if subprocess.run(fetch, cwd=new, stderr=subprocess.DEVNULL, check=False).returncode:
            subprocess.run(["apt-get", "-q", "update"], check=False)    # its list may be older than the archive
            subprocess.run(fetch, cwd=new, check=True)
        try:
            os.rename(new, folder)
        except OSError:             # another run was faster
            shutil.rmtree(new)
    return sorted(glob.glob(os.path.join(folder, "*.deb")))


def use_stock_pipewire(vm):
    """Put Debian 13's own packages in place of the newer ones. The image itself stays as it is (snapshot=on)."""
    for path in stock_packages():
        vm.push(path, "/tmp/stock/" + os.path.basename(path))
    vm.run("dpkg --force-unsafe-io --force-downgrade -i /tmp/stock/*.deb", timeout=150)


def pipewire_version(vm):
    return vm.run(["dpkg-query", "-W", "-f", "${Version}", "gstreamer1.0-pipewire"]).out.decode()


# ---- films ----

def weston_node(vm):
    for thing in json.loads(vm.run("pw-dump").out):
        if thing.get("info", {}).get("props", {}).get("node.name") == "weston.pipewire":
            return thing["id"]
    raise VMError("Weston has no PipeWire node")


def source(vm, compositor, pipeline, properties=""):
    """argv of gst-launch-1.0 with a pipewiresrc on the compositor's picture and @pipeline behind it."""
    if compositor == "mutter":
        return vm.cast(pipeline, *(["--source", properties] if properties else []))
    return (["gst-launch-1.0", "-m", "-e", "pipewiresrc", "path=%d" % weston_node(vm)] + properties.split() + ["!"] +
            pipeline.split())


def encoded(vm):
    return vm.helix_stats()["frames"]["encoded"]


def wait_for_frames(vm, process, target):
    """Wait until the host encoded @target frames, or @process ended."""
    end = time.monotonic() + STREAM_SECONDS
    while encoded(vm) < target and not process.done():
        if time.monotonic() > end:
            raise VMError("only %d of %d frames in %d s" % (encoded(vm), target, STREAM_SECONDS))
        time.sleep(0.1)


def record(vm, compositor, name, frames, encoder="vsockenc ! h264parse ! filesink location=/tmp/film.h264", environment=None):
    """Film @frames of the scene by @encoder, the pipeline behind the source; returns (what gst-launch said, Film). Leaves
    out/log/NAME.h264 and NAME.png."""
    path, shot = os.path.join(LOGS, name + ".h264"), os.path.join(LOGS, name + ".png")
    with vm.start(["/helix/bin/scene"]) as scene:
        before = encoded(vm)
        argv = source(vm, compositor, encoder, "num-buffers=%d" % frames)
        with vm.start(argv, env=environment) as process:
            wait_for_frames(vm, process, before + frames - STILL)
            scene.kill(signal.SIGUSR1)
            text = process.check(STREAM_SECONDS).out.decode(errors="replace")
        vm.run(source(vm, compositor, "video/x-raw,format=BGRx ! videoconvert ! pngenc snapshot=true ! "
                                      "filesink location=/tmp/shot.png"), timeout=START_SECONDS)
        if scene.done():
            raise VMError("the scene ended: %s" % bytes(scene.err).decode(errors="replace"))
    vm.pull("/tmp/film.h264", path)
    vm.pull("/tmp/shot.png", shot)
    return text, film.examine(path, frames - STILL, shot)


def wrong_with(seen, frames):
    """What is not as it has to be in a film of @frames, as text."""
    wrong = []
    if seen.frames != frames:
        wrong.append("%d frames, not the %d that went in" % (seen.frames, frames))
    if (seen.width, seen.height) != (WIDTH, HEIGHT):
        wrong.append("it is %dx%d" % (seen.width, seen.height))
    if seen.moving < LEAST_MOVING:
        wrong.append("only %.0f %% of its frames move" % (seen.moving * 100))
    if len(seen.colours) < LEAST_FACES:
        wrong.append("of the cube's faces only %s are seen" % (sorted(seen.colours) or "none"))
    if seen.psnr < LEAST_PSNR:
        wrong.append("its last frame is not the screenshot: PSNR %.1f dB" % seen.psnr)
    return "; ".join(wrong)


def test_film(tap, vm, version, compositor, wanted):
    """@wanted: the path that every frame has to take."""
    title = "%s, PipeWire %s" % (compositor, version)
    name = "desktop-%s-%s" % (compositor, version)
    begin = time.monotonic()
    try:
        vm.desktop(WIDTH, HEIGHT, compositor)
        text, seen = record(vm, compositor, name, FRAMES)
    except VMError as error:
        tap.check(False, title + ": a film", error)
        return
    stats = element_stats(text)
    paths = {path: stats[path] for path in ("dmabuf", "guest-copy", "pixel-data") if stats[path]}
    print("# %s: %d%% moving, faces %s, PSNR %.1f dB, %s, %.0f s" % (
        title, seen.moving * 100, "/".join(sorted(seen.colours)), seen.psnr, paths, time.monotonic() - begin),
        flush=True)
    wrong = wrong_with(seen, FRAMES)
    tap.check(not wrong, "%s: the film shows the desktop" % title,
              "%s.h264: %s" % (host_path(os.path.join(LOGS, name)), wrong))
    tap.check(paths == {wanted: FRAMES} and not stats["errors"] and not stats["dropped"],
              "%s: every frame by %s" % (title, wanted), stats)
    tap.check(stats["bytes-to-host"] <= 1024 * FRAMES, "%s: at most 1 KiB a frame to the host" % title, stats)


# ---- what a live desktop asks of an encoder ----

def test_two_buffers(tap, vm):
    """PipeWire's smallest pool: each buffer must go back as soon as the host has read it, or Mutter stalls.

    On a machine with more to do than it can, PipeWire may give the source a buffer that was not back, says so, and stalls.
    """
    properties = "num-buffers=%d min-buffers=2 max-buffers=2" % POOL_FRAMES
    for last in (False, False, True):
        try:
            with vm.start(["/helix/bin/scene"]):
                argv = source(vm, "mutter", "vsockenc reconnect=true ! h264parse ! fakesink", properties)
                result = vm.run(["env", "GST_DEBUG=pipewiresrc:1"] + argv, timeout=POOL_SECONDS, check=False)
            break
        except VMError as error:
            if last or "was not recycled" not in str(error):
                raise
            print("# PipeWire gave a buffer again that was not back, and stalled: once more", flush=True)
    text = (result.out + result.err).decode(errors="replace")
    stats = element_stats(text) if result.rc == 0 else {}
    tap.check(result.rc == 0 and stats["dmabuf"] + stats["skipped"] >= POOL_FRAMES and stats["imports"] == 2,
              "mutter: a pool of two buffers does not stall", text[-2000:])


def test_still_keyframe(tap, vm):
    """Nothing moves, so Mutter gives no picture: the keyframe is the host's last one again."""
    argv = vm.cast("vsockenc name=enc ! h264parse ! appsink name=out sync=false", "--launch", "/helix/bin/still-keyframe")
    result = vm.run(argv, timeout=STREAM_SECONDS, check=False)
    text = result.out.decode(errors="replace")
    delays = [int(delay) for delay in re.findall(r"^keyframe after (\d+) ms$", text, re.M)]
    repeats = re.search(r"^repeats (\d+)$", text, re.M)
    print("# mutter, nothing moves: a keyframe %s ms after it was asked for" % "/".join(map(str, delays)), flush=True)
    tap.check(result.rc == 0 and len(delays) == 5 and repeats and int(repeats.group(1)) == 5,
              "mutter: a keyframe of a still desktop, each time it is asked for",
              text + result.err.decode(errors="replace"))


# ---- the VMs ----

def run_new(tap):
    with VM(name="desktop-1.6") as vm:
        version = pipewire_version(vm)
        tap.check(version.startswith("1.6."), "the guest has PipeWire 1.6", version)
        test_film(tap, vm, "1.6", "mutter", "dmabuf")
        test_still_keyframe(tap, vm)
        test_two_buffers(tap, vm)
        test_film(tap, vm, "1.6", "weston", "dmabuf")


def run_stock(tap):
    with VM(name="desktop-1.4") as vm:
        use_stock_pipewire(vm)
        version = pipewire_version(vm)
        tap.check(version.startswith("1.4."), "the guest has PipeWire 1.4", version)
        test_film(tap, vm, "1.4", "mutter", "guest-copy")
        test_film(tap, vm, "1.4", "weston", "guest-copy")


def run_parts(*parts):
    """Each of @parts with a VM of its own: one whose VM fails takes no other away. Returns the exit status."""
    tap = Tap()
    for part in parts:
        begin = time.monotonic()
        try:
            part(tap)
        except VMError as error:
            tap.check(False, part.__name__.replace("_", " "), error)
        print("# %s took %.0f s" % (part.__name__.replace("_", " "), time.monotonic() - begin), flush=True)
    return tap.end()


if __name__ == "__main__":
    sys.exit(run_parts(run_new, run_stock))
