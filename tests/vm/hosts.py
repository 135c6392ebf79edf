# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts that are missing, wrong, or die while a desktop streams, as a guest sees them: vsockenc ends in an error that
says what to do, and gst-launch with it, within seconds. Nothing hangs.
"""

import os
import re
import signal
import socket
import sys
import threading
import time

from desktop import START_SECONDS, encoded, run_parts, source, wait_for_frames
from vm import VM, VMError

STREAMED = 20               # frames before the host dies
ERROR_SECONDS = 15          # from what went wrong to gst-launch's end

TEST_SOURCE = ["gst-launch-1.0", "-e", "videotestsrc", "is-live=true", "!",
               "video/x-raw,format=BGRx,width=320,height=240", "!"]


def ends_with_error(tap, process, title, words, limit, begin):
    """@process, a gst-launch, has to end by itself with vsockenc's error, all @words in it, before @limit seconds."""
    try:
        result = process.wait(limit)
    except VMError as error:
        tap.check(False, title, error)
        return
    took = time.monotonic() - begin
    text = (result.out + result.err).decode(errors="replace")
    said = re.search(r"ERROR: from element [^\n]*[Vv]sock[Ee]nc[^\n]*", text)
    good = result.rc != 0 and said and all(word in said.group(0) for word in words)
    tap.check(good, "%s: an error in %.1f s" % (title, took),
              "status %d, expected %s in vsockenc's error:\n%s" % (result.rc, words, text[-1500:]))
    if good:
        print("#   " + said.group(0).split(": ", 2)[-1])


def fails_to_start(tap, vm, title, words, *properties, user=()):
    begin = time.monotonic()
    with vm.start([*user, *TEST_SOURCE, "vsockenc", *properties, "!", "fakesink"]) as process:
        ends_with_error(tap, process, title, words, START_SECONDS, begin)


class Peer:
    """A program of the host behind a guest's port that says @greeting and nothing more."""

    def __init__(self, vm, port, greeting=b""):
        self.path = "%s_%d" % (vm.uds_path, port)
        self.greeting, self.connections = greeting, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                connection = self.listener.accept()[0]
                self.connections.append(connection)
                connection.sendall(self.greeting)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for thing in [self.listener] + self.connections:
            thing.close()
        os.unlink(self.path)


