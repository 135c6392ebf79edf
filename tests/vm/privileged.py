# SPDX-License-Identifier: GPL-2.0-or-later
"""helix-privileged-ports=on under Linux: whose requests are answered, and that the guest's kernel is what decides."""

import sys

from tap import Tap
from vm import VM, VMError

# Binds to the port it is told (0: leaves that to the kernel), sends PING, and prints the answer's type and, of an ERROR, its code.
ASK = r'''
import socket, struct, sys
s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
s.settimeout(60)
try:
    if int(sys.argv[1]):
        s.bind((socket.VMADDR_CID_ANY, int(sys.argv[1])))
except PermissionError:
    sys.exit("bind: not permitted")
s.connect((2, 5000))
s.sendall(struct.pack("<IBBHI", 0x52465848, 0x10, 0, 1, 4) + b"ping")
data = b""
while len(data) < 16:
    part = s.recv(4096)
    if not part:
        break
    data += part
print(hex(data[4]), struct.unpack("<i", data[12:16])[0] if data[4] == 0xff else "", "end" if data[4] == 0xff and not s.recv(4096) else "")
'''


def main():
    tap = Tap()
    try:
        with VM(gpu="virtio-gpu-pci", encoder="null", gpu_options="helix-privileged-ports=on") as vm:
            vm.run(["sh", "-c", "cp $(readlink -f /usr/bin/python3) /tmp/asker && chmod 755 /tmp/asker"])
            vm.run(["sh", "-c", "cat > /tmp/ask.py && chmod 644 /tmp/ask.py"], stdin=ASK.encode())

            def ask(port, *before):
                done = vm.run([*before, "/tmp/asker", "/tmp/ask.py", str(port)], check=False)
                return " ".join((done.out + done.err).decode(errors="replace").split())

            nobody = ("setpriv", "--reuid=nobody", "--clear-groups")
            got = ask(900)
            tap.check(got == "0x11", "root, bound to port 900: answered", got)
            got = ask(0)
            tap.check(got == "0xff -9 end", "root without a bind: ERROR -9, and the connection closes well", got)
            got = ask(900, *nobody)
            tap.check("not permitted" in got, "another user cannot bind port 900: the kernel says so", got)
            got = ask(2000, *nobody)
            tap.check(got == "0xff -9 end", "nor is it answered from a port it can bind", got)
            vm.run(["setcap", "cap_net_bind_service+ep", "/tmp/asker"])
            got = ask(900, *nobody)
            tap.check(got == "0x11", "with CAP_NET_BIND_SERVICE on its program it is answered", got)
            vm.run(["setcap", "-r", "/tmp/asker"])
            element = ["env", "GST_PLUGIN_PATH=/helix/gst", "GST_REGISTRY_FORK=no", "gst-launch-1.0", "-q", "videotestsrc", "num-buffers=3", "!",
                       "video/x-raw,width=64,height=48", "!", "vsockenc", "!", "fakesink"]
            done = vm.run(element, check=False)
            tap.check(done.rc == 0, "vsockenc run by root takes such a port by itself", done.err[-300:])
            done = vm.run([*nobody, "env", "HOME=/tmp", *element], check=False)
            tap.check(done.rc != 0 and b"CAP_NET_BIND_SERVICE" in done.err + done.out,
                      "without the privilege it ends with an error that says what it takes", (done.err + done.out)[-600:])
            got = ask(901, *nobody, "unshare", "--user", "--map-root-user")
            tap.check("not permitted" in got, "root of a user namespace, as in a rootless container, cannot bind it", got)
    except VMError as error:
        tap.check(False, "the test came to its end", error)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
