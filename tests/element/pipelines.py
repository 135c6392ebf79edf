# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the pipelines of docs/pipelines.md as they stand there, against the real host.

What is put in: a moving picture for the desktop, the host's UNIX socket for vsock, free ports, a folder for films, and in
viewers a counter for the window. HELIX_HOST is the host's program; the plugin is found by GST_PLUGIN_PATH. Then once more
with a desktop that stands still from its first picture on: films go on, and viewers who join late see it.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(TREE, "docs", "pipelines.md")
SECONDS = 60
CAPS = "video/x-raw,format=BGRx,width=320,height=240,framerate=30/1"
PICTURE = "videotestsrc is-live=true pattern=ball ! %s" % CAPS
# The first of them and no other. (A source of that frame rate, or caps that say it, would have sinks wait for a frame's latency.)
STILL = ("videotestsrc is-live=true ! %s ! videorate drop-only=true ! video/x-raw,framerate=1/3600 ! "
         "capssetter caps=video/x-raw,framerate=(fraction)0/1" % CAPS)
WANTED = 30                     # pictures a viewer decodes, and a film has
FILMED = 3 * WANTED             # pictures given to a film: a live source drops some where the host is slow


def sections():
    """{heading: its commands} of the page."""
    found, name = {}, None
    for line in open(PAGE):
        if line.startswith("## "):
            name = line[3:].strip()
        elif name and line.startswith("    ") and not line.startswith("    ..."):
            found.setdefault(name, []).append(line.strip())
    return found


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Runner:
    def __init__(self, folder):
        self.folder, self.number, self.running = folder, 0, []
        self.path = os.path.join(folder, "host")
        self.host = subprocess.Popen([os.environ["HELIX_HOST"], "--listen=unix:" + self.path, "--encoder=x264", "--quiet"],
                                     stdout=subprocess.PIPE, text=True)
        assert self.host.stdout.readline().startswith("listening on")

    def start(self, command, replace=()):
        put_in = {"pipewiresrc path=NODE": PICTURE, "vsockenc ": "vsockenc socket-path=%s " % self.path,
                  "autovideosink": "identity eos-after=%d ! fakesink sync=false" % WANTED}
        put_in.update(replace)
        for old, new in put_in.items():
            command = command.replace(old, new)
        process = subprocess.Popen(command.split(), cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", start_new_session=True)
        process.command = command
        self.running.append(process)
        return process

    def end(self, process, number=None, seconds=SECONDS):
        """Wait for the end, after signal @number if given; raises with what it said if that is not a good one."""
        if number:
            process.send_signal(number)
        try:
            text = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            text = process.communicate()[0] + "\n(not over within %d s)" % seconds
        self.running.remove(process)
        if process.returncode not in (0, -signal.SIGTERM) or "ERROR" in text:
            raise AssertionError("%s\n%s\nended with %s" % (process.command, text[-2000:], process.returncode))
        return text

    def close(self):
        for process in self.running:
            process.kill()
            process.communicate()
        self.host.terminate()
        self.host.communicate()

    def check(self, name, function, *arguments):
        self.number += 1
        try:
            print("ok %d %s # %s" % (self.number, name, function(self, *arguments)), flush=True)
            return True
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            for line in str(error).splitlines():
                print("# " + line)
            print("not ok %d %s" % (self.number, name), flush=True)
            return False


def film(runner, command):
    name = re.search(r"location=(\S+)", command).group(1)
    path = os.path.join(runner.folder, name)
    # The source ends by itself, as a busy machine decides how many come in a given time.
    runner.end(runner.start(command, [("location=" + name, "location=" + path),
                                      ("is-live=true", "is-live=true num-buffers=%d" % FILMED)]))
    probe = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames",
                            "-of", "csv=p=0", path], capture_output=True, text=True, check=True).stdout.strip()
    codec, frames = probe.split(",")
    assert codec == "h264" and int(frames) >= WANTED, probe
    return "%s frames" % frames


def watched(runner, sender, viewer, replace):
    serving = runner.start(sender, replace)
    if "rtsp-server" in sender:
        assert serving.stdout.readline().startswith("rtsp://")
    # It ends by itself when it has decoded what is wanted.
    runner.end(runner.start(viewer, replace))
    runner.end(serving, signal.SIGTERM)
    return "%d pictures seen" % WANTED


