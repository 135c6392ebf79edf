# SPDX-License-Identifier: LGPL-2.1-or-later
"""helix-screencast against stand-ins for the portal, Mutter and pipewiresrc, on a bus of its own. TAP.

test_screencast.py PROGRAM FOLDER-OF-DOUBLE FOLDER-OF-GSTREAMER'S-PLUGINS
"""

import contextlib
import glob
import os
import re
import signal
import stat
import sys
import time

from desk import COUNTED, frames_in, has_pictures, is_error, service, wait_until, run_tests
from services import FIRST, SECOND, THIRD, Backend, Bus, Mutter, Portal


class OtherBackend(Backend):
    """One of another desktop that runs too: it knows nothing of the session."""
    NAME = "org.freedesktop.impl.portal.desktop.another"
    path = "/org/freedesktop/portal/desktop"


# ---- options and errors: each returns True or what was wrong ----

def options(desk):
    cases = (((), 2, "a pipeline is needed"), (("--backend=x11", "fakesink"), 2, "auto, mutter, portal"),
             (("--cursor=big", "fakesink"), 2, "hidden, embedded"), (("--nothing", "fakesink"), 2, "--nothing"),
             (("--window", "--backend=mutter", "fakesink"), 2, "--backend=portal"),
             (("--monitor=A", "--backend=portal", "fakesink"), 2, "--backend=mutter"),
             (("--source", "num-buffers=5 name=other", "fakesink"), 2, "leave out name="),
             (("--monitor=A", "--window", "fakesink"), 2, "either"), (("--list", "fakesink"), 2, "--list"))
    for arguments, status, word in cases:
        result = is_error(desk.run(*arguments), status, word, "--help")
        if result is not True:
            return "%s: %s" % (arguments, result)
    code, text = desk.run("--help")
    return code == 0 and "--restart" in text and "Exit status" in text or text


def bad_pipelines(desk):
    """Nobody is asked for consent to a pipeline that can't be made."""
    with service(Portal, desk) as portal:
        for arguments, words in ((("nosuchelement",), ["can't be made", "nosuchelement"]),
                                 (("{} ! tee name=t t. ! fakesink {}",), ["more than once"]),
                                 (("fakesink nosuch=1",), ["nosuch"])):
            result = is_error(desk.run(*arguments), 6, *words)
            if result is not True:
                return result
        return not portal.calls or portal.calls


def no_plugin(desk):
    environment = desk.environment
    desk.environment = dict(environment, GST_PLUGIN_PATH="", GST_REGISTRY=os.path.join(desk.folder, "empty"))
    try:
        return is_error(desk.run("fakesink"), 6, "gstreamer1.0-pipewire")
    finally:
        desk.environment = environment


def no_bus(desk):
    environment = desk.environment
    desk.environment = dict(environment, DBUS_SESSION_BUS_ADDRESS="unix:path=/nothing/here")
    try:
        return is_error(desk.run("fakesink"), 3, "no session bus", "DBUS_SESSION_BUS_ADDRESS")
    finally:
        desk.environment = environment


def nothing_there(desk):
    result = is_error(desk.run("fakesink"), 3, "there is no portal", "xdg-desktop-portal")
    if result is True:
        result = is_error(desk.run("--backend=mutter", "fakesink"), 3, "Mutter", "--backend=portal")
    return result if result is not True else is_error(desk.run("--list"), 3, "nothing can be captured")


def no_screencast(desk):
    with service(Portal, desk, has_screencast=False):
        return is_error(desk.run("fakesink"), 3, "offers no ScreenCast", "XDG_CURRENT_DESKTOP")


# ---- Mutter ----

def mutter_default(desk):
    with service(Mutter, desk) as mutter:
        result = desk.run(*COUNTED)
        good = (result[0] == 0 and mutter.called("RecordMonitor") == [("eDP-1", {"cursor-mode": 1})]
                and desk.given() == ["path=42 fd=none"] and mutter.wait_for("Stop"))
        return good or (result, mutter.calls)


