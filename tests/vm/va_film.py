# SPDX-License-Identifier: GPL-2.0-or-later
"""Films of pictures that have their number drawn in them: ffmpeg draws them, in the guest for a program to encode and here once more to
compare the film with. The numbers are cells as guest/scene.c's stamp has them, and are read as that is."""

import json
import os
import re
import subprocess
from collections import namedtuple

WIDTH, HEIGHT, RATE = 640, 360, 30
BITS, COUNTED, CELL = 32, 10, 16        # cells in a row, those that a number uses, pixels a cell

Film = namedtuple("Film", "codec width height numbers times key bits_per_second psnr least_psnr colours")
Wanted = namedtuple("Wanted", "frames reference psnr bitrate")      # bitrate 0: not looked at


def box(column, row, columns, colour, enable=""):
    return "drawbox=x=%d:y=%d:w=%d:h=%d:c=%s:t=fill%s" % (column * CELL, row * CELL, columns * CELL, CELL, colour, enable)


def numbered(source="testsrc2", pixels="yuv420p"):
    """A graph of lavfi: @source with each picture's number in two rows of cells, the second one the opposite of the first."""
    boxes = [box(0, 0, BITS, "black"), box(0, 1, BITS, "white")]
    for bit in range(COUNTED):
        enable = ":enable='bitand(n,%d)'" % (1 << bit)
        boxes += [box(bit, 0, 1, "white", enable), box(bit, 1, 1, "black", enable)]
    return "%s=s=%dx%d:r=%d,format=yuv420p,%s,format=%s" % (source, WIDTH, HEIGHT, RATE, ",".join(boxes), pixels)


# As the film has to be when the program gave YUV, and when the host converted RGB (BT.709, limited range).
YUV = "format=yuv420p"
RGB = "format=bgra,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"


def tool(*argv):
    return subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout


def number_in(cells):
    """Of the grey pixels in the middle of each cell, row by row; None if the rows are not each other's opposite."""
    rows = [[level > 128 for level in cells[at:at + BITS]] for at in (0, BITS)]
    if any(one == other for one, other in zip(*rows)):
        return None
    return sum(bit << i for i, bit in enumerate(rows[0]))


def numbers_of(path, bits_wide=BITS):
    """For each picture in the order it is shown: its number, or None."""
    size = bits_wide * 2
    data = tool("ffmpeg", "-v", "error", "-i", path, "-vf",
                "crop=%d:%d:0:0,scale=%d:2:flags=neighbor,format=gray" % (bits_wide * CELL, 2 * CELL, bits_wide),
                "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    return [number_in(data[at:at + size]) for at in range(0, len(data), size)]


def psnr_of(path, frames, reference):
    """(mean, worst) dB of the film's pictures against those that were drawn, by their place in it."""
    at = "settb=1/%d,setpts=N" % RATE
    text = subprocess.run(["ffmpeg", "-v", "info", "-i", path, "-f", "lavfi", "-i", numbered(), "-lavfi",
                           "[0:v]format=yuv420p,%s[film];[1:v]%s,%s,trim=end_frame=%d[drawn];[film][drawn]psnr" %
                           (at, reference, at, frames), "-fps_mode", "passthrough", "-f", "null", "-"],
                          capture_output=True, text=True, check=True, timeout=120).stderr
    found = re.search(r"PSNR .*average:(\S+) min:(\S+)", text)
    return (float(found.group(1)), float(found.group(2))) if found else (0.0, 0.0)


def probe(path):
    return json.loads(tool("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-show_packets", "-of", "json", path))


def examine(path, reference=None):
    """Film of a file of any container; @reference as Wanted has it, or None: not compared with what was drawn."""
    read = probe(path)
    stream, packets = read["streams"][0], read["packets"]
    times = sorted(float(packet["pts_time"]) for packet in packets if "pts_time" in packet)
    seconds = len(packets) / RATE
    bits = sum(int(packet["size"]) for packet in packets) * 8
    numbers = numbers_of(path)
    psnr = psnr_of(path, len(numbers), reference) if reference else (0.0, 0.0)
    return Film(stream["codec_name"], stream["width"], stream["height"], numbers, times, "K" in packets[0]["flags"], bits / seconds,
                *psnr, (stream.get("color_space"), stream.get("color_range")))


def wrong_with(film, wanted):
    """What is not as it has to be, as text."""
    wrong = []
    if (film.codec, film.width, film.height) != ("h264", WIDTH, HEIGHT):
        wrong.append("%s, %dx%d" % (film.codec, film.width, film.height))
    if film.numbers != list(range(wanted.frames)):
        wrong.append("its pictures are %s, not 0 to %d" % (film.numbers[:200], wanted.frames - 1))
    if not film.key:
        wrong.append("it does not begin with a keyframe")
    wrong += wrong_times(film.times, wanted.frames)
    if film.psnr < wanted.psnr:
        wrong.append("PSNR %.1f dB (worst picture %.1f), %.1f is the least" % (film.psnr, film.least_psnr, wanted.psnr))
    if wanted.bitrate and not 0.9 <= film.bits_per_second / wanted.bitrate <= 1.1:
        wrong.append("%.0f kbit/s, not %.0f" % (film.bits_per_second / 1000, wanted.bitrate / 1000))
    return "; ".join(wrong)


def wrong_times(times, frames):
    """A container's time base may round by a millisecond."""
    if len(times) != frames:
        return ["%d of %d timestamps" % (len(times), frames)]
    far = max(abs(time - times[0] - number / RATE) for number, time in enumerate(times))
    return ["a timestamp is %.1f ms off" % (far * 1000)] if far > 0.0015 else []


def shown(film):
    return "%d pictures, PSNR %.1f dB (worst %.1f), %.0f kbit/s" % (len(film.numbers), film.psnr, film.least_psnr,
                                                                   film.bits_per_second / 1000)


def ordered(numbers):
    """Whether stamps or numbers that could be read never go back; and how many different ones there are."""
    read = [number for number in numbers if number is not None]
    return all(a <= b for a, b in zip(read, read[1:])), len(set(read))


def film_path(name):
    from steps import LOGS
    return os.path.join(LOGS, name)
