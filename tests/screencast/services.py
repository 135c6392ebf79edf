# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stand-ins for the desktop portal, Mutter, GNOME Shell's screen shield and logind on a bus of the test's own.

They answer as the real ones do, remember every call in .calls as (method, arguments), and do what a test sets: see the
attributes of each. They live in one thread that runs a main loop; tests call them from theirs.

Where that was read, in the sources of Debian 13:
 - xdg-desktop-portal 1.20.3: src/xdp-session.c (a session's path is the caller's token; one that is exported already
   makes the next CreateSession end with response 2, and a warning; Close takes it away), src/screen-cast.c (a refused
   Start ends its session with Closed; a restore token is a UUID; SelectSources ends a token, and Start's success
   makes it good again; without its backend AvailableSourceTypes is 0);
 - xdg-desktop-portal-gnome 48.0: src/screencast.c (a restored ScreenCast that Mutter refuses becomes a question);
 - mutter 48.7: src/backends/meta-dbus-session-manager.c (the lock inhibits sessions first, and closes those there are
   then), meta-screen-cast-session.c (Stop ends a session with Closed; paths count up);
 - gnome-shell 48.7: js/ui/screenShield.js, js/ui/main.js (at the lock Mutter is inhibited first, ActiveChanged and
   LockedHint follow; at the unlock the other way round), js/ui/shellDBus.js;
 - systemd 257: org.freedesktop.login1(5).
