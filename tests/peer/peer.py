# SPDX-License-Identifier: GPL-2.0-or-later
"""Each pipeline of a table, once with x264enc and once with vsockenc in its place, side by side.

What must be the same: whether it plays, the kind of its error, caps, number of frames, running times, durations, keyframes,
kinds of tags, and what ffprobe says of a film. A case names what it knows to differ; each of these names is the first column
of a row in the table "In place of x264enc" of docs/vsockenc.md, and one that no longer differs fails too.
vsockenc has the real host behind it (HELIX_HOST) and is found by GST_PLUGIN_PATH.
"""

import os
import re
import subprocess
import sys
import tempfile

import gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(TREE, "docs", "vsockenc.md")
TABLE = "### In place of x264enc"
FRAMES = 12
SECONDS = 30
X264 = "x264enc name=enc tune=zerolatency speed-preset=ultrafast bitrate=1000"
VSOCK = "vsockenc name=enc bitrate=1000 socket-path="
SOURCE = "videotestsrc num-buffers=%d ! " % FRAMES
SINK = " ! appsink name=out sync=false"
CAPS_FIELDS = ("stream-format", "alignment", "width", "height", "pixel-aspect-ratio", "framerate", "colorimetry", "interlace-mode",
               "multiview-mode")


def raw(format="I420", width=320, height=240, more="", rate="30/1"):
    return "video/x-raw,format=%s,width=%d,height=%d,framerate=%s%s ! " % (format, width, height, rate, more)


I420 = SOURCE + raw()
DECODED = " ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=RGB" + SINK

