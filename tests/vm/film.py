# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be told of a film of guest/scene.c's window, from its decoded pictures alone: how many frames, how large,
does it move, are the scene's colours there, and is its last frame the screenshot that the guest took."""

import re
import subprocess
from collections import namedtuple

Film = namedtuple("Film", "frames width height moving colours psnr")

# Small pictures are enough to see motion and colours; taken without smoothing, so that colours stay what they are.
SMALL_WIDTH, SMALL_HEIGHT = 160, 90

# The cube's faces (draw_cube() in guest/scene.c) but the white one. None is another one with red and blue swapped.
FACES = {"red": (230, 77, 61), "green": (46, 168, 97), "blue": (51, 128, 219), "yellow": (242, 196, 51),
         "violet": (153, 89, 181)}
COLOUR_LEVELS = 14          # how far an encoded pixel may be from its colour
FACE_SHARE = 0.005          # of all pixels, for a face to be seen; one turned to the viewer has six times that
MOTION = 0.25               # mean difference of two frames in levels that is more than the encoder's own
SAMPLED = 24                # frames that are looked through for colours


def tool(*argv):
    return subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout


def size_of(path):
    text = tool("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of",
                "csv=p=0", path).decode()
    return tuple(int(number) for number in text.strip().strip(",").split(",")[:2])


def small_frames(path):
    """Every frame of the film as SMALL_WIDTH x SMALL_HEIGHT RGB pixels."""
    data = tool("ffmpeg", "-v", "error", "-i", path, "-vf", "scale=%d:%d:flags=neighbor" % (SMALL_WIDTH, SMALL_HEIGHT),
                "-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    size = SMALL_WIDTH * SMALL_HEIGHT * 3
    return [data[at:at + size] for at in range(0, len(data), size)]


def moved(one, other):
    return sum(abs(a - b) for a, b in zip(one, other)) / len(one) > MOTION


def faces_in(frame):
    pixels = list(zip(frame[0::3], frame[1::3], frame[2::3]))
    found = set()
    for name, (red, green, blue) in FACES.items():
        near = sum(abs(r - red) <= COLOUR_LEVELS and abs(g - green) <= COLOUR_LEVELS and abs(b - blue) <= COLOUR_LEVELS
                   for r, g, b in pixels)
        if near >= FACE_SHARE * len(pixels):
            found.add(name)
    return found


def psnr_of_last(path, frames, screenshot, top=0):
    """PSNR in dB of the film's last frame against a picture of the same size, without their @top rows."""
    below = "crop=iw:ih-%d:0:%d,format=gbrp" % (top, top)
    text = subprocess.run(["ffmpeg", "-v", "info", "-i", path, "-i", screenshot, "-lavfi",
                           "[0]select=eq(n\\,%d),%s[a];[1]%s[b];[a][b]psnr" % (frames - 1, below, below),
                           "-f", "null", "-"], capture_output=True, text=True, check=True, timeout=120).stderr
    found = re.search(r"PSNR .*average:(\S+)", text)
    return float(found.group(1)) if found else 0.0


def examine(path, moving_frames, screenshot):
    """Film of the H.264 file @path: of its first @moving_frames, the share that differ from the one before."""
    width, height = size_of(path)
    frames = small_frames(path)
    first = frames[:moving_frames]
    moving = sum(moved(one, other) for one, other in zip(first, first[1:])) / max(1, len(first) - 1)
    colours = set().union(*(faces_in(frame) for frame in first[::max(1, len(first) // SAMPLED)]))
    return Film(len(frames), width, height, moving, colours, psnr_of_last(path, len(frames), screenshot))