def web(runner, command, wanted=WANTED, replace=()):
    text = runner.end(runner.start(command, replace))
    assert int(re.search(r"decoded (\d+)", text).group(1)) >= wanted, text
    return text.strip().splitlines()[-1]


def frames_in(path):
    probe = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path],
                           capture_output=True, text=True, check=False).stdout.strip()
    return int(probe) if probe.isdigit() else 0


def still_film(runner, command):
    """A film of one picture that the source gives, and of the repeats of it."""
    name = re.search(r"location=(\S+)", command).group(1)
    path = os.path.join(runner.folder, "still-" + name)
    filming = runner.start(command, [("pipewiresrc path=NODE", STILL), ("location=" + name, "location=" + path),
                                     ("keepalive-time=1000", "keepalive-time=50")])
    deadline = time.monotonic() + SECONDS
    while frames_in(path) < WANTED and time.monotonic() < deadline:
        time.sleep(0.5)
    runner.end(filming, signal.SIGINT)
    frames = frames_in(path)
    assert frames >= WANTED, "%d frames" % frames
    return "%d frames of one picture" % frames


def leave(runner, viewer):
    viewer.stdout.close()
    viewer.terminate()
    viewer.wait()
    runner.running.remove(viewer)


def joins(runner, sender, viewer, replace):
    """A viewer sees a desktop that stands still; then another joins, and sees it too, and no more than that moves."""
    replace = [("pipewiresrc path=NODE", STILL)] + replace
    serving = runner.start(sender, replace)
    if "rtsp-server" in sender:
        assert serving.stdout.readline().startswith("rtsp://")
    first = runner.start(viewer, replace + [("gst-launch-1.0", "gst-launch-1.0 -v"),
                                            ("autovideosink", "fakesink sync=false silent=false")])
    giving_up = threading.Timer(SECONDS, first.kill)
    giving_up.start()
    while "chain" not in (line := first.stdout.readline()):
        assert line, "the first viewer saw nothing within %d s" % SECONDS
    giving_up.cancel()
    if "udpsink" in sender:         # two cannot look on at one port: the other comes after it
        leave(runner, first)
    before = time.monotonic()
    runner.end(runner.start(viewer, replace + [("autovideosink", "identity eos-after=1 ! fakesink sync=false")]))
    took = time.monotonic() - before
    if first in runner.running:
        leave(runner, first)
    runner.end(serving, signal.SIGTERM)
    return "seen %.1f s after its program was started" % took


def main():
    page = sections()
    good = True
    print("1..9")
    with tempfile.TemporaryDirectory(prefix="vsockenc-") as folder:
        runner = Runner(folder)
        try:
            for command, name in zip(page["A file"], ("mp4", "matroska"), strict=True):
                good &= runner.check(name, film, command)
            rtp = "port=%d" % free_port(socket.SOCK_DGRAM)
            good &= runner.check("rtp", watched, *page["RTP"], [("port=5004", rtp)])
            rtsp = str(free_port(socket.SOCK_STREAM))
            good &= runner.check("rtsp", watched, *page["RTSP"],
                                 [("rtsp-server ", "rtsp-server --port=%s " % rtsp), (":8554", ":" + rtsp)])
            good &= runner.check("webrtc", web, *page["WebRTC"])
            good &= runner.check("still film", still_film, page["A file"][1])
            rtp = "port=%d" % free_port(socket.SOCK_DGRAM)
            good &= runner.check("rtp, still", joins, *page["RTP"], [("port=5004", rtp)])
            rtsp = str(free_port(socket.SOCK_STREAM))
            good &= runner.check("rtsp, still", joins, *page["RTSP"],
                                 [("rtsp-server ", "rtsp-server --port=%s " % rtsp), (":8554", ":" + rtsp)])
            good &= runner.check("webrtc, still", web, *page["WebRTC"], 1,
                                 [("pipewiresrc path=NODE", STILL), ("webrtc 5", "webrtc 15")])     # two peers connect first
        finally:
            runner.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
