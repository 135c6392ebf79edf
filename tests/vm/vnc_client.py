# SPDX-License-Identifier: GPL-2.0-or-later
"""vnc_client.py PORT FRAMES FILE: runs in the guest. Asks a VNC server (RFB 3.8, no password) for its screen as H.264 (encoding 50, "Open
H.264") until FRAMES pictures came, writes them to FILE, and prints how many, and the encodings that the server used."""

import collections
import socket
import struct
import sys

OPEN_H264, RAW = 50, 0


class Server:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                sys.exit("the server closed the connection")
            data += part
        return bytes(data)

    def numbers(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))

    def begin(self):
        """The handshake; (width, height)."""
        self.read(12)
        self.socket.sendall(b"RFB 003.008\n")
        self.read(self.read(1)[0])
        self.socket.sendall(b"\1")
        if self.numbers(">I") != (0,):
            sys.exit("the server wants a password")
        self.socket.sendall(b"\1")
        width, height, _, name = self.numbers(">HH16sI")
        self.read(name)
        self.socket.sendall(struct.pack(">BxHii", 2, 2, OPEN_H264, RAW))
        return width, height

    def update(self, width, height, whole):
        """Ask for what changed; [(encoding, data)]."""
        self.socket.sendall(struct.pack(">BBHHHH", 3, not whole, 0, 0, width, height))
        kind, count = self.numbers(">BxH")
        if kind:
            sys.exit("message %d of the server is not known" % kind)
        return [self.rectangle() for _ in range(count)]

    def rectangle(self):
        _, _, width, height, encoding = self.numbers(">HHHHi")
        if encoding == OPEN_H264:
            size, _ = self.numbers(">II")
            return encoding, self.read(size)
        if encoding == RAW:
            return encoding, self.read(width * height * 4)
        sys.exit("encoding %d was not asked for" % encoding)


def main():
    server = Server(int(sys.argv[1]))
    width, height = server.begin()
    used = collections.Counter()
    with open(sys.argv[3], "wb") as film:
        while sum(used.values()) < int(sys.argv[2]):
            for encoding, data in server.update(width, height, not used):
                used[encoding] += 1
                film.write(data if encoding == OPEN_H264 else b"")
    print("%dx%d, encodings: %s" % (width, height, ", ".join("%d: %d" % item for item in sorted(used.items()))))


main()
