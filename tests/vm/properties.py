# SPDX-License-Identifier: GPL-2.0-or-later
"""helix-*= properties of the GPUs: what is refused at start and how, what off means, what a stopped or reset VM does.

No guest is needed: the module is reached through helix-listen=, and the machine runs its firmware at most.
"""

import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

from qemu import FIRMWARE
from tap import Tap
from vm import Display, Qmp, VMError, built

SECONDS = 30
FRAME_REQUEST, FRAME_RESPONSE, PING, PONG, ERROR = 0x01, 0x02, 0x10, 0x11, 0xFF
PIXEL_DATA, REPEAT = 0x01, 0x10
NOT_FOUND = -2
XR24 = struct.unpack("<I", b"XR24")[0]


class Client:
    """A guest client at a UNIX socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(path)

    def send(self, kind, flags=0, payload=b"", session=1):
        self.socket.sendall(struct.pack("<IBBHI", 0x52465848, kind, flags, session, len(payload)) + payload)

    def request(self, resource, flags=0, pixels=b"", width=16, height=16, pts=0):
        fixed = struct.pack("<5I2qB7x", resource, width, height, XR24, width * 4, pts, 0, 0)
        self.send(FRAME_REQUEST, flags, fixed + pixels)

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise OSError("the host closed the connection")
            data += part
        return data

    def answer(self):
        """(type, payload) of the next message."""
        _, kind, _, _, size = struct.unpack("<IBBHI", self.read(12))
        return kind, self.read(size)

    def error(self):
        """(code, message) of the next message, which must be an ERROR."""
        kind, payload = self.answer()
        if kind != ERROR:
            return 0, "message %#x" % kind
        return struct.unpack("<i", payload[:4])[0], payload[4:].split(b"\0")[0].decode()

    def silent(self, seconds):
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(SECONDS)


def launch(emulator, display, log, *arguments, files=None):
    """QEMU without a guest, its processor stopped; @files: how many it may open."""
    limit = ["prlimit", "--nofile=%d:%d" % (files, files)] if files else []
    argv = limit + [emulator, "-machine", "q35", "-nodefaults", "-no-user-config", "-S"] + display.arguments
    for folder in FIRMWARE:
        argv += ["-L", folder]
    return subprocess.Popen(argv + list(arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                            env=display.environment)


class Machine:
    """QEMU with GPUs and no guest, stopped until told to run."""

    def __init__(self, emulator, display, folder, *arguments):
        self.path = os.path.join(folder, "qmp")
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = launch(emulator, display, self.log, "-accel", "tcg", "-m", "128M",
                              "-qmp", "unix:%s,server=on,wait=off" % self.path, *arguments)

    def __enter__(self):
        self.qmp = Qmp(self.path)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def said(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def quit(self):
        self.qmp.command("quit")
        return self.process.wait(SECONDS)

    def get(self, path, name):
        return self.qmp.command("qom-get", path=path, property=name)

    def property_names(self, path):
        return [entry["name"] for entry in self.qmp.command("qom-list", path=path)]


def start(emulator, display, folder, *arguments, files=None):
    """(status, output) of a QEMU that should end at once; status None if it did not."""
    with open(os.path.join(folder, "refused"), "w+", encoding="utf-8", errors="replace") as log:
        process = launch(emulator, display, log, *arguments, files=files)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None, ""
        log.seek(0)
        return process.returncode, log.read()


def check_refusals(tap, emulator, display, folder):
    open_folder = os.path.join(folder, "open")
    os.mkdir(open_folder)
    os.mkdir(os.path.join(open_folder, "private"), 0o700)
    os.chmod(open_folder, 0o777)
    cases = [
        ("helix-vsock-port=0", ["helix-vsock-port", "1 to 4294967294"]),
        ("helix-vsock-port=4294967295", ["helix-vsock-port", "1 to 4294967294"]),
        ("helix-vsock-port=4294967296", ["helix-vsock-port"]),
        ("helix-vsock-port=-1", ["helix-vsock-port"]),
        ("helix-vsock-port=fivethousand", ["helix-vsock-port"]),
        ("helix-max-connections=1025", ["helix-max-connections=1025", "from 1 to 1024"]),
        ("helix-max-streams=257", ["helix-max-streams=257", "from 1 to 256"]),
        ("helix-max-in-flight=65", ["helix-max-in-flight=65", "from 1 to 64"]),
        ("helix-max-encoders=513", ["helix-max-encoders=513", "from 1 to 512"]),
        ("helix-max-memory=1000", ["helix-max-memory=1000", "from 1048576 to"]),
        ("helix-max-memory=lots", ["helix-max-memory"]),
        ("helix-privileged-ports=maybe", ["helix-privileged-ports"]),
        ("helix-encoder=h265", ["helix-encoder", "h265", "null"]),
        ("helix-encoder=x264,helix-encoder-software=off", ["helix-encoder", "x264", "software"]),
        ("helix-encoder-software=off", ["helix-encoder", "allow encoding in software"]),
        ("helix-encoder=vaapi,helix-render-node=/dev/dri/renderD250", ["helix-encoder", "/dev/dri/renderD250", "vainfo"]),
        ("helix-encoder-software=maybe", ["helix-encoder-software"]),
        ("helix-listen=tcp:127.0.0.1:1", ["helix-listen", "unix:"]),
        ("helix-listen=unix:", ["helix-listen"]),
        ("helix-listen=unix:%s/none/socket" % folder, ["helix-listen", "none"]),
        ("helix-listen=unix:%s/%s" % (folder, "x" * 120), ["helix-listen", "1"]),
        ("helix-listen=unix:%s/socket" % open_folder, ["helix-listen", open_folder]),
        ("helix-listen=unix:%s/private/socket" % open_folder, ["helix-listen", open_folder, "above"]),
    ]
    for gpu in ("virtio-gpu-pci", "virtio-gpu-gl-pci"):
        for option, words in cases:
            status, said = start(emulator, display, folder, "-device", gpu + ",helix-frame-export=on," + option)
            good = status == 1 and all(word in said for word in words)
            tap.check(good, "%s refuses %s" % (gpu, option[:60]), "status %s: %s" % (status, said))
    for value in (7, 65537):
        status, said = start(emulator, display, folder, "-device", "helix-vsock-pci,max-connections=%d" % value)
        tap.check(status == 1 and "max-connections=%d" % value in said and "from 8 to 65536" in said,
                  "helix-vsock-pci refuses max-connections=%d" % value, "status %s: %s" % (status, said))
    status, said = start(emulator, display, folder, "-device", "virtio-gpu-pci,id=one,helix-frame-export=on",
                         "-device", "virtio-gpu-pci,id=two,helix-frame-export=on")
    tap.check(status == 1 and "one GPU" in said and "/one/" in said,
              "a second exporting GPU is refused, naming the first", said)
    devices = subprocess.run([emulator, "-device", "help"], capture_output=True, text=True, check=True).stdout
    if '"virtio-gpu-rutabaga-pci"' in devices:
        status, said = start(emulator, display, folder,
                             "-device", "virtio-gpu-rutabaga-pci,wsi=headless,helix-frame-export=on")
        tap.check(status == 1 and "rutabaga" in said, "rutabaga is refused", said)
    else:
        tap.skip("rutabaga is refused", "this QEMU was built without it")


def check_open_files(tap, emulator, display, folder):
    """The descriptors that connections may need are there, or QEMU does not start."""
    vsock = "helix-vsock-pci,uds-path=%s/vsock" % folder
    gpu = "virtio-gpu-pci,helix-frame-export=on,helix-encoder=null,helix-listen=unix:%s/socket" % folder
    cases = (
        ("all ports' connections need more open files than there may be", 1217, [vsock], ["max-connections=1024", "may need 1218"]),
        ("so do those of helix-listen", 321, [gpu], ["helix-listen", "may need 322", "RLIMIT_NOFILE is 321"]),
        ("so do both together", 1283, [vsock, gpu], ["helix-listen", "may need 1284"]),
    )
    for what, files, devices, words in cases:
        arguments = [word for device in devices for word in ("-device", device)]
        status, said = start(emulator, display, folder, *arguments, files=files)
        tap.check(status == 1 and all(word in said for word in words), what, "status %s: %s" % (status, said))
        path = os.path.join(folder, "qmp")
        with open(os.path.join(folder, "started"), "w+") as log:
            process = launch(emulator, display, log, "-qmp", "unix:%s,server=on,wait=off" % path, *arguments, files=files + 1)
            try:
                Qmp(path).command("quit")
                tap.check(process.wait(SECONDS) == 0, "with one more QEMU starts: %d" % (files + 1))
            finally:
                process.kill()
                process.wait()


def check_off(tap, emulator, display, folder):
    with Machine(emulator, display, folder, "-device", "virtio-gpu-gl-pci,id=gpu") as machine:
        backend = "/machine/peripheral/gpu/virtio-backend"
        tap.check(machine.get(backend, "helix-frame-export") is False, "off is the default")
        tap.check("helix-stats" not in machine.property_names(backend), "off, there are no statistics")
        threads = [open("/proc/%d/task/%s/comm" % (machine.process.pid, task)).read().strip()
                   for task in os.listdir("/proc/%d/task" % machine.process.pid)]
        tap.check(not any("helix" in name for name in threads), "off, there is no thread", threads)
        tap.check("helix" not in machine.said(), "off, nothing is logged", machine.said())


def check_on(tap, emulator, display, folder, title, arguments, path):
    address = os.path.join(folder, "socket")
    arguments = [argument.replace("SOCKET", address) for argument in arguments]
    with Machine(emulator, display, folder, *arguments) as machine:
        for name in (path, path + "/virtio-backend"):
            stats = machine.get(name, "helix-stats")
            tap.check(isinstance(stats, dict) and "host_paths" in stats,
                      "%s: qom-get %s helix-stats is a structure" % (title, name), stats)
        tap.check(stat.S_IMODE(os.stat(address).st_mode) == 0o600, "%s: the socket has mode 0600" % title)
        Client(address)
        tap.check(machine.quit() == 0 and not os.path.exists(address),
                  "%s: QEMU ends well, and its socket is gone" % title, machine.said())


def check_states(tap, emulator, display, folder):
    address = os.path.join(folder, "socket")
    device = "virtio-gpu-pci,id=gpu,helix-frame-export=on,helix-encoder=null,helix-listen=unix:" + address
    with Machine(emulator, display, folder, "-device", device, "-trace", "helix_*") as machine:
        client = Client(address)
        client.send(PING, payload=b"12345678")
        tap.check(client.answer() == (PONG, b"12345678"), "a stopped VM answers PING")
        client.request(77)
        tap.check(client.silent(1), "a stopped VM looks nothing up")
        machine.qmp.command("cont")
        code, message = client.error()
        tap.check(code == NOT_FOUND and "77" in message,
                  "once it runs, a resource that is not there is not found", message)
        client.request(0)
        tap.check(client.error()[0] == NOT_FOUND, "resource 0 is nobody's screen")
        client.request(0, PIXEL_DATA, bytes(16 * 16 * 4), pts=1)
        tap.check(client.answer()[0] == FRAME_RESPONSE, "pixels are encoded")
        client.request(0, REPEAT, pts=2)
        tap.check(client.answer()[0] == FRAME_RESPONSE, "and encoded again")
        stats = machine.get("/machine/peripheral/gpu", "helix-stats")
        tap.check(stats["host_paths"].get("pixel-data") == 1 and stats["host_paths"].get("repeat") == 1,
                  "the statistics count both", stats)
        machine.qmp.command("system_reset")
        deadline = time.monotonic() + SECONDS
        while "helix_export_reset" not in machine.said() and time.monotonic() < deadline:
            time.sleep(0.1)
        client.request(0, REPEAT, pts=3)
        code, message = client.error()
        tap.check(code == NOT_FOUND, "after a reset the last picture is forgotten", message)
        client.request(0, PIXEL_DATA, bytes(16 * 16 * 4), pts=4)
        tap.check(client.answer()[0] == FRAME_RESPONSE, "and the stream goes on")
        for event in ("frame_queued", "frame_resolved", "frame_encoded", "frame_returned", "lookup"):
            tap.check("helix_%s " % event in machine.said(), "trace event helix_" + event)


def check_limits(tap, emulator, display, folder):
    address = os.path.join(folder, "socket")
    device = "virtio-gpu-pci,id=gpu,helix-frame-export=on,helix-encoder=null,helix-max-connections=2,helix-max-streams=1," \
             "helix-max-memory=1M,helix-listen=unix:" + address
    with Machine(emulator, display, folder, "-device", device) as machine:
        backend = "/machine/peripheral/gpu/virtio-backend"
        defaults = {"helix-max-in-flight": 4, "helix-max-encoders": 0, "helix-privileged-ports": False}
        got = {name: machine.get(backend, name) for name in defaults}
        tap.check(got == defaults, "limits that were not given are the defaults", got)
        machine.qmp.command("cont")
        first, second = Client(address), Client(address)
        first.request(0, PIXEL_DATA, bytes(16 * 16 * 4))
        tap.check(first.answer()[0] == FRAME_RESPONSE, "within the limits a stream runs")
        first.send(0x04, 0x01, bytes(28))       # from now on nothing is closed to make room
        first.answer()
        first.send(FRAME_REQUEST, PIXEL_DATA, struct.pack("<5I2qB7x", 0, 16, 16, XR24, 64, 0, 0, 0) + bytes(1024), 2)
        code, message = first.error()
        tap.check(code == -10 and "1 streams" in message, "helix-max-streams is one for all of the VM", message)
        first.request(0, PIXEL_DATA, bytes(512 * 512 * 4), 512, 512)
        code, message = first.error()
        tap.check(code == -99 and "524288" in message, "helix-max-memory bounds pixels to half of it", message)
        third = Client(address)
        tap.check(third.socket.recv(1) == b"", "helix-max-connections: one more is closed")
        second.send(PING)
        tap.check(second.answer()[0] == PONG, "and those that are there go on")


def check_unrealize(tap, emulator, display, folder):
    address = os.path.join(folder, "socket")
    device = "virtio-gpu-pci,id=gpu,helix-frame-export=on,helix-encoder=null,helix-listen=unix:" + address
    with Machine(emulator, display, folder, "-device", device) as machine:
        machine.qmp.command("cont")
        client = Client(address)
        client.request(0, PIXEL_DATA, bytes(16 * 16 * 4))
        tap.check(client.answer()[0] == FRAME_RESPONSE, "a stream runs")
        machine.qmp.command("qom-set", path="/machine/peripheral/gpu/virtio-backend", property="realized", value=False)
        tap.check(not os.path.exists(address), "when its GPU is unrealized the socket goes")
        tap.check("helix-stats" not in machine.property_names("/machine/peripheral/gpu"), "the statistics go")
        try:
            ended = client.socket.recv(1) == b""
        except ConnectionResetError:
            ended = True
        tap.check(ended, "the connection ends")
        tap.check(machine.quit() == 0, "QEMU goes on and ends well", machine.said())


def main():
    tap = Tap()
    emulator = built()["qemu"]
    with tempfile.TemporaryDirectory(prefix="helix-") as folder, open(os.path.join(folder, "display"), "w") as log:
        display = Display(emulator, log)
        try:
            check_refusals(tap, emulator, display, folder)
            check_open_files(tap, emulator, display, folder)
            check_off(tap, emulator, display, folder)
            peripheral = "/machine/peripheral/gpu"
            check_on(tap, emulator, display, folder, "-device virtio-gpu-pci",
                     ["-device", "virtio-gpu-pci,id=gpu,helix-frame-export=on,helix-listen=unix:SOCKET"], peripheral)
            check_on(tap, emulator, display, folder, "-global and virtio-vga-gl",
                     ["-global", "virtio-gpu-gl-device.helix-frame-export=on",
                      "-global", "virtio-gpu-gl-device.helix-listen=unix:SOCKET",
                      "-device", "virtio-vga-gl,id=gpu"], peripheral)
            check_states(tap, emulator, display, folder)
            check_limits(tap, emulator, display, folder)
            check_unrealize(tap, emulator, display, folder)
        except (VMError, OSError) as error:
            tap.check(False, "the test came to its end", error)
        finally:
            display.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
