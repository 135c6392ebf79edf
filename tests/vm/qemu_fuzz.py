# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 7200
"""QEMU's own generic device fuzzer (docs/devel/testing/fuzzing.rst in its tree) over helix-vsock and a 2D virtio-gpu with
helix-frame-export=on, in a QEMU built with ASan and UBSan. Bounded: HELIX_FUZZ_SECONDS each (default 300).

The fuzzer writes to the devices' registers and answers each of their DMA reads with bytes of its own. Its seeds, made
here, set the device up as a driver does and hand it a packet or a command; without them it would have to find out how.
A finding whose report names a file of ours fails the suite; one of QEMU's alone is shown.
"""

import glob
import os
import re
import struct
import subprocess
import sys
import tempfile

import qemu
from qemu import FIRMWARE
from steps import OUT
from tap import Tap

SECONDS = int(os.environ.get("HELIX_FUZZ_SECONDS", "300"))
DEVICES = "-device helix-vsock-pci,guest-cid=3 -device virtio-gpu-pci,helix-frame-export=on"
REGIONS = 8             # memory regions of one device, of which a seed does not know which is which

# Operations of generic_fuzz.c, and what stands between them.
OP_WRITE, OP_ADD_DMA_PATTERN, OP_CLEAR_DMA_PATTERNS, OP_CLOCK_STEP = 3, 7, 8, 9
SEPARATOR = b"FUZZ"
BYTE, WORD, LONG = 0, 1, 2

# virtio 1.2, clause 4.1.4.3: the common configuration structure.
FEATURE_SELECT, FEATURE, STATUS, QUEUE_SELECT, QUEUE_SIZE, QUEUE_ENABLE, QUEUE_DESC = 8, 12, 20, 22, 24, 28, 32


def write(region, size, offset, value):
    return struct.pack("<BBBxxIQ", OP_WRITE, size, region, offset, value)


def pattern(data):
    return bytes([OP_ADD_DMA_PATTERN, 0, 0]) + data


def descriptor(length, flags=0):
    return struct.pack("<QIHH", 0x300000, length, flags, 0)


def set_up(common, queues):
    ops = [write(common, BYTE, STATUS, 0), write(common, BYTE, STATUS, 3), write(common, LONG, FEATURE_SELECT, 1),
           write(common, LONG, FEATURE, 1), write(common, BYTE, STATUS, 11)]
    for queue in range(queues):
        base = 0x100000 + queue * 0x10000
        ops += [write(common, WORD, QUEUE_SELECT, queue), write(common, WORD, QUEUE_SIZE, 64)]
        ops += [write(common, LONG, QUEUE_DESC + 8 * part, base + 0x4000 * part) for part in range(3)]
        ops += [write(common, WORD, QUEUE_ENABLE, 1)]
    return ops + [write(common, BYTE, STATUS, 15)]


def vsock_packet(op, port, length=0):
    """virtio 1.2, clause 5.10.6"""
    return struct.pack("<QQIIIHHIIII", 3, 2, 1024, port, length, 1, op, 0, 65536, 0, 0) + b"x" * length


def gpu_command(kind, *words):
    """virtio 1.2, clause 5.7.6.7"""
    return struct.pack("<IIQIII", kind, 0, 0, 0, 0, 0)[:24] + struct.pack("<%dI" % len(words), *words)


def requests(device):
    """What the device is given: (queue, bytes that it reads)."""
    if device == "vsock":
        frame = struct.pack("<IBBHI", 0x52465848, 0x10, 0, 1, 4) + b"ping"
        return [(1, vsock_packet(1, 5000)), (1, vsock_packet(1, 9)), (1, vsock_packet(3, 5000)),
                (1, vsock_packet(4, 5000)), (1, vsock_packet(5, 5000)[:-16] + frame), (0, b"")]
    return [(0, gpu_command(0x0101, 1, 2, 64, 64)), (0, gpu_command(0x0106, 1, 1, 0x400000, 0, 16384, 0)),
            (0, gpu_command(0x0103, 0, 0, 64, 64, 0, 1)), (0, gpu_command(0x0105, 0, 0, 64, 64, 0, 0, 1, 0)),
            (0, gpu_command(0x0102, 1, 0)), (0, gpu_command(0x0100))]


def write_seeds(device, folder):
    """Set-up, then one request, for each way in which the regions may be numbered."""
    number = 0
    queues = 3 if device == "vsock" else 2
    for common in range(REGIONS):
        for notify in range(common + 1, REGIONS):
            for queue, data in requests(device):
                ops = set_up(common, queues)
                ops += [pattern(b"\1\0"), pattern(b"\0\0"), pattern(descriptor(len(data) or 4096, 0 if data else 2)),
                        pattern(data or b"\0")]
                ops += [write(notify, WORD, queue * 4, queue), bytes([OP_CLOCK_STEP])]
                with open(os.path.join(folder, "seed-%03d" % number), "wb") as seed:
                    seed.write(SEPARATOR.join(ops))
                number += 1
    return number


