# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows that need no VM: the host with its encoder, in one process."""

import os

from row import Figure, from_program, joined, row

SURFACE_KIB = 1920 * 1080 * 4 / 1024


@row("overhead", "request to answer over a UNIX socket, null encoder; a skeleton of the same thread hops", 120)
def overhead(lab):
    # A process per pair: unpinned threads stay where the kernel happened to put them.
    answer = joined([lab.program("bench-overhead", 1, 4000) for _ in range(lab.rounds(10))])
    names = [figure["name"] for figure in answer["figures"]]    # fewer on one processor
    return [from_program(answer, name, goal=1.3 if name.startswith("p50") else 1.5) for name in names]


@row("encode", "host path at 1080p from host memory, x264; a bare loop of libavcodec on converted frames", 240)
def encode(lab):
    answer = lab.program("bench-encode", 3 * lab.rounds(9), 55)     # short pairs: other load affects both
    return [from_program(answer, "rate", goal=0.90, at_most=False)]


@row("convert", "BGRx to NV12 at 1080p, BT.709; libyuv's BT.601", 120)
def convert(lab):
    answer = lab.program("bench-convert", lab.rounds(10), 100)
    return [from_program(answer, "frame", goal=1.2)]


@row("scale", "2, 4, 8 streams of 720p at once, x264; one stream, and the fastest of them", 300)
def scale(lab):
    answer = lab.program("bench-scale", lab.rounds(7), 1.5)
    figures = []
    for n in (2, 4, 8):
        figures.append(from_program(answer, "%d streams" % n, goal=0.95, at_most=False))
        figures.append(from_program(answer, "%d streams, slowest" % n, goal=0.8, at_most=False))
    return figures


@row("worth", "the host with all parts of encode/, x264; without pre-convert, without slices, without parallel-for", 600)
def worth(lab):
    """Nothing is judged: a part that is worth less than 3 % everywhere should go (docs/performance.md)."""
    figures, processors = [], len(os.sched_getaffinity(0))
    for n, streams in ((1, 1), (2, 8)) + (((processors, 8),) if processors > 2 else ()):
        if n > processors:
            continue
        for width, height in ((1280, 720), (1920, 1080)):
            answer = lab.program("bench-worth", lab.rounds(5), 0.4, n, width, height, streams)
            for figure in answer["figures"]:
                one = from_program(answer, figure["name"], at_most=figure["unit"] == "ms")
                one.name = "without %s, %dp, %d processor%s" % (one.name, height, n, "s" if n > 1 else "")
                figures.append(one)
    return figures


@row("cost", "memory and threads of one more 1080p stream, less a bare encoder's; 3 surfaces and 1 thread", 120)
def cost(lab):
    memory, threads = [], []
    for _ in range(lab.rounds(5)):
        used = {(kind, n): lab.program("bench-cost", kind, n) for n in (1, 4) for kind in ("host", "bare")}
        for what, values, unit in (("kib", memory, SURFACE_KIB), ("threads", threads, 1)):
            more = {kind: (used[kind, 4][what] - used[kind, 1][what]) / 3 for kind in ("host", "bare")}
            values.append((more["host"] - more["bare"]) / unit)
    return [Figure("memory", "surfaces", memory, [3] * len(memory), goal=1, limit=True),
            Figure("threads", "threads", threads, [1] * len(threads), goal=1, limit=True)]


@row("decode-delay", "access units a decoder must be given before it shows the first picture", 60)
def decode_delay(lab):
    answer = lab.program("bench-decode-delay")
    return [from_program(answer, "access units", goal=1, limit=True)]