def mutter_monitor(desk):
    with service(Mutter, desk) as mutter:
        result = desk.run("--monitor=HDMI-1", "--cursor=hidden", *COUNTED)
        if result[0] or mutter.called("RecordMonitor") != [("HDMI-1", {"cursor-mode": 0})]:
            return result, mutter.calls
        result = is_error(desk.run("--monitor=DP-9", *COUNTED), 2, "no monitor 'DP-9'", "eDP-1, HDMI-1")
        return result if result is not True else len(mutter.called("CreateSession")) == 1


def mutter_refuses(desk):
    with service(Mutter, desk, refuse="Remote access is off"):
        return is_error(desk.run(*COUNTED), 3, "Remote access is off")


def mutter_without_monitor(desk):
    with service(Mutter, desk, monitors=()):
        return is_error(desk.run(*COUNTED), 3, "--virtual-monitor")


def ended_by_signal(desk, number):
    path, pipeline = desk.film()
    with service(Mutter, desk) as mutter:
        run = desk.start(*pipeline)
        wait_until(lambda: has_pictures(path))
        run.kill(number)
        result = run.end()
        return (result[0] == 0 and frames_in(path) > 5 and mutter.wait_for("Stop")) or (result, frames_in(path))


def ended_by_sigint(desk):
    return ended_by_signal(desk, signal.SIGINT)


def ended_by_sigterm(desk):
    return ended_by_signal(desk, signal.SIGTERM)


def second_signal(desk):
    """A pipeline with a sink that no end of stream reaches: the first signal does not end it."""
    with service(Mutter, desk) as mutter:
        run = desk.start("{} ! fakesink fakesink async=false")
        if not mutter.wait_for("Start"):
            return "not started"
        wait_until(lambda: os.path.exists(desk.report))
        run.kill(signal.SIGINT)
        time.sleep(0.5)
        if run.process.poll() is not None:
            return run.end()
        run.kill(signal.SIGINT)
        result = run.end()
        return (result[0] == 0 and "a second signal: files may not be whole" in result[1]
                and "within ten seconds" not in result[1]) or result


def closed(desk):
    path, pipeline = desk.film()
    with service(Mutter, desk) as mutter:
        run = desk.start(*pipeline)
        wait_until(lambda: has_pictures(path))
        mutter.close_session()
        result = is_error(run.end(), 5, "closed the ScreenCast")
        return result if result is not True else frames_in(path) > 5


def compositor_gone(desk):
    path, pipeline = desk.film()
    with service(Mutter, desk) as mutter:
        run = desk.start(*pipeline)
        wait_until(lambda: has_pictures(path))
        mutter.vanish()
        result = is_error(run.end(), 5, "left the session bus")
        return result if result is not True else frames_in(path) > 5


def node_gone_first(desk):
    """The source fails for a node that is gone, and only then hears why: the file is whole, and it counts as closed."""
    path, pipeline = desk.film()
    with service(Mutter, desk) as mutter:
        run = desk.start("--source", "error-after=20", *pipeline)
        wait_until(lambda: has_pictures(path))
        time.sleep(0.3)
        mutter.close_session()
        result = is_error(run.end(), 5, "closed the ScreenCast")
        return result if result is not True else frames_in(path) == 20 or frames_in(path)


def pipeline_fails(desk):
    with service(Mutter, desk):
        result = is_error(desk.run("--source", "error-after=3", "fakesink"), 1, "screencast: stream error",
                          "no target node")
        if result is True:
            result = is_error(desk.run("filesink", "location=/nothing/here"), 1, "/nothing/here", "filesink0")
        return result


