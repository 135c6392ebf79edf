# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 900
"""A host that fails: encoders that are slow, hang, fail, cannot be opened or lose their session; memory and descriptors
that are not to be had. faults-preload.c makes it so; see faultvm.py for what has to hold after each."""

import os
import resource
import socket
import sys
import time

from faultvm import SECONDS, FaultVM
from vsock import Listener, read_all

VICTIM = 640            # the width of the streams that the encoder's faults are for: the bystanders have another
PICTURE = 300000        # bytes; smaller than any picture of the victims, larger than what QEMU itself asks for


def slow(faults, *what):
    """Buffers that are used for something else while an encoder takes its time: their films show what was drawn."""
    faults.encoders.order(delay_ms=200, width=1920 if what[0] != "vanish" else VICTIM)
    before = faults.encoders.count("delayed")
    result = faults.play(*what, timeout=300)
    print("# %d frames were slow" % (faults.encoders.count("delayed") - before))
    return result


def answers(faults, requests, timeout=60):
    """What a client of its own connection gets for frames of VICTIM's width: a list of error codes, 0 an access unit."""
    result = faults.vm.run(faults.client("codes", requests), timeout=timeout)
    return [int(line.split()[1]) for line in result.out.decode().splitlines() if line.startswith("code ")]


def failing(faults):
    """Two frames fail: each is its request's error, and the stream goes on with an IDR."""
    faults.encoders.order(fail_frames=2, width=VICTIM)
    codes = answers(faults, 8)
    return codes.count(-5) == 2 and codes.count(0) == 6 or "answers: %s" % codes


def losing(faults):
    faults.encoders.order(lose_session=1, width=VICTIM)
    codes = answers(faults, 8)
    return codes.count(-5) == 1 and codes.count(0) == 7 or "answers: %s" % codes


def unopened(faults):
    faults.encoders.order(fail_opens=2, width=VICTIM)
    codes = answers(faults, 8)
    return len(codes) == 8 and 1 <= len([code for code in codes if code]) <= 2 or "answers: %s" % codes


def hanging(faults):
    """Encoders that hang for 10 s hold up their own streams, and a client that goes meanwhile takes its own along."""
    before = faults.encoders.count("delayed")
    faults.encoders.order(delay_ms=10000, width=VICTIM)
    with faults.vm.start(faults.client("codes", 1)) as process, faults.vm.start(faults.client("codes", 1)) as second, \
            faults.vm.start(faults.client("codes", 1)):
        if not faults.vm.wait_for(lambda: faults.encoders.count("delayed") > before + 1, SECONDS):
            return "no frames reached the encoders"
        begin = time.monotonic()
        problem = faults.others_go_on()
        if problem:
            return "while it hangs: " + problem
        gone = faults.vm.start(faults.client("stream"))
        time.sleep(1)
        gone.kill()
        process.check(SECONDS)
        second.check(SECONDS)
        print("# the frame came after %.1f s" % (time.monotonic() - begin))
        return b"code 0" in process.out or bytes(process.out).decode()


def without_memory(faults):
    """Every allocation of a picture's size fails: requests are answered with errors, and QEMU lives.

    -3 is a texture of which Mesa, without memory, has read nothing and has not said so.
    """
    faults.encoders.order(refuse_bytes=PICTURE)
    codes = answers(faults, 8)
    refused = faults.encoders.count("refused_allocations")
    print("# answers without memory: %s; %d allocations refused" % (codes, refused))
    faults.encoders.order()
    if len(codes) != 8 or not refused or -99 not in codes or not set(codes) <= {-99, -3, -5, -10}:
        return "answers: %s, %d allocations refused" % (codes, refused)
    codes = answers(faults, 8)
    return codes == [0] * 8 or "with memory again: %s" % codes


def without_descriptors(faults):
    """QEMU may open nothing more: new connections of its own port are served, others refused; then all is well again."""
    pid = faults.vm.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/%d/fd" % pid)) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
    fillers = []
    try:
        # Holes below the limit are filled by connections to helix-listen, of which one is one too many.
        for _ in range(used):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(1)
            try:
                sock.connect(faults.address)
            except OSError:         # nobody takes it
                break
            fillers.append(sock)
            if len(os.listdir("/proc/%d/fd" % pid)) >= used:
                break
            time.sleep(0.05)
        cpu = cpu_seconds(pid)
        time.sleep(2)
        print("# %d of %d descriptors in use; CPU of QEMU in 2 s: %.2f s" % (len(os.listdir("/proc/%d/fd" % pid)), used,
                                                                            cpu_seconds(pid) - cpu))
        result = faults.play("once")
        if calls_host(faults):
            return "a port that needs a socket was served: the descriptors were not exhausted"
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for sock in fillers:
            sock.close()
    if result is True and not calls_host(faults):
        return "with descriptors again, a port of the host's is not served"
    return result


def calls_host(faults):
    """Whether the guest reaches a program of the host."""
    with Listener(faults.vm, 7000, read_all):
        return faults.vm.run(["socat", "-u", "OPEN:/etc/hostname", "VSOCK-CONNECT:2:7000"], check=False).rc == 0


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    with FaultVM("faults-host", preload=True) as faults:
        faults.check("pages used again while a slow encoder holds the picture", slow, "released", 12)
        faults.check("pages used again as soon as they were asked for", slow, "poison", 12)
        faults.check("resources gone or changed before a slow stream's look-up", slow, "vanish", 24)
        faults.check("an encoder that fails twice", failing)
        faults.check("an encoder that loses its session", losing)
        faults.check("an encoder that cannot be opened", unopened)
        faults.check("encoders that hang for 10 s", hanging)
        if "ASAN_OPTIONS" in os.environ:
            faults.tap.skip("no memory for pictures", "the sanitizer's allocator stands before faults-preload.c's; "
                            "test-memory.c refuses each of these allocations, under the sanitizer too")
        else:
            faults.check("no memory for pictures", without_memory)
        faults.check("descriptors exhausted", without_descriptors)
        return faults.end()


if __name__ == "__main__":
    sys.exit(main())
