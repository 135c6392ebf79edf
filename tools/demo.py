# SPDX-License-Identifier: GPL-2.0-or-later
"""make demo: a guest's desktop as a film, by resource id only.

Boots a VM with Mutter, runs `gst-launch-1.0 -m -e pipewiresrc ... ! vsockenc ! h264parse ! mp4mux ! filesink` in it on
Mutter's ScreenCast, and leaves out/demo.mp4, out/demo.png, out/demo.json. At the end the scene's time is stopped (it
goes on drawing, the same picture each time); in that phase the guest takes a screenshot by another way, a ScreenCast in
system memory, and the film's last frame, of the same picture, is compared with it.
"""

import json
import os
import re
import signal
import subprocess
import time

import build
from steps import OUT, Step, StepError, host_path, locked, say
from vm import VM

WIDTH, HEIGHT = 1280, 720
MOVING_FRAMES = 330         # with the scene's time running
STILL_FRAMES = 10           # before and after the screenshot
CAPTURE_SECONDS = 300
BITRATE_KBPS = 6000
LEAST_PSNR = 30.0           # a picture that is the screenshot's, through an encoder
PATHS = ("dmabuf", "guest-copy", "pixel-data")
HOST_PATHS = ("iosurface", "metal-copy", "gl-blit", "readback", "pages", "pixel-data", "repeat")
STAGES = ("queued", "resolved", "encoded", "returned")
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
FILM, SHOT = "/tmp/demo.mp4", "/tmp/screenshot"


def out(name):
    return os.path.join(OUT, name)


def encoded(vm):
    return vm.helix_stats()["frames"]["encoded"]


def wait_for_frames(vm, step, process, target, label):
    """Wait until the host encoded @target frames; shows how far it is."""
    end = time.monotonic() + CAPTURE_SECONDS
    first = None
    while True:
        done = encoded(vm)
        if done and first is None:
            first = time.monotonic()
        step.progress("%s: frame %d of %d" % (label, done, target))
        if done >= target:
            return first
        if process.done():
            process.check()
            raise StepError("the pipeline in the guest ended after %d frames" % done)
        if time.monotonic() > end:
            raise StepError("only %d of %d frames within %d s" % (done, target, CAPTURE_SECONDS))
        time.sleep(0.1)


def capture(vm, step):
    """Stream the desktop; returns (what gst-launch said, wall seconds of the capture, the module's statistics)."""
    scene = vm.start(["/helix/bin/scene"])
    process = vm.start(vm.cast("vsockenc bitrate=%d ! h264parse ! mp4mux ! filesink location=%s"
                               % (BITRATE_KBPS, FILM)))
    try:
        begin = wait_for_frames(vm, step, process, MOVING_FRAMES, "moving")
        scene.kill(signal.SIGUSR1)
        wait_for_frames(vm, step, process, encoded(vm) + STILL_FRAMES, "still")
        step.progress("the guest's own screenshot")
        vm.run(vm.cast("video/x-raw,format=BGRx ! filesink location=" + SHOT, "--source", "num-buffers=1"), timeout=90)
        wait_for_frames(vm, step, process, encoded(vm) + STILL_FRAMES, "still")
        step.progress("finishing the file")
        wall = time.monotonic() - begin
        process.kill(signal.SIGINT)
        text = process.check(60).out.decode(errors="replace")
        if scene.done():
            raise StepError("the scene in the guest ended: %s" % bytes(scene.err).decode(errors="replace"))
    finally:
        step.write(bytes(process.out + process.err).decode(errors="replace"))
        scene.kill()
    vm.pull(FILM, out("demo.mp4"))
    vm.pull(SHOT, out("log/demo-screenshot.bgrx"))
    return text, wall, vm.helix_stats()


def element_stats(text):
    """The numbers of the last vsockenc-stats message that gst-launch printed."""
    lines = re.findall(r"vsockenc-stats, (.*);", text)
    if not lines:
        raise StepError("gst-launch printed no vsockenc-stats message")
    return {name: int(value) for name, value in re.findall(r"([a-z0-9-]+)=\(g?u?int(?:64)?\)(-?\d+)", lines[-1])}


def probe(path):
    """(frames, seconds, width, height, bits a second) of the film."""
    answer = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
                             "stream=nb_read_packets,width,height,bit_rate:format=duration", "-of", "json", path],
                            capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StepError("ffprobe can't read %s: %s" % (host_path(path), answer.stderr.strip()))
    data = json.loads(answer.stdout)
    stream = data["streams"][0]
    return (int(stream["nb_read_packets"]), float(data["format"]["duration"]), stream["width"], stream["height"],
            int(stream["bit_rate"]))


