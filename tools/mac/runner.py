# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of a report: each is tried, has a log, and its failure ends only the steps that need it."""

import os
import signal
import subprocess
import time
from collections import namedtuple

Result = namedtuple("Result", "name state seconds note log")

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


class StepFailed(Exception):
    """A step did not do what it should; the message says what."""


class Skip(Exception):
    """A step is not to be done; the message says why."""


class Runner:
    def __init__(self, logs, say=print):
        self.logs = logs
        self.say = say
        self.results = []
        self.log = None
        os.makedirs(logs, exist_ok=True)

    def state(self, name):
        return next((result.state for result in self.results if result.name == name), None)

    def missing(self, needs):
        return next((name for name in needs if self.state(name) != OK), None)

    def step(self, name, function, needs=()):
        """Do @function unless a step of @needs is not ok; what it returns is the step's note."""
        path = os.path.join(self.logs, name.replace(" ", "-") + ".log")
        begin = time.monotonic()
        lacking = self.missing(needs)
        if lacking:
            return self._end(name, SKIPPED, 0, "needs step '%s'" % lacking, None)
        self.say("== %s" % name)
        with open(path, "wb", buffering=0) as self.log:
            try:
                state, note = OK, function() or ""
            except Skip as reason:
                state, note = SKIPPED, str(reason)
            except (StepFailed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                state, note = FAILED, str(error) or type(error).__name__
                self.write("FAILED: " + note)
            except KeyboardInterrupt:
                self._end(name, FAILED, time.monotonic() - begin, "interrupted", path)
                raise
        return self._end(name, state, time.monotonic() - begin, note, path)

    def _end(self, name, state, seconds, note, log):
        self.results.append(Result(name, state, seconds, note, log))
        self.say("   %s%s" % (state, ": " + note.splitlines()[0] if note else ""))
        return state == OK

    def write(self, text):
        self.log.write((text + "\n").encode())

    def run(self, argv, seconds=1800, cwd=None, env=None, check=True, **options):
        """Run a command with its output in the step's log; returns its status. It and its children are ended after @seconds."""
        self.write("$ " + " ".join(argv))
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=options.get("stdout", self.log), stderr=self.log, cwd=cwd,
                              env=dict(os.environ, **(env or {})), start_new_session=True) as process:
            try:
                process.wait(seconds)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise StepFailed("'%s' did not end within %d s" % (" ".join(argv)[:120], seconds)) from None
                raise
        if check and process.returncode:
            raise StepFailed("'%s' ended with %d" % (" ".join(argv)[:120], process.returncode))
        return process.returncode

    def output(self, argv, **options):
        """The same; returns what the command prints."""
        path = self.log.name + ".out"
        with open(path, "wb") as out:
            self.run(argv, stdout=out, **options)
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        os.unlink(path)
        self.write(text.rstrip())
        return text
