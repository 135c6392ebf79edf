# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
"""The guest's package in a guest: dpkg takes it, and one line of helix-screencast gives a film of the desktop, by
Mutter's own API and, on a compositor of wlroots (sway), by the portal.
"""

import os
import signal
import subprocess
import sys
import time

import deb
import film
from demo import element_stats
from desktop import FRAMES, HEIGHT, STILL, STREAM_SECONDS, WIDTH, encoded, run_parts, wait_for_frames, wrong_with
from steps import LOGS, StepError, host_path
from vm import VM, VMError

# The payload's element is not to be found: what is installed is tested.
INSTALLED = {"GST_PLUGIN_PATH": "", "GST_REGISTRY": "/tmp/registry"}
ENCODE = "vsockenc ! h264parse ! filesink location=/tmp/film.h264"
PLAIN = "video/x-raw ! "
SHOT = "video/x-raw ! videoconvert ! pngenc snapshot=true ! filesink location=/tmp/shot.png"


def install(tap, vm):
    """Install the packages as a user would, with what they depend on."""
    for name, path in deb.make("amd64").items():
        if not name.endswith("-dev"):
            vm.push(path, "/tmp/%s.deb" % name)
    done = vm.run("dpkg --force-unsafe-io -i /tmp/*.deb && dpkg --audit", timeout=120, check=False)
    tap.check(done.rc == 0 and not done.out.count(b"depends on"), "dpkg installs the packages",
              (done.out + done.err).decode(errors="replace"))
    inspected = vm.run(["gst-inspect-1.0", "vsockenc"], timeout=150, env=INSTALLED, check=False)
    tap.check(b"/usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgstvsockenc.so" in inspected.out, "gst-inspect-1.0 finds it",
              (inspected.out + inspected.err).decode(errors="replace")[-1000:])


def screencast(vm, environment, *arguments):
    return vm.start(["helix-screencast", *arguments], env=dict(INSTALLED, **environment))


def record(vm, name, environment, options, before_encoder=""):
    """Film the scene; (what helix-screencast said, Film)."""
    path, shot = os.path.join(LOGS, name + ".h264"), os.path.join(LOGS, name + ".png")
    with vm.start(["/helix/bin/scene"], env=environment) as scene:
        before = encoded(vm)
        with screencast(vm, environment, "-m", *options, "--source", "num-buffers=%d" % FRAMES,
                        before_encoder + ENCODE) as process:
            wait_for_frames(vm, process, before + FRAMES - STILL)
            scene.kill(signal.SIGUSR1)
            text = process.check(STREAM_SECONDS).out.decode(errors="replace")
        with screencast(vm, environment, *options, SHOT) as process:
            process.check(STREAM_SECONDS)
        if scene.done():
            raise VMError("the scene ended: %s" % bytes(scene.err).decode(errors="replace"))
    vm.pull("/tmp/film.h264", path)
    vm.pull("/tmp/shot.png", shot)
    return text, film.examine(path, FRAMES - STILL, shot)


def test_film(tap, vm, title, name, environment, options, wanted, before_encoder="", spare=0):
    """@wanted: the path of every picture. So many as @spare of them may be left out at the start."""
    begin = time.monotonic()
    text, seen = record(vm, name, environment, options, before_encoder)
    stats = element_stats(text)
    paths = {path: stats[path] for path in ("dmabuf", "guest-copy", "pixel-data") if stats[path]}
    print("# %s: %d%% moving, faces %s, PSNR %.1f dB, %s, %.0f s" % (
        title, seen.moving * 100, "/".join(sorted(seen.colours)), seen.psnr, paths, time.monotonic() - begin),
        flush=True)
    whole = FRAMES - spare <= seen.frames <= FRAMES
    wrong = wrong_with(seen, seen.frames if whole else FRAMES)
    tap.check(not wrong, "%s: the film shows the desktop" % title,
              "%s.h264: %s" % (host_path(os.path.join(LOGS, name)), wrong))
    tap.check(paths == {wanted: seen.frames} and not stats["errors"], "%s: every frame by %s" % (title, wanted), stats)


