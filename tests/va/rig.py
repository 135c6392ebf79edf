# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the VA-API driver share: a host, a render node that fake-dri.c plays, and films that are looked at."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "client"))
from host import Host

NODE = "/dev/dri/renderD128"
SECONDS = 120


class Rig:
    """with Rig() as rig: programs see the driver, and rig.host if @host. With @buffers the virtio-gpu makes resources, whose ids count
    up from that number, and the host reads their pages."""

    def __init__(self, *options, host=True, buffers=0):
        self.folder = tempfile.TemporaryDirectory(prefix="helix-va-")
        os.mkdir(self.path("dri"))
        open(self.path("dri/renderD128"), "w").close()
        self.buffers = {"FAKE_DRI_BUFFERS": str(buffers)} if buffers else {}
        if buffers:
            options += ("--pages=%d:%s" % (buffers, self.path("dri/renderD128")),)
        self.host = Host(self.folder.name, "--encoder=x264", *options) if host else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.host:
            self.host.__exit__()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def environment(self, **more):
        return dict(os.environ, LIBVA_DRIVERS_PATH=os.environ["HELIX_VA_DRIVERS"], LIBVA_DRIVER_NAME="helix",
                    LIBVA_MESSAGING_LEVEL="1", HELIX_VA_SOCKET=self.path("host"), FAKE_DRI=self.path("dri"),
                    LD_PRELOAD=os.environ["FAKE_DRI_LIBRARY"], GST_VA_ALL_DRIVERS="1", GST_REGISTRY=self.path("registry"),
                    HOME=self.folder.name, **dict(self.buffers, **more))

    def run(self, *command, **environment):
        """(status, what it printed on both of its outputs)."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=SECONDS, env=self.environment(**environment), check=False)
        return done.returncode, done.stdout

    def ffmpeg(self, *options, **environment):
        return self.run("ffmpeg", "-hide_banner", "-v", "error", "-y", "-init_hw_device", "vaapi=va:" + NODE, *options,
                        **environment)


def probe(path, *options):
    """ffprobe's answer, decoded."""
    command = ["ffprobe", "-v", "error", "-of", "json", *options, path]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def stream_of(path):
    """The first stream, its frames counted by decoding them."""
    return probe(path, "-count_frames", "-show_streams")["streams"][0]


def frames_of(path):
    return probe(path, "-show_frames")["frames"]


def bits_per_second(path):
    """Of the pictures alone."""
    packets = probe(path, "-show_packets")["packets"]
    seconds = sum(float(packet["duration_time"]) for packet in packets)
    return sum(int(packet["size"]) for packet in packets) * 8 / seconds


def quality(path, source):
    """The PSNR of each picture of a film against those of a lavfi @source, in their order."""
    numbered = "format=yuv420p,settb=1/30,setpts=N"
    graph = "[0:v]scale=out_color_matrix=bt601:out_range=tv,%s[a];[1:v]%s[b];[a][b]psnr=stats_file=-" % (numbered, numbered)
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "lavfi", "-i", source, "-filter_complex", graph,
                           "-fps_mode", "passthrough", "-f", "null", "/dev/null"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=True, text=True)
    return [99.0 if value == "inf" else float(value) for value in re.findall(r"psnr_avg:(\S+)", done.stdout)]