def picture(step):
    """The film's last frame beside the guest's screenshot in out/demo.png; returns their PSNR in dB."""
    frame, shot, target = out("log/demo-frame.png"), out("log/demo-screenshot.png"), out("demo.png")
    if os.path.exists(frame):
        os.unlink(frame)
    step.run(["ffmpeg", "-y", "-v", "error", "-f", "rawvideo", "-pixel_format", "bgr0", "-video_size",
              "%dx%d" % (WIDTH, HEIGHT), "-i", out("log/demo-screenshot.bgrx"), "-update", "1", shot])
    step.run(["ffmpeg", "-y", "-v", "error", "-sseof", "-1", "-i", out("demo.mp4"), "-update", "1", frame])
    answer = subprocess.run(["ffmpeg", "-v", "info", "-i", frame, "-i", shot, "-lavfi",
                             "[0]format=gbrp[a];[1]format=gbrp[b];[a][b]psnr", "-f", "null", "-"],
                            capture_output=True, text=True, check=False)
    step.write(answer.stderr)
    found = re.search(r"PSNR .*average:(\S+)", answer.stderr)
    if not found:
        raise StepError("the film's last frame and the screenshot can't be compared")
    psnr = float(found.group(1))
    caption = "drawtext=fontfile=%s:fontsize=28:fontcolor=white:x=20:y=h-40:text=" % FONT
    step.run(["ffmpeg", "-y", "-v", "error", "-i", frame, "-i", shot, "-filter_complex",
              "[0]pad=iw+8:ih+52:0:0,%s'decoded from the film'[a];"
              "[1]pad=iw:ih+52:0:0,%s'screenshot taken in the guest, PSNR %.1f dB'[b];"
              "[a][b]hstack" % (caption, caption, psnr), "-frames:v", "1", "-update", "1", target])
    return psnr


def table(result):
    rows = []

    def add(name, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                add(name + "." + key, inner)
        else:
            rows.append((name, "%s" % value))

    for name, value in result.items():
        add(name, value)
    width = max(len(name) for name, _ in rows)
    say("")
    for name, value in rows:
        say("   %s  %s" % (name.ljust(width), value))
    say("")


def collect(guest, host, film):
    frames, seconds, width, height, bits = film
    host_frames = max(1, sum(host["host_paths"].values()))
    return {
        "frames": frames,
        "fps": round(frames / seconds, 2),
        "width": width,
        "height": height,
        "encoder": host["encoder"],
        "bitrate_kbps": round(bits / 1000),
        "paths": {path: guest[path] for path in PATHS},
        "host_paths": {path: host["host_paths"][path] for path in HOST_PATHS},
        "bytes_to_host_per_frame": round(guest["bytes-to-host"] / frames, 1),
        "cpu_bytes_per_frame": {"guest": round(guest["cpu-bytes"] / frames),
                                "host": round(sum(host["cpu_bytes"].values()) / host_frames)},
        "stage_us": {stage: {"p50": host["stage_us"][stage]["p50"], "p99": host["stage_us"][stage]["p99"]}
                     for stage in STAGES},
    }


def judge(result, guest, film, wall, psnr):
    """StepError with everything that is not as it has to be."""
    wrong = []
    if result["frames"] < 300:
        wrong.append("%d frames, not 300 or more" % result["frames"])
    if (result["width"], result["height"]) != (WIDTH, HEIGHT):
        wrong.append("the film is %dx%d, not %dx%d" % (result["width"], result["height"], WIDTH, HEIGHT))
    if result["paths"]["guest-copy"] or result["paths"]["pixel-data"] or not result["paths"]["dmabuf"]:
        wrong.append("frames went another way than by dmabuf: %s" % result["paths"])
    if result["cpu_bytes_per_frame"]["guest"]:
        wrong.append("the guest's CPU copied %d bytes a frame" % result["cpu_bytes_per_frame"]["guest"])
    if guest["errors"]:
        wrong.append("%d frames were answered with an error" % guest["errors"])
    if abs(film[1] - wall) > 1.0 + wall * 0.05:
        wrong.append("the film lasts %.1f s, the capture took %.1f s" % (film[1], wall))
    if psnr < LEAST_PSNR:
        wrong.append("the film's last frame is not the screenshot: PSNR %.1f dB, %.0f wanted" % (psnr, LEAST_PSNR))
    if wrong:
        raise StepError("; ".join(wrong))


def run():
    with locked(os.path.join(OUT, "lock"), "this checkout's out folder"):
        run_locked()


def run_locked():
    for name in ("demo.mp4", "demo.png", "demo.json"):
        if os.path.exists(out(name)):
            os.unlink(out(name))
    build.everything()
    vm = VM(name="demo")
    try:
        with Step("VM: boot (%s)" % vm.accel):
            vm.launch()
        with Step("desktop: PipeWire, WirePlumber, Mutter %dx%d" % (WIDTH, HEIGHT)):
            vm.desktop(WIDTH, HEIGHT)
        with Step("capture", "demo-capture") as step:
            text, wall, host = capture(vm, step)
        vm.power_off()
    finally:
        vm.close()
    with Step("film, picture, figures", "demo-picture") as step:
        guest = element_stats(text)
        film = probe(out("demo.mp4"))
        psnr = picture(step)
        result = collect(guest, host, film)
        with open(out("demo.json"), "w") as file:
            json.dump(result, file, indent=2)
            file.write("\n")
        table(result)
        say("   capture took %.1f s, the film lasts %.1f s" % (wall, film[1]))
        say("   PSNR of the last frame against the guest's screenshot: %.1f dB" % psnr)
        judge(result, guest, film, wall, psnr)
    for name, what in (("demo.mp4", "the film"), ("demo.png", "a frame beside the guest's screenshot"),
                       ("demo.json", "the figures")):
        say("   %s: %s" % (host_path(out(name)), what))
