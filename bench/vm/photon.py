# SPDX-License-Identifier: GPL-2.0-or-later
"""From a clock in the picture to its access unit: what guest/scene.c's stamp says, read from a film's pictures."""

import os
import subprocess

from steps import LOGS

BITS, CELL = 32, 16             # guest/scene.c: draw_stamp()
TICK_NS = 100000


def stamps(path):
    """For each picture of the film: its stamp in ns, or None if it has none that can be read."""
    width, height = BITS * CELL, 2 * CELL
    data = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", "crop=%d:%d:0:0,format=gray" % (width, height),
                           "-fps_mode", "passthrough", "-f", "rawvideo", "-"], capture_output=True, check=True,
                          timeout=120).stdout
    return [stamp_of(data[at:at + width * height], width) for at in range(0, len(data), width * height)]


def stamp_of(picture, width):
    def row(y):
        return [picture[(y * CELL + CELL // 2) * width + x * CELL + CELL // 2] > 128 for x in range(BITS)]

    bits, opposite = row(0), row(1)
    if any(a == b for a, b in zip(bits, opposite)):
        return None
    return sum(bit << i for i, bit in enumerate(bits)) * TICK_NS


def latencies(vm, result, guest_path, name):
    """ms from each picture's stamp to its access unit's arrival; a picture that came twice counts once."""
    path = os.path.join(LOGS, "bench-photon-%s.h264" % name)
    vm.pull(guest_path, path)
    read = stamps(path)
    if len(read) != len(result["arrivals"]):
        raise ValueError("%s: %d pictures in %d access units" % (name, len(read), len(result["arrivals"])))
    took, seen = [], set()
    for stamp, (arrival, _) in zip(read, result["arrivals"]):
        if stamp is not None and stamp not in seen:
            seen.add(stamp)
            took.append((arrival % (TICK_NS << BITS) - stamp) / 1e6)
    if len(took) < len(read) / 2 or min(took) < 0:
        raise ValueError("%s: %d of %d pictures have a stamp that can be read, the least is %s ms" %
                         (name, len(took), len(read), min(took) if took else None))
    return took
