# SPDX-License-Identifier: GPL-2.0-or-later
"""What a film shows, by a decoder that is not the project's, and what resources of helix-host look like."""

import subprocess

LEVELS = 2              # that a colour may be off by, of 256
PLAIN = (32, 8)         # a place of a resource of helix-host that its diagonals leave alone


def decoded(path, width, height):
    """The pictures of an H.264 file as RGB bytes."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-vf",
               "scale=in_color_matrix=bt709:in_range=tv:out_range=pc:flags=accurate_rnd+full_chroma_int", "-fps_mode",
               "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout
    size = width * height * 3
    return [data[at:at + size] for at in range(0, len(data), size)]


def pixel(picture, width, x, y):
    return tuple(picture[3 * (y * width + x):][:3])


def near(found, wanted):
    return all(abs(a - b) <= LEVELS for a, b in zip(found, wanted))


def colour_of(resource):
    """helix-host's resources have a colour of their own, and brighter diagonals (tests/core)."""
    return (resource * 37 % 192, resource * 91 % 192, resource * 53 % 192)