What a real GNOME does on top of that, its dialogues and animations, no test here shows.
"""

import os
import re
import subprocess
import tempfile
import threading

from gi.repository import Gio, GLib

FIRST, SECOND, THIRD = ("%d1f4c1a0-7b5e-4d0c-9a37-2f6b8d1e5c90" % number for number in (1, 2, 3))   # restore tokens

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
        self.connection.flush_sync(None)        # what it has answered
        self.connection.close_sync(None)

    def register(self, path, interface):
        return self.connection.register_object(path, self.interfaces[interface], self.on_call, self.on_get, None)

    def on_get(self, _connection, _sender, _path, _interface, name):
        return self.properties()[name]

    def on_call(self, _connection, sender, path, _interface, method, parameters, invocation):
        arguments = parameters.unpack()
        getattr(self, "on_" + method)(sender, path, arguments, invocation)
        with self.changed:      # now that it is answered: a test may go on
            self.calls.append((method, arguments))
            self.changed.notify_all()

    def emit(self, path, interface, signal, parameters=None):
        if not self.connection.is_closed():
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
    token = FIRST           # the restore token of the next Start; None: none
    own_handles = False     # requests have another path than the caller expects, as in old portals
    remote_text = "the portal's PipeWire"   # what can be read from the fd that the program gets
    mutter = None           # the compositor behind it, if that is to be locked

    def objects(self):
        self.handles = 0
        self.session = None
        self.sessions = {}      # path of each that is exported: its registration
        self.restored = set()   # those of them whose token was good
        self.requests = {}      # the same of the requests
        self.issued = {self.token} - {None}
        self.register(self.PATH, self.SCREENCAST if self.has_screencast else self.REQUEST)

    def properties(self):
        with self.changed:
            self.calls.append(("properties", ()))
            self.changed.notify_all()
        return {"version": GLib.Variant("u", self.version), "AvailableSourceTypes": GLib.Variant("u", self.sources),
                "AvailableCursorModes": GLib.Variant("u", self.cursors)}

    def answer_request(self, sender, options, invocation, response, results, then=None):
        """Hand out a Request object, and its Response right behind it."""
        token = options["handle_token"]
        if self.own_handles:
            self.handles += 1
            token = "mine%d" % self.handles
        path = "%s/request/%s/%s" % (self.PATH, sender[1:].replace(".", "_"), token)
        self.requests[path] = self.register(path, self.REQUEST)
        if self.own_handles and response is not None:       # before the caller can listen to that path
            self.respond(path, response, results, then)
        invocation.return_value(GLib.Variant("(o)", (path,)))
        if response is not None and not self.own_handles:
            GLib.timeout_add(20, self.respond, path, response, results, then)

    def respond(self, path, response, results, then):
        if path in self.requests:
            self.emit(path, self.REQUEST, "Response", GLib.Variant("(ua{sv})", (response, results)))
            self.connection.unregister_object(self.requests.pop(path))
            if then:
                then()
        return False

    def on_CreateSession(self, sender, _path, arguments, invocation):
        options, = arguments
        path = "%s/session/%s/%s" % (self.PATH, sender[1:].replace(".", "_"), options["session_handle_token"])
        if path in self.sessions:       # "An object is already exported for the interface ..."
            self.answer_request(sender, options, invocation, 2, {})
            return
        self.session = path
        self.sessions[path] = self.register(path, self.SESSION)
        self.answer_request(sender, options, invocation, 0, {"session_handle": GLib.Variant("s", path)})

    def on_SelectSources(self, sender, _path, arguments, invocation):
        session, options = arguments
        token = options.get("restore_token")
        if session not in self.sessions:
            invocation.return_dbus_error("org.freedesktop.DBus.Error.AccessDenied", "Invalid session")
        elif token is not None and not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", token):
            invocation.return_dbus_error("org.freedesktop.portal.Error.InvalidArgument",
                                         "Restore token is not a valid UUID string")
        else:
            if token in self.issued:
                self.issued.discard(token)
                self.restored.add(session)
            self.answer_request(sender, options, invocation, 0, {})

    def asks(self, session):
        """Whether this Start opens a dialogue."""
        return session not in self.restored or (self.mutter is not None and self.mutter.inhibited)

    def on_Start(self, sender, _path, arguments, invocation):
        session, _window, options = arguments
        answer = self.answer if self.asks(session) else 0
        if answer is not None and self.mutter is not None and self.mutter.inhibited:
            answer = None       # the question is behind the lock
        results, then = {}, None
        if answer:
            def then():
                self.close_session(session)
        elif answer == 0:
            if self.streams:
                results["streams"] = GLib.Variant("a(ua{sv})", [(self.NODE, {"source_type": GLib.Variant("u", 1)})])
            if self.token:
                self.issued.add(self.token)
                results["restore_token"] = GLib.Variant("s", self.token)
        self.answer_request(sender, options, invocation, answer, results, then)

    def on_OpenPipeWireRemote(self, _sender, _path, _arguments, invocation):
        with tempfile.TemporaryFile() as file:
            file.write(self.remote_text.encode())
            file.flush()
            fds = Gio.UnixFDList.new()
            index = fds.append(file.fileno())
            invocation.return_value_with_unix_fd_list(GLib.Variant("(h)", (index,)), fds)

    def on_Close(self, _sender, path, _arguments, invocation):
        """Of a request: its session ends with it. Of a session."""
        if path in self.requests:
            self.connection.unregister_object(self.requests.pop(path))
            self.close_session()
        elif path in self.sessions:
            self.connection.unregister_object(self.sessions.pop(path))
        invocation.return_value(None)

    def close_session(self, path=None):
        path = path or self.session
        if path in self.sessions:
            self.emit(path, self.SESSION, "Closed", GLib.Variant("(a{sv})", ({},)))
            self.connection.unregister_object(self.sessions.pop(path))


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
    inhibited = False       # by the lock

    def objects(self):
        self.session = None
        self.sessions = {}
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
        refuse = "Session creation inhibited" if self.inhibited else self.refuse
        if refuse:
            invocation.return_dbus_error("org.freedesktop.DBus.Error.Failed", refuse)
            return
        self.number = getattr(self, "number", 0) + 1
        self.session = "%s/Session/u%d" % (self.PATH, self.number)
        self.sessions[self.session] = self.register(self.session, self.NAME + ".Session")
        invocation.return_value(GLib.Variant("(o)", (self.session,)))

    def on_RecordMonitor(self, _sender, path, arguments, invocation):
        if arguments[0] not in self.monitors:
            invocation.return_dbus_error("org.freedesktop.DBus.Error.Failed", "Unknown monitor")
            return
        invocation.return_value(GLib.Variant("(o)", (path.replace("Session", "Stream"),)))

    def on_Start(self, _sender, path, _arguments, invocation):
        # Mutter says the node before it answers.
        self.emit(path.replace("Session", "Stream"), self.NAME + ".Stream", "PipeWireStreamAdded",
                  GLib.Variant("(u)", (self.NODE,)))
        invocation.return_value(None)

    def on_Stop(self, _sender, path, _arguments, invocation):
        self.close_session(path)
        invocation.return_value(None)

    def close_session(self, path=None):
        path = path or self.session
        if path in self.sessions:
            self.emit(path, self.NAME + ".Session", "Closed")
            self.connection.unregister_object(self.sessions.pop(path))

    def inhibit(self, inhibited=True):
        self.inhibited = inhibited
        for path in list(self.sessions) if inhibited else []:
            self.close_session(path)


class Shield(Service):
    """GNOME Shell's screen shield, and the lock as it goes through all three."""
    NAME = "org.gnome.Shell.ScreenShield"
    PATH = "/org/gnome/ScreenSaver"
    INTERFACE = "org.gnome.ScreenSaver"
    XML = """<node><interface name="org.gnome.ScreenSaver"><method name="GetActive"><arg type="b" direction="out"/>
      </method><signal name="ActiveChanged"><arg type="b"/></signal></interface></node>"""

    active = False

    def objects(self):
        self.register(self.PATH, self.INTERFACE)

    def on_GetActive(self, _sender, _path, _arguments, invocation):
        invocation.return_value(GLib.Variant("(b)", (self.active,)))

    def set_active(self, active):
        self.active = active
        self.emit(self.PATH, self.INTERFACE, "ActiveChanged", GLib.Variant("(b)", (active,)))


