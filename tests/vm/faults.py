# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that misbehave: clients killed at any moment, readers that do not read, resources that vanish or change under
the same id, pages that serve something else, too many connections, streams and pixels. See faultvm.py for what has to
hold after each."""

import random
import sys
import time

from faultvm import FaultVM

KILLS = 12
STORM = 1000

STORM_SCRIPT = r'''
import errno, select, socket, sys
n, port = int(sys.argv[1]), int(sys.argv[2])
poll, made, open_, refused = select.poll(), {}, 0, 0
for _ in range(n):
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    s.setblocking(False)
    s.connect_ex((2, port))
    made[s.fileno()] = s
    poll.register(s, select.POLLOUT)
while len(made) > open_:
    events = poll.poll(30000)
    if not events:
        sys.exit("%d of %d connections have no answer" % (len(made) - open_, n))
    for fd, _ in events:
        poll.unregister(fd)
        if made[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            made.pop(fd).close()
            refused += 1
        else:
            open_ += 1
print("%d taken, %d refused" % (open_, refused))
sys.exit(0 if open_ + refused == n and open_ else "none was taken")
'''


def kill_clients(faults):
    """At a random moment of its life, with requests under way or none."""
    for number in range(KILLS):
        with faults.vm.start(faults.client("stream")) as process:
            if not faults.started(process):
                return "the client did not start: %s" % bytes(process.err).decode()
            time.sleep(random.uniform(0, 0.3))
            process.kill()
            process.wait(30)
    if not gone(faults):
        return "the streams of killed clients are still there: %s" % faults.vm.helix_stats()["streams"]
    return True


def gone(faults):
    """Only the bystanders are left."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if faults.vm.helix_stats()["connections"]["now"] <= len(faults.bystanders):
            return True
        time.sleep(0.2)
    return False


def silent(faults, seconds):
    return faults.play("silent", seconds, timeout=seconds + 120, film=False)


def vanish(faults):
    return faults.play("vanish", 60)


def storm(faults):
    result = faults.vm.run(["python3", "-c", STORM_SCRIPT, str(STORM), "5000"], timeout=120, check=False)
    print("# storm: " + result.out.decode().strip())
    return result.rc == 0 or result.err.decode()


def streams(faults):
    """Sixteen with the bystanders."""
    return faults.play("streams", 16 - len(faults.bystanders))


def huge(faults):
    return faults.play("huge", timeout=180)


def main():
    with FaultVM("faults") as faults:
        faults.check("clients killed at any moment", kill_clients)
        faults.check("resources destroyed, resized or made again between request and answer", vanish)
        faults.check("%d connections in a storm" % STORM, storm)
        faults.check("sixteen streams at once, and one too many", streams)
        faults.check("a guest that does not read for 10 s", silent, 10)
        faults.check("a resource of 16384 x 16384", huge)
        return faults.end()


if __name__ == "__main__":
    sys.exit(main())
