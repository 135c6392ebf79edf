# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 1800
"""2,000 frames through a VM with connects, resizes and failures mixed in: what QEMU holds afterwards is what it held
before. Some rounds of everything warm up; then memory, descriptors and threads are counted, and again at the end.

QEMU runs with one malloc arena: with the usual many, which of them a new thread gets moves resident memory by several MiB
and says nothing of what is held. Large blocks are mapped, and so given back when they are freed: left to itself the C
library learns to take them from its heap, whose holes then move resident memory as much. What malloc has given out and not
got back is compared too, which no fragmentation blurs. QEMU's own threads for disk I/O come and go, and are not counted.
"""

import os
import re
import sys
import time

from faultvm import FaultVM
from vm import VMError

FRAMES = 2000
ROUND = 100             # frames a round, each with everything mixed in
SLACK_KIB = 2048
SETTLE_SECONDS = 15
WARM_UP = 25            # rounds
SHARED_RAM = ("-object", "memory-backend-memfd,id=ram,size=3G,share=on", "-machine", "memory-backend=ram")


def status(pid, name):
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise KeyError(name)


def resident(pid):
    """KiB of anonymous memory, by what it is: the C library's heap and arenas, threads' stacks, and the rest."""
    sizes, kind = {}, ""
    with open("/proc/%d/smaps" % pid) as file:
        for line in file:
            mapping = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if mapping:
                start, end, access, name = mapping.groups()
                length = int(end, 16) - int(start, 16)
                arena = not name and int(start, 16) % (64 << 20) == 0 and length < 64 << 20
                kind = "heap" if name == "[heap]" or arena else "file" if name else "rwx" if "x" in access else "anonymous"
            elif line.startswith("Anonymous:"):
                sizes[kind] = sizes.get(kind, 0) + int(line.split()[1])
    return sizes


def threads(pid):
    """{name: how many}"""
    names = {}
    for number in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, number)) as file:
            name = file.read().strip()
        names[name] = names.get(name, 0) + 1
    return names


def measure(faults):
    """(resident KiB, descriptors, threads) once they have settled; QEMU's idle I/O threads stay for ten seconds."""
    pid = faults.vm.process.pid
    time.sleep(SETTLE_SECONDS)
    print("# resident KiB: %s; threads: %s" % (resident(pid), threads(pid)))
    return status(pid, "RssAnon"), len(os.listdir("/proc/%d/fd" % pid)), sum(
        count for name, count in threads(pid).items() if name != "worker")


class Soak:
    """The client; a round is ROUND frames by connections that come and go, with resizes and failures on the way."""

    def __init__(self, faults):
        self.faults = faults
        self.process = faults.vm.start(faults.client("soak", ROUND))
        self.rounds = 0
        self.wait()

    def wait(self):
        wanted = b"round %d\n" % self.rounds
        if not self.faults.vm.wait_for(lambda: wanted in self.process.out or self.process.done(), 120) or \
                wanted not in self.process.out:
            raise VMError("round %d does not end: %s" % (self.rounds, bytes(self.process.err).decode()[-500:]))

    def round(self):
        self.faults.encoders.order(fail_frames=2)
        self.rounds += 1
        self.process.write(b".")
        self.wait()


def compare(tap, before, after, held):
    print("# resident %d KiB, then %d KiB (%+d); descriptors %d, %d; threads %d, %d" % (
        before[0], after[0], after[0] - before[0], before[1], after[1], before[2], after[2]))
    tap.check(after[0] - before[0] <= SLACK_KIB, "resident memory is within 2 MiB of its start",
              "%d KiB more" % (after[0] - before[0]))
    print("# allocated and not freed: %d KiB, then %d KiB (%+d)" % (held[0], held[1], held[1] - held[0]))
    tap.check(held[1] - held[0] <= SLACK_KIB, "allocated memory is within 2 MiB of its start",
              "%d KiB more" % (held[1] - held[0]))
    tap.check(after[1] == before[1], "descriptors are as before", "%d, then %d" % (before[1], after[1]))
    tap.check(after[2] == before[2], "threads are as before", "%d, then %d" % (before[2], after[2]))


def main():
    soaked = FaultVM("soak", preload=True, guest_stream=False, host_stream=False,
                     extra=SHARED_RAM + ("-name", "soak,debug-threads=on"))
    soaked.vm.environment.update(MALLOC_ARENA_MAX="1", MALLOC_MMAP_THRESHOLD_="131072", MALLOC_TRIM_THRESHOLD_="131072")
    # The guest's memory and TCG's translations are not ours: the first is counted apart, the second are soon complete.
    soaked.vm.arguments = [re.sub("^tcg,.*", r"\g<0>,tb-size=32", word) for word in soaked.vm.arguments]
    with soaked as faults:
        client = Soak(faults)
        for _ in range(WARM_UP):
            client.round()
        before = measure(faults)
        held = [faults.encoders.count("held_kib")]
        first = faults.vm.helix_stats()["frames"]
        for _ in range(FRAMES // ROUND):
            client.round()
            print("# after %d: %d KiB" % (client.rounds * ROUND, status(faults.vm.process.pid, "RssAnon")))
        after = measure(faults)
        held.append(faults.encoders.count("held_kib"))
        last = faults.vm.helix_stats()["frames"]
        requests = last["requests"] - first["requests"]
        print("# %d requests, %d of them encoded; %d failures of the encoder in all" % (
            requests, last["encoded"] - first["encoded"], faults.encoders.count("failed")))
        faults.tap.check(requests >= FRAMES, "%d frames, with connects, resizes and failures" % FRAMES, requests)
        compare(faults.tap, before, after, held)
        client.process.close_input()
        return faults.end()


if __name__ == "__main__":
    sys.exit(main())
