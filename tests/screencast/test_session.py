# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a session does to helix-screencast while it runs: the lock, another resolution, services that go and come back,
signals, and how its unit starts it. Stand-ins as in test_screencast.py, whose arguments these are, and the unit. TAP.

test_session.py PROGRAM FOLDER-OF-DOUBLE FOLDER-OF-GSTREAMER'S-PLUGINS UNIT
"""

import contextlib
import fcntl
import glob
import os
import re
import signal
import struct
import sys
import termios
import time

from desk import COUNTED, frames_in, has_pictures, is_error, run_tests, service, wait_until
from services import FIRST, Backend, Login, Mutter, Portal, Shield

LOCKED, BLANK, ELSEWHERE = "the screen is locked", "the screen is blank", "another session has the display"
WAITING = "waiting until this session is shown"
STREAMING = "streaming PipeWire node"
ASKING = "Waiting for an answer on the guest's screen"
FRAME = 64 * 48 * 3


@contextlib.contextmanager
def gnome(desk, **settings):
    """(Mutter, the portal in front of it, GNOME Shell's shield, logind)."""
    with service(Mutter, desk) as mutter, service(Portal, desk, mutter=mutter, **settings) as portal, \
            service(Shield, desk) as shield, service(Login, desk) as login:
        yield mutter, portal, shield, login


def lock(mutter, portal, shield, login):
    """In GNOME's order: the casts are closed before anybody says that the screen is locked."""
    mutter.inhibit()
    portal.close_session()
    shield.set_active(True)
    login.change(locked=True)


def unlock(mutter, shield, login):
    mutter.inhibit(False)
    shield.set_active(False)
    login.change(locked=False)


def ended(run, good=True):
    """SIGINT; True if it ended in order and @good holds."""
    run.kill(signal.SIGINT)
    result = run.end()
    return (result[0] == 0 and good) or (result, good)


def films_like(path):
    return sorted(glob.glob(path.replace("{time}", "*")))


# ---- the lock ----

def locked(desk, *options):
    """The film is whole, the lock is said once, and the unlock opens the next one."""
    path, pipeline = desk.film("film-{time}.mov")
    with gnome(desk) as (mutter, portal, shield, login):
        run = desk.start("--restart", *options, *pipeline)
        if not wait_until(lambda: films_like(path) and has_pictures(films_like(path)[0])):
            return run.end(1)
        lock(mutter, portal, shield, login)
        if not run.says(WAITING):
            return run.end(1)
        whole = frames_in(films_like(path)[0])
        selected = len(portal.called("SelectSources"))      # one more would have spent the token
        unlock(mutter, shield, login)
        if not run.says(STREAMING, 2) or not wait_until(lambda: len(films_like(path)) == 2):
            return run.end(1)
        said = run.said()
        used = [options.get("restore_token") for _, options in portal.called("SelectSources")]
        return ended(run, (whole > 5 and said.count(LOCKED) == 1 and said.count("\n") < 8
                           and (used == [None, FIRST] and selected == 1 if used else True)) or (whole, said, used))


def locked_mutter(desk):
    return locked(desk, "--backend=mutter")


def locked_portal(desk):
    return locked(desk, "--backend=portal")


def started_while_locked(desk):
    """By both ways, without --restart too: nothing is opened and no token spent before the unlock."""
    for way in "mutter", "portal":
        with gnome(desk) as (mutter, portal, shield, login):
            lock(mutter, portal, shield, login)
            run = desk.start("--backend=" + way, *COUNTED)
            if not run.says(LOCKED) or portal.called("SelectSources") or mutter.called("Start"):
                return way, run.end(1), portal.calls
            unlock(mutter, shield, login)
            result = run.end()
            if result[0] or result[1].count(WAITING) != 1:
                return way, result
    return True


def hidden(desk, word, portal_alone, **state):
    """@state of the shield (blank) or of logind hides the screen."""
    with service(Portal, desk) as portal, service(Shield, desk) as shield, service(Login, desk) as login:
        with service(Mutter, desk) if not portal_alone else contextlib.nullcontext() as mutter:
            if mutter:
                mutter.inhibit()
            blank = state.pop("blank", False)
            shield.active = blank
            if state:
                login.change(**state)
            run = desk.start("--backend=portal", *COUNTED)
            if not run.says(word) or portal.called("CreateSession"):
                return run.end(1)
            if mutter:
                mutter.inhibit(False)
            login.change(active=True, locked=False)
            shield.set_active(False)
            result = run.end()
            return (result[0] == 0 and result[1].count(WAITING) == 1) or result


def blank(desk):
    return hidden(desk, BLANK, False, blank=True)


def greeter(desk):
    """Another user's turn: GNOME has locked this session as well."""
    return hidden(desk, ELSEWHERE, False, blank=True, active=False, locked=True)


def locked_without_mutter(desk):
    """Another desktop's lock, of which logind alone knows."""
    return hidden(desk, LOCKED, True, locked=True)


def console_away(desk):
    """A compositor without a screen goes on when the text console of its session is switched away."""
    with service(Portal, desk), service(Login, desk, session_type="tty", active=False):
        return desk.run(*COUNTED)[0] == 0


def locked_headless(desk):
    """A headless GNOME makes ScreenCasts behind its lock: Mutter's word goes before those of others."""
    with gnome(desk) as (_mutter, _portal, shield, login):
        shield.active = True
        login.locked = True
        result = desk.run("--backend=portal", *COUNTED)
        return (result[0] == 0 and WAITING not in result[1]) or result


def inhibited(desk):
    """Mutter refuses and nobody says why: that is said once, and it is asked again."""
    with service(Mutter, desk) as mutter:
        mutter.inhibit()
        run = desk.start(*COUNTED)
        if not mutter.wait_for("CreateSession", 5) or run.said().count("inhibits ScreenCasts") != 1:
            return run.end(1)
        mutter.inhibit(False)
        result = run.end()
        return (result[0] == 0 and result[1].count(WAITING) == 1) or result


def stopped_while_locked(desk):
    with gnome(desk) as (mutter, portal, shield, login):
        lock(mutter, portal, shield, login)
        run = desk.start("fakesink")
        return run.says(LOCKED) and ended(run)


# ---- another resolution ----

def resized(desk):
    """The ScreenCast is closed and another opened: the same pipeline goes on, with pictures of the new size."""
    for way in "mutter", "portal":
        path, _ = desk.film("film-{time}.raw")
        with gnome(desk) as (mutter, portal, *_):
            served = mutter if way == "mutter" else portal
            run = desk.start("--restart", "--backend=" + way, "filesink", "location=" + path, "buffer-mode=unbuffered")
            if not wait_until(lambda: films_like(path) and os.path.getsize(films_like(path)[0]) >= 10 * FRAME):
                return way, run.end(1)
            served.NODE = 142
            (mutter.close_session if way == "mutter" else portal.close_session)()
            if not run.says(STREAMING + " 142"):
                return way, run.end(1)
            film = films_like(path)[0]
            size = os.path.getsize(film)
            if not wait_until(lambda film=film, size=size: os.path.getsize(film) >= size + 20 * FRAME):
                return way, run.end(1)
            said = run.said()
            result = ended(run, (len(films_like(path)) == 1 and "again" not in said and os.path.getsize(film) % FRAME == 0)
                           or said)
            if result is not True:
                return way, result
    return True


def resized_in_a_file(desk):
    """A film of one size can't go on with another: it is finished, and another begun."""
    path, pipeline = desk.film("film-{time}.mov")
    with service(Mutter, desk) as mutter:
        run = desk.start("--restart", *pipeline)
        if not wait_until(lambda: films_like(path) and has_pictures(films_like(path)[0])):
            return run.end(1)
        mutter.NODE = 142
        mutter.close_session()
        if not wait_until(lambda: len(films_like(path)) == 2 and has_pictures(films_like(path)[1])):
            return run.end(1)
        run.kill(signal.SIGINT)
        result = run.end()
        counts = [frames_in(film) for film in films_like(path)]
        return (result[0] == 0 and len(counts) == 2 and min(counts) > 5) or (result, counts)


def resized_by_error(desk):
    """The source fails for the node that is gone, before the compositor tells: the stream's end goes no further."""
    path, _ = desk.film("film-{time}.raw")
    trigger = os.path.join(desk.folder, "fail-now")
    with service(Mutter, desk) as mutter:
        run = desk.start("--restart", "--source", "error-file=" + trigger, "filesink", "location=" + path,
                         "buffer-mode=unbuffered")
        if not wait_until(lambda: films_like(path) and os.path.getsize(films_like(path)[0]) >= 10 * FRAME):
            return run.end(1)
        with open(trigger, "w"):
            pass
        wait_until(lambda: not os.path.exists(trigger))
        mutter.close_session()
        if not run.says(STREAMING, 2):
            return run.end(1)
        size = os.path.getsize(films_like(path)[0])
        more = wait_until(lambda: os.path.getsize(films_like(path)[0]) >= size + 10 * FRAME)
        return ended(run, more and len(films_like(path)) == 1)


# ---- services that go and come back ----

def portal_dies_asking(desk):
    with service(Portal, desk, answer=None) as portal:
        run = desk.start("--backend=portal", "fakesink")
        if not portal.wait_for("Start"):
            return run.end(1)
        portal.vanish()
        return is_error(run.end(), 5, ASKING, "left the session bus")


def session_closed_asking(desk):
    with service(Portal, desk, answer=None) as portal:
        run = desk.start("--backend=portal", "fakesink")
        if not portal.wait_for("Start"):
            return run.end(1)
        portal.close_session()
        return is_error(run.end(), 5, "closed the ScreenCast")


def way_stays(desk):
    """Mutter is away for some tries: no portal is asked instead, and a monitor's name is no wrong option."""
    for options in (), ("--monitor=eDP-1",):
        with service(Portal, desk) as portal, service(Mutter, desk) as mutter:
            run = desk.start("--restart", *options, "fakesink")
            if not run.says(STREAMING):
                return options, run.end(1)
            mutter.vanish()
            if not run.says("there is no org.gnome.Mutter.ScreenCast"):
                return options, run.end(1)
            mutter.appear()
            if not run.says(STREAMING, 2) or portal.calls:
                return options, run.end(1), portal.calls
            result = ended(run)
            if result is not True:
                return options, result
    return True


def monitor_unplugged(desk):
    with service(Mutter, desk) as mutter:
        run = desk.start("--restart", "--monitor=eDP-1", "fakesink")
        if not run.says(STREAMING):
            return run.end(1)
        mutter.monitors = ("HDMI-1",)
        mutter.close_session()
        if not run.says("there is no monitor 'eDP-1'"):
            return run.end(1)
        mutter.monitors = ("HDMI-1", "eDP-1")
        return run.says(STREAMING, 2) and ended(run) or run.end(1)


def backend_gone_restarted(desk):
    """The desktop's own portal died: the session is left at the other one, and its path is in use until it is closed."""
    with service(Portal, desk) as portal, contextlib.ExitStack() as stack:
        begin = portal.on_Start

        def on_start(*arguments):
            if not hasattr(portal, "backend"):
                portal.backend = stack.enter_context(service(Backend, desk, path=portal.session))
            begin(*arguments)
        portal.on_Start = on_start
        run = desk.start("--backend=portal", "--restart", "fakesink")
        if not run.says(STREAMING) or not portal.wait_for("OpenPipeWireRemote"):
            return run.end(1)
        # It looks for the backend behind that call.
        wait_until(lambda: os.path.exists(desk.report))
        first = portal.session
        portal.backend.vanish()
        if not run.says(STREAMING, 2):
            return run.end(1)
        return ended(run, first not in portal.sessions)


def asked_once(desk):
    """--ask is for the start: what is opened again is what the user chose then."""
    with service(Portal, desk) as portal:
        run = desk.start("--backend=portal", "--restart", "--ask", "fakesink")
        if not run.says(STREAMING):
            return run.end(1)
        portal.close_session()
        if not run.says(STREAMING, 2):
            return run.end(1)
        used = [options.get("restore_token") for _, options in portal.called("SelectSources")]
        return ended(run, used == [None, FIRST] or used)


def says_that_it_asks(desk):
    """Where the portal asks, and not where it restores."""
    with service(Portal, desk):
        first, second = desk.run(*COUNTED), desk.run(*COUNTED)
        return (first[0] == second[0] == 0 and ASKING in first[1] and ASKING not in second[1]) or (first, second)


def damaged_token(desk):
    """xdg-desktop-portal refuses the request for a token that is no UUID: the user is asked instead."""
    with service(Portal, desk):
        path = os.path.join(desk.folder, "damaged")
        with open(path, "w") as file:
            file.write("no UUID")
        return is_error(desk.run("--token-file=" + path, *COUNTED), 0, ASKING)


def portal_starts(desk):
    """Just after the login: the portal is there before the desktop's own one."""
    for early, late in (({"sources": 0}, {"sources": 3}), ({"has_screencast": False}, {"has_screencast": True})):
        for options, word in ((("--list",), "a monitor"), (COUNTED, STREAMING)):
            with service(Portal, desk, **early) as portal:
                run = desk.start(*options)
                if "sources" in early:
                    portal.wait_for("properties", 6)
                else:
                    run.process.poll()
                for name, value in late.items():
                    setattr(portal, name, value)
                if "has_screencast" in late:
                    portal.register(portal.PATH, portal.SCREENCAST)
                result = is_error(run.end(), 0, word)
                if result is not True:
                    return early, options, result
    return True


# ---- signals ----

def fifo(desk):
    path = os.path.join(desk.folder, "fifo")
    if not os.path.exists(path):
        os.mkfifo(path)
    return path


def no_reader(desk):
    """filesink's open() blocks: one signal is enough."""
    with service(Mutter, desk) as mutter:
        run = desk.start("filesink", "location=" + fifo(desk))
        if not mutter.wait_for("Start"):
            return run.end(1)
        run.says(STREAMING)
        run.kill(signal.SIGTERM)
        return is_error(run.end(), 0, "may not be whole")


def stalled_reader(desk):
    """filesink's write() blocks, and with it every change of state: the second signal ends it all the same."""
    with service(Mutter, desk), open(os.open(fifo(desk), os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        size = fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)        # less than a picture

        def is_full():
            return struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0] == size
        run = desk.start("filesink", "location=" + fifo(desk), "buffer-mode=unbuffered")
        if not wait_until(is_full):
            return run.end(1)
        run.kill(signal.SIGTERM)
        time.sleep(0.5)
        if run.process.poll() is not None:
            return run.end()
        run.kill(signal.SIGTERM)
        return is_error(run.end(), 0, "second signal")


# ---- the unit ----

def read_unit(path):
    """(its lines as {key: [values]}, with %E and %h replaced), as systemd.exec(5) and systemd.service(5) have them."""
    values = {}
    with open(path) as file:
        for line in file:
            key, sign, value = line.strip().partition("=")
            if sign and not line.startswith(("#", "[")):
                values.setdefault(key, []).append(value)
    return values


def expand(text, environment):
    """ExecStart's words; KeyError for a variable that is not set, of which systemd complains in the journal."""
    words = []
    for word in text.split():
        if re.fullmatch(r"\$\w+", word):
            words += environment[word[1:]].split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda match: environment[match[1]], word))
    return words