# name, what is before the encoder, what is behind it, what is known to differ
CASES = [
    ("appsink", I420, SINK, {"profile"}),
    ("byte-stream", I420, " ! video/x-h264,stream-format=byte-stream" + SINK, {"profile"}),
    ("avc", I420, " ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("alignment", I420, " ! video/x-h264,alignment=au" + SINK, {"stream format", "profile"}),
    ("profile", I420, " ! video/x-h264,stream-format=avc,profile=constrained-baseline" + SINK, set()),
    ("profile main", I420, " ! video/x-h264,stream-format=avc,profile=main" + SINK, set()),
    ("parsed", I420, " ! h264parse ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("nv12", SOURCE + raw("NV12"), " ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("60000/1001", SOURCE + raw(rate="60000/1001"), " ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("variable rate", SOURCE + raw(rate="30/1") + "capssetter caps=video/x-raw,framerate=0/1 ! ",
     " ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("wide pixels", SOURCE + raw(more=",pixel-aspect-ratio=4/3"), " ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("colours", SOURCE + raw(more=",colorimetry=bt709"), " ! video/x-h264,stream-format=avc" + SINK, {"profile"}),
    ("odd size", SOURCE + raw(width=321, height=241), " ! video/x-h264,stream-format=avc" + SINK, {"odd sizes"}),
    ("smallest", SOURCE + raw(width=1, height=1), " ! video/x-h264,stream-format=avc" + SINK, {"tiny sizes"}),
    ("keyframes", "videotestsrc num-buffers=40 ! " + raw(), " ! video/x-h264,stream-format=avc" + SINK, {"profile"}, " key-int-max=7"),
    ("mp4", I420, " ! mp4mux ! filesink location=%(film)s", {"profile"}),
    ("fragmented mp4", I420, " ! mp4mux fragment-duration=100 ! filesink location=%(film)s", {"profile"}),
    ("quicktime", I420, " ! qtmux ! filesink location=%(film)s", {"profile"}),
    ("matroska", I420, " ! matroskamux ! filesink location=%(film)s", {"profile"}),
    ("flv", I420, " ! flvmux ! filesink location=%(film)s", {"profile"}),
    ("mpeg-ts", I420, " ! mpegtsmux ! filesink location=%(film)s", {"profile"}),
    ("splitmuxsink", I420, " ! splitmuxsink location=%(film)s", {"profile"}),
    ("avi", I420, " ! avimux ! filesink location=%(film)s", {"profile"}),
    ("rtp", I420, " ! rtph264pay config-interval=-1 ! rtph264depay ! h264parse ! video/x-h264,stream-format=avc" + SINK, set()),
    ("queue and tee", I420, " ! video/x-h264,stream-format=avc ! tee name=t t. ! queue" + SINK + " t. ! queue ! fakesink", {"profile"}),
    ("another size", I420, " ! video/x-h264,stream-format=avc,width=160,height=120" + SINK, {"host scales"}),
    ("another rate", I420, " ! video/x-h264,stream-format=avc,framerate=25/1" + SINK, set()),
    ("interlaced", SOURCE + raw(more=",interlace-mode=interleaved"), " ! video/x-h264,stream-format=avc" + SINK, {"interlaced"}),
    ("10 bits", SOURCE + raw("I420_10LE"), " ! video/x-h264,stream-format=avc" + SINK, {"10 bits"}),
    ("bounds of the quantiser", I420, " ! video/x-h264,stream-format=avc" + SINK, {"profile"}, " qp-min=20 qp-max=40"),
    ("knobs", I420, " ! video/x-h264,stream-format=avc" + SINK, {"knobs"}, " ref-frames=2 cabac=false vbv-buf-capacity=500"),
    ("another codec", I420, " ! video/x-h265" + SINK, set()),
    ("no pictures", "videotestsrc num-buffers=0 ! " + raw(), " ! video/x-h264,stream-format=avc" + SINK, {"tags"}),
    ("failing sink", I420, " ! video/x-h264,stream-format=avc ! identity error-after=5 ! fakesink", set()),
    ("full sink", I420, " ! video/x-h264,stream-format=avc ! filesink location=/dev/full buffer-mode=unbuffered", set()),
]


class Result:
    """What one pipeline did: {what: value}."""

    def __init__(self):
        self.seen = {}

    def add_caps(self, caps):
        fields = caps.get_structure(0)
        for name in CAPS_FIELDS:
            text = re.search(r"[,;] %s=(?:\([^)]*\))?\s*([^,;]+)" % name, fields.to_string())
            self.seen.setdefault(name, []).append(text and text.group(1).strip("\" "))
        self.seen.setdefault("codec_data", []).append(fields.has_field("codec_data"))
        self.seen.setdefault("profile", []).append(fields.get_string("profile"))

    def add_sample(self, sample):
        buffer, segment = sample.get_buffer(), sample.get_segment()
        if self.seen.get("_caps") != sample.get_caps().to_string():
            self.seen["_caps"] = sample.get_caps().to_string()
            self.add_caps(sample.get_caps())

        def running(time):
            return segment.to_running_time(Gst.Format.TIME, time) if time != Gst.CLOCK_TIME_NONE else None
        self.seen.setdefault("times", []).append((running(buffer.pts), running(buffer.dts) == running(buffer.pts)))
        self.seen.setdefault("durations", []).append(buffer.duration)
        self.seen.setdefault("keyframes", []).append(not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT))


def probe(path):
    said = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-show_entries",
                           "stream=codec_name,profile,width,height,sample_aspect_ratio,r_frame_rate,nb_read_frames,has_b_frames",
                           "-of", "default=noprint_wrappers=1", path], capture_output=True, text=True)
    found = dict(line.split("=", 1) for line in said.stdout.splitlines() if "=" in line)
    found["ffprobe"] = re.sub(r"0x[0-9a-f]+", "", said.stderr.strip())[:200]
    return found


def fault(message):
    error = message.parse_error()[0]
    return "error %s %d" % (error.domain, error.code)


