# SPDX-License-Identifier: GPL-2.0-or-later
"""A desktop in the bench's VM, and captures of it: what went through a pipeline, how fast, and what it cost."""

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager

from machine import free_port
from steps import LOGS

CAPTURE = "/helix/bin/bench-capture"
OUT = " ! fakesink name=out sync=false async=false signal-handoffs=true"
DMABUF = "video/x-raw(memory:DMABuf),format=BGRx"
MEMORY = "video/x-raw,format=BGRx"
X264 = "x264enc speed-preset=ultrafast tune=zerolatency bitrate=6000 key-int-max=600"
VSOCKENC = "vsockenc bitrate=6000"
START_SECONDS = 60


def show(vm, width, height, scene=("stamp",)):
    """A desktop of this size with the scene on all of it; scene None: nothing that moves."""
    wanted = (width, height, scene)
    if vm.desktop_size == wanted:
        return
    if getattr(vm, "scene", None):
        vm.scene.kill()
        vm.scene = None
    if not vm.desktop_size or vm.desktop_size[:2] != (width, height):
        vm.desktop_size = None
        vm.desktop(width, height)
    if scene is not None:
        vm.scene = vm.start(["/helix/bin/scene", str(width), str(height)] + list(scene))
    time.sleep(2)
    vm.desktop_size = wanted


def cast(vm, seconds, pipeline, path="-"):
    """argv of a capture of the desktop through @pipeline; what comes out goes to the guest's file @path."""
    return vm.cast(pipeline + OUT, "--launch", "%s %s %s" % (CAPTURE, seconds, path))


def result_of(text):
    return json.loads(text.decode().strip().splitlines()[-1])


def capture(vm, seconds, pipeline, path="-"):
    """{"frames", "seconds", "cpu", "guest_cpu", "arrivals"} of bench-capture, and "fps"."""
    result = result_of(vm.run(cast(vm, seconds, pipeline, path), timeout=seconds + START_SECONDS).out)
    return with_rate(result)


def with_rate(result):
    result["fps"] = result["frames"] / result["seconds"] if result["seconds"] else 0.0
    return result


def pipeline(vm, seconds, words, path="-"):
    """As capture(), of a pipeline without the desktop."""
    text = vm.run([CAPTURE, str(seconds), path] + (words + OUT).split(), timeout=seconds + START_SECONDS).out
    return with_rate(result_of(text))


@contextmanager
def raw_encoder(width, height):
    """An encoder on the host for raw frames that come by TCP: (what the guest sends them by, what it gets access units
    from). GDP keeps the access units apart, so that none waits for the next one."""
    frames, units = free_port(), free_port()
    words = ("tcpserversrc host=127.0.0.1 port=%d blocksize=1048576 ! rawvideoparse format=bgrx width=%d height=%d "
             "framerate=60/1 ! videoconvert ! %s ! video/x-h264,stream-format=byte-stream,alignment=au ! gdppay ! "
             "tcpserversink host=127.0.0.1 port=%d sync=false" % (frames, width, height, X264, units))
    with open(os.path.join(LOGS, "bench-raw-encoder.log"), "ab") as log:
        process = subprocess.Popen(["gst-launch-1.0", "-q"] + words.split(), stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
        try:
            wait_for_port(units)
            yield ("tcpclientsink host=10.0.2.2 port=%d sync=false async=false" % frames,
                   "tcpclientsrc host=10.0.2.2 port=%d ! gdpdepay" % units)
        finally:
            process.kill()
            process.wait()


def wait_for_port(port):
    """Until somebody listens; asked of the kernel, for a connection would be taken for the guest's."""
    end = time.monotonic() + 20
    wanted = "%08X:%04X" % (int.from_bytes(socket.inet_aton("127.0.0.1"), "little"), port)
    while time.monotonic() < end:
        with open("/proc/net/tcp") as file:
            if any(line.split()[1] == wanted and line.split()[3] == "0A" for line in file.readlines()[1:]):
                return
        time.sleep(0.05)
    raise ValueError("the raw frames' encoder on the host does not listen: see bench-raw-encoder.log")