def unit_runs(desk, settings):
    """((status, text) of what the unit runs with the file of @settings (None: there is none), statuses not restarted)."""
    home = os.path.join(desk.folder, "config")
    file = os.path.join(home, "helix-screencast", "environment")
    os.makedirs(os.path.dirname(file), exist_ok=True)
    values = read_unit(desk.unit)
    environment = {}
    for setting in values.get("Environment", []):
        name, _, value = setting.replace("%E", home).strip('"').partition("=")
        environment[name] = value
    optional, given = values["EnvironmentFile"][0].startswith("-"), values["EnvironmentFile"][0].lstrip("-")
    if given.replace("%E", home) != file:
        raise ValueError(given)
    if settings is None:
        if os.path.exists(file):
            os.unlink(file)
        if not optional or "AssertPathExists" in values:
            raise ValueError("systemd does not start the program, and names no file")
    else:
        with open(file, "w") as written:
            written.write("".join("%s=%s\n" % item for item in settings.items()))
        environment.update(settings)
    words = expand(values["ExecStart"][0], environment)
    plain, desk.environment = desk.environment, dict(desk.environment, **environment)
    try:
        result = desk.run(*words[1:])
    finally:
        desk.environment = plain
    return result, values["RestartPreventExitStatus"][0].split()


def unit(desk):
    with service(Mutter, desk):
        (status, text), _ = unit_runs(desk, {"PIPELINE": "fakesink num-buffers=5"})
        if status != 0:
            return "OPTIONS unset: %s" % text
        (status, text), kept = unit_runs(desk, {"PIPELINE": "fakesink num-buffers=5", "OPTIONS": "--quiet --monitor=eDP-1"})
        if status != 0 or text:
            return "options: %s" % text
        for settings, words in ((None, ("there is no ", "helix-screencast/environment", "environment.example")),
                                ({"OPTIONS": "--quiet"}, ("sets no PIPELINE", "helix-screencast/environment")),
                                ({"PIPELINE": "vsockencc ! fakesink"}, ("can't be made", "vsockencc"))):
            (status, text), kept = unit_runs(desk, settings)
            if str(status) not in kept or not all(word in text for word in words):
                return settings, status, text, kept
    return True


TESTS = (locked_mutter, locked_portal, started_while_locked, blank, greeter, locked_without_mutter, console_away,
         locked_headless, inhibited, stopped_while_locked, resized, resized_in_a_file, resized_by_error,
         portal_dies_asking, session_closed_asking, way_stays, monitor_unplugged, backend_gone_restarted, asked_once,
         says_that_it_asks, damaged_token, portal_starts, no_reader, stalled_reader, unit)


def prepare(desk):
    desk.unit = sys.argv[4]
    with contextlib.suppress(FileNotFoundError):        # each begins without what the user chose before
        os.unlink(os.path.join(desk.state, "helix-screencast", "monitor.token"))


if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[5:], sys.argv[1:4], prepare))
