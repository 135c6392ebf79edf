# SPDX-License-Identifier: GPL-2.0-or-later
"""helix-privileged-ports=on under Linux: whose requests are answered, and that the guest's kernel is what decides."""

import os
import re
import sys

from steps import TREE
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

ELEMENT = ["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=3", "!", "video/x-raw,width=64,height=48", "!", "vsockenc", "!", "fakesink"]
NOBODY = ("setpriv", "--reuid=nobody", "--clear-groups")
BIND = 1 << 10      # CAP_NET_BIND_SERVICE


def recommended_service():
    """The unit in docs/security.md: {key: value}."""
    with open(os.path.join(TREE, "docs", "security.md")) as file:
        block = re.search(r"^    \[Service\]\n((?:    .+\n)+)", file.read(), re.M).group(1)
    return dict(line.strip().split("=", 1) for line in block.splitlines())


def as_service(unit, command):
    """@command as systemd would run it for @unit: see systemd.exec(5). Keys that only take more away are left out."""
    known = {"ExecStart", "User", "SupplementaryGroups", "AmbientCapabilities", "CapabilityBoundingSet", "NoNewPrivileges", "ProtectHome", "PrivateTmp"}
    if set(unit) - known:
        raise VMError("the recommended unit has more than is tested: %s" % (set(unit) - known))

    def capabilities(key):
        return ",".join(["-all"] + ["+" + name[len("CAP_"):].lower() for name in unit[key].split()])
    return ["setpriv", "--reuid=" + unit["User"], "--regid=" + unit["User"], "--groups=" + unit["SupplementaryGroups"],
            "--inh-caps=" + capabilities("AmbientCapabilities"), "--ambient-caps=" + capabilities("AmbientCapabilities"),
            "--bounding-set=" + capabilities("CapabilityBoundingSet"), *(["--no-new-privs"] if unit["NoNewPrivileges"] == "yes" else []),
            "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG=C.UTF-8", "HOME=/nonexistent", "USER=" + unit["User"],
            "LOGNAME=" + unit["User"], "GST_REGISTRY_FORK=no", *command]


def said(done):
    return (done.out + done.err).decode(errors="replace")


def test_file_capability(tap, vm):
    """What is not recommended, and why: the plugin is another user's, and is answered."""
    vm.run(["sh", "-c", "mkdir -m 755 /tmp/theirs && cp /helix/gst/libgstvsockenc.so /tmp/theirs && cp /helix/client/libhelix-client.so.0 /usr/lib/x86_64-linux-gnu && cp /usr/bin/gst-launch-1.0 /tmp/recorder && "
                        "chmod 755 /tmp/recorder && setcap cap_net_bind_service+ep /tmp/recorder"])
    done = vm.run([*NOBODY, "env", "-i", "HOME=/tmp", "GST_REGISTRY_FORK=no", "GST_PLUGIN_PATH=/tmp/theirs", "/tmp/recorder", *ELEMENT[1:]], check=False,
                  timeout=120)
    tap.check(done.rc == 0, "a user's plugin has the file capability of a program that uses GStreamer: docs/security.md advises against it", said(done)[-600:])
    vm.run(["rm", "/tmp/recorder"])


def test_service(tap, vm):
    """What is recommended, with the plugin where a package puts it."""
    unit = recommended_service()
    vm.run(["sh", "-c", "useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin %s && getent group %s >/dev/null || groupadd --system %s; "
                        "cp /helix/gst/libgstvsockenc.so $(dirname /usr/lib/*/gstreamer-1.0/libgstcoreelements.so)" % (
                            unit["User"], unit["SupplementaryGroups"], unit["SupplementaryGroups"])])
    sets = dict(re.findall(r"^(\w+):\s*(\w+)$", said(vm.run(as_service(unit, ["cat", "/proc/self/status"]))), re.M))
    found = {name: int(sets[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")}
    tap.check(found == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), BIND) | {"NoNewPrivs": 1},
              "the recommended service has that capability and can get no other", found)
    done = vm.run(as_service(unit, ELEMENT), check=False, timeout=120)
    tap.check(done.rc == 0, "the recommended service is answered", said(done)[-600:])
    text = said(vm.run(as_service(unit, ["gst-inspect-1.0", "vsockenc"]), check=False, timeout=120))
    places = re.findall(r"Filename\s+(\S+)", text)
    tap.check(len(places) == 1 and places[0].startswith("/usr/lib/"), "its plugin is the system's", text[-600:])
    with vm.start(as_service(unit, ["sleep", "600"])) as process:
        theirs = said(vm.run([*NOBODY, "sh", "-c", "for f in environ maps mem; do head -c1 /proc/$(pgrep -x -u %s sleep)/$f >/dev/null && echo seen; done" %
                              unit["User"]], check=False))
        tap.check(theirs.count("denied") == 3 and "seen" not in theirs, "another user sees nothing of its process", theirs)
        process.kill()


def main():
    tap = Tap()
    try:
        with VM(gpu="virtio-gpu-pci", encoder="null", gpu_options="helix-privileged-ports=on") as vm:
            vm.run(["sh", "-c", "cp $(readlink -f /usr/bin/python3) /tmp/probe && chmod 755 /tmp/probe"])
            vm.run(["sh", "-c", "cat > /tmp/ask.py && chmod 644 /tmp/ask.py"], stdin=ASK.encode())

            def ask(port, *before):
                done = vm.run([*before, "/tmp/probe", "/tmp/ask.py", str(port)], check=False)
                return " ".join((done.out + done.err).decode(errors="replace").split())

            nobody = NOBODY
            got = ask(900)
            tap.check(got == "0x11", "root, bound to port 900: answered", got)
            got = ask(0)
            tap.check(got == "0xff -9 end", "root without a bind: ERROR -9, and the connection closes well", got)
            got = ask(900, *nobody)
            tap.check("not permitted" in got, "another user cannot bind port 900: the kernel says so", got)
            got = ask(2000, *nobody)
            tap.check(got == "0xff -9 end", "nor is it answered from a port it can bind", got)
            vm.run(["setcap", "cap_net_bind_service+ep", "/tmp/probe"])
            got = ask(900, *nobody)
            tap.check(got == "0x11", "with CAP_NET_BIND_SERVICE on its program it is answered", got)
            vm.run(["setcap", "-r", "/tmp/probe"])
            element = ["env", "GST_PLUGIN_PATH=/helix/gst", "GST_REGISTRY_FORK=no", *ELEMENT]
            done = vm.run(element, check=False)
            tap.check(done.rc == 0, "vsockenc run by root takes such a port by itself", done.err[-300:])
            done = vm.run([*nobody, "env", "HOME=/tmp", *element], check=False)
            tap.check(done.rc != 0 and b"CAP_NET_BIND_SERVICE" in done.err + done.out,
                      "without the privilege it ends with an error that says what it takes", (done.err + done.out)[-600:])
            test_file_capability(tap, vm)
            test_service(tap, vm)
            got = ask(901, *nobody, "unshare", "--user", "--map-root-user")
            tap.check("not permitted" in got, "root of a user namespace, as in a rootless container, cannot bind it", got)
    except VMError as error:
        tap.check(False, "the test came to its end", error)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
