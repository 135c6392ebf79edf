# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows with a desktop: Mutter's ScreenCast through vsockenc, against nothing behind it, against an encoder in the
guest, and against raw frames to an encoder on the host."""

import statistics
import time

import desktop
import photon
from desktop import DMABUF, MEMORY, VSOCKENC, X264, capture, raw_encoder, show
from machine import machine, note, spent
from row import Figure, row

SECONDS = 3             # of a capture
PHOTON_SECONDS = 4
BESIDE_ROUNDS = 4       # of what no goal is about
HD, FULL_HD = (1280, 720), (1920, 1080)
STILL_SECONDS = 6


def desktop_row(lab, size):
    vm = machine(lab)
    show(vm, *size)
    kinds = (("sink", None, DMABUF), ("texture", "null-texture", VSOCKENC), ("readback", "null", VSOCKENC),
             ("x264", "x264", VSOCKENC))
    fps, cores = {kind: [] for kind, _, _ in kinds}, []
    for i in range(lab.rounds(10)):
        for kind, encoder, pipeline in kinds[:3] if i >= BESIDE_ROUNDS else kinds:
            if encoder:
                vm.encoder(encoder)
            before = vm.host_cpu()
            result = capture(vm, SECONDS, pipeline)
            if kind == "x264":
                cores.append(spent(before, vm.host_cpu()))
            fps[kind].append(result["fps"])
    note("desktop-%dp, x264: CPU seconds of QEMU's threads over a capture and its start: %s" % (size[1],
         {kind: round(statistics.median(core.get(kind, 0) for core in cores), 2) for kind in sorted(cores[0])}))
    return [Figure("left on the GPU", "fps", fps["texture"], fps["sink"], goal=0.95, at_most=False),
            Figure("read back", "fps", fps["readback"], fps["sink"], goal=0.8, at_most=False),
            Figure("x264", "fps", fps["x264"], fps["sink"][:len(fps["x264"])])]


@row("desktop-720p", "Mutter's ScreenCast through vsockenc; into fakesink", 540)
def desktop_720p(lab):
    return desktop_row(lab, HD)


@row("desktop-1080p", "Mutter's ScreenCast through vsockenc; into fakesink", 600)
def desktop_1080p(lab):
    return desktop_row(lab, FULL_HD)


@row("against-guest-encoder", "1080p desktop, vsockenc with x264 on the host; x264enc in the guest", 420)
def against_guest_encoder(lab):
    vm = machine(lab)
    show(vm, *FULL_HD)
    vm.encoder("x264")
    ours, theirs, limit = [], [], []
    for _ in range(lab.rounds(10)):
        limit.append(capture(vm, SECONDS, DMABUF)["fps"])
        ours.append(capture(vm, SECONDS, VSOCKENC))
        theirs.append(capture(vm, SECONDS, "%s ! videoconvert ! %s" % (MEMORY, X264)))

    def of(results, value):
        return [result[value] / (1 if value == "fps" else result["frames"] / 1000) for result in results]

    reach = statistics.median(most / result["fps"] for most, result in zip(limit, theirs))
    return [Figure("frame rate", "fps", of(ours, "fps"), of(theirs, "fps"), goal=min(4, 0.95 * reach), at_most=False,
                   note="4, or 0.95 of what the capture alone gives, which is %.3g times the rival" % reach),
            Figure("guest's CPU in the pipeline", "ms a frame", of(ours, "cpu"), of(theirs, "cpu"), goal=0.05),
            Figure("guest's CPU in all", "ms a frame", of(ours, "guest_cpu"), of(theirs, "guest_cpu"))]


@row("against-raw-tcp", "1080p frames in system memory by vsockenc, x264 on the host; raw over slirp TCP to x264", 300)
def against_raw_tcp(lab):
    vm = machine(lab)
    vm.encoder("x264")
    source = ("videotestsrc num-buffers=1 ! %s,width=%d,height=%d,framerate=60/1 ! imagefreeze ! " %
              ((MEMORY,) + FULL_HD))
    ours, raw, paths = [], [], {}
    for _ in range(lab.rounds(10)):
        before = vm.helix_stats()["host_paths"]
        ours.append(desktop.pipeline(vm, SECONDS, source + VSOCKENC)["fps"])
        for path, count in vm.helix_stats()["host_paths"].items():
            paths[path] = paths.get(path, 0) + count - before[path]
        with raw_encoder(*FULL_HD) as (sink, units):
            raw.append(desktop.pipeline(vm, SECONDS, source + sink + " " + units)["fps"])
    return [Figure("frame rate", "fps", ours, raw, goal=4, at_most=False,
                   note="ours by " + ", ".join(path for path, count in paths.items() if count))]


@row("photon", "a clock in a 720p desktop to its access unit in the guest, x264; x264enc there, raw TCP to a host", 540)
def photon_row(lab):
    vm = machine(lab)
    show(vm, *HD)
    vm.encoder("x264")
    took = {"ours": [], "guest": [], "raw": []}

    def film(name, pipeline):
        path = "/tmp/photon.h264"
        took[name].append(photon.latencies(vm, capture(vm, PHOTON_SECONDS, pipeline, path), path, name))

    for _ in range(lab.rounds(10)):
        film("ours", VSOCKENC)
        film("guest", "%s ! videoconvert ! %s ! video/x-h264,stream-format=byte-stream,alignment=au" % (MEMORY, X264))
        with raw_encoder(*HD) as (sink, units):
            film("raw", "%s ! %s %s" % (MEMORY, sink, units))

    def quantile(name, share):
        return [sorted(times)[min(int(share * len(times)), len(times) - 1)] for times in took[name]]

    return [Figure("p%d, %s" % (share * 100, what), "ms", quantile("ours", share), quantile(rival, share), goal=1)
            for share in (0.5, 0.99) for rival, what in (("guest", "x264enc in the guest"), ("raw", "raw TCP"))]


# ---- still screen ----

def idle_cpu(vm):
    """CPU seconds in STILL_SECONDS: (QEMU's, the guest's own)."""
    def guest():
        fields = vm.run(["cat", "/proc/stat"]).out.split(b"\n")[0].split()
        return sum(int(fields[i]) for i in (1, 2, 3, 6, 7)) / 100

    guest_before, before = guest(), vm.host_cpu()
    time.sleep(STILL_SECONDS)
    after, guest_after = vm.host_cpu(), guest()
    return sum(spent(before, after).values()), guest_after - guest_before


@row("still-screen", "CPU seconds a minute of a still 720p desktop with a stream open; the same VM without it", 420)
def still_screen(lab):
    vm = machine(lab)
    show(vm, *HD, scene=None)
    vm.encoder("x264")
    still, without = [], []
    for _ in range(lab.rounds(10)):
        without.append(idle_cpu(vm))
        first = vm.helix_stats()["frames"]["encoded"]
        with vm.start(desktop.cast(vm, 600, VSOCKENC)) as process:
            end = time.monotonic() + desktop.START_SECONDS
            while vm.helix_stats()["frames"]["encoded"] == first and not process.done() and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(3)
            still.append(idle_cpu(vm))
            if process.done():
                process.check()
            streams = vm.helix_stats()["streams"]["now"]
        if not streams:
            raise ValueError("no stream was open while the screen was still")
        time.sleep(1)
    figures = []
    for i, name in enumerate(("host", "guest")):
        ours, rival = ([times[i] * 60 / STILL_SECONDS for times in values] for values in (still, without))
        figures.append(Figure(name, "s a minute", ours, rival, goal=max(rival) / statistics.median(rival) if
                              statistics.median(rival) else 1,
                              note="the goal is how far the VM without a stream differs from itself"))
    return figures