class Login(Service):
    """logind with one user, whose display has one session."""
    NAME = "org.freedesktop.login1"
    PATH = "/org/freedesktop/login1"
    USER = PATH + "/user/_1000"
    SESSION = PATH + "/session/_32"
    XML = """<node><interface name="org.freedesktop.login1.Manager"><method name="GetUser">
      <arg type="u" direction="in"/><arg type="o" direction="out"/></method></interface>
      <interface name="org.freedesktop.login1.User"><property name="Display" type="(so)" access="read"/></interface>
      <interface name="org.freedesktop.login1.Session"><property name="Active" type="b" access="read"/>
      <property name="LockedHint" type="b" access="read"/><property name="Type" type="s" access="read"/></interface>
      </node>"""

    session_type, active, locked = "wayland", True, False

    def objects(self):
        self.register(self.PATH, "org.freedesktop.login1.Manager")
        self.register(self.USER, "org.freedesktop.login1.User")
        self.register(self.SESSION, "org.freedesktop.login1.Session")

    def properties(self):
        return {"Display": GLib.Variant("(so)", ("2", self.SESSION)), "Active": GLib.Variant("b", self.active),
                "LockedHint": GLib.Variant("b", self.locked), "Type": GLib.Variant("s", self.session_type)}

    def on_GetUser(self, _sender, _path, arguments, invocation):
        if arguments != (os.getuid(),):
            invocation.return_dbus_error("org.freedesktop.login1.NoSuchUser", "no such user")
        else:
            invocation.return_value(GLib.Variant("(o)", (self.USER,)))

    def change(self, **values):
        for name, value in values.items():
            setattr(self, name, value)
        names = {"active": "Active", "locked": "LockedHint"}
        self.emit(self.SESSION, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                  GLib.Variant("(sa{sv}as)", ("org.freedesktop.login1.Session",
                                              {names[name]: GLib.Variant("b", value) for name, value in values.items()},
                                              [])))