def environment(device, extra=""):
    firmware = " ".join("-L " + folder for folder in FIRMWARE)
    objects = {"vsock": "helix* virtio-pci-*vsock*", "gpu": "virtio-gpu* virtio-pci-*gpu*"}[device]
    return dict(os.environ, QEMU_FUZZ_ARGS="-machine q35 -nodefaults %s %s %s" % (firmware, DEVICES, extra),
                QEMU_FUZZ_OBJECTS=objects, ASAN_OPTIONS="detect_leaks=0", UBSAN_OPTIONS="print_stacktrace=1")


def reach(fuzzer, device, folder):
    """What of our code the seeds come to, by its trace-events."""
    argv = [fuzzer, "--fuzz-target=generic-fuzz"] + sorted(glob.glob(os.path.join(folder, "*")))
    done = subprocess.run(argv, env=environment(device, "-trace helix_* -trace virtio_gpu_cmd*"), capture_output=True,
                          text=True, errors="replace", timeout=600)
    counts = {}
    for name in re.findall(r"\b(helix_\w+|virtio_gpu_cmd_\w+)", done.stderr + done.stdout):
        counts[name] = counts.get(name, 0) + 1
    return counts


def reports(fuzzer, device, artifacts):
    """What the sanitizers say to each input that was kept."""
    for path in sorted(glob.glob(os.path.join(artifacts, "*"))):
        done = subprocess.run([fuzzer, "--fuzz-target=generic-fuzz", path], env=environment(device), capture_output=True,
                              text=True, errors="replace", timeout=600)
        yield os.path.basename(path), done.returncode, done.stderr


def fuzz(tap, fuzzer, device):
    with tempfile.TemporaryDirectory(prefix="helix-fuzz-") as work:
        seeds, corpus, artifacts = (os.path.join(work, name) for name in ("seeds", "corpus", "artifacts"))
        for folder in (seeds, corpus, artifacts):
            os.mkdir(folder)
        n_seeds = write_seeds(device, seeds)
        reached = reach(fuzzer, device, seeds)
        print("# %s: %d seeds reach %s" % (device, n_seeds, reached), flush=True)
        wanted = "helix_vsock_from_guest" if device == "vsock" else "virtio_gpu_cmd_res_create_2d"
        tap.check(reached.get(wanted), "%s: the seeds come as far as %s" % (device, wanted), reached)
        argv = [fuzzer, "--fuzz-target=generic-fuzz", "-fork=2", "-ignore_crashes=1", "-ignore_timeouts=1",
                "-ignore_ooms=1", "-max_len=2048", "-timeout=20", "-rss_limit_mb=4096",
                "-max_total_time=%d" % SECONDS, "-artifact_prefix=%s/" % artifacts, corpus, seeds]
        done = subprocess.run(argv, env=environment(device), capture_output=True, text=True, errors="replace",
                              timeout=SECONDS + 600)
        lines = re.findall(r"^#(\d+): cov: (\d+)", done.stderr, re.M)
        runs, coverage = (int(number) for number in lines[-1]) if lines else (0, 0)
        said = re.findall(r"^.*runtime error:.*$", done.stderr, re.M)
        ours = [line for line in said if "hw/display/helix" in line]
        print("# %s: %d executions in %d s, coverage %d, %d inputs kept as findings, %d runtime errors" % (
            device, runs, SECONDS, coverage, len(os.listdir(artifacts)), len(said)), flush=True)
        for name, status, report in reports(fuzzer, device, artifacts):
            summary = re.findall(r"^(?:SUMMARY|.*(?:ERROR|Assertion|runtime error)).*$", report, re.M)
            print("# %s: status %d: %s" % (name, status, "; ".join(summary[:4])))
            if "hw/display/helix" in report:
                ours += summary or [report[-2000:]]
                keep = os.path.join(OUT, "fuzz")
                os.makedirs(keep, exist_ok=True)
                os.replace(os.path.join(artifacts, name), os.path.join(keep, device + "-" + name))
        tap.check(runs > 0, "%s: the fuzzer ran" % device, done.stderr[-2000:])
        tap.check(not ours, "%s: nothing found in hw/display/helix" % device, "\n".join(ours))


def main():
    tap = Tap()
    fuzzer = qemu.build_sanitized()[1]
    for device in ("vsock", "gpu"):
        fuzz(tap, fuzzer, device)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
