# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 1500
"""Programs that the guest's image does not have encode by VA-API with desktop/va-driver: OBS Studio records a film that it plays, and two
peers of webrtcbin, one of which encodes with vah264enc; wayvnc serves a screen. What the programs need is Debian's, on a disk of its own (extra.py)."""

import json
import os
import re
import sys
import time

import desktop
import extra
import va
import va_film
from steps import TREE
from vm import VM, VMError

OBS = ("obs-studio", "obs-plugins", "qt6-wayland")
WAYVNC = ("wayvnc",)
WEBRTC = ("gstreamer1.0-nice", "gstreamer1.0-libav", "gir1.2-gst-plugins-bad-1.0")
OBS_RATE = 10                   # an emulated GPU composes a few pictures a second, and OBS repeats the last one in between
OBS_PICTURES, OBS_LEAST = 150, 5
OBS_SECONDS = 300               # from its start; it begins to record by itself
WEBRTC_SECONDS = 40
VNC_FRAMES, VNC_PORT = 60, 5900


# ---- OBS Studio ----

GLOBAL = """[General]
FirstRun=true
LastVersion=503447555
EnableAutoUpdates=false
[Basic]
Profile=va
ProfileDir=va
SceneCollection=va
SceneCollectionFile=va
ConfigOnNewProfile=false
"""
PROFILE = """[General]
Name=va
[Output]
Mode=Advanced
[AdvOut]
Encoder=ffmpeg_vaapi_tex
RecType=Standard
RecFilePath=/tmp/obs
RecFormat2=mkv
RecEncoder=ffmpeg_vaapi_tex
RecUseRescale=false
RecFileNameWithoutSpace=true
[Video]
BaseCX=%(width)d
BaseCY=%(height)d
OutputCX=%(width)d
OutputCY=%(height)d
FPSType=1
FPSInt=%(rate)d
[Audio]
SampleRate=48000
""" % {"width": va_film.WIDTH, "height": va_film.HEIGHT, "rate": OBS_RATE}
ENCODER = {"vaapi_device": va.NODE, "rate_control": "CBR", "bitrate": va.BITRATE // 1000, "keyint_sec": 1, "bf": 0, "profile": 100}
SCENES = {
    "name": "va", "current_scene": "Scene", "current_program_scene": "Scene", "scene_order": [{"name": "Scene"}],
    "sources": [
        {"id": "scene", "name": "Scene", "settings": {"id_counter": 1, "items": [
            {"id": 1, "name": "Film", "visible": True, "pos": {"x": 0.0, "y": 0.0}, "scale": {"x": 1.0, "y": 1.0}}]}},
        {"id": "ffmpeg_source", "name": "Film", "settings": {"local_file": "/tmp/played.mkv", "is_local_file": True, "looping": True,
                                                             "hw_decode": False}}]}


def configure_obs(vm):
    folder = "/root/.config/obs-studio/"
    for name, text in (("global.ini", GLOBAL), ("user.ini", GLOBAL), ("basic/profiles/va/basic.ini", PROFILE),
                       ("basic/profiles/va/recordEncoder.json", json.dumps(ENCODER)),
                       ("basic/scenes/va.json", json.dumps(SCENES))):
        vm.push(text.encode(), extra.ROOT + folder + name)
    vm.run("mkdir -p /tmp/obs")


def record_obs(vm):
    """What OBS said. It asks before it ends while it records, so it is killed; the program that writes its file ends that properly."""
    environment = dict(va.ENVIRONMENT, WAYLAND_DISPLAY="wayland-1", QT_QPA_PLATFORM="wayland")
    before = desktop.encoded(vm)
    with vm.start(extra.argv("obs", "--startrecording", "--multi", "--disable-shutdown-check", "--collection", "va", "--profile", "va"),
                  env=environment) as obs:
        end = time.monotonic() + OBS_SECONDS
        while desktop.encoded(vm) < before + OBS_PICTURES and not obs.done() and time.monotonic() < end:
            time.sleep(0.5)
        vm.run("pkill -KILL -x obs; for i in $(seq 600); do pgrep -x obs-ffmpeg-mux || exit 0; sleep 0.1; done; exit 1", timeout=va.SECONDS)
    return (bytes(obs.out) + bytes(obs.err)).decode(errors="replace")


def judge_obs(tap, numbers, said):
    """The film that it plays is filmed anew, each picture as often as it was composed: they follow in their order, until the film begins
    once more."""
    read = [number for number in numbers if number is not None]
    back = [(a, b) for a, b in zip(read, read[1:]) if b < a]
    print("# OBS: %d pictures, %d different ones" % (len(numbers), len(set(read))), flush=True)
    tap.check(len(read) >= 0.9 * len(numbers) and len(set(read)) >= OBS_LEAST and all(a > b + OBS_LEAST for a, b in back),
              "OBS Studio: its film shows the pictures that it played, in their order", "%s\n%s" % (numbers, said[-3000:]))


def test_obs(tap, vm):
    vm.run(va.FFMPEG + ["-f", "lavfi", "-i", va_film.numbered(), "-frames:v", "300", "-c:v", "mjpeg", "-q:v", "2", "/tmp/played.mkv"],
           timeout=va.SECONDS)
    vm.desktop(desktop.WIDTH, desktop.HEIGHT, "sway")
    configure_obs(vm)
    before = va.host_paths(vm)
    said = record_obs(vm)
    print("# OBS: by %s" % va.paths_since(vm, before), flush=True)
    for line in re.findall(r"^.*(?:vaapi|VAAPI|OpenGL version|texture encod).*$", said, re.M)[:12]:
        print("# OBS said: " + line, flush=True)
    films = vm.run("ls /tmp/obs").out.decode().split()
    if not films:
        raise VMError("OBS wrote no film: %s" % said[-3000:])
    vm.pull("/tmp/obs/" + films[0], va.log_path("obs.mkv"))
    seen = va_film.probe(va.log_path("obs.mkv"))["streams"][0]
    tap.check((seen["codec_name"], seen["width"], seen["height"]) == ("h264", va_film.WIDTH, va_film.HEIGHT),
              "OBS Studio records H.264 by its VA-API encoder", seen)
    judge_obs(tap, va_film.numbers_of(va.log_path("obs.mkv")), said)


# ---- WebRTC ----

def test_webrtc(tap, vm):
    """Between two peers of one program; libnice wants an interface that is not the loopback."""
    vm.run("modprobe dummy numdummies=1; busybox ip link set lo up; busybox ip link set dummy0 up; busybox ip addr add 192.0.2.1/24 dev dummy0")
    vm.push(os.path.join(TREE, "desktop", "gst-vsockenc", "examples", "webrtc"), "/tmp/webrtc")
    source = ("videotestsrc is-live=true ! video/x-raw,format=BGRx,width=640,height=360,framerate=30/1 ! vapostproc ! "
              "vah264enc rate-control=cbr bitrate=1500")
    environment = dict(va.ENVIRONMENT, GST_REGISTRY="/tmp/webrtc-registry")
    before = desktop.encoded(vm)
    result = vm.run(extra.argv("python3", "/tmp/webrtc", str(WEBRTC_SECONDS), *source.split()), env=environment, check=False,
                    timeout=WEBRTC_SECONDS + va.SECONDS)
    text = (result.out + result.err).decode(errors="replace")
    decoded = re.search(r"^decoded (\d+) pictures", text, re.M)
    tap.check(result.rc == 0 and decoded and int(decoded.group(1)) > 30 and desktop.encoded(vm) > before,
              "webrtcbin: a viewer decodes what vah264enc makes" + (", %s pictures" % decoded.group(1) if decoded else ""), text[-2000:])


# ---- wayvnc ----

def test_wayvnc(tap, vm):
    vm.push(os.path.join(TREE, "tests", "vm", "vnc_client.py"), "/tmp/vnc_client.py")
    vm.desktop(desktop.WIDTH, desktop.HEIGHT, "sway")
    environment = dict(va.ENVIRONMENT, WAYLAND_DISPLAY="wayland-1")
    with vm.start(["/helix/bin/scene", str(desktop.WIDTH), str(desktop.HEIGHT), "stamp"], env=environment), \
            vm.start(extra.argv("wayvnc", "--gpu", "-Ldebug", "127.0.0.1", str(VNC_PORT)), env=environment) as server:
        vm.run("for i in $(seq 300); do grep -q '^ *[0-9]*: 0100007F:170C .* 0A ' /proc/net/tcp && exit; sleep 0.1; done; exit 1")
        text = vm.run(["python3", "/tmp/vnc_client.py", str(VNC_PORT), str(VNC_FRAMES), "/tmp/vnc.h264"], timeout=va.SECONDS, check=False)
        said = bytes(server.out + server.err).decode(errors="replace")
    print("# wayvnc: %s" % text.out.decode().strip(), flush=True)
    for line in re.findall(r"^.*(?:h264|vaapi|VAAPI).*$", said, re.M | re.I)[:8]:
        print("# wayvnc said: " + line, flush=True)
    if not tap.check(b" 50: " in text.out, "wayvnc sends H.264", text.err.decode() + said[-2000:]):
        return
    vm.pull("/tmp/vnc.h264", va.log_path("vnc.h264"))
    stamps = va_film.numbers_of(va.log_path("vnc.h264"))
    in_order, different = va_film.ordered(stamps)
    tap.check(in_order and different >= VNC_FRAMES // 3, "wayvnc: the screen's pictures, in their order", stamps)


def run_programs(tap):
    with VM(name="va-programs", extra=extra.disk(*OBS, *WEBRTC, *WAYVNC)) as vm:
        extra.mount(vm)
        va.attempt(tap, vm, test_webrtc)
        va.attempt(tap, vm, test_wayvnc)
        va.attempt(tap, vm, test_obs)
        va.nothing_left(tap, vm)


if __name__ == "__main__":
    sys.exit(desktop.run_parts(run_programs))
