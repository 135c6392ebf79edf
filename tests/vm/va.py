# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 1500
"""Programs of the guest that know nothing of this project encode by VA-API with desktop/va-driver: vainfo, ffmpeg, GStreamer's va elements,
wf-recorder.

Films of pictures with their number drawn in them (va_film.py) are compared with what was drawn: every picture, in its order, with its
time, at the bit rate that was asked for. Films of a desktop or a screen are looked at as desktop.py and picture.py do. The programs that
are not in the guest's image are va_programs.py's.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import build
import desktop
import film
import va_film
from picture import judge
from steps import LOGS, StepError, host_path
from va_film import RGB, YUV, Wanted
from vm import VM, VMError

NODE = "/dev/dri/renderD128"
ENVIRONMENT = {"LIBVA_DRIVER_NAME": "helix", "LIBVA_DRIVERS_PATH": "/helix/dri", "GST_VA_ALL_DRIVERS": "1",
               "GST_REGISTRY": "/tmp/va-registry"}
FFMPEG = ["ffmpeg", "-hide_banner", "-v", "warning", "-nostdin", "-y"]
DEVICE = FFMPEG + ["-init_hw_device", "vaapi=va:" + NODE, "-filter_hw_device", "va"]
SECONDS = 120

BITRATE = 1500000
SHORT, LONG = 30, 150           # pictures
LEAST_YUV, LEAST_RGB = 30.0, 27.0

# file's name, filter in front of the encoder, pictures, compared with, least PSNR, the muxer's options, environment
FILMS = (
    ("nv12.mp4", "format=nv12,hwupload", LONG, YUV, LEAST_YUV, (), {}),
    ("bgra.ts", "format=bgra,hwupload,scale_vaapi=format=nv12", SHORT, RGB, LEAST_RGB, (), {}),
    ("fragments.mp4", "format=nv12,hwupload", SHORT, YUV, LEAST_YUV, ("-movflags", "+frag_keyframe+empty_moov+delay_moov"), {}),
    ("nv12.mkv", "format=nv12,hwupload", SHORT, YUV, LEAST_YUV, (), {"HELIX_VA_PACKED_HEADERS": "1"}),
)
CBR = ["-c:v", "h264_vaapi", "-b:v", str(BITRATE), "-maxrate", str(BITRATE), "-g", "30"]

GST_CBR = "vah264enc rate-control=cbr bitrate=%d key-int-max=30" % (BITRATE // 1000)

SCREEN_WIDTH, SCREEN_HEIGHT = 640, 480
SCREEN_FIRST, SCREEN_DRAWINGS, SCREEN_FRAMES = 200, 12, 40


def log_path(name):
    return os.path.join(LOGS, "va-" + name)


def run(vm, argv, environment=(), timeout=SECONDS):
    """A program of the guest with the driver; VMError if it fails."""
    return vm.run(argv, env=dict(ENVIRONMENT, **dict(environment)), timeout=timeout)


def host_paths(vm):
    return dict(vm.helix_stats()["host_paths"])


def paths_since(vm, before):
    return {path: count - before[path] for path, count in host_paths(vm).items() if count - before[path]}


def check_film(tap, title, path, wanted):
    seen = va_film.examine(path, wanted.reference)
    print("# %s: %s" % (title, va_film.shown(seen)), flush=True)
    wrong = va_film.wrong_with(seen, wanted)
    return tap.check(not wrong, title + ": every picture, in its order, at its time", "%s: %s" % (host_path(path), wrong))


# ---- vainfo ----

def test_vainfo(tap, vm):
    done = run(vm, ["vainfo", "--display", "drm", "--device", NODE])
    text = (done.out + done.err).decode(errors="replace")
    found = set(re.findall(r"^\s*(VAProfile\w+)\s*:\s*(VAEntrypoint\w+)", text, re.M))
    wanted = {("VAProfile" + profile, "VAEntrypointEncSlice") for profile in
              ("H264ConstrainedBaseline", "H264Main", "H264High")} | {("VAProfileNone", "VAEntrypointVideoProc")}
    tap.check(found == wanted, "vainfo lists what the driver has, and nothing else", text)


# ---- ffmpeg ----

def test_ffmpeg(tap, vm, name, filters, frames, reference, least, options, environment):
    title = "ffmpeg " + name
    begin = time.monotonic()
    before, connections = host_paths(vm), vm.helix_stats()["connections"]["total"]
    run(vm, DEVICE + ["-f", "lavfi", "-i", va_film.numbered(), "-frames:v", str(frames), "-vf", filters] + CBR + list(options) +
        ["/tmp/" + name], environment)
    print("# %s: %.0f s, by %s" % (title, time.monotonic() - begin, paths_since(vm, before)), flush=True)
    connections = vm.helix_stats()["connections"]["total"] - connections
    tap.check(connections == 1, title + ": the encoder has the connection that vaInitialize() made", connections)
    vm.pull("/tmp/" + name, log_path(name))
    check_film(tap, title, log_path(name), Wanted(frames, reference, least, BITRATE if frames == LONG else 0))


def drawing_numbers(path):
    """The numbers of pattern.h that a film's pictures show, each -1 if its check digit is wrong."""
    columns = 8
    data = va_film.tool("ffmpeg", "-v", "error", "-i", path, "-vf", "crop=iw:ih/4:0:0,scale=%d:2:flags=neighbor,format=gray" % columns,
                        "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    numbers = []
    for at in range(0, len(data), 2 * columns):
        code = sum((level > 128) << (15 - bit) for bit, level in enumerate(data[at:at + 2 * columns]))
        number = code >> 4
        check = (number ^ number >> 4 ^ number >> 8 ^ 0xa) & 0xf
        numbers.append(number if check == code & 0xf else -1)
    return numbers


def write_index(path, numbers):
    """What check-picture reads beside an Annex B file."""
    packets = va_film.probe(path)["packets"]
    with open(os.path.splitext(path)[0] + ".index", "w") as index:
        index.write("film 1\n")
        for number, packet in zip(numbers, packets, strict=True):
            index.write("unit 0 %d %d %d %d %s %s\n" % (number, SCREEN_WIDTH, SCREEN_HEIGHT, "K" in packet["flags"], packet["pos"],
                                                        packet["size"]))
        index.write("end %d\n" % len(packets))


def judge_screen(tap, title, path):
    numbers = drawing_numbers(path)
    in_order = numbers == sorted(numbers)
    tap.check(len(numbers) == SCREEN_FRAMES and in_order and -1 not in numbers and len(set(numbers)) > 2,
              title + ": every picture, in its order", "%d pictures: %s" % (len(numbers), numbers))
    with tempfile.TemporaryDirectory() as folder:
        annex_b = os.path.join(folder, "film.h264")
        va_film.tool("ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-bsf:v", "h264_mp4toannexb", annex_b)
        write_index(annex_b, numbers)
        checker = os.path.join(build.project(tests=True), "tests", "vm", "check-picture")
        right, text = judge(checker, os.path.splitext(annex_b)[0])
        tap.check(right, title + ": each is the drawing that was shown" + (": " + text if right else ""), text)


def test_screen(tap, vm):
    """The GPU's own screen by kmsgrab: a DMA-BUF for each picture, which the host reads by its resource id."""
    title = "ffmpeg films the screen"
    argv = DEVICE + ["-f", "kmsgrab", "-device", "/dev/dri/card0", "-framerate", "10", "-i", "-", "-frames:v", str(SCREEN_FRAMES), "-vf",
                     "hwmap=derive_device=vaapi,scale_vaapi=format=nv12", "-c:v", "h264_vaapi", "-b:v", "20M", "-maxrate", "20M",
                     "/tmp/screen.mp4"]
    before = host_paths(vm)
    with vm.start(["/helix/bin/scanout", str(SCREEN_WIDTH), str(SCREEN_HEIGHT), str(SCREEN_FIRST), str(SCREEN_DRAWINGS), "500"]) as screen:
        vm.wait_for(lambda: screen.done() or b"showing" in screen.out, 30)
        first = desktop.encoded(vm)
        with vm.start(argv, env=ENVIRONMENT) as ffmpeg:
            desktop.wait_for_frames(vm, ffmpeg, first + 1)
            screen.write(b"\n")
            ffmpeg.check(SECONDS)
        screen.close_input()
        screen.check()
    paths = paths_since(vm, before)
    vm.pull("/tmp/screen.mp4", log_path("screen.mp4"))
    judge_screen(tap, title, log_path("screen.mp4"))
    tap.check(paths == {"snapshot": SCREEN_FRAMES}, title + ": the host reads the screen's own texture", paths)


# ---- GStreamer ----

def make_pictures(vm):
    """Numbered pictures as files, for programs that cannot draw them."""
    for pixels in ("nv12", "bgra"):
        run(vm, FFMPEG + ["-f", "lavfi", "-i", va_film.numbered(), "-frames:v", str(SHORT), "-pix_fmt", pixels, "-f", "rawvideo",
                          "/tmp/pictures." + pixels])


def launch(*pipeline):
    return ["gst-launch-1.0", "-q", "-e"] + " ".join(pipeline).split()


def test_inspect(tap, vm):
    """GStreamer keeps what it found: once with the driver, which needs no host for that."""
    vm.run("cp $GST_REGISTRY /tmp/va-registry")
    text = run(vm, ["gst-inspect-1.0", "va"], timeout=SECONDS).out.decode(errors="replace")
    tap.check("vah264enc" in text and "vapostproc" in text, "gst-inspect-1.0 va lists encoder and vapostproc", text)


def test_memory(tap, vm, pixels, before_encoder, reference, least):
    title, name = "GStreamer, %s from memory" % pixels.upper(), "gst-%s.mp4" % pixels
    size = va_film.WIDTH * va_film.HEIGHT * (4 if pixels == "bgra" else 1.5)
    run(vm, launch("filesrc location=/tmp/pictures.%s blocksize=%d !" % (pixels, size),
                   "rawvideoparse format=%s width=%d height=%d framerate=%d/1 !" % (pixels, va_film.WIDTH, va_film.HEIGHT, va_film.RATE),
                   before_encoder, GST_CBR, "! h264parse ! mp4mux ! filesink location=/tmp/" + name))
    vm.pull("/tmp/" + name, log_path(name))
    check_film(tap, title, log_path(name), Wanted(SHORT, reference, least, 0))


def wait_for_background(vm):
    """Weston films before its shell has drawn the background. It sends pictures while something moves."""
    pipeline = ("video/x-raw,format=BGRx ! videoconvert ! videoscale method=nearest-neighbour ! "
                "video/x-raw,format=GRAY8,width=8,height=8 ! filesink location=/tmp/background")
    with vm.start(["/helix/bin/scene"]):
        for _ in range(20):
            vm.run(desktop.source(vm, "weston", pipeline, "num-buffers=1"), timeout=desktop.START_SECONDS)
            if vm.pull("/tmp/background")[7 * 8 + 7] > 32:       # its lower right corner
                return
    raise VMError("Weston draws no background")


def test_weston(tap, vm):
    """PipeWire's DMA-BUFs, linear ones as GStreamer's va elements demand, of which Weston makes such and Mutter none."""
    title = "GStreamer, DMA-BUFs of Weston's PipeWire"
    vm.desktop(desktop.WIDTH, desktop.HEIGHT, "weston")
    wait_for_background(vm)
    before = host_paths(vm)
    _, seen = desktop.record(vm, "weston", "va-weston", desktop.FRAMES, environment=ENVIRONMENT, encoder=(
        "video/x-raw(memory:DMABuf) ! vapostproc ! vah264enc rate-control=cbr bitrate=4000 ! h264parse ! filesink location=/tmp/film.h264"))
    paths = paths_since(vm, before)
    print("# %s: %d%% moving, PSNR %.1f dB, by %s" % (title, seen.moving * 100, seen.psnr, paths), flush=True)
    wrong = desktop.wrong_with(seen, desktop.FRAMES)
    tap.check(not wrong, title + ": the film shows the desktop", wrong)
    tap.check(paths == {"snapshot": desktop.FRAMES}, title + ": the host reads the compositor's own textures", paths)


# ---- wf-recorder ----

def recorder(vm, *arguments):
    return vm.start(["wf-recorder", "-y", *arguments], env=dict(ENVIRONMENT, WAYLAND_DISPLAY="wayland-1"))


def stop(process):
    process.kill(signal.SIGINT)
    return process.check(SECONDS)


def take_screenshot(vm):
    """What stands on sway's output, by shared memory and without an encoder; its path here."""
    with recorder(vm, "-c", "rawvideo", "-x", "bgr0", "-D", "-f", "/tmp/shot.nut") as process:
        vm.run("for i in $(seq 1200); do [ -s /tmp/shot.nut ] && exit; sleep 0.1; done; exit 1", timeout=150)
        stop(process)
    vm.run(FFMPEG + ["-i", "/tmp/shot.nut", "-frames:v", "1", "/tmp/shot.png"], timeout=SECONDS)
    vm.pull("/tmp/shot.png", log_path("shot.png"))
    return log_path("shot.png")


def record_sway(vm):
    """wf-recorder films the scene with its clock drawn in it, which stands still at the end; pictures that the host encoded."""
    environment = {"WAYLAND_DISPLAY": "wayland-1"}
    with vm.start(["/helix/bin/scene", str(desktop.WIDTH), str(desktop.HEIGHT), "stamp"], env=environment) as scene:
        before = desktop.encoded(vm)
        with recorder(vm, "-c", "h264_vaapi", "-d", NODE, "-p", "b=4000000", "-p", "maxrate=4000000", "-f", "/tmp/sway.mp4") as process:
            desktop.wait_for_frames(vm, process, before + 60)
            scene.kill(signal.SIGUSR1)
            desktop.wait_for_frames(vm, process, desktop.encoded(vm) + 10)
            stop(process)
        encoded = desktop.encoded(vm) - before
        shot = take_screenshot(vm)
        if scene.done():
            raise VMError("the scene ended: %s" % bytes(scene.err).decode(errors="replace"))
    vm.pull("/tmp/sway.mp4", log_path("sway.mp4"))
    return encoded, shot


def test_recorder(tap, vm):
    title = "wf-recorder on sway"
    vm.desktop(desktop.WIDTH, desktop.HEIGHT, "sway")
    before = host_paths(vm)
    encoded, shot = record_sway(vm)
    paths = paths_since(vm, before)
    stamps = va_film.numbers_of(log_path("sway.mp4"))
    in_order, different = va_film.ordered(stamps)
    times = va_film.examine(log_path("sway.mp4")).times
    psnr = film.psnr_of_last(log_path("sway.mp4"), len(stamps), shot, 2 * va_film.CELL)     # the stamp goes on
    print("# %s: %d pictures, %d different ones, PSNR of the last %.1f dB, by %s" % (title, len(stamps), different, psnr, paths), flush=True)
    tap.check(len(stamps) == encoded, title + ": every picture that the host encoded is in the film", "%d of %d" % (len(stamps), encoded))
    tap.check(in_order and different >= 20, title + ": in their order, and moving", stamps)
    tap.check(len(times) == encoded and all(a < b for a, b in zip(times, times[1:])), title + ": each with a time of its own", times)
    tap.check(film.size_of(log_path("sway.mp4")) == (desktop.WIDTH, desktop.HEIGHT) and psnr >= desktop.LEAST_PSNR,
              title + ": the last one is the screenshot", "PSNR %.1f dB" % psnr)
    tap.check(set(paths) == {"snapshot"}, title + ": the host reads the compositor's own textures", paths)


# ---- all of them ----

def attempt(tap, vm, test, *arguments):
    """One program that fails takes no other away."""
    begin = time.monotonic()
    title = " ".join([test.__name__.replace("_", " ")] + [str(argument) for argument in arguments[:1]])
    try:
        test(tap, vm, *arguments)
    except (StepError, OSError, ValueError, subprocess.SubprocessError) as error:
        tap.check(False, title, error)
    print("# %s took %.0f s" % (title, time.monotonic() - begin), flush=True)


def nothing_left(tap, vm):
    stats = vm.helix_stats()
    tap.check(stats["streams"]["now"] == 0 and stats["connections"]["now"] == 0, "no stream or connection is left over", stats)


def run_image(tap):
    with VM(name="va") as vm:
        print("# booted in %.0f s" % vm.boot_seconds, flush=True)
        attempt(tap, vm, test_vainfo)
        for case in FILMS:
            attempt(tap, vm, test_ffmpeg, *case)
        attempt(tap, vm, test_screen)
        make_pictures(vm)
        attempt(tap, vm, test_inspect)
        attempt(tap, vm, test_memory, "bgra", "vapostproc !", RGB, LEAST_RGB)
        attempt(tap, vm, test_memory, "nv12", "", YUV, LEAST_YUV)
        attempt(tap, vm, test_weston)
        attempt(tap, vm, test_recorder)
        nothing_left(tap, vm)


if __name__ == "__main__":
    sys.exit(desktop.run_parts(run_image))
