# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stand-ins for the desktop portal and for Mutter on a session bus of the test's own.

Both answer as their documents say, remember every call in .calls as (method, arguments), and do what a test sets:
see the attributes of Portal and Mutter. They live in one thread that runs a main loop; tests call them from theirs.
"""

import os
import subprocess
import tempfile
import threading

from gi.repository import Gio, GLib

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy>
</busconfig>"""


class Bus:
    """A dbus-daemon that starts no service, and the thread in which the stand-ins run."""

    def __init__(self, folder):
        config = os.path.join(folder, "bus.conf")
        with open(config, "w") as file:
            file.write(BUS_CONFIG % folder)
        self.process = subprocess.Popen(["dbus-daemon", "--config-file", config, "--nofork", "--print-address=1"],
                                        stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.loop = GLib.MainLoop()
        threading.Thread(target=self.loop.run, daemon=True).start()

    def connect(self):
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        return Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)

    def close(self):
        self.loop.quit()
        self.process.kill()
        self.process.wait()


class Service:
    """What both have in common: a connection with a name, objects on it, calls that are remembered."""
    NAME = XML = None

    def __init__(self, bus):
        self.bus = bus
        self.calls = []
        self.changed = threading.Condition()
        self.interfaces = {info.name: info for info in Gio.DBusNodeInfo.new_for_xml(self.XML).interfaces}
        self.connection = None
        self.appear()

    def appear(self):
        self.connection = self.bus.connect()
        self.objects()
        self.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "RequestName", GLib.Variant("(su)", (self.NAME, 4)), None, 0, -1, None)

    def vanish(self):
        self.connection.close_sync(None)

    def register(self, path, interface):
        self.connection.register_object(path, self.interfaces[interface], self.on_call, self.on_get, None)

    def on_get(self, _connection, _sender, _path, _interface, name):
        return self.properties()[name]

    def on_call(self, _connection, sender, path, _interface, method, parameters, invocation):
        arguments = parameters.unpack()
        getattr(self, "on_" + method)(sender, path, arguments, invocation)
        with self.changed:      # now that it is answered: a test may go on
            self.calls.append((method, arguments))
            self.changed.notify_all()

    def emit(self, path, interface, signal, parameters=None):
        self.connection.emit_signal(None, path, interface, signal, parameters)
        self.connection.flush_sync(None)

    def called(self, method):
        """The arguments of every call of @method."""
        with self.changed:
            return [arguments for name, arguments in self.calls if name == method]

    def wait_for(self, method, times=1, seconds=20):
        with self.changed:
            return self.changed.wait_for(lambda: sum(name == method for name, _ in self.calls) >= times, seconds)

    def properties(self):
        return {}


class Portal(Service):
    NAME = "org.freedesktop.portal.Desktop"
    PATH = "/org/freedesktop/portal/desktop"
    SCREENCAST = "org.freedesktop.portal.ScreenCast"
    REQUEST = "org.freedesktop.portal.Request"
    SESSION = "org.freedesktop.portal.Session"
    XML = """<node><interface name="org.freedesktop.portal.ScreenCast">
      <method name="CreateSession"><arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
      <method name="SelectSources"><arg type="o" direction="in"/><arg type="a{sv}" direction="in"/>
        <arg type="o" direction="out"/></method>
      <method name="Start"><arg type="o" direction="in"/><arg type="s" direction="in"/>
        <arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
      <method name="OpenPipeWireRemote"><arg type="o" direction="in"/><arg type="a{sv}" direction="in"/>
        <arg type="h" direction="out"/></method>
      <property name="version" type="u" access="read"/>
      <property name="AvailableSourceTypes" type="u" access="read"/>
      <property name="AvailableCursorModes" type="u" access="read"/></interface>
      <interface name="org.freedesktop.portal.Request"><method name="Close"/></interface>
      <interface name="org.freedesktop.portal.Session"><method name="Close"/></interface></node>"""
    NODE = 77

    has_screencast = True
    version, sources, cursors = 5, 3, 3
    answer = 0              # Start's response: 0 granted, 1 cancelled, 2 ended otherwise, None: the user thinks
    streams = True          # Start's results have one
    token = "first"         # the restore token of the next Start; None: none
    own_handles = False     # requests have another path than the caller expects, as in old portals
    remote_text = "the portal's PipeWire"   # what can be read from the fd that the program gets

    def objects(self):
        self.handles = 0
        self.session = None
        self.register(self.PATH, self.SCREENCAST if self.has_screencast else self.REQUEST)

    def properties(self):
        return {"version": GLib.Variant("u", self.version), "AvailableSourceTypes": GLib.Variant("u", self.sources),
                "AvailableCursorModes": GLib.Variant("u", self.cursors)}

    def answer_request(self, sender, options, invocation, response, results):
        """Hand out a Request object, and its Response right behind it."""
        token = options["handle_token"]
        if self.own_handles:
            self.handles += 1
            token = "mine%d" % self.handles
        path = "%s/request/%s/%s" % (self.PATH, sender[1:].replace(".", "_"), token)
        self.register(path, self.REQUEST)
        invocation.return_value(GLib.Variant("(o)", (path,)))
        if response is not None:
            GLib.timeout_add(20, self.respond, path, response, results)

    def respond(self, path, response, results):
        self.emit(path, self.REQUEST, "Response", GLib.Variant("(ua{sv})", (response, results)))
        return False

    def on_CreateSession(self, sender, _path, arguments, invocation):
        options, = arguments
        self.session = "%s/session/%s/%s" % (self.PATH, sender[1:].replace(".", "_"), options["session_handle_token"])
        self.session += "_%d" % len(self.called("CreateSession"))
        self.register(self.session, self.SESSION)
        self.answer_request(sender, options, invocation, 0, {"session_handle": GLib.Variant("s", self.session)})

    def on_SelectSources(self, sender, _path, arguments, invocation):
        self.answer_request(sender, arguments[1], invocation, 0, {})

    def on_Start(self, sender, _path, arguments, invocation):
        results = {}
        if self.streams:
            results["streams"] = GLib.Variant("a(ua{sv})", [(self.NODE, {"source_type": GLib.Variant("u", 1)})])
        if self.token:
            results["restore_token"] = GLib.Variant("s", self.token)
        self.answer_request(sender, arguments[2], invocation, self.answer, {} if self.answer else results)

    def on_OpenPipeWireRemote(self, _sender, _path, _arguments, invocation):
        with tempfile.TemporaryFile() as file:
            file.write(self.remote_text.encode())
            file.flush()
            fds = Gio.UnixFDList.new()
            index = fds.append(file.fileno())
            invocation.return_value_with_unix_fd_list(GLib.Variant("(h)", (index,)), fds)

    def on_Close(self, _sender, _path, _arguments, invocation):
        invocation.return_value(None)

    def close_session(self):
        self.emit(self.session, self.SESSION, "Closed", GLib.Variant("(a{sv})", ({},)))


