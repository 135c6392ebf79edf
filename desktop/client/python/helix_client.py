#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Client of QEMU's helix frame export: names pictures of a guest, or sends pixels, and receives H.264.

One file, Python 3.9 or later, its standard library only. As a program:

    helix_client.py --resource 5 --size 1920x1080 --frames 300 -o film.h264
    helix_client.py --host unix:/run/user/1000/vm/frames --test-picture --size 640x480 -o bars.h264

As a module:

    with Client("vsock:2:5000") as client:
        client.negotiate(bitrate=4000000, framerate_num=30, framerate_den=1)
        client.request_resource(5, 1920, 1080)
        unit = client.receive()             # AccessUnit: unit.data is Annex B

A Client belongs to one thread. Sending and receiving block for at most the client's timeout; then Gone is raised.
docs/protocol.md is the protocol; the field names here are those of its tables.
"""

import argparse
import collections
import select
import socket
import struct
import sys
import time

FRAME_REQUEST, FRAME_RESPONSE, KEYFRAME_REQ, CONFIG_REQ, CONFIG_RESP, FRAME_RELEASED, SESSION_CLOSE = range(1, 8)
SNAPSHOT, SNAPSHOT_DONE, SNAPSHOT_DROP = range(8, 11)
PING, PONG, ERROR = 0x10, 0x11, 0xFF
PIXEL_DATA, TIMING, RELEASE, EXT, REPEAT, OF_SNAPSHOT = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20  # flags of FRAME_REQUEST
DROPPED = 0x04                                                              # of FRAME_RESPONSE
ANSWER = 0x01                                                               # of CONFIG_REQ
CONNECTION = 0xFF                                                           # of ERROR
CAPABILITIES = {"EXT": 0x01, "RELEASE": 0x02, "TIMING": 0x04, "REPEAT": 0x08, "LONG_CONFIG": 0x10,
                "SESSION_CLOSE": 0x20, "NV12_PAGES": 0x40, "VUI": 0x80, "SNAPSHOT": 0x100}
MAX_PAYLOAD = 16 << 20          # of a message to the guest
MAX_UNREAD = 4 * MAX_PAYLOAD
OLD_HOST_IN_FLIGHT = 1          # a host that does not negotiate names no limit


class HelixError(Exception):
    """Base of what this module raises."""


class Gone(HelixError):
    """No connection: refused, closed, or silent for the timeout."""


class Broken(HelixError):
    """The host's bytes are not the protocol's. The connection cannot go on."""


class Refused(HelixError):
    """The host's ERROR: code (negative), about (type of the message; CONNECTION) and its text."""

    def __init__(self, code, about, text):
        super().__init__("the host refuses: %s (error %d)" % (text, code))
        self.code, self.about, self.text = code, about, text


# ---- messages between bytes and dicts ----

class Layout:
    """Fields one behind the other, little-endian and packed."""

    def __init__(self, form, names):
        self.struct, self.names = struct.Struct("<" + form), names.split()
        self.size = self.struct.size

    def pack(self, fields):
        return self.struct.pack(*(fields.get(name, 0) for name in self.names))

    def unpack(self, data, at=0):
        if len(data) < at + self.size:
            raise Broken("a message ends after %d bytes; it needs %d" % (len(data), at + self.size))
        return dict(zip(self.names, self.struct.unpack_from(data, at)))


HEADER = Layout("4sBBHI", "magic type flags session_id payload_size")
FRAME = Layout("III4sIqqB7x", "resource_id width height format stride pts duration force_keyframe")
TO_KEEP = Layout("III4sI20xI", "resource_id width height format stride snapshot")
EXT_BLOCK = Layout("HBBIIII", "size source planes crop_x crop_y res_width res_height")
EXT_PLANES = struct.Struct("<3I3IQ")
UNIT = Layout("qqB3xI", "pts dts is_keyframe nal_count")
TIMES = Layout("qqqq", "received resolved submitted encoded")
CONFIG = Layout("IIIIIBBBB4x", "width height bitrate framerate_num framerate_den profile_idc level realtime codec")
CONFIG_LONG = Layout("IIBBBBB3x", "max_bitrate key_int_max rate_control min_qp max_qp slices aud")
CONFIG_HOST = Layout("II32s", "max_in_flight capabilities encoder")
CONFIG_VUI = Layout("HHBBBBBB2x",
                    "sar_width sar_height primaries transfer matrix full_range chroma_loc letterbox")
