# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows without a desktop: vsock against slirp's TCP and virtio-serial, and frames by the raw protocol."""

import statistics
import time

from machine import machine, note, spent
from row import Figure, row

CHUNK = 65536
CHUNKS = {"sink": 512, "source": 256}       # a transfer is 32 or 16 MiB
ECHO = 64
PROGRAM = "/helix/bin/bench-"
FULL_HD = ("1920", "1080")


@row("vsock-throughput", "vsock, 64 KiB writes; slirp TCP in the same VM", 180)
def throughput(lab):
    vm, figures = machine(lab), []
    for name, what in (("guest to host", "sink"), ("host to guest", "source")):
        ours, tcp = vm.arrays([PROGRAM + "transport", what, str(lab.rounds(10)), str(CHUNKS[what]), str(CHUNK),
                               vm.vsock(), vm.tcp()], 150)
        figures.append(Figure(name, "MiB/s", ours, tcp, goal=3, at_most=False))
    return figures


@row("vsock-latency", "64-byte ping-pong by vsock; slirp TCP and virtio-serial in the same VM", 120)
def vsock_latency(lab):
    vm = machine(lab)
    ours, tcp, serial = vm.arrays([PROGRAM + "transport", "echo", str(lab.rounds(10)), "300", str(ECHO), vm.vsock(),
                                   vm.tcp(), vm.serial()], 110)
    return [Figure("p50, slirp TCP", "us", ours, tcp, goal=0.5),
            Figure("p50, virtio-serial", "us", ours, serial, goal=1.2)]


@row("latency", "1080p request to answer in the VM, nothing encoded or copied; beyond a vsock ping", 180)
def latency(lab):
    vm = machine(lab)
    vm.encoder("null-texture")
    ours50, ping50, ours99, ping99 = vm.arrays([PROGRAM + "frames", "latency", str(lab.rounds(10)), "200", *FULL_HD,
                                                vm.vsock()], 150)

    def beyond(ours, ping, name, limit_ms):
        more = [(a - b) / 1000 for a, b in zip(ours, ping)]
        return Figure(name + " beyond a ping", "ms", more, [limit_ms] * len(more), goal=1, limit=True)

    return [beyond(ours50, ping50, "p50", 1.0), beyond(ours99, ping99, "p99", 5.0),
            Figure("p50", "us", ours50, ping50), Figure("p99", "us", ours99, ping99)]


@row("start", "connection to the first IDR in the guest less one encode, x264; a limit", 120)
def start(lab):
    vm, figures = machine(lab), []
    vm.encoder("x264")
    for name, width, height in (("720p", "1280", "720"), ("1080p", *FULL_HD)):
        values, = vm.arrays([PROGRAM + "frames", "start", str(lab.rounds(10)), "1", width, height], 100)
        figures.append(Figure(name, "ms", [value / 1000 for value in values], [50.0] * len(values), goal=1, limit=True))
    return figures


# ---- the main loop ----

def loop_times(vm):
    """(microseconds that the module held the main loop so far, CPU and blocked; frames encoded)"""
    stats = vm.helix_stats()
    return sum(stats["main_loop_us"][kind]["sum"] for kind in ("cpu", "blocked")), stats["frames"]["encoded"]


def readbacks(vm, count):
    """Mean microseconds of @count whole readbacks of a texture, while a stream of that size runs as in the row's own
    half."""
    with vm.start([PROGRAM + "frames", "stream", "1", "2000", *FULL_HD]) as process:
        first, end = vm.helix_stats()["frames"]["encoded"], time.monotonic() + 30
        while vm.helix_stats()["frames"]["encoded"] < first + 10 and time.monotonic() < end:
            time.sleep(0.02)
        took = []
        for _ in range(count):
            took.append(vm.readback()["wall_us"])
            time.sleep(0.02)
        if process.done():
            process.check()
    return statistics.mean(took)


@row("main-loop", "main loop held a 1080p frame, x264, CPU and blocked; virgl_renderer_transfer_read_iov there", 240)
def main_loop(lab):
    vm, ours, rival, cores = machine(lab), [], [], []
    vm.encoder("x264")
    for _ in range(lab.rounds(10)):
        before, cpu = loop_times(vm), vm.host_cpu()
        vm.run([PROGRAM + "frames", "stream", "1", "60", *FULL_HD], timeout=60)
        after = loop_times(vm)
        cores.append(spent(cpu, vm.host_cpu()))
        ours.append((after[0] - before[0]) / (after[1] - before[1]))
        rival.append(readbacks(vm, 15))
    turns = vm.helix_stats()["main_loop_us"]
    note("main-loop: CPU seconds of 60 frames by thread: %s" %
         {kind: round(statistics.median(core.get(kind, 0) for core in cores), 3) for kind in sorted(cores[0])})
    worst = (turns["cpu"]["p999"] + turns["blocked"]["p999"]) / 1000
    return [Figure("mean a frame", "us", ours, rival, goal=0.2),
            Figure("p99.9 of the loop's turns since the VM's start", "ms", [worst], [2.0], goal=1, limit=True)]
