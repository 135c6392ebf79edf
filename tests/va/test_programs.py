# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs with the VA-API driver in front of the real host: what vainfo lists, and films of FFmpeg and GStreamer, decoded
and compared with their source."""

import re
import sys

import subprocess

import rig
from tap import Tap

FRAMES = 60
SOURCE = "testsrc2=s=%dx%d:r=30:d=2"
SMALL = (640, 360)
LEAST = 35                      # dB of each picture; a wrong picture, or one at another's place, has under 25


def film(tap, name, vm, path, source, size, frames=FRAMES, least=LEAST):
    """Whether the film at @path is what was encoded: every picture, in its place."""
    stream = rig.stream_of(path)
    found = (int(stream["nb_read_frames"]), stream["width"], stream["height"])
    tap.check(found == (frames, *size), "%s: frames and size" % name, str(found))
    values = rig.quality(path, source)
    tap.check(len(values) == frames and min(values) > least, "%s: each picture is the source's" % name,
              "%d compared, the worst has %s dB" % (len(values), min(values, default=None)))


def check_vainfo(tap):
    with rig.Rig(host=False) as vm:
        status, text = vm.run("vainfo", "-a", "--display", "drm", "--device", rig.NODE)
        tap.check(status == 0, "vainfo runs without a host", text)
        found = set(re.findall(r"(VAProfile\w+)/(VAEntrypoint\w+)", text))
        tap.check(found == {("VAProfileH264ConstrainedBaseline", "VAEntrypointEncSlice"),
                            ("VAProfileH264Main", "VAEntrypointEncSlice"), ("VAProfileH264High", "VAEntrypointEncSlice"),
                            ("VAProfileNone", "VAEntrypointVideoProc")}, "vainfo lists the profiles", text)
        status, text = vm.ffmpeg("-f", "lavfi", "-i", SOURCE % SMALL, "-vf", "format=nv12,hwupload", "-c:v", "h264_vaapi",
                                 vm.path("none.mp4"))
        tap.check(status != 0 and text.count("helix:") == 1, "without a host the first encode fails, with one line", text)


def check_ffmpeg(tap):
    source = SOURCE % SMALL
    with rig.Rig() as vm:
        upload = ("-f", "lavfi", "-i", source, "-vf", "format=nv12,hwupload", "-c:v", "h264_vaapi", "-b:v", "3M")
        status, text = vm.ffmpeg(*upload, vm.path("upload.mp4"))
        if tap.check(status == 0, "FFmpeg encodes to mp4", text):
            film(tap, "FFmpeg, NV12", vm, vm.path("upload.mp4"), source, SMALL)
        status, text = vm.ffmpeg("-f", "lavfi", "-i", SOURCE % (1280, 720), "-vf",
                                 "format=bgra,hwupload,scale_vaapi=w=640:h=360:format=nv12", "-c:v", "h264_vaapi", "-qp", "20",
                                 vm.path("scaled.ts"))
        if tap.check(status == 0, "FFmpeg scales and converts while it encodes", text):
            film(tap, "FFmpeg, scaled RGB", vm, vm.path("scaled.ts"), SOURCE % (1280, 720) + ",scale=640:360", SMALL, least=30)
            colours = rig.stream_of(vm.path("scaled.ts"))
            tap.check(colours.get("color_space") == "bt709" and colours.get("color_range") == "tv",
                      "FFmpeg, scaled RGB: the stream says which colours it has", str(colours))
        status, text = vm.ffmpeg(*upload, "-f", "mp4", "-movflags", "frag_keyframe+empty_moov+delay_moov",
                                 vm.path("fragments.mp4"))
        if tap.check(status == 0, "FFmpeg encodes to fragmented mp4", text):
            film(tap, "FFmpeg, fragments", vm, vm.path("fragments.mp4"), source, SMALL)
        status, text = vm.ffmpeg(*upload, vm.path("film.mkv"), HELIX_VA_PACKED_HEADERS="1")
        if tap.check(status == 0, "FFmpeg encodes to mkv with HELIX_VA_PACKED_HEADERS", text):
            film(tap, "FFmpeg, mkv", vm, vm.path("film.mkv"), source, SMALL)


def check_guest_copy(tap):
    """Where the virtio-gpu makes buffers, the driver's memory is in them, and the host reads it there."""
    source = SOURCE % SMALL
    with rig.Rig(buffers=40) as vm:
        for pixels, filters, least in (("nv12", "hwupload", LEAST), ("yuv420p", "hwupload", LEAST),
                                       ("bgra", "hwupload,scale_vaapi=format=nv12", 30)):
            path = vm.path(pixels + ".mp4")
            status, text = vm.ffmpeg("-f", "lavfi", "-i", source, "-vf", "format=%s,%s" % (pixels, filters), "-c:v", "h264_vaapi",
                                     "-b:v", "3M", path)
            if tap.check(status == 0, "FFmpeg encodes %s from the virtio-gpu's buffers" % pixels, text):
                film(tap, "guest-copy, " + pixels, vm, path, source, SMALL, least=least)
    paths = {path: count for path, count in vm.host.stats["host_paths"].items() if count}
    tap.check(paths == {"pages": 3 * FRAMES}, "guest-copy: the host reads the guest's pages", str(paths))


def check_dmabuf_caps(tap):
    """GStreamer offers DMA-BUFs only in formats that a test surface was exported in."""
    with rig.Rig(host=False) as vm:
        status, text = vm.run("gst-inspect-1.0", "vapostproc", FAKE_DRI_BUFFERS="40")
        found = re.search(r"memory:DMABuf.*?drm-format: ([^\n]*)", text, re.S)
        tap.check(status == 0 and found and "XR24" in found.group(1) and "AR24" in found.group(1),
                  "vapostproc takes DMA-BUFs in RGB", found.group(0) if found else text)


def check_gstreamer(tap):
    with rig.Rig() as vm:
        raw = vm.path("source.nut")
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", SOURCE % SMALL, "-pix_fmt", "bgr0", "-c:v", "rawvideo",
                            "-f", "rawvideo", raw], check=True, stdin=subprocess.DEVNULL)
        pipeline = ("filesrc location=%s ! rawvideoparse format=bgrx width=640 height=360 framerate=30/1 ! vapostproc ! "
                    "vah264enc rate-control=cbr bitrate=3000 ! h264parse ! mp4mux ! filesink location=%s" %
                    (raw, vm.path("gst.mp4")))
        status, text = vm.run("gst-launch-1.0", "-q", *pipeline.split())
        if tap.check(status == 0, "GStreamer encodes through vapostproc and vah264enc", text):
            film(tap, "GStreamer", vm, vm.path("gst.mp4"), SOURCE % SMALL, SMALL, least=30)


def main():
    tap = Tap()
    check_vainfo(tap)
    check_ffmpeg(tap)
    check_guest_copy(tap)
    check_dmabuf_caps(tap)
    check_gstreamer(tap)
    sys.exit(tap.end())


if __name__ == "__main__":
    main()