CONFIG_FORMS = ((CONFIG,), (CONFIG, CONFIG_LONG), (CONFIG, CONFIG_LONG, CONFIG_VUI))
RESPONSE_FORMS = ((CONFIG, CONFIG_LONG, CONFIG_HOST), (CONFIG, CONFIG_LONG, CONFIG_HOST, CONFIG_VUI))
RELEASED = Layout("qI4x", "pts resource_id")
REFUSAL = Layout("i256s", "code message")
KEPT = Layout("Ii256s", "snapshot code message")
DROP = Layout("I", "snapshot")


def _text(data):
    return data.split(b"\0")[0].decode("utf-8", "replace")


def _put_frame(fields, layout):
    data = layout.pack(dict(fields, format=fields["format"].encode("ascii")))
    if "ext" in fields:
        ext = fields["ext"]
        data += EXT_BLOCK.pack(ext) + EXT_PLANES.pack(*ext["offset"], *ext["stride"], ext["modifier"])
    return data + fields.get("pixels", b"")


def _with_ext(fields, ext):
    """@fields with an EXT block of which @ext says what is not 0; without one if that is None."""
    none = dict(source=0, planes=0, offset=(0, 0, 0), stride=(0, 0, 0), modifier=0, size=52)
    return fields if ext is None else dict(fields, ext=dict(none, **ext))


def _put_config(fields):
    """In the shortest form that has all of @fields."""
    form = next(form for form in CONFIG_FORMS if fields.keys() <= {name for part in form for name in part.names})
    return b"".join(part.pack(fields) for part in form)


def _get_config_response(data):
    form = next((form for form in RESPONSE_FORMS if sum(part.size for part in form) == len(data)), None)
    if not form:
        raise Broken("a CONFIG_RESP cannot have %d bytes" % len(data))
    fields, at = {}, 0
    for part in form:
        fields.update(part.unpack(data, at))
        at += part.size
    return dict(fields, encoder=_text(fields["encoder"]))


def _get_unit(data, flags):
    fields, at = UNIT.unpack(data), UNIT.size
    fields["entries"] = []
    for _ in range(fields["nal_count"]):
        size = struct.unpack_from("<I", data, at)[0] if at + 4 <= len(data) else 0
        if size == 0 or at + 4 + size > len(data):
            raise Broken("an access unit does not fit its message")
        fields["entries"].append(data[at + 4:at + 4 + size])
        at += 4 + size
    if flags & TIMING:
        fields["timing"] = TIMES.unpack(data, at)
        at += TIMES.size
    if at != len(data):
        raise Broken("%d bytes behind a FRAME_RESPONSE" % (len(data) - at))
    return fields


def _get_exactly(layout, data):
    if len(data) != layout.size:
        raise Broken("a payload of %d bytes; it must have %d" % (len(data), layout.size))
    return layout.unpack(data)


def encode(kind, flags, session_id, fields):
    """The bytes of a message to the host of type @kind; @fields as docs/protocol.md names them."""
    try:
        if kind == FRAME_REQUEST:
            payload = _put_frame(fields, FRAME)
        elif kind == SNAPSHOT:
            payload = _put_frame(fields, TO_KEEP)
        elif kind == SNAPSHOT_DROP:
            payload = DROP.pack(fields)
        elif kind == CONFIG_REQ:
            payload = _put_config(fields)
        else:
            payload = fields.get("payload", b"")
    except struct.error:
        numbers = ", ".join("%s %d" % (name, value) for name, value in fields.items() if isinstance(value, int))
        raise HelixError("one of these does not fit its field: %s" % numbers) from None
    return HEADER.pack({"magic": b"HXFR", "type": kind, "flags": flags, "session_id": session_id,
                        "payload_size": len(payload)}) + payload