def test_wrong_hosts(tap, vm):
    fails_to_start(tap, vm, "a port nobody serves", ["Nothing listens on this port", "helix-vsock-port="], "port=5999")
    with Peer(vm, 6001, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"):
        fails_to_start(tap, vm, "a host that speaks something else", ["helix-vsock-port="], "port=6001")
    with Peer(vm, 6002):
        fails_to_start(tap, vm, "a host that never answers", ["has not answered"], "port=6002", "timeout=3000")
    fails_to_start(tap, vm, "a UNIX socket that is not there", ["There is no such socket"], "socket-path=/tmp/nothing")


def test_dying_host(tap, vm, title, number, words):
    """A desktop streams through a relay, which then gets signal @number."""
    vm.run("rm -f /tmp/relay")
    relay = vm.start(["socat", "UNIX-LISTEN:/tmp/relay", "VSOCK-CONNECT:2:5000"])
    vm.run("for i in $(seq 100); do [ -S /tmp/relay ] && exit 0; sleep 0.1; done; exit 1")
    with relay, vm.start(["/helix/bin/scene"]):
        before = encoded(vm)
        argv = source(vm, "mutter", "vsockenc socket-path=/tmp/relay timeout=3000 ! h264parse ! fakesink")
        with vm.start(argv) as process:
            wait_for_frames(vm, process, before + STREAMED)
            if process.done():
                tap.check(False, title + ": it streams", bytes(process.out + process.err)[-1500:].decode())
                return
            begin = time.monotonic()
            relay.kill(number)
            ends_with_error(tap, process, title, words, ERROR_SECONDS, begin)


def run_wrong(tap):
    with VM(name="hosts") as vm:
        test_wrong_hosts(tap, vm)
        vm.desktop()
        test_dying_host(tap, vm, "the connection is cut in a stream", signal.SIGKILL, ["closed the connection"])
        test_dying_host(tap, vm, "the host falls silent in a stream", signal.SIGSTOP,
                        ["has not ", "frame export hung"])      # answered, or finished a message that it had begun
        # The VM's frame export has seen its clients vanish; it serves the next one.
        vm.run(source(vm, "mutter", "vsockenc ! fakesink", "num-buffers=1"), timeout=START_SECONDS)
        tap.check(True, "the next stream works")


def run_without(tap):
    with VM(name="hosts-off", gpu="virtio-gpu-pci", export=False) as vm:
        fails_to_start(tap, vm, "a VM without helix-frame-export", ["Nothing listens on this port", "helix-frame-export=on"])
    with VM(name="hosts-novsock", gpu=None, vsock=False) as vm:
        fails_to_start(tap, vm, "a VM without helix-vsock-pci", ["no vsock device in this VM", "helix-vsock-pci"])


# A process of the guest on the host's port. Says what it is sent, and whether connections to CID 2 come here: of a socket that was bound
# to the guest's own CID while there was a device, and of one that was not.
PROCESS = r'''
import socket, subprocess, threading
server = socket.socket(socket.AF_VSOCK)
server.bind((socket.VMADDR_CID_ANY, 5000))
server.listen()
bound = socket.socket(socket.AF_VSOCK)
bound.bind((3, socket.VMADDR_PORT_ANY))
print("ready", flush=True)
input()
def serve():
    while True:
        connection, sent = server.accept()[0], b""
        try:
            sent = connection.recv(4096)
        except OSError:
            pass
        print("bytes", len(sent), flush=True)
threading.Thread(target=serve, daemon=True).start()
for name, client in ("bound", bound), ("free", socket.socket(socket.AF_VSOCK)):
    try:
        client.connect((2, 5000))
        client.close()
        print(name, "connected", flush=True)
    except OSError as error:
        print(name, "refused", error, flush=True)
print("checked", flush=True)
input()
'''


def said(vm, process, word):
    """What @process has printed once @word is in it."""
    vm.wait_for(lambda: word in process.out or process.done(), 30)
    return bytes(process.out).decode(errors="replace")


def run_loopback(tap):
    """CID 2 is the guest itself where vsock_loopback is loaded and no device is there."""
    with VM(name="hosts-loopback", gpu=None) as vm, vm.start(["python3", "-c", PROCESS]) as process:
        said(vm, process, b"ready")
        vm.run("modprobe vsock_loopback; chmod 600 /dev/vsock")
        fails_to_start(tap, vm, "a device and vsock_loopback: the host is asked", ["Nothing listens on this port"])
        nobody = ("setpriv", "--reuid=nobody", "--clear-groups", "env", "HOME=/tmp", "GST_PLUGIN_PATH=/helix/gst")
        fails_to_start(tap, vm, "/dev/vsock that cannot be read, and vsock_loopback", ["/dev/vsock cannot be read"], user=nobody)
        # A closed socket keeps the module for some seconds.
        vm.run("for i in $(seq 90); do modprobe -r vmw_vsock_virtio_transport && exit 0; sleep 0.5; done; exit 1")
        fails_to_start(tap, vm, "vsock_loopback and no device", ["no vsock device", "vsock_loopback"])
        process.write(b"\n")
        text = said(vm, process, b"checked")
        tap.check("free connected" in text and "bound refused" in text,
                  "Linux connects CID 2 to the guest, but no socket that is bound to the device's CID", text)
        tap.check(set(re.findall(r"bytes (\d+)", text)) == {"0"}, "the process of the guest was sent nothing", text)


if __name__ == "__main__":
    sys.exit(run_parts(run_wrong, run_without, run_loopback))