def test_interrupt(tap, vm, title, environment, options):
    """SIGINT finishes an mp4, which is nothing without its end; the README's line with the source in the middle."""
    with vm.start(["/helix/bin/scene"], env=environment):
        before = encoded(vm)
        with screencast(vm, environment, *options,
                        "mp4mux name=m ! filesink location=/tmp/film.mp4  {} ! vsockenc ! h264parse ! m.") as process:
            wait_for_frames(vm, process, before + 30)
            process.kill(signal.SIGINT)
            result = process.wait(STREAM_SECONDS)
    path = os.path.join(LOGS, "screencast.mp4")
    vm.pull("/tmp/film.mp4", path)
    size = film.size_of(path)
    tap.check(result.rc == 0 and size == (WIDTH, HEIGHT), "%s: SIGINT leaves a whole mp4" % title,
              "status %d, %s\n%s" % (result.rc, size, result.err.decode(errors="replace")[-1000:]))


def test_compositor_ends(tap, vm, title, environment, options, program, before_encoder=""):
    """The compositor dies: the program says so and ends by itself."""
    with vm.start(["/helix/bin/scene"], env=environment):
        before = encoded(vm)
        with screencast(vm, environment, *options, before_encoder + "vsockenc ! h264parse ! fakesink") as process:
            wait_for_frames(vm, process, before + 10)
            vm.run(["pkill", "-KILL", "-x", program])
            result = process.wait(STREAM_SECONDS)
    tap.check(result.rc == 5, "%s: the end of the compositor is the stream's" % title,
              "status %d: %s" % (result.rc, result.err.decode(errors="replace")[-1000:]))


def test_turned(tap, vm, title, options):
    """Mutter closes the ScreenCast as its monitor turns: the same pipeline goes on with the next one."""
    with vm.start(["/helix/bin/scene"]):
        before = encoded(vm)
        with screencast(vm, {}, "--restart", *options, ENCODE) as process:
            wait_for_frames(vm, process, before + 30)
            turned = vm.run(["gdctl", "set", "--logical-monitor", "--primary", "--monitor", "Meta-0", "--transform", "90"], check=False)
            wait_for_frames(vm, process, encoded(vm) + 30)
            process.kill(signal.SIGINT)
            result = process.wait(STREAM_SECONDS)
    text = result.err.decode(errors="replace")
    tap.check(result.rc == 0 and text.count("streaming PipeWire node") == 2 and "again" not in text,
              "%s: another orientation, the same pipeline" % title, "%s\n%s" % ((turned.out + turned.err).decode(errors="replace"), text))


def test_mutter(tap, vm):
    vm.desktop(WIDTH, HEIGHT, "mutter")
    listed = vm.run(["helix-screencast", "--list"], env=INSTALLED).out.decode()
    tap.check("Meta-0" in listed and "%dx%d" % (WIDTH, HEIGHT) in listed, "--list names Mutter's monitor", listed)
    title, options = "Mutter's API", ["--backend=mutter", "--monitor=Meta-0"]
    test_film(tap, vm, title, "screencast-mutter", {}, options, "dmabuf")
    test_interrupt(tap, vm, title, {}, options)
    test_turned(tap, vm, title, options)
    test_compositor_ends(tap, vm, title, {}, options, "mutter")


def test_sway(tap, vm):
    """System memory only: xdg-desktop-portal-wlr 0.7.1 can't allocate DMA-BUFs on virgl. See
    docs/screencast.md."""
    vm.desktop(WIDTH, HEIGHT, "sway")
    environment = {"WAYLAND_DISPLAY": "wayland-1"}
    title, options = "sway, by the portal", ["--backend=portal"]
    test_film(tap, vm, title, "screencast-sway", environment, options, "guest-copy", PLAIN, spare=3)
    token = vm.run("cat /root/.local/state/helix-screencast/monitor.token", check=False)
    tap.check(token.rc == 0 and token.out.strip(), "sway, by the portal: the restore token is kept", token.err.decode())
    test_compositor_ends(tap, vm, title, environment, options, "sway", PLAIN)


def run_package(tap):
    with VM(name="screencast") as vm:
        install(tap, vm)
        for test in (test_mutter, test_sway):
            try:
                test(tap, vm)
            except (StepError, OSError, subprocess.SubprocessError) as error:
                logs = vm.run("tail -n 30 /tmp/*.log", check=False).out.decode(errors="replace")
                tap.check(False, test.__name__.replace("_", " "), "%s\n%s" % (error, logs))


if __name__ == "__main__":
    sys.exit(run_parts(run_package))