def decode(kind, flags, payload):
    """The fields of a host's message. Broken if it cannot be one of its type."""
    if kind == CONFIG_RESP:
        return _get_config_response(payload)
    if kind == FRAME_RESPONSE:
        return _get_unit(payload, flags)
    if kind == FRAME_RELEASED:
        return _get_exactly(RELEASED, payload)
    if kind in (ERROR, SNAPSHOT_DONE):
        fields = _get_exactly(REFUSAL if kind == ERROR else KEPT, payload)
        return dict(fields, message=_text(fields["message"]))
    if kind == PONG and len(payload) <= 64:
        return {"payload": payload}
    raise Broken("a message of type 0x%02x with %d bytes" % (kind, len(payload)))


# ---- the connection ----

def connect(address, timeout):
    """A connected socket. @address: "vsock:CID:PORT" (CID 2 is the host) or "unix:PATH"."""
    kind, _, rest = address.partition(":")
    try:
        if kind == "unix" and rest:
            sock, where = socket.socket(socket.AF_UNIX), rest
        elif kind == "vsock":
            if not hasattr(socket, "AF_VSOCK"):
                raise Gone("this Python has no AF_VSOCK")
            cid, _, port = (rest or "2:5000").partition(":")
            sock, where = socket.socket(socket.AF_VSOCK), (int(cid), int(port or 5000))
        else:
            raise ValueError
    except ValueError:
        raise HelixError("the address '%s' is neither vsock:CID:PORT nor unix:PATH" % address) from None
    except OSError as error:
        raise Gone("no socket for %s: %s" % (address, error.strerror)) from None
    try:
        sock.settimeout(timeout)
        sock.connect(where)
    except OSError as error:        # of a timeout too
        sock.close()
        raise Gone("no host at %s: %s. Does QEMU run with helix-frame-export=on?" % (
            address, error.strerror or error)) from None
    return sock


AccessUnit = collections.namedtuple("AccessUnit", "pts keyframe dropped data timing")


