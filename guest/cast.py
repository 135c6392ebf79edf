# SPDX-License-Identifier: GPL-2.0-or-later
"""Record Mutter's virtual monitor: cast.py [--source PROPERTIES] [--cursor] [--launch COMMAND] -- PIPELINE

Asks org.gnome.Mutter.ScreenCast for a stream of the monitor Meta-0, without a portal, and runs

    COMMAND pipewiresrc path=NODE PROPERTIES ! PIPELINE

where COMMAND is `gst-launch-1.0 -m -e` unless told otherwise.

The session lives as long as this program's bus connection. SIGINT and SIGTERM go to gst-launch as SIGINT: it sends end
of stream and finishes the file. Ends with gst-launch's status; gst-launch ends with this program.
"""

import argparse
import shlex
import signal
import subprocess
import sys

from gi.repository import Gio, GLib

NAME = "org.gnome.Mutter.ScreenCast"
MONITOR = "Meta-0"
CURSOR_EMBEDDED = 1
NODE_SECONDS = 30


def call(bus, path, interface, method, signature, *arguments):
    parameters = GLib.Variant("(%s)" % signature, arguments) if signature else None
    return bus.call_sync(NAME, path, interface, method, parameters, None, Gio.DBusCallFlags.NONE, 30000, None).unpack()


def start_stream(bus, cursor):
    """Start a recording session; returns its PipeWire node."""
    loop = GLib.MainLoop()
    node = []

    def added(_bus, _sender, _path, _interface, _signal, parameters):
        node.append(parameters.unpack()[0])
        loop.quit()

    session, = call(bus, "/org/gnome/Mutter/ScreenCast", NAME, "CreateSession", "a{sv}", {})
    options = {"cursor-mode": GLib.Variant("u", CURSOR_EMBEDDED if cursor else 0)}
    stream, = call(bus, session, NAME + ".Session", "RecordMonitor", "sa{sv}", MONITOR, options)
    bus.signal_subscribe(NAME, NAME + ".Stream", "PipeWireStreamAdded", stream, None, Gio.DBusSignalFlags.NONE, added)
    call(bus, session, NAME + ".Session", "Start", "")
    GLib.timeout_add_seconds(NODE_SECONDS, loop.quit)
    if not node:
        loop.run()
    if not node:
        sys.exit("cast: Mutter announced no PipeWire stream within %d s" % NODE_SECONDS)
    return node[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", default="", help="properties of pipewiresrc")
    parser.add_argument("--cursor", action="store_true", help="draw the cursor into the stream")
    parser.add_argument("--launch", default="gst-launch-1.0 -m -e", help="what gets the pipeline")
    parser.add_argument("pipeline")
    arguments = parser.parse_args()
    bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
    node = start_stream(bus, arguments.cursor)
    argv = shlex.split(arguments.launch) + ["pipewiresrc", "path=%d" % node] + shlex.split(arguments.source)
    argv += ["!"] + shlex.split(arguments.pipeline)
    print("cast: " + shlex.join(argv), flush=True)
    # A session of its own: a signal to our process group would reach it twice, and the second SIGINT kills gst-launch.
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + argv, start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: process.send_signal(signal.SIGINT))
    while True:
        # The bus connection has its own thread; this one only waits.
        try:
            sys.exit(process.wait())
        except InterruptedError:
            pass


main()