def restarted(desk):
    """Another compositor, another start: a film of its own."""
    path, pipeline = desk.film("film-{time}.mov")
    with service(Mutter, desk) as mutter:
        run = desk.start("--restart", *pipeline)

        def films():
            return sorted(glob.glob(path.replace("{time}", "*")))
        if not wait_until(lambda: films() and has_pictures(films()[0])):
            return run.end(1)
        mutter.vanish()
        if not run.says("left the session bus"):
            return run.end(1)
        mutter.appear()
        if not wait_until(lambda: len(films()) == 2 and has_pictures(films()[1])):
            return run.end(1)
        run.kill(signal.SIGTERM)
        result = run.end()
        counts = [frames_in(film) for film in films()]
        named = all(re.search(r"film-\d{8}-\d{6}\.mov$", film) for film in films())
        return (result[0] == 0 and named and min(counts) > 5 and "opening it again" in result[1]) or (result, counts)


def restarted_compositor(desk):
    """The compositor goes and is back after a while; a run without it in between is no reason to give up."""
    with service(Mutter, desk) as mutter:
        run = desk.start("--restart", "fakesink")
        mutter.wait_for("Start")
        wait_until(lambda: os.path.exists(desk.report))
        mutter.vanish()
        time.sleep(2)
        mutter.appear()
        if not mutter.wait_for("Start", 2) or not wait_until(lambda: len(desk.given()) == 2):
            return run.end(1)
        run.kill(signal.SIGINT)
        result = run.end()
        return (result[0] == 0 and desk.given() == ["path=42 fd=none"] * 2) or result


def restart_stopped(desk):
    """Told to end in the pause before the next try, and the session bus is gone as well: that is no error."""
    bus = Bus(desk.folder)
    environment = desk.environment
    desk.environment = dict(environment, DBUS_SESSION_BUS_ADDRESS=bus.address)
    try:
        mutter = Mutter(bus)
        run = desk.start("--restart", "fakesink")
        mutter.wait_for("Start")
        wait_until(lambda: os.path.exists(desk.report))
        bus.close()
        time.sleep(0.5)
        run.kill(signal.SIGTERM)
        result = run.end()
        return (result[0] == 0 and "opening it again" in result[1]) or result
    finally:
        desk.environment = environment


def placeholder(desk):
    with service(Mutter, desk):
        for words in (["{} ! fakesink name=a"], ["{}", "!", "capsfilter", "caps=video/x-raw, format=RGB", "!",
                                                    "fakesink"]):
            result = desk.run("--source", "num-buffers=5", *words)
            if result[0] or desk.given() != ["path=42 fd=none"]:
                return result
        return True


def messages(desk):
    """Elements' messages on demand; --quiet leaves errors only."""
    with service(Mutter, desk):
        pipeline = ["--source", "num-buffers=5", "multifilesink", "name=files", "post-messages=true",
                    "location=" + os.path.join(desk.folder, "frame%d")]
        code, text = desk.run("-m", *pipeline)
        if code or len(re.findall(r"^files: GstMultiFileSink, ", text, re.M)) != 5:
            return text
        code, text = desk.run("--quiet", *pipeline)
        return (code == 0 and text == "") or text


# ---- the portal ----

def portal_token(desk):
    with service(Portal, desk) as portal:
        first = desk.run(*COUNTED)
        given, kept = desk.given(), desk.token()
        path = os.path.join(desk.state, "helix-screencast", "monitor.token")
        modes = [stat.S_IMODE(os.stat(name).st_mode) for name in (path, os.path.dirname(path))]
        portal.token = SECOND
        second = desk.run(*COUNTED)
        selected = [options for _, options in portal.called("SelectSources")]
        for options in selected:
            del options["handle_token"]
        plain = {"types": 1, "multiple": False, "cursor_mode": 2, "persist_mode": 2}
        good = (first[0] == second[0] == 0 and given == ["path=77 fd=the portal's PipeWire min-buffers=16"]
                and kept == FIRST
                and desk.token() == SECOND and modes == [0o600, 0o700]
                and selected == [plain, dict(plain, restore_token=FIRST)] and portal.wait_for("Close", 2))
        return good or (first, second, given, kept, modes, selected)