class Client:
    """One connection with one stream. See the module's text for how it is used."""

    def __init__(self, address="vsock:2:5000", timeout=10.0, session_id=0):
        self.timeout, self.session_id = timeout, session_id
        self.capabilities, self.max_in_flight, self.active = set(), OLD_HOST_IN_FLIGHT, None
        self.in_flight = 0      # requests without an answer
        self.released = []      # (pts, resource_id) of FRAME_RELEASED, for the caller to take
        self._waiting = collections.deque()     # messages that came before a SNAPSHOT_DONE
        self._input, self._reset = bytearray(), False
        self._socket = connect(address, timeout)
        self._socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the connection, and with it the stream. Answers not received yet are lost."""
        self._socket.close()

    def _wait(self, events):
        poll = select.poll()
        poll.register(self._socket, events)
        if not poll.poll(self.timeout * 1000):
            raise Gone("the host was silent for %g s" % self.timeout)

    def _read(self):
        """Read what is there."""
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            if isinstance(error, ConnectionResetError) and not self._reset:
                self._reset = True      # what came before the reset is still there to be read
                return
            raise Gone("the connection broke: %s" % error.strerror) from None
        self._input += data
        if not data:
            raise self._last_words() or Gone("the host closed the connection")

    def _last_words(self):
        """Why the host closed, if an ERROR is the last that came."""
        last = bytes(self._input[-HEADER.size - REFUSAL.size:])
        if last[:5] == b"HXFR\xff" and len(last) == HEADER.size + REFUSAL.size:
            fields = decode(ERROR, last[5], last[HEADER.size:])
            return Refused(fields["code"], last[5], fields["message"])
        return None

    def send_bytes(self, data):
        """Send @data as it is. Answers are read meanwhile: a host stops reading from a client that does not read."""
        rest = memoryview(data)
        while rest:
            room = len(self._input) < MAX_UNREAD
            self._wait(select.POLLOUT | (select.POLLIN if room else 0))
            if room:
                self._read()
            try:
                rest = rest[self._socket.send(rest):]
            except BlockingIOError:
                pass
            except OSError:
                while True:     # what it said before it closed
                    self._wait(select.POLLIN)
                    self._read()

    def send(self, kind, flags=0, **fields):
        self.send_bytes(encode(kind, flags, self.session_id, fields))

    def receive_message(self):
        """The next message: (type, flags, session_id, payload)."""
        wanted = HEADER.size
        while True:
            if len(self._input) >= HEADER.size:
                header = HEADER.unpack(self._input)
                wanted = HEADER.size + header["payload_size"]
                if header["magic"] != b"HXFR" or header["payload_size"] > MAX_PAYLOAD:
                    raise Broken("no header of the protocol: is this address a frame export's?")
            if len(self._input) >= wanted:
                payload = bytes(self._input[HEADER.size:wanted])
                del self._input[:wanted]
                return header["type"], header["flags"], header["session_id"], payload
            self._wait(select.POLLIN)
            self._read()

    # ---- what a stream does ----

    def negotiate(self, **config):
        """Say how to encode (fields of CONFIG_REQ), and learn what the host can do.

        Returns the fields of CONFIG_RESP, the values in force; None from a host that speaks the frozen messages only.
        Refused if the host cannot do it; HelixError if it takes no such field. Before any request, or with none in
        flight.
        """
        short = {name: value for name, value in config.items() if name in CONFIG.names}
        if not self.active:
            self.send(CONFIG_REQ, ANSWER, **short)
            self.send(PING)     # PONG alone, or first: an old host
            self.active = self._configuration()
            if self.active and self._configuration():
                raise Broken("a second CONFIG_RESP")
        elif short == config:   # a host that has answered once answers each; PONGs do not wait for these
            self.send(CONFIG_REQ, ANSWER, **short)
            self.active = self._configuration()
        if short != config:
            needed = "LONG_CONFIG" if config.keys() <= set(CONFIG.names + CONFIG_LONG.names) else "VUI"
            if needed not in self.capabilities:
                raise HelixError("this host takes no %s" % ", ".join(sorted(config.keys() - short.keys())))
            self.send(CONFIG_REQ, ANSWER, **config)
            self.active = self._configuration()
        return self.active

    def _configuration(self):
        """The fields of the CONFIG_RESP that comes next, None if PONG does. Refused as the host says."""
        kind, flags, _, payload = self.receive_message()
        fields = decode(kind, flags, payload)
        if kind == ERROR:
            raise Refused(fields["code"], flags, fields["message"])
        if kind == CONFIG_RESP:
            self.capabilities = {name for name, bit in CAPABILITIES.items() if fields["capabilities"] & bit}
            self.max_in_flight = max(1, fields["max_in_flight"])
        elif kind != PONG:
            raise Broken("a message of type 0x%02x answers CONFIG_REQ" % kind)
        return fields if kind == CONFIG_RESP else None

    def _request(self, flags, needs, fields):
        for name in needs:
            if name not in self.capabilities:
                raise HelixError("this host has no %s (or negotiate() was not called)" % name)
        self.send(FRAME_REQUEST, flags, **fields)
        self.in_flight += 1

    def request_resource(self, resource_id, width, height, format="XR24", stride=0, pts=0, duration=0,
                         force_keyframe=False, ext=None, flags=0):
        """Ask for virtio-gpu resource @resource_id. @ext: fields of the EXT block. @flags: TIMING, RELEASE.

        At most max_in_flight requests may have no answer: receive() first if in_flight has reached it.
        """
        fields = dict(resource_id=resource_id, width=width, height=height, format=format, stride=stride or width * 4,
                      pts=pts, duration=duration, force_keyframe=force_keyframe)
        needs = [name for name, bit in (("TIMING", TIMING), ("RELEASE", RELEASE)) if flags & bit]
        if ext is not None:
            fields = _with_ext(fields, ext)
            flags |= EXT
            needs.append("EXT")
        self._request(flags, needs, fields)

    def request_pixels(self, pixels, width, height, format="XR24", stride=0, pts=0, duration=0, force_keyframe=False):
        """Send a picture: stride x height bytes, or half as many again in NV12. @stride 0: rows without padding."""
        stride = stride or width * (1 if format == "NV12" else 4)
        self._request(PIXEL_DATA, (), dict(resource_id=0, width=width, height=height, format=format, stride=stride,
                                           pts=pts, duration=duration, force_keyframe=force_keyframe, pixels=pixels))

    def keep(self, snapshot, resource_id, width, height, format="XR24", stride=0, ext=None):
        """Have the host keep the pixels of a resource under number @snapshot, and wait until it has them: from then on
        they may be overwritten. The rest is as in request_resource(). Refused if the host cannot."""
        fields = dict(resource_id=resource_id, width=width, height=height, format=format, stride=stride or width * 4,
                      snapshot=snapshot)
        if "SNAPSHOT" not in self.capabilities:
            raise HelixError("this host has no SNAPSHOT (or negotiate() was not called)")
        self.send(SNAPSHOT, EXT if ext is not None else 0, **_with_ext(fields, ext))
        while True:     # answers to frames may come before
            kind, flags, session_id, payload = self.receive_message()
            if kind != SNAPSHOT_DONE:
                self._waiting.append((kind, flags, session_id, payload))
                continue
            fields = decode(kind, flags, payload)
            if fields["snapshot"] != snapshot:
                raise Broken("an answer to snapshot %d, which was not asked for" % fields["snapshot"])
            if fields["code"]:
                raise Refused(fields["code"], SNAPSHOT, fields["message"])
            return

    def request_snapshot(self, snapshot, width, height, x=0, y=0, pts=0, duration=0, force_keyframe=False):
        """The part of @width x @height at @x, @y of what the host keeps under that number."""
        fields = dict(resource_id=snapshot, width=width, height=height, format="", pts=pts, duration=duration,
                      force_keyframe=force_keyframe)
        self._request(OF_SNAPSHOT | EXT, ("SNAPSHOT", "EXT"), _with_ext(fields, dict(crop_x=x, crop_y=y)))

    def drop_snapshot(self, snapshot):
        """The number names nothing from now on. Frames requested before are encoded all the same."""
        self.send(SNAPSHOT_DROP, snapshot=snapshot)

    def request_repeat(self, pts=0, force_keyframe=False):
        """The last picture again."""
        self._request(REPEAT, ("REPEAT",), dict(format="", pts=pts, force_keyframe=force_keyframe))

    def keyframe(self):
        """The next frame is an IDR."""
        self.send(KEYFRAME_REQ)

    def receive(self):
        """The answer to the oldest request: an AccessUnit. Refused if the host cannot encode that one; others may
        follow."""
        while True:
            kind, flags, _, payload = self._waiting.popleft() if self._waiting else self.receive_message()
            fields = decode(kind, flags, payload)
            if kind == FRAME_RELEASED:
                self.released.append((fields["pts"], fields["resource_id"]))
                continue
            if kind == FRAME_RESPONSE or kind == ERROR and flags in (0, FRAME_REQUEST):
                self.in_flight -= 1
            if kind == ERROR:
                raise Refused(fields["code"], flags, fields["message"])
            if kind != FRAME_RESPONSE or self.in_flight < 0:
                raise Broken("a message of type 0x%02x, which was not asked for" % kind)
            return AccessUnit(fields["pts"], bool(fields["is_keyframe"]), not fields["entries"],
                              annex_b(fields["entries"]), fields.get("timing"))


def annex_b(entries):
    """One byte stream of a FRAME_RESPONSE's entries; hosts of the first days leave start codes out."""
    return b"".join(entry if entry.startswith((b"\0\0\1", b"\0\0\0\1")) else b"\0\0\0\1" + entry for entry in entries)