def play(line, film):
    result = Result()
    try:
        pipeline = Gst.parse_launch(line)
    except Exception as error:
        result.seen["outcome"] = "not built: %s" % error
        return result
    out = pipeline.get_by_name("out")
    bus = pipeline.get_bus()
    if out:
        out.set_property("emit-signals", False)
    pipeline.set_state(Gst.State.PLAYING)
    outcome, tags = None, set()
    deadline = Gst.util_get_timestamp() + SECONDS * Gst.SECOND
    while outcome is None:
        sample = out.emit("try-pull-sample", 20 * Gst.MSECOND) if out else None
        if sample:
            result.add_sample(sample)
            continue
        message = bus.timed_pop_filtered(20 * Gst.MSECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.TAG)
        if message is None:
            if Gst.util_get_timestamp() > deadline:
                outcome = "hangs"
        elif message.type == Gst.MessageType.TAG:
            found = message.parse_tag()
            tags |= {found.nth_tag_name(i) for i in range(found.n_tags())}
        else:
            outcome = "played" if message.type == Gst.MessageType.EOS else fault(message)
    pipeline.set_state(Gst.State.NULL)
    result.seen["outcome"] = outcome
    if outcome == "played":
        result.seen["tags"] = sorted(tags & {"video-codec", "encoder", "nominal-bitrate", "maximum-bitrate"})
    if outcome == "played" and os.path.exists(film):
        result.seen.update(probe(film))
        os.unlink(film)
    result.seen.pop("_caps", None)
    return result


# What a known difference changes.
CHANGES = {
    "stream format": {"stream-format", "codec_data"},
    "profile": {"profile"},
    "odd sizes": None,      # all of it: x264enc refuses them
    "tiny sizes": None,
    "host scales": None,
    "knobs": None,
    "10 bits": None,
    "interlaced": None,
    "tags": {"tags"},
}


def compare(case, peer, ours):
    """Raises AssertionError; returns what is to be printed."""
    known = case[3]
    if set(peer.seen.get("tags", ())) <= set(ours.seen.get("tags", ())):    # more of them is no fault
        ours.seen.pop("tags", None)
        peer.seen.pop("tags", None)
    differ = {what for what in peer.seen.keys() | ours.seen.keys() if peer.seen.get(what) != ours.seen.get(what)}
    explained = set()
    for name in known:
        changes = differ if CHANGES[name] is None else differ & CHANGES[name]
        assert changes, "'%s' no longer differs: %s" % (name, ours.seen)
        explained |= changes
    unknown = differ - explained
    assert not unknown, "\n".join("%s: x264enc %s, vsockenc %s" % (what, peer.seen.get(what), ours.seen.get(what))
                                  for what in sorted(unknown))
    return "%s; differs: %s" % (ours.seen["outcome"], ", ".join(sorted(known)) or "nothing")


def documented():
    """First column of the page's table."""
    text = open(PAGE).read().split(TABLE, 1)
    assert len(text) == 2, "%s has no heading '%s'" % (PAGE, TABLE)
    rows = re.findall(r"^\| ([^|]+) \|", text[1].split("\n## ")[0].split("\n### ")[0], re.M)
    return {row.strip() for row in rows[1:]}


