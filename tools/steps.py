# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps on the screen: what is done, how far it is, how long it took; and the log of the one that failed.

    with Step("QEMU: build", "qemu-build") as step:
        step.run(["ninja", "-C", build], progress=NINJA)
        step.progress("linking")

A step's commands write into out/log/NAME.log. When something in the block raises StepError, the step says so with the
log's end and its path on the user's system.
"""

import fcntl
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

TREE = "/project"
CACHE = "/cache"
OUT = os.path.join(TREE, "out")
LOGS = os.path.join(OUT, "log")

END_SECONDS = 10        # that an interrupted command has for its clean-up

NINJA = re.compile(rb"^\[(\d+)/(\d+)\]")


class StepError(Exception):
    """Something the user has to know; the message says what was wrong and what would be right."""


class Failed(Exception):
    """A step failed and has said so: nothing is left to print."""


def host_path(path):
    """The path by which the user outside of the root knows @path."""
    for inside, variable in ((TREE, "HELIX_HOST_TREE"), (CACHE, "HELIX_HOST_CACHE")):
        if path == inside or path.startswith(inside + "/"):
            return os.environ.get(variable, inside) + path[len(inside):]
    return path


def say(text):
    # A step's progress stands on this line: say it over that.
    print(("\r\x1b[K" if sys.stdout.isatty() else "") + text, flush=True)


def end(process):
    """Terminate a command that was interrupted. It may clean up, and is killed after END_SECONDS."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


class Step:
    def __init__(self, title, log=None, quiet=False):
        """@quiet: the title appears only when the step shows progress, takes over a second, or fails."""
        self.title = title
        os.makedirs(LOGS, exist_ok=True)
        self.log_path = os.path.join(LOGS, log + ".log") if log else None
        self.log = open(self.log_path, "wb", buffering=0) if log else None
        self.quiet = quiet
        self.shown = False
        self.width = 0
        self.last_progress = 0.0

    def __enter__(self):
        self.begin = time.monotonic()
        if not self.quiet:
            self._show_title()
        return self

    def _show_title(self):
        if not self.shown:
            self.shown = True
            say("== " + self.title)

    def __exit__(self, kind, error, _):
        self._clear()
        took = time.monotonic() - self.begin
        if error is None:
            if not self.quiet or took > 1 or self.shown:
                self._show_title()
                say("   done in %.0f s" % took if took >= 10 else "   done in %.1f s" % took)
        elif isinstance(error, (StepError, OSError, subprocess.SubprocessError)):
            say("FAILED: %s: %s" % (self.title, error))
            self.show_log()
        if self.log:
            self.log.close()
        if isinstance(error, (StepError, OSError, subprocess.SubprocessError)):
            raise Failed(self.title) from error
        return False

    def show_log(self, lines=30):
        if not self.log_path:
            return
        with open(self.log_path, "rb") as log:
            tail = log.read()[-20000:].decode(errors="replace").splitlines()[-lines:]
        if tail:
            say("  The end of %s:" % host_path(self.log_path))
            for line in tail:
                say("    | " + line)

    def _clear(self):
        if self.width:
            sys.stdout.write("\r" + " " * self.width + "\r")
            sys.stdout.flush()
            self.width = 0

    def progress(self, text):
        """Say how far the step is: one line that is overwritten on a terminal, one every ten seconds elsewhere."""
        now = time.monotonic()
        if sys.stdout.isatty():
            if now - self.last_progress >= 0.1:
                self._show_title()
                line = "   " + text[:100]
                sys.stdout.write("\r" + line.ljust(self.width))
                sys.stdout.flush()
                self.width = len(line)
                self.last_progress = now
        elif now - max(self.last_progress, self.begin) >= 10:
            self._show_title()
            say("   " + text)
            self.last_progress = now

    def write(self, text):
        """Put a line into the log."""
        if self.log:
            self.log.write(text.encode() + b"\n")

    def run(self, argv, progress=None, **options):
        """Run a command into the log. @progress: a pattern whose groups are "this" and "of how many" of a line."""
        self.write("$ " + " ".join(argv))
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              **options) as process:
            try:
                for line in process.stdout:
                    if self.log:
                        self.log.write(line)
                    if progress:
                        match = progress.match(line)
                        if match:
                            self.progress("[%s]" % "/".join(group.decode() for group in match.groups()))
            except BaseException:
                end(process)
                raise
        if process.returncode:
            raise StepError("'%s' ended with %d" % (" ".join(argv[:3]), process.returncode))


@contextmanager
def locked(path, what):
    """Hold an exclusive lock on the file @path, saying so when another run holds it. A symbolic link is refused, and a file
    that is there keeps its content."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StepError("the lock %s cannot be opened (%s): a plain file of your own is right there" %
                        (host_path(path), error.strerror)) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is using %s: waiting for it" % what)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
