# SPDX-License-Identifier: GPL-2.0-or-later
"""The row of the VA-API driver: FFmpeg in the guest with it, FFmpeg with x264 there, and a pipeline of vsockenc, all from
the same pictures in memory. The host encodes with x264."""

import statistics

import desktop
from machine import machine, note
from row import Figure, row

WIDTH, HEIGHT = 1920, 1080
NODE = "/dev/dri/renderD128"
PICTURES, N_PICTURES = "/tmp/va-pictures.nv12", 10
ENVIRONMENT = {"LIBVA_DRIVER_NAME": "helix", "LIBVA_DRIVERS_PATH": "/helix/dri", "GST_VA_ALL_DRIVERS": "1",
               "GST_REGISTRY": "/tmp/va-registry"}
RATE = ["-b:v", "6M", "-maxrate", "6M", "-bufsize", "12M", "-g", "600", "-f", "h264"]
DRIVER = (["-init_hw_device", "vaapi=va:" + NODE, "-filter_hw_device", "va"],
          ["-vf", "hwupload", "-c:v", "h264_vaapi"] + RATE)
NOTHING = ([], ["-c:v", "wrapped_avframe", "-f", "null"])
SOFTWARE = ([], ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"] + RATE)
RUN_SECONDS = 120

LIVE_FPS, LIVE_SECONDS, LIVE_SETTLED = 3, 6, 4
VAH264ENC, VSOCKENC = "vah264enc rate-control=cbr bitrate=6000 key-int-max=600", "vsockenc bitrate=6000"
LIVE = {"ours": VAH264ENC, "guest": "x264enc speed-preset=ultrafast tune=zerolatency bitrate=6000 key-int-max=600", "vsockenc": VSOCKENC}


def make_pictures(vm):
    vm.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=s=%dx%d:r=60" % (WIDTH, HEIGHT),
            "-frames:v", str(N_PICTURES), "-pix_fmt", "nv12", "-f", "rawvideo", PICTURES], timeout=RUN_SECONDS)
    vm.run("cp $GST_REGISTRY /tmp/va-registry")


def ffmpeg(encoder):
    before, behind = encoder

    def argv(frames):
        return (["ffmpeg", "-v", "error", "-nostdin", "-y"] + before +
                ["-stream_loop", "-1", "-f", "rawvideo", "-pixel_format", "nv12", "-video_size", "%dx%d" % (WIDTH, HEIGHT),
                 "-framerate", "60", "-i", PICTURES, "-frames:v", str(frames)] + behind + ["/dev/null"])
    return argv


def gstreamer(encoder):
    def argv(frames):
        return (["gst-launch-1.0", "-q"] +
                ("multifilesrc location=%s loop=true num-buffers=%d ! rawvideoparse format=nv12 width=%d height=%d framerate=60/1 ! "
                 "%s ! fakesink sync=false" % (PICTURES, frames // N_PICTURES, WIDTH, HEIGHT, encoder)).split())
    return argv


def timed(vm, argv):
    """(seconds, CPU seconds of the whole guest) of a program there, its start included."""
    look = "cat /proc/uptime; head -n 1 /proc/stat"
    out = vm.run(["sh", "-c", look + "; \"$@\" || exit; " + look, "sh"] + argv, timeout=RUN_SECONDS, env=ENVIRONMENT).out
    lines = out.decode(errors="replace").splitlines()
    lines = lines[:2] + lines[-2:]

    def read(at):
        fields = lines[at + 1].split()
        return float(lines[at].split()[0]), sum(int(fields[i]) for i in (1, 2, 3, 6, 7)) / 100
    return tuple(after - before for before, after in zip(read(0), read(2)))


def cost(vm, argv, short, more, by_host):
    """{"fps", "ms": of the guest's CPU a frame}: the difference of two runs, so that a program's start is in neither."""
    before = vm.helix_stats()["frames"]["encoded"]
    (seconds, busy), (longer, busier) = timed(vm, argv(short)), timed(vm, argv(short + more))
    encoded = vm.helix_stats()["frames"]["encoded"] - before
    if encoded != (2 * short + more if by_host else 0):
        raise ValueError("%s: the host encoded %d frames" % (argv(short)[0], encoded))
    return {"fps": more / (longer - seconds), "ms": (busier - busy) * 1000 / more}


def latency(vm, encoder):
    """ms from a live source, which has to draw it, to the sink, of the median frame."""
    words = ("videotestsrc is-live=true pattern=black ! video/x-raw,format=NV12,width=%d,height=%d,framerate=%d/1 ! %s" %
             (WIDTH, HEIGHT, LIVE_FPS, encoder)) + desktop.OUT
    out = vm.run([desktop.CAPTURE, str(LIVE_SECONDS), "-"] + words.split(), timeout=RUN_SECONDS, env=ENVIRONMENT).out
    late = desktop.result_of(out)["late_ns"][LIVE_SETTLED:]
    if len(late) < LIVE_SECONDS * LIVE_FPS / 2:
        raise ValueError("%s: %d frames in %d s" % (encoder, len(late), LIVE_SECONDS))
    return statistics.median(late) / 1e6


@row("va", "1080p by FFmpeg in the guest with the VA-API driver, x264 on the host; with x264 there; vsockenc", 900)
def va(lab):
    vm = machine(lab)
    vm.encoder("x264")
    make_pictures(vm)
    runs = {"ffmpeg": (ffmpeg(DRIVER), 30, 180, True), "x264": (ffmpeg(SOFTWARE), 4, 24, False), "read": (ffmpeg(NOTHING), 30, 180, False),
            "vah264enc": (gstreamer(VAH264ENC), 30, 180, True), "vsockenc": (gstreamer(VSOCKENC), 30, 180, True)}
    costs, took = {name: [] for name in runs}, {name: [] for name in LIVE}
    before = vm.helix_stats()["host_paths"]
    for _ in range(lab.rounds(6)):
        for name, arguments in runs.items():
            costs[name].append(cost(vm, *arguments))
        for name, encoder in LIVE.items():
            took[name].append(latency(vm, encoder))
    note("va: frames by %s" % {path: count - before[path] for path, count in vm.helix_stats()["host_paths"].items()
                              if count > before[path]})

    def figures(what, unit, pairs):
        return [Figure("%s, %s" % (what, title), unit, *([result["ms" if unit == "ms a frame" else unit] for result in costs[name]]
                                                        for name in names), goal=goal, at_most=unit != "fps")
                for title, names, goal in pairs]

    return (figures("guest's CPU", "ms a frame", (("x264 there", ("ffmpeg", "x264"), 0.1), ("vsockenc", ("ffmpeg", "vsockenc"), 1.1),
                                                  ("nothing encoded", ("ffmpeg", "read"), None),
                                                  ("vah264enc and vsockenc", ("vah264enc", "vsockenc"), 1.1))) +
            figures("frame rate", "fps", (("x264 there", ("ffmpeg", "x264"), 4), ("vsockenc", ("ffmpeg", "vsockenc"), 0.9),
                                          ("vah264enc and vsockenc", ("vah264enc", "vsockenc"), 0.9))) +
            [Figure("latency of a frame, x264 there", "ms", took["ours"], took["guest"]),
             Figure("latency of a frame, vsockenc", "ms", took["ours"], took["vsockenc"], goal=1.1)])