def portal_buffers(desk):
    """16 buffers are asked for, unless --source says another number or allows fewer."""
    with service(Portal, desk):
        for source, number in (("max-buffers=8", 8), ("max-buffers=64", 16), ("min-buffers=1", 1),
                               ("min-buffers=4 max-buffers=8", 4)):
            result = desk.run("--source", "num-buffers=5 " + source, "fakesink")
            if result[0] or desk.given() != ["path=77 fd=the portal's PipeWire min-buffers=%d" % number]:
                return source, result, desk.given()
        return True


def portal_asks_again(desk):
    with service(Portal, desk, token=THIRD) as portal:
        result = desk.run("--ask", *COUNTED)
        options = portal.called("SelectSources")[0][1]
        return (result[0] == 0 and "restore_token" not in options and desk.token() == THIRD) or (result, options)


def portal_gives_no_token(desk):
    """The old one is spent: it must not be tried again."""
    with service(Portal, desk, token=None):
        result = desk.run(*COUNTED)
        return (result[0] == 0 and desk.token() is None) or (result, desk.token())


def portal_token_file(desk):
    path = os.path.join(desk.folder, "deep", "er", "token")
    with service(Portal, desk, token=THIRD):
        result = desk.run("--token-file=" + path, *COUNTED)
        with open(path) as file:
            if result[0] or file.read() != THIRD or desk.token() is not None:
                return result
        result = desk.run("--token-file=/dev/null/token", *COUNTED)
        return (result[0] == 0 and "you will be asked again" in result[1]) or result


def portal_window(desk):
    with service(Portal, desk) as portal, service(Mutter, desk) as mutter:
        result = desk.run("--window", *COUNTED)
        options = portal.called("SelectSources")[0][1]
        return (result[0] == 0 and options["types"] == 2 and desk.token("window.token") == FIRST
                and not mutter.called("RecordMonitor")
                ) or (result, options)


def portal_denied(desk):
    with service(Portal, desk, answer=1) as portal:
        result = is_error(desk.run(*COUNTED), 4, "denied")
        return result if result is not True else not portal.sessions and not portal.called("OpenPipeWireRemote")


def portal_fails(desk):
    with service(Portal, desk, answer=2):
        result = is_error(desk.run(*COUNTED), 3, "without an answer", "log")
    if result is True:
        with service(Portal, desk, streams=False):
            result = is_error(desk.run(*COUNTED), 3, "started no stream")
    return result


def portal_interrupted(desk):
    """Told to end while the user thinks: the question is taken back."""
    with service(Portal, desk, answer=None) as portal:
        run = desk.start(*COUNTED)
        if not portal.wait_for("Start"):
            return run.end(1)
        run.kill(signal.SIGINT)
        result = run.end()
        good = (result[0] == 0 and portal.wait_for("Close") and not portal.sessions and not portal.requests
                and not portal.called("OpenPipeWireRemote"))
        return good or (result, portal.calls)


def portal_old(desk):
    with service(Portal, desk, version=1, own_handles=True) as portal:
        result = desk.run(*COUNTED)
        options = portal.called("SelectSources")[0][1]
        return (result[0] == 0 and set(options) == {"handle_token", "types", "multiple"}) or (result, options)


def portal_cursor(desk):
    with service(Portal, desk, cursors=1) as portal:
        result = is_error(desk.run("--cursor=embedded", *COUNTED), 2, "--cursor=hidden")
        if result is True and desk.run(*COUNTED)[0] == 0 and desk.run("--cursor=hidden", *COUNTED)[0] == 0:
            modes = [options.get("cursor_mode") for _, options in portal.called("SelectSources")]
            return modes == [None, 1] or modes
        return result