class Backend(Service):
    """The desktop's own portal behind the one above, as far as anybody but that one sees it."""
    NAME = "org.freedesktop.impl.portal.desktop.double"
    INTERFACE = "org.freedesktop.impl.portal.Session"
    XML = """<node><interface name="org.freedesktop.impl.portal.Session"><method name="Close"/></interface></node>"""
    path = None

    def objects(self):
        self.register(self.path, self.INTERFACE)


class Mutter(Service):
    NAME = "org.gnome.Mutter.ScreenCast"
    PATH = "/org/gnome/Mutter/ScreenCast"
    XML = """<node><interface name="org.gnome.Mutter.ScreenCast">
      <method name="CreateSession"><arg type="a{sv}" direction="in"/><arg type="o" direction="out"/></method>
      </interface><interface name="org.gnome.Mutter.ScreenCast.Session"><method name="Start"/><method name="Stop"/>
      <method name="RecordMonitor"><arg type="s" direction="in"/><arg type="a{sv}" direction="in"/>
        <arg type="o" direction="out"/></method></interface>
      <interface name="org.gnome.Mutter.ScreenCast.Stream"></interface>
      <interface name="org.gnome.Mutter.DisplayConfig"><method name="GetCurrentState">
        <arg type="u" direction="out"/><arg type="a((ssss)a(siiddada{sv})a{sv})" direction="out"/>
        <arg type="a(iiduba(ssss)a{sv})" direction="out"/><arg type="a{sv}" direction="out"/></method>
      </interface></node>"""
    NODE = 42

    monitors = ("HDMI-1", "eDP-1")
    primary = "eDP-1"
    refuse = None           # CreateSession's error message

    def objects(self):
        self.session = None
        self.register(self.PATH, self.NAME)
        self.register("/org/gnome/Mutter/DisplayConfig", "org.gnome.Mutter.DisplayConfig")
        self.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "RequestName", GLib.Variant("(su)", ("org.gnome.Mutter.DisplayConfig", 4)), None, 0,
                                  -1, None)

    def on_GetCurrentState(self, _sender, _path, _arguments, invocation):
        def names(monitor):
            return (monitor, "ACME", "Screen " + monitor, "1")
        current = {"is-current": GLib.Variant("b", True)}
        monitors = [(names(monitor), [("small", 640, 480, 60.0, 1.0, [1.0], {}),
                                      ("large", 1920, 1080, 60.0, 1.0, [1.0], current)], {})
                    for monitor in self.monitors]
        logical = [(0, 0, 1.0, 0, monitor == self.primary, [names(monitor)], {}) for monitor in self.monitors]
        invocation.return_value(GLib.Variant("(ua((ssss)a(siiddada{sv})a{sv})a(iiduba(ssss)a{sv})a{sv})",
                                             (1, monitors, logical, {})))

    def on_CreateSession(self, _sender, _path, _arguments, invocation):
        if self.refuse:
            invocation.return_dbus_error("org.freedesktop.DBus.Error.Failed", self.refuse)
            return
        self.session = "%s/Session/u%d" % (self.PATH, len(self.called("CreateSession")))
        self.register(self.session, self.NAME + ".Session")
        invocation.return_value(GLib.Variant("(o)", (self.session,)))

    def on_RecordMonitor(self, _sender, path, _arguments, invocation):
        invocation.return_value(GLib.Variant("(o)", (path.replace("Session", "Stream"),)))

    def on_Start(self, _sender, path, _arguments, invocation):
        # Mutter says the node before it answers.
        self.emit(path.replace("Session", "Stream"), self.NAME + ".Stream", "PipeWireStreamAdded",
                  GLib.Variant("(u)", (self.NODE,)))
        invocation.return_value(None)

    def on_Stop(self, _sender, _path, _arguments, invocation):
        invocation.return_value(None)

    def close_session(self):
        self.emit(self.session, self.NAME + ".Session", "Closed")