class Host:
    def __init__(self, folder):
        self.path = os.path.join(folder, "host")
        self.process = subprocess.Popen([os.environ["HELIX_HOST"], "--listen=unix:" + self.path, "--encoder=x264", "--quiet"],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("listening on")

    def close(self):
        self.process.terminate()
        self.process.communicate()


class Tap:
    def __init__(self):
        self.number, self.failed = 0, 0

    def check(self, name, function, *arguments):
        self.number += 1
        try:
            print("ok %d %s # %s" % (self.number, name, function(*arguments)), flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.failed += 1
            for line in str(error).splitlines():
                print("# " + line)
            print("not ok %d %s" % (self.number, name), flush=True)


def side_by_side(case, host, folder):
    source, behind, options = case[1], case[2], case[4] if len(case) > 4 else ""
    film = os.path.join(folder, "film")
    behind = behind % {"film": film} if "%(film)" in behind else behind
    peer = play(source + X264 + options + behind, film)
    ours = play(source + VSOCK + host.path + options + behind, film)
    return compare(case, peer, ours)


def resized_film(host, keep):
    """Caps and black borders of a film whose pictures, all white, become 320x240 where they were 320x180."""
    line = ("videotestsrc num-buffers=30 pattern=white ! capsfilter name=size caps=%s ! " % (raw("I420", 320, 180)[:-3]) +
            VSOCK + host.path + " keep-size=%s ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8" % keep + SINK)
    pipeline = Gst.parse_launch(line)
    out, seen = pipeline.get_by_name("out"), []
    pipeline.get_by_name("size").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, change_size, [0])
    pipeline.set_state(Gst.State.PLAYING)
    while True:
        sample = out.emit("try-pull-sample", SECONDS * Gst.SECOND)
        if not sample:
            break
        fields = sample.get_caps().get_structure(0)
        width, height = fields.get_value("width"), fields.get_value("height")
        pixels = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        stride = len(pixels) // height
        is_white = [pixels[height // 2 * stride + x] > 200 for x in (10, width // 2, width - 10)]
        if not seen or seen[-1] != (width, height, is_white):
            seen.append((width, height, is_white))
    pipeline.set_state(Gst.State.NULL)
    return seen


def change_size(pad, info, count):
    count[0] += 1
    if count[0] == 10:
        pad.get_parent_element().set_property("caps", Gst.Caps.from_string(raw("I420", 320, 240)[:-3]))
    return Gst.PadProbeReturn.OK


def check_keep_size(host):
    kept, changed = resized_film(host, "true"), resized_film(host, "false")
    assert kept == [(320, 180, [True, True, True]), (320, 180, [False, True, False])], kept
    assert changed == [(320, 180, [True, True, True]), (320, 240, [True, True, True])], changed
    return "320x240 in 320x180, with borders"


def check_shape(host):
    """Downstream's size and shape of pixels: letterboxed where it takes square pixels alone, else stretched."""
    found = []
    for more in ("", ",pixel-aspect-ratio=1/1"):
        result = play(SOURCE + raw("I420", 640, 480) + VSOCK + host.path +
                      " ! video/x-h264,stream-format=avc,width=320,height=180" + more + SINK, "")
        found.append((result.seen["outcome"], result.seen["width"], result.seen["height"], result.seen["pixel-aspect-ratio"]))
    assert found == [("played", ["320"], ["180"], ["3/4"]), ("played", ["320"], ["180"], ["1/1"])], found
    return "3/4, or borders"


def check_cost(host):
    """4K to 720p costs the guest what 4K costs: the pixels on their way, nothing else."""
    bytes_of = []
    for behind in ("", ",width=1280,height=720"):
        pipeline = Gst.parse_launch("videotestsrc num-buffers=3 pattern=white ! " + raw("BGRx", 3840, 2160) + VSOCK + host.path +
                                    " ! video/x-h264,stream-format=avc" + behind + " ! fakesink")
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(SECONDS * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
        assert message and message.type == Gst.MessageType.EOS, message and message.parse_error()
        stats = pipeline.get_by_name("enc").get_property("stats")
        bytes_of.append([stats.get_uint64(name)[1] for name in ("cpu-bytes", "pixel-bytes-to-host", "frames")])
        pipeline.set_state(Gst.State.NULL)
    # The element keeps a copy of the first frame if the next one comes before its answer: in one run, maybe not in the other.
    kept = abs(bytes_of[0][0] - bytes_of[1][0])
    assert kept in (0, 3840 * 2160 * 4) and bytes_of[0][1:] == bytes_of[1][1:] and bytes_of[0][2] == 3, bytes_of
    return "%d bytes by the guest's CPU, %d with scaling" % (bytes_of[0][0], bytes_of[1][0])


def check_seeks(host, folder):
    """Ten minutes in a file: a keyframe every two seconds, and a seek shows the picture of that time."""
    film = os.path.join(folder, "long.mp4")
    play("videotestsrc num-buffers=6000 pattern=ball ! " + raw("I420", 64, 48, rate="10/1") + VSOCK + host.path +
         " ! mp4mux ! filesink location=" + film, "")
    said = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", film],
                          capture_output=True, text=True, check=True).stdout.split()
    keys = [float(line.split(",")[0]) for line in said if "K" in line]
    assert len(said) == 6000 and max(b - a for a, b in zip(keys, keys[1:])) <= 2.05 and keys[-1] > 597, (len(said), keys[:5])
    pipeline = Gst.parse_launch("filesrc location=%s ! qtdemux ! h264parse ! avdec_h264" % film + SINK)
    pipeline.set_state(Gst.State.PAUSED)
    pipeline.get_state(SECONDS * Gst.SECOND)
    out, shown = pipeline.get_by_name("out"), []
    for second in (431, 3, 599):
        pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, second * Gst.SECOND)
        sample = out.emit("try-pull-preroll", SECONDS * Gst.SECOND)
        assert sample, second
        shown.append(sample.get_buffer().pts // Gst.SECOND)
    pipeline.set_state(Gst.State.NULL)
    assert shown == [431, 3, 599], shown
    return "%d keyframes" % len(keys)


def interval_of(host, behind):
    pipeline = Gst.parse_launch(I420 + VSOCK + host.path + behind)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(SECONDS * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    assert message and message.type == Gst.MessageType.EOS, behind
    stats = pipeline.get_by_name("enc").get_property("stats")
    pipeline.set_state(Gst.State.NULL)
    return stats.get_uint("keyframe-interval-ms")[1]


def check_intervals(host):
    files = (" ! mp4mux ! fakesink", " ! h264parse ! filesink location=/dev/null", " ! splitmuxsink location=/dev/null",
             " ! tee name=t t. ! queue ! fakesink t. ! queue ! matroskamux ! fakesink")
    viewers = (" ! fakesink", " ! h264parse ! rtph264pay ! fakesink", " key-int-max=50 ! mp4mux ! fakesink")
    found = [interval_of(host, behind) for behind in files + viewers]
    assert found == [2000] * len(files) + [0] * len(viewers), found
    return "2 s in files, else on request"


FORMATS = ("BGRx", "BGRA", "RGBx", "RGBA", "NV12", "I420", "YV12", "NV21", "YUY2", "UYVY", "Y42B", "Y444", "GRAY8", "P010_10LE", "BGR",
           "RGB", "xRGB", "ARGB", "xBGR", "ABGR", "RGB16", "BGR10A2_LE", "RGB10A2_LE")
SIZES = ((1, 1), (1, 2), (2, 1), (3, 3), (15, 17), (33, 31), (64, 48))


def picture(line, format):
    """The last picture of a pipeline: (width, height, bytes, path-reason of its encoder)."""
    pipeline = Gst.parse_launch(line + " ! videoconvert dither=none ! video/x-raw,format=%s" % format + SINK)
    pipeline.set_state(Gst.State.PLAYING)
    out, last = pipeline.get_by_name("out"), None
    while True:
        sample = out.emit("try-pull-sample", SECONDS * Gst.SECOND)
        if not sample:
            break
        last = sample
    encoder = pipeline.get_by_name("enc")
    reason = encoder.get_property("path-reason") if encoder else None
    pipeline.set_state(Gst.State.NULL)
    assert last, line
    fields = last.get_caps().get_structure(0)
    return fields.get_value("width"), fields.get_value("height"), last.get_buffer().extract_dup(0, last.get_buffer().get_size()), reason


def rgb_at(shown, x, y):
    """R, G, B of an I420 picture in BT.709, by the formula: videoconvert's own is up to 5 levels off."""
    width, height, data, _ = shown
    stride = (width + 3) // 4 * 4
    half = (width // 2 + 3) // 4 * 4
    at = stride * height + y // 2 * half + x // 2
    luma, cb, cr = (data[y * stride + x] - 16) / 219, (data[at] - 128) / 224, (data[at + half * height // 2] - 128) / 224
    red, blue = luma + 1.5748 * cr, luma + 1.8556 * cb
    return [min(max(round(255 * part), 0), 255) for part in (red, (luma - 0.2126 * red - 0.0722 * blue) / 0.7152, blue)]


def apart(host, format, source, points):
    """Levels between what is drawn and what a decoder shows, and path-reason. RGB is compared as RGB, YUV as samples."""
    shown = picture(source + " ! " + VSOCK + host.path + " rate-control=cqp min-qp=1 ! h264parse ! avdec_h264", "I420")
    if "YUV" in KINDS[format]:
        drawn = picture(source, "I420")
        if len(points) > 1:
            return max(abs(shown[2][y * shown[0] + x] - drawn[2][y * shown[0] + x]) for x, y in points), shown[3]
        return max(abs(a - b) for a, b in zip(shown[2], drawn[2])), shown[3]
    drawn = picture(source, "RGBx")
    return max(abs(a - b) for x, y in points
               for a, b in zip(rgb_at(shown, x, y), drawn[2][(y * drawn[0] + x) * 4:][:3])), shown[3]


KINDS = {format: "YUV" if format in ("NV12", "I420", "YV12", "NV21", "YUY2", "UYVY", "Y42B", "Y444", "P010_10LE") else "RGB"
               for format in FORMATS}
COLOURS = (0x000000, 0xffffff, 0xff0000, 0x00ff00, 0x0000ff, 0xffff00, 0x00ffff, 0xff00ff, 0x808080, 0xc08040)


def check_format(host, format):
    """Colours, each a picture of its own, and bars, away from their edges."""
    test = "videotestsrc num-buffers=1 pattern=%s ! "
    found = [apart(host, format, test % ("solid-color foreground-color=%d" % (0xff000000 | colour)) + raw(format, 64, 48)[:-3],
                   [(30, 20)]) for colour in COLOURS]
    found.append(apart(host, format, test % "smpte75" + raw(format, 224, 96)[:-3], [(16 + 32 * bar, 30) for bar in range(7)]))
    worst = max(levels for levels, _ in found)
    assert worst <= 2, "levels apart: %s" % [levels for levels, _ in found]
    converted = FORMATS.index(format) > FORMATS.index("I420")
    assert ("converts %s to" % format in (found[0][1] or "")) == converted, found[0][1]
    return "%d levels apart at most" % worst


def check_sizes(host):
    """Odd and tiny ones, in a format of each kind: as coded, and the mean grey of the picture."""
    for format in ("BGRx", "I420", "NV12", "YUY2", "Y444", "RGB", "RGB16", "P010_10LE"):
        for width, height in SIZES:
            shown = picture("videotestsrc num-buffers=2 pattern=solid-color foreground-color=0xff808080 ! " +
                            raw(format, width, height) + VSOCK + host.path + " rate-control=cqp min-qp=1 ! h264parse ! avdec_h264", "RGBx")
            assert shown[:2] == ((width + 1) // 2 * 2, (height + 1) // 2 * 2), (format, width, height, shown[:2])
            assert all(abs(shown[2][at] - 128) <= 5 for at in range(3)), (format, width, height, shown[2][:4])
    return "%s" % ", ".join("%dx%d" % size for size in SIZES)


def latency_of(encoder):
    """Reported to a live pipeline at 30 fps, and the frames' times from buffer in to buffer out, in ms."""
    pipeline = Gst.parse_launch("videotestsrc is-live=true num-buffers=45 ! " + raw("I420", 640, 360) + encoder +
                                " ! video/x-h264,stream-format=avc ! fakesink sync=false")
    entered, order, took = {}, [], []

    def on_in(pad, info):
        entered[info.get_buffer().pts] = Gst.util_get_timestamp()
        order.append(info.get_buffer().pts)
        return Gst.PadProbeReturn.OK

    def on_out(pad, info):
        now, pts = Gst.util_get_timestamp(), info.get_buffer().pts
        # x264enc rounds times to the frame rate, and loses no frame.
        took.append((now - entered[pts if pts in entered else order[len(took)]]) / Gst.MSECOND)
        return Gst.PadProbeReturn.OK
    element = pipeline.get_by_name("enc")
    element.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, on_in)
    element.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, on_out)
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_bus().timed_pop_filtered(SECONDS * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    query = Gst.Query.new_latency()
    assert element.get_static_pad("src").query(query)
    upstream = Gst.Query.new_latency()
    element.get_static_pad("sink").get_peer().query(upstream)
    pipeline.set_state(Gst.State.NULL)
    took.sort()
    return (query.parse_latency()[1] - upstream.parse_latency()[1]) / Gst.MSECOND, took


def check_latency(host):
    """The reported one, and the frames' own times, which depend on the machine's other load, printed."""
    peer, theirs = latency_of(X264)
    ours, took = latency_of(VSOCK + host.path)
    assert theirs and took, "no frame came: %s, %s" % (theirs[:3], took[:3])
    assert ours < 34 or took[len(took) // 2] > 33, "vsockenc reports %.1f ms, x264enc %.1f; frames take %s" % (ours, peer, took)
    return ("reported: x264enc %.0f ms, vsockenc %.0f; in to out p50 and max: x264enc %.1f, %.1f, vsockenc %.1f, %.1f" %
            (peer, ours, theirs[len(theirs) // 2], theirs[-1], took[len(took) // 2], took[-1]))


def check_untold(host, folder):
    """encodebin finds the host by the environment, by a file, and not at all."""
    found = []
    for number, (environment, text) in enumerate((({"VSOCKENC_SOCKET_PATH": host.path}, ""), ({}, "socket-path=" + host.path),
                                                  ({"VSOCKENC_PORT": "x"}, "socket-path=/nowhere"))):
        home = os.path.join(folder, "home%d" % number)
        os.mkdir(home)
        with open(os.path.join(home, "vsockenc.conf"), "w") as file:
            file.write("[vsockenc]\n%s\n" % text)
        run = subprocess.run("gst-launch-1.0 videotestsrc num-buffers=5 ! encodebin profile=video/x-h264 ! fakesink".split(),
                             env=dict(os.environ, XDG_CONFIG_HOME=home, GST_PLUGIN_FEATURE_RANK="vsockenc:600", GST_DEBUG="vsockenc:2",
                                      GST_DEBUG_NO_COLOR="1", **environment), capture_output=True, text=True, timeout=SECONDS)
        found.append((run.returncode == 0, "/nowhere" in run.stdout + run.stderr, "is no value of VSOCKENC_PORT" in run.stderr))
    assert found == [(True, False, False), (True, False, False), (False, True, True)], found
    return "by the environment, by a file"


def check_table():
    used = set().union(*(case[3] for case in CASES))
    missing = used ^ documented()
    assert not missing, "the table of docs/vsockenc.md and the cases do not agree on: %s" % ", ".join(sorted(missing))
    return "%d rows" % len(documented())


def main():
    Gst.init(None)
    tap = Tap()
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        host = Host(folder)
        try:
            for case in CASES:
                if not wanted or case[0] in wanted:
                    tap.check(case[0], side_by_side, case, host, folder)
            for name, function in (("keep-size", check_keep_size), ("shape", check_shape), ("4K to 720p", check_cost),
                                   ("keyframe intervals", check_intervals), ("latency", check_latency)):
                if not wanted or name in wanted:
                    tap.check(name, function, host)
            if not wanted or "seeks" in wanted:
                tap.check("seeks", check_seeks, host, folder)
            for format in FORMATS:
                if not wanted or format in wanted or "formats" in wanted:
                    tap.check("format " + format, check_format, host, format)
            if not wanted or "sizes" in wanted:
                tap.check("sizes", check_sizes, host)
            if not wanted or "untold" in wanted:
                tap.check("untold", check_untold, host, folder)
            tap.check("the documented differences", check_table)
        finally:
            host.close()
    print("1..%d" % tap.number)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
