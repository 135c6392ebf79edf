# SPDX-License-Identifier: LGPL-2.1-or-later
"""The desk at which helix-screencast is tried: a bus of its own, one run of the program, its films, and what runs the tests."""

import contextlib
import glob
import os
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

from services import Bus  # noqa: E402
from tap import Tap  # noqa: E402

SECONDS = 30
COUNTED = ["--source", "num-buffers=5", "fakesink"]     # a pipeline that ends by itself
PLUGINS = ("libgstcoreelements.so", "libgstisomp4.so", "libgstmultifile.so")


class Run:
    """One run of the program."""

    def __init__(self, desk, arguments):
        with tempfile.NamedTemporaryFile(prefix="said-", dir=desk.folder, delete=False) as log:
            self.log = log.name
            self.process = subprocess.Popen([desk.program] + list(arguments), env=desk.environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def kill(self, number):
        self.process.send_signal(number)

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def says(self, text, times=1, seconds=SECONDS):
        """Wait until it has said @text, and so often."""
        return wait_until(lambda: self.said().count(text) >= times, seconds)

    def end(self, seconds=SECONDS):
        """(exit status, what it said); kills it if it does not end."""
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "still running"
        text = self.said()
        os.unlink(self.log)
        return status, text


class Desk:
    """A session: its bus, its folders, and the environment of a program in it."""

    def __init__(self, program, doubles, plugins, folder):
        self.program, self.folder = program, folder
        self.bus = Bus(folder)
        chosen = os.path.join(folder, "plugins")
        os.mkdir(chosen)
        for name in PLUGINS:
            os.symlink(os.path.join(plugins, name), os.path.join(chosen, name))
        os.symlink(os.path.join(doubles, "libgstpipewiredouble.so"), os.path.join(chosen, "libgstpipewiredouble.so"))
        self.report = os.path.join(folder, "report")
        self.state = os.path.join(folder, "state")
        self.environment = dict(os.environ, DBUS_SESSION_BUS_ADDRESS=self.bus.address,
                                DBUS_SYSTEM_BUS_ADDRESS=self.bus.address, GST_PLUGIN_PATH=chosen,
                                GST_PLUGIN_SYSTEM_PATH_1_0="", GST_REGISTRY=os.path.join(folder, "registry"),
                                GST_REGISTRY_FORK="no", XDG_STATE_HOME=self.state, PIPEWIRESRC_REPORT=self.report,
                                G_DEBUG="fatal-criticals", LANG="C.UTF-8")
        self.run("--version")       # fills the registry

    def start(self, *arguments):
        if os.path.exists(self.report):
            os.unlink(self.report)
        return Run(self, arguments)

    def run(self, *arguments):
        return self.start(*arguments).end()

    def given(self):
        """What the double of pipewiresrc was given, a line for each start."""
        with open(self.report) as file:
            return file.read().splitlines()

    def film(self, name="film.mov"):
        """A pipeline that writes a file which can be read only if it was ended in order, and its path."""
        path = os.path.join(self.folder, name)
        for old in glob.glob(path.replace("{time}", "*")):
            os.unlink(old)
        return path, ["qtmux", "!", "filesink", "location=" + path]

    def token(self, name="monitor.token"):
        try:
            with open(os.path.join(self.state, "helix-screencast", name)) as file:
                return file.read()
        except FileNotFoundError:
            return None


@contextlib.contextmanager
def service(kind, desk, **settings):
    """@kind on the bus, with attributes as @settings say."""
    thing = type(kind.__name__, (kind,), settings)(desk.bus)
    try:
        yield thing
    finally:
        with contextlib.suppress(Exception):
            thing.vanish()


def frames_in(path):
    """How many pictures are in the file; 0 if it can't be read."""
    done = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries",
                           "stream=nb_read_packets", "-of", "csv=p=0", path], capture_output=True, text=True,
                          check=False)
    number = done.stdout.strip().strip(",")
    return int(number) if number.isdigit() else 0


def wait_until(condition, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def has_pictures(path):
    return os.path.exists(path) and os.path.getsize(path) > 100000


def is_error(result, status, *words):
    code, text = result
    return code == status and all(word in text for word in words) or "status %s: %s" % (code, text)


def run_tests(tests, wanted, desk_arguments, prepare=lambda desk: None):
    """Each of @tests, or of those whose names are @wanted, at one desk, after @prepare; returns the exit status. A test returns
    True or what was wrong."""
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="screencast-") as folder:
        desk = Desk(*desk_arguments, folder)
        try:
            for test in tests:
                if not wanted or test.__name__ in wanted:
                    prepare(desk)
                    try:
                        result = test(desk)
                    except Exception:
                        result = traceback.format_exc()
                    tap.check(result is True, test.__name__.replace("_", " "), result)
        finally:
            desk.bus.close()
    return tap.end()