# ---- as a program ----

BARS = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191),
        (16, 16, 16))


def test_picture(width, height, number):
    """Bars of colour in XR24; below them a white block that is elsewhere in every picture."""
    bars = b"".join(bytes(BARS[x * len(BARS) // width][::-1]) + b"\xff" for x in range(width))
    block, low = max(1, width // 16), height - height // 4
    at = number * block % (width - block + 1)
    below = b"\0\0\0\xff" * at + b"\xff" * (4 * block) + b"\0\0\0\xff" * (width - at - block)
    return bars * low + below * (height - low)


def parse_arguments(argv):
    def size(text):
        width, height = text.lower().split("x")
        return int(width), int(height)

    parser = argparse.ArgumentParser(description="Films a virtio-gpu resource, or a test picture, to an H.264 file.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--resource", type=int, metavar="ID", help="film this virtio-gpu resource")
    what.add_argument("--test-picture", action="store_true", help="send bars of colour as pixels")
    what.add_argument("--info", action="store_true", help="say what the host can do")
    parser.add_argument("--host", default="vsock:2:5000", metavar="ADDRESS",
                        help="vsock:CID:PORT or unix:PATH (default %(default)s)")
    parser.add_argument("--size", type=size, metavar="WxH", help="of the picture, in pixels")
    parser.add_argument("--format", default="XR24", choices=("XR24", "AR24", "XB24", "AB24"),
                        help="of the resource (default %(default)s)")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--fps", type=int, default=30, metavar="N", help="frames a second (default %(default)s)")
    parser.add_argument("--fast", action="store_true", help="as many frames a second as the host encodes")
    parser.add_argument("--bitrate", type=int, default=0, metavar="BIT/S", help="default: the host's choice")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="S",
                        help="for a silent host (default %(default)s)")
    parser.add_argument("-o", "--output", metavar="FILE", help="Annex B; - is standard output")
    options = parser.parse_args(argv)
    if not options.info and not (options.size and options.output):
        parser.error("--size and --output say what to film, and where to")
    if options.frames < 1 or options.fps < 1 or options.size and min(options.size) < 1:
        parser.error("--frames, --fps and the sides of --size are at least 1")
    if options.timeout <= 0:
        parser.error("--timeout is more than 0")
    return options


def film(client, options, output):
    """Request every frame and write what comes back; a line that says what it was."""
    width, height = options.size
    bytes_out = keyframes = dropped = 0
    begin = time.monotonic()
    for number in range(options.frames + client.max_in_flight):
        if number < options.frames:
            if not options.fast:
                time.sleep(max(0, begin + number / options.fps - time.monotonic()))
            pts, duration = number * 10**9 // options.fps, 10**9 // options.fps
            if options.test_picture:
                client.request_pixels(test_picture(width, height, number), width, height, pts=pts, duration=duration)
            else:
                client.request_resource(options.resource, width, height, options.format, pts=pts, duration=duration)
        if client.in_flight == client.max_in_flight or number >= options.frames and client.in_flight:
            unit = client.receive()
            output.write(unit.data)
            bytes_out += len(unit.data)
            keyframes += unit.keyframe
            dropped += unit.dropped
    return "%d frames (%d keyframe%s), %d dropped; %d bytes" % (options.frames, keyframes, "" if keyframes == 1 else "s", dropped, bytes_out)


def main(argv=None):
    options = parse_arguments(argv)
    try:
        with Client(options.host, options.timeout) as client:
            active = client.negotiate(bitrate=options.bitrate, framerate_num=options.fps, framerate_den=1, realtime=1)
            if options.info:
                print("encoder %s, %d requests in flight, can: %s" % (
                    active["encoder"] if active else "unknown", client.max_in_flight,
                    " ".join(sorted(client.capabilities)) or "the frozen messages"))
            else:
                with open(sys.stdout.fileno() if options.output == "-" else options.output, "wb") as output:
                    print(film(client, options, output), file=sys.stderr)
    except (HelixError, OSError) as error:
        print("helix_client: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
