# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's end of the control channel: runs commands and moves files for tools/vm.py, over a virtio-serial port.

Independent of vsock and of the network, which are what the tests test.

A frame is u32 header size, u32 data size (little-endian), a JSON object, then data. From the host: {"op": "run", "id",
"argv", "env", "cwd"}, {"op": "stdin", "id"} with data (none: end of input), {"op": "kill", "id", "signal"}, {"op":
"push", "id", "path", "mode"} with the file, {"op": "pull", "id", "path"}. To the host: {"id", "stream": "out" | "err"}
with data, and as the last of each id {"id", "rc"} (negative: the signal that ended it), {"id", "error"} or, for a
pull, {"id", "rc": 0} with the file. The first frame of all is {"hello": seconds since the kernel's start}.
"""

import json
import os
import selectors
import signal
import struct
import subprocess
import sys

CHUNK = 1 << 16


class Port:
    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            part = os.read(self.fd, min(size - len(data), CHUNK))
            if not part:
                sys.exit(0)
            data += part
        return bytes(data)

    def receive(self):
        head, body = struct.unpack("<II", self.read(8))
        return json.loads(self.read(head)), self.read(body)

    def send(self, header, data=b""):
        text = json.dumps(header).encode()
        frame = memoryview(struct.pack("<II", len(text), len(data)) + text + data)
        while frame:
            frame = frame[os.write(self.fd, frame):]


class Agent:
    def __init__(self, port):
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.selector.register(port.fd, selectors.EVENT_READ, self.on_request)
        self.running = {}       # id: Popen
        self.open_streams = {}  # id: how many of its outputs are still open

    def serve(self):
        with open("/proc/uptime") as uptime:
            self.port.send({"hello": float(uptime.read().split()[0])})
        while True:
            for key, _ in self.selector.select():
                key.data()

    def on_request(self):
        header, data = self.port.receive()
        try:
            getattr(self, "op_" + header["op"])(header, data)
        except (OSError, ValueError) as error:
            self.port.send({"id": header.get("id"), "error": str(error)})

    def op_run(self, header, _):
        env = dict(os.environ, **(header.get("env") or {}))
        process = subprocess.Popen(header["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=env, cwd=header.get("cwd") or "/root",
                                   start_new_session=True, bufsize=0)
        number = header["id"]
        self.running[number] = process
        self.open_streams[number] = 2
        for name, pipe in (("out", process.stdout), ("err", process.stderr)):
            self.selector.register(pipe, selectors.EVENT_READ,
                                   lambda name=name, pipe=pipe: self.on_output(number, name, pipe))

    def on_output(self, number, name, pipe):
        data = os.read(pipe.fileno(), CHUNK)
        if data:
            self.port.send({"id": number, "stream": name}, data)
            return
        self.selector.unregister(pipe)
        pipe.close()
        self.open_streams[number] -= 1
        if not self.open_streams[number]:
            # Both outputs are closed: the command is over, or will be in a moment.
            process = self.running.pop(number)
            del self.open_streams[number]
            self.port.send({"id": number, "rc": process.wait()})
            if process.stdin and not process.stdin.closed:
                process.stdin.close()

    def op_stdin(self, header, data):
        process = self.running.get(header["id"])
        if process and process.stdin and not process.stdin.closed:
            try:
                if data:
                    process.stdin.write(data)
                else:
                    process.stdin.close()
            except BrokenPipeError:
                pass

    def op_kill(self, header, _):
        process = self.running.get(header["id"])
        if process:
            try:
                os.killpg(process.pid, header.get("signal", signal.SIGKILL))
            except ProcessLookupError:
                pass

    def op_push(self, header, data):
        folder = os.path.dirname(header["path"])
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(header["path"], "wb") as out:
            out.write(data)
        os.chmod(header["path"], header.get("mode", 0o644))
        self.port.send({"id": header["id"], "rc": 0})

    def op_pull(self, header, _):
        with open(header["path"], "rb") as file:
            self.port.send({"id": header["id"], "rc": 0}, file.read())


Agent(Port(sys.argv[1])).serve()