def portal_sources(desk):
    with service(Portal, desk, sources=1):
        return is_error(desk.run("--window", *COUNTED), 2, "can't capture a window")


def portal_monitor(desk):
    with service(Portal, desk):
        return is_error(desk.run("--monitor=eDP-1", *COUNTED), 3, "leave out --monitor")


def portal_closed(desk):
    path, pipeline = desk.film()
    with service(Portal, desk) as portal:
        run = desk.start(*pipeline)
        wait_until(lambda: has_pictures(path))
        portal.close_session()
        result = is_error(run.end(), 5, "closed the ScreenCast")
        return result if result is not True else frames_in(path) > 5


def portal_backend_gone(desk):
    """The compositor dies, and its portal with it: the portal itself says nothing of that, and the source just waits."""
    path, pipeline = desk.film()
    with service(Portal, desk) as portal, contextlib.ExitStack() as stack:
        begin = portal.on_Start

        def on_start(*arguments):
            other = stack.enter_context(service(OtherBackend, desk))
            portal.backends = (stack.enter_context(service(Backend, desk, path=portal.session)), other)
            begin(*arguments)
        portal.on_Start = on_start
        run = desk.start("--backend=portal", *pipeline)
        wait_until(lambda: has_pictures(path))
        portal.backends[1].vanish()
        time.sleep(0.5)
        if run.process.poll() is not None:
            return run.end()
        portal.backends[0].vanish()
        result = is_error(run.end(), 5, Backend.NAME + " left the session bus")
        return result if result is not True else frames_in(path) > 5


def portal_unfinished_first(desk):
    """What the portal of wlroots had not finished when it was paused is no picture, and does not set the times of those after it."""
    path, pipeline = desk.film()
    with service(Portal, desk):
        code, text = desk.run("--backend=portal", "--source", "unfinished-first=true num-buffers=30", *pipeline)
        return (code == 0 and 25 <= frames_in(path) < 30) or (code, text, frames_in(path))


def portal_restarted(desk):
    with service(Portal, desk, token=THIRD) as portal:
        run = desk.start("--restart", "fakesink")
        wait_until(lambda: os.path.exists(desk.report))
        portal.close_session()
        if not portal.wait_for("OpenPipeWireRemote", 2) or not wait_until(lambda: len(desk.given()) == 2):
            return run.end(1)
        run.kill(signal.SIGINT)
        result = run.end()
        return (result[0] == 0 and portal.called("SelectSources")[1][1]["restore_token"] == THIRD) or result


def chosen(desk):
    with service(Portal, desk) as portal, service(Mutter, desk) as mutter:
        if desk.run(*COUNTED)[0] or portal.calls or not mutter.calls:
            return "not Mutter's: %s" % portal.calls
        del mutter.calls[:]
        if desk.run("--backend=portal", *COUNTED)[0] or mutter.called("RecordMonitor") or not portal.calls:
            return "not the portal's: %s" % mutter.calls
        code, text = desk.run("--list")
        words = ("eDP-1", "1920x1080", "(primary)", "HDMI-1", "a monitor", "--window", "version 5")
        return (code == 0 and all(word in text for word in words)) or text


TESTS = (ended_by_sigint, ended_by_sigterm, options, bad_pipelines, no_plugin, no_bus, nothing_there, no_screencast,
         mutter_default, mutter_monitor,
         mutter_refuses, mutter_without_monitor, second_signal, closed, compositor_gone, node_gone_first,
         pipeline_fails, restarted, restarted_compositor, restart_stopped, placeholder, messages, portal_token,
         portal_buffers, portal_asks_again, portal_gives_no_token, portal_token_file, portal_window, portal_denied,
         portal_fails, portal_interrupted, portal_old, portal_cursor, portal_sources, portal_monitor, portal_closed,
         portal_backend_gone, portal_unfinished_first,
         portal_restarted, chosen)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[4:], sys.argv[1:4]))
