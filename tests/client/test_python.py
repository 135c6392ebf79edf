# SPDX-License-Identifier: GPL-2.0-or-later
"""helix_client.py against the real host: films that are decoded and looked at, and its errors."""

import contextlib
import io
import os
import sys
import tempfile

import films
import helix_client
from helix_client import CONFIG_RESP, HEADER, PING, PONG, Broken, Client, Gone, HelixError, Refused
from host import Host, Script
from tap import Tap

WIDTH, HEIGHT, FRAMES = 640, 352, 24


def run(*argv):
    """(status, standard error and output) of the program."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            status = helix_client.main(list(argv))
        except SystemExit as end:
            status = end.code
    return status, said.getvalue()


def check_bars(tap, pictures):
    """The middle of each bar in each picture, and where the block is below them."""
    wrong = []
    for number, picture in enumerate(pictures):
        for bar, colour in enumerate(helix_client.BARS):
            found = films.pixel(picture, WIDTH, (2 * bar + 1) * WIDTH // 16, HEIGHT // 3)
            if not films.near(found, colour):
                wrong.append("picture %d, bar %d: %s, not %s" % (number, bar, found, colour))
        block = WIDTH // 16
        at = number * block % (WIDTH - block + 1)
        y = HEIGHT - HEIGHT // 8
        for x, bright in ((at + block // 2, True), ((at + WIDTH // 2) % WIDTH, False)):
            found = films.pixel(picture, WIDTH, x, y)
            if (min(found) > 245) != bright or not bright and max(found) > 10:
                wrong.append("picture %d, %d across: %s" % (number, x, found))
    tap.check(len(pictures) == FRAMES and not wrong, "every picture shows its bars and its block",
              "%d pictures; %s" % (len(pictures), wrong[:8]))


def check_films(tap, folder):
    film = os.path.join(folder, "film.h264")
    with Host(folder, "--encoder=x264") as host:
        size = "%dx%d" % (WIDTH, HEIGHT)
        status, text = run("--host", host.address, "--test-picture", "--size", size, "--frames", str(FRAMES), "--fast",
                           "--bitrate", "8000000", "-o", film)
        tap.check(status == 0 and text.startswith("%d frames (1 keyframe), 0 dropped" % FRAMES),
                  "a test picture is filmed", text)
        check_bars(tap, films.decoded(film, WIDTH, HEIGHT))
        status, text = run("--host", host.address, "--resource", "5", "--size", size, "--frames", "3", "--fast",
                           "--bitrate", "8000000", "-o", film)
        found = [films.pixel(picture, WIDTH, *films.PLAIN) for picture in films.decoded(film, WIDTH, HEIGHT)]
        wanted = films.colour_of(5)
        tap.check(status == 0 and len(found) == 3 and all(films.near(colour, wanted) for colour in found),
                  "a resource is filmed", "%s %s, not %s" % (text, found, wanted))
        status, text = run("--host", host.address, "--info")
        tap.check(status == 0 and "encoder x264" in text and "VUI" in text, "--info says what the host can do", text)
        status, text = run("--host", host.address, "--resource", "70000", "--size", size, "--fast", "-o", film)
        tap.check(status == 1 and "70000" in text and "error -2" in text, "a resource that does not exist", text)
        status, text = run("--host", host.address, "--resource", "-1", "--size", size, "--fast", "-o", film)
        tap.check(status == 1 and "resource_id -1" in text, "a resource id that no field can hold", text)


def check_snapshots(tap, client):
    client.request_resource(7, 320, 240, pts=20)
    client.keep(1, 5, 320, 240)
    client.request_snapshot(1, 160, 120, x=16, y=8, pts=21)
    client.drop_snapshot(1)
    client.request_snapshot(1, 320, 240)
    answers = [client.receive().pts for _ in range(2)]
    for call in (client.receive, lambda: client.keep(2, 70000, 320, 240)):
        try:
            answers.append(call())
        except Refused as error:
            answers.append(error.code)
    tap.check(answers == [20, 21, -2, -2] and client.in_flight == 0, "snapshots: kept, encoded, dropped, refused",
              answers)


def check_module(tap, folder):
    """What the command line does not use."""
    with Host(folder, "--encoder=x264") as host, Client(host.address, timeout=60) as client:
        active = client.negotiate(width=320, height=240, bitrate=1000000, framerate_num=25, framerate_den=1,
                                    key_int_max=100, sar_width=4, sar_height=3)
        wanted = dict(width=320, height=240, bitrate=1000000, key_int_max=100, sar_width=4, sar_height=3)
        tap.check(active.items() >= wanted.items(), "the longest form of CONFIG_REQ", active)
        client.request_resource(7, 320, 240, pts=-5, flags=helix_client.TIMING | helix_client.RELEASE,
                                ext=dict(source=1, crop_x=8, crop_y=8, res_width=640, res_height=480))
        unit = client.receive()
        times = list(unit.timing.values())
        tap.check(unit.keyframe and unit.pts == -5 and times == sorted(times) and times[0] > 0, "EXT and TIMING",
                  unit.timing)
        tap.check(client.released == [(-5, 7)], "FRAME_RELEASED", client.released)
        units = []
        for pts in (6, 7):
            client.request_repeat(pts=pts)
            units.append(client.receive())
            client.keyframe()
        tap.check([(unit.pts, unit.keyframe) for unit in units] == [(6, False), (7, True)],
                  "REPEAT, and a keyframe on request", units)
        check_snapshots(tap, client)
        for number in range(client.max_in_flight + 1):
            client.request_resource(9999 + number, 320, 240)
        answers = []
        while client.in_flight:
            try:
                answers.append(client.receive().dropped)
            except Refused as error:
                answers.append(error.code)
        tap.check(answers[0] is False and set(answers[1:]) <= {-2, -7} and len(answers) == client.max_in_flight + 1,
                  "errors leave the stream alive", answers)
        large = bytes(3840 * 2160 * 4)
        for _ in range(client.max_in_flight):
            client.request_pixels(large, 3840, 2160)
        tap.check([client.receive().dropped for _ in range(client.max_in_flight)] == [False] * client.max_in_flight,
                  "pixels beyond what a socket holds")
        client.send_bytes(b"no protocol of this host")
        try:
            text = str(client.receive())
        except HelixError as error:
            text = str(error)
        tap.check("error -1" in text, "the host's last words are heard", text)


def negotiated(script, what):
    """What negotiate() comes to with a host that sends @what."""
    with script(what) as host, Client(host.address, timeout=0.5 if not what else 60) as client:
        try:
            return client.negotiate(key_int_max=5)
        except HelixError as error:
            return error


def message(kind, payload=b"", flags=0, size=None):
    return HEADER.pack({"magic": b"HXFR", "type": kind, "flags": flags, "session_id": 0,
                        "payload_size": len(payload) if size is None else size}) + payload


def check_hosts(tap, folder):
    def script(what):
        return Script(folder, what)

    with Script(folder, message(PONG)) as host, Client(host.address, timeout=60) as client:
        active = client.negotiate(bitrate=1)
        tap.check(active is None and client.max_in_flight == 1 and not client.capabilities,
                  "an old host negotiates nothing")
    for what, kind, words, name in (
            (message(PONG), HelixError, "takes no key_int_max", "an old host, and a field it does not know"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Broken, "no header of the protocol", "something else answers"),
            (message(CONFIG_RESP, b"\0" * 83), Broken, "83 bytes", "a CONFIG_RESP of a wrong size"),
            (message(CONFIG_RESP, size=1 << 30), Broken, "no header", "a payload beyond the limit"),
            (message(PING), Broken, "type 0x10", "a message that hosts do not send"),
            (b"", Gone, "silent", "a host that says nothing")):
        error = negotiated(script, what)
        tap.check(isinstance(error, kind) and words in str(error), name, repr(error))
    with Script(folder, message(helix_client.ERROR, b"\xf7\xff\xff\xff" + b"not from here".ljust(256, b"\0"), 255),
                closes=True) as host:
        status, text = run("--host", host.address, "--info")
    tap.check(status == 1 and "not from here" in text and "error -9" in text, "a host that is not permitted", text)


def check_usage(tap, folder):
    status, text = run("--help")
    tap.check(status == 0 and "--test-picture" in text and "--resource" in text, "--help")
    for argv, words in ((["--resource", "1"], "--size and --output"), (["--info", "--host", "tcp:1"], "neither vsock"),
                        (["--info", "--host", "unix:" + os.path.join(folder, "none")], "helix-frame-export=on"),
                        (["--resource", "1", "--size", "0x4", "-o", "-"], "at least 1"),
                        (["--info", "--timeout", "-1"], "more than 0")):
        status, text = run(*argv)
        tap.check(status in (1, 2) and words in text, " ".join(argv[:2]).replace(folder, "FOLDER"), text)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        check_usage(tap, folder)
        check_hosts(tap, folder)
        check_module(tap, folder)
        check_films(tap, folder)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
