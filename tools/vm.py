# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine of ours for tests and the demo: start it, run commands in it, look into QEMU, stop it.

A test is a Python script tests/vm/NAME.py; `make check SUITE=vm-NAME` builds QEMU, the guest and its programs and runs
it in the build root, with this folder on its path:

    from vm import VM

    with VM(gpu="virtio-gpu-gl-pci") as vm:                 # boots; raises VMError if it does not
        vm.run(["uname", "-r"]).out                         # bytes; raises VMError unless the status is 0
        vm.run("false", check=False).rc                     # a string goes to sh -c
        with vm.start(["socat", "-", "VSOCK-LISTEN:7000"]) as process:
            process.write(b"text"); process.close_input()   # its standard input
            process.wait(timeout=20)                        # Result(rc, out, err); or kill(signal), .out, .err so far
        vm.push("host/file", "/tmp/file"); vm.pull("/tmp/file", "host/file")
        vm.helix_stats()                                    # the module's statistics, a dict
        vm.qmp("query-status")                              # any QMP command; keyword arguments
        vm.uds_path                                         # helix-vsock-pci's uds-path: <it>_<port> is guest-to-host
        vm.desktop(1280, 720)                               # PipeWire and Mutter (or Weston) with one virtual monitor
        vm.start(vm.cast("vsockenc ! h264parse ! filesink location=/tmp/film.h264"))

Arguments of VM (all optional):
    gpu="virtio-gpu-gl-pci"   device model; "virtio-vga-gl", "virtio-gpu-pci" (2D), "virtio-vga"; None: no GPU
    gpu_options=""            more properties of that -device: "blob=on,hostmem=256M"
    export=True               helix-frame-export=on, given by -global
    encoder=None              helix-encoder=
    vsock=True                helix-vsock-pci with guest CID 3 and a uds-path
    vsock_slot=None           name of a PCIe slot of its own for that device, from which it can be unplugged
    extra=()                  more arguments for QEMU
    append=""                 more of the kernel's command line
    environment={}            variables for QEMU
    display=None              QEMU's arguments of a display, where @gpu is None: a list
    memory="3G", cpus=2, name="vm", accel=None (tried: kvm, else tcg)

In the guest: tests/guest's and guest/'s programs in /helix/bin (built for it), everything of guest/ in /helix,
GST_PLUGIN_PATH has vsockenc, a session D-Bus is there, all is root's. Commands are run over a virtio-serial port, which
needs neither vsock nor network. Console and QEMU's own output are kept in out/log/NAME-console.log and NAME-qemu.log.

A test prints TAP (tools/tap.py helps), ends with status 0 if all passed, 77 if it can't run here
(the reason on its last line), anything else if something failed; it has 10 minutes. Lines that begin with "#" are
shown.
"""

import json
import os
import select
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import namedtuple

import accel as accelerators
from qemu import FIRMWARE
from steps import LOGS, StepError, host_path

RUN = "/run/helix"                              # this run's folder: Built.save() writes built.json there
GUEST_CID = 3
BOOT_SECONDS = int(os.environ.get("HELIX_BOOT_SECONDS", "120"))

Result = namedtuple("Result", "rc out err")


def built():
    """What Built.save() left; HELIX_QEMU names another emulator."""
    with open(os.path.join(RUN, "built.json")) as file:
        paths = json.load(file)
    paths["qemu"] = os.environ.get("HELIX_QEMU", paths["qemu"])
    return paths


class VMError(StepError):
    """The VM or a command in it did not do what was asked; the message says what and where its log is."""


class Display:
    """Where virgl draws: a DRM render node if there is one that works, else SDL on an X server without a screen."""

    def __init__(self, emulator, log):
        self.process = None
        self.environment = dict(os.environ)
        if accelerators.render_node_works(emulator):
            self.arguments = ["-display", "egl-headless"]
            return
        read, write = os.pipe()
        self.process = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1920x1200x24", "-nolisten",
                                         "tcp"], pass_fds=[write], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(write)
        number = ""
        while not number.endswith("\n") and select.select([read], [], [], 30)[0]:
            part = os.read(read, 16).decode()
            if not part:
                break
            number += part
        os.close(read)
        number = number.strip()
        if not number:
            self.close()
            raise VMError("Xvfb did not start: see %s" % host_path(log.name))
        self.environment.update(DISPLAY=":" + number, SDL_VIDEODRIVER="x11", SDL_VIDEO_X11_FORCE_EGL="1",
                                LIBGL_ALWAYS_SOFTWARE="1")
        self.arguments = ["-display", "sdl,gl=on"]

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Qmp:
    """QEMU's monitor protocol, one command at a time.

    Not qemu.qmp: Debian has no package of it, and newer trees of QEMU hold it as a wheel, which Debian's source leaves out. The
    reproducers of docs/upstream, too, run where there is only a binary.
    """

    def __init__(self, path):
        self.socket = connect(path)
        self.file = self.socket.makefile("rw")
        self.lock = threading.Lock()
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        with self.lock:
            self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
            self.file.flush()
            while True:
                line = self.file.readline()
                if not line:
                    raise VMError("QEMU closed its monitor during '%s'" % name)
                answer = json.loads(line)
                if "error" in answer:
                    raise VMError("%s: %s" % (name, answer["error"]["desc"]))
                if "return" in answer:
                    return answer["return"]


class Process:
    """A command in the guest. As a context manager it is killed when the block ends."""

    def __init__(self, vm, number, argv):
        self.vm, self.number, self.argv = vm, number, argv
        self.out, self.err = bytearray(), bytearray()
        self.rc = None
        self.error = None
        self.data = b""             # of a pull

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.rc is None and self.error is None and self.vm.alive():
            self.kill()

    def write(self, data):
        """Bytes for its standard input."""
        for at in range(0, len(data), 1 << 16):
            self.vm.send({"op": "stdin", "id": self.number}, data[at:at + (1 << 16)])

    def close_input(self):
        self.vm.send({"op": "stdin", "id": self.number})

    def kill(self, number=signal.SIGKILL):
        """Send a signal to the command and its children."""
        self.vm.send({"op": "kill", "id": self.number, "signal": int(number)})

    def done(self):
        return self.rc is not None or self.error is not None

    def wait(self, timeout=60):
        """Result when it has ended; VMError (and the command killed) when it has not within @timeout seconds."""
        if not self.vm.wait_for(self.done, timeout):
            self.kill()
            raise VMError("'%s' did not end within %s s%s" % (shown(self.argv), timeout, self._tail()))
        if self.error is not None:
            raise VMError("'%s': %s" % (shown(self.argv), self.error))
        return Result(self.rc, bytes(self.out), bytes(self.err))

    def _tail(self):
        text = bytes(self.out[-500:] + self.err[-1500:]).decode(errors="replace").strip()
        return "; it said:\n" + text if text else ""

    def check(self, timeout=60):
        """wait(), and VMError unless it ended with 0."""
        result = self.wait(timeout)
        if result.rc:
            raise VMError("'%s' ended with %d%s" % (shown(self.argv), result.rc, self._tail()))
        return result


def shown(argv):
    text = argv if isinstance(argv, str) else " ".join(argv)
    return text if len(text) < 200 else text[:197] + "..."


def connect(path, seconds=20):
    """Connect to a UNIX socket that QEMU makes while it starts."""
    end = time.monotonic() + seconds
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


class VM:
    def __init__(self, gpu="virtio-gpu-gl-pci", gpu_options="", export=True, encoder=None, vsock=True, extra=(),
                 append="", environment=(), vsock_slot=None, memory="3G", cpus=2, name="vm", accel=None, display=None):
        self.built = built()
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="vm-", dir=RUN)
        self.uds_path = os.path.join(self.folder, "vsock")
        self.console_path = os.path.join(LOGS, name + "-console.log")
        self.qemu_log_path = os.path.join(LOGS, name + "-qemu.log")
        self.accel = accel or accelerators.best(self.built["qemu"], self.built["kernel"])
        self.gpu, self.cpus, self.memory = gpu, cpus, memory
        self.append, self.environment = append, dict(environment)
        self.no_display = display or ["-display", "none"]       # where the tests' own is not made
        self._next = 1
        self.arguments = self._machine() + self._devices(gpu, gpu_options, export, encoder)
        self.arguments += self._vsock(vsock_slot) if vsock else []
        self.arguments += extra
        self.process = self.display = self.agent = self._qmp = None
        self.changed = threading.Condition()
        self.send_lock = threading.Lock()
        self.commands = {}
        self.gone = False
        self.hello = None           # seconds from the kernel's start to the agent's
        self.boot_seconds = None    # from start() to the agent's first word

    def _machine(self):
        path = self.folder
        arguments = ["-machine", "q35", "-accel", self.accel, "-cpu", "host" if self.accel == "kvm" else "max",
                     "-smp", str(self.cpus), "-m", self.memory, "-nodefaults", "-no-reboot", "-no-user-config",
                     "-kernel", self.built["kernel"], "-initrd", self.built["initrd"], "-append",
                     "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on tsc=reliable " + self.append,
                     "-serial", "file:" + self.console_path, "-qmp", "unix:%s/qmp,server=on,wait=off" % path,
                     "-drive", "if=virtio,format=raw,snapshot=on,cache=unsafe,file=" + self.built["image"],
                     "-drive", "if=virtio,format=raw,readonly=on,file=" + self.built["payload"],
                     "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                     "-chardev", "socket,id=agent,path=%s/agent,server=on,wait=off" % path,
                     "-device", "virtserialport,chardev=agent,name=helix.agent"]
        for folder in FIRMWARE:
            arguments += ["-L", folder]
        return arguments

    def _devices(self, gpu, options, export, encoder):
        arguments = []
        if gpu:
            device = "virtio-gpu-gl-device" if "-gl" in gpu else "virtio-gpu-device"
            if export:
                arguments += ["-global", device + ".helix-frame-export=on"]
            if encoder:
                arguments += ["-global", device + ".helix-encoder=" + encoder]
            arguments += ["-device", "%s,id=gpu%s" % (gpu, "," + options if options else "")]
        return arguments

    def _vsock(self, slot):
        device = "helix-vsock-pci,id=vsock,guest-cid=%d,uds-path=%s" % (GUEST_CID, self.uds_path)
        if not slot:
            return ["-device", device]
        return ["-device", "pcie-root-port,chassis=1,id=" + slot, "-device", device + ",bus=" + slot]

    def __enter__(self):
        try:
            self.launch()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def launch(self, timeout=BOOT_SECONDS):
        """Start QEMU and wait until the guest's agent answers."""
        try:
            self._launch(timeout)
        except VMError:
            if not self._lost_its_timer():
                raise
            print("# %s: the guest's kernel lost its timer while it booted (its console says so): booted once more" %
                  self.name, flush=True)
            self.close()
            self.watcher.join()
            self.gone = False
            self._launch(timeout)

    def _lost_its_timer(self):
        """Linux under TCG on a busy machine now and then does, before it loads any driver of the devices that are tested."""
        if self.hello is not None or not self.alive():
            return False
        with open(self.console_path, "rb") as log:
            return b"kthread timer wakeup didn't happen" in log.read()

    def _launch(self, timeout):
        begin = time.monotonic()
        os.makedirs(LOGS, exist_ok=True)
        self.qemu_log = open(self.qemu_log_path, "wb")
        self.display = Display(self.built["qemu"], self.qemu_log) if self.gpu else None
        argv = [self.built["qemu"]] + self.arguments
        argv += self.display.arguments if self.display else self.no_display
        self.qemu_log.write((" ".join(map(shlex.quote, argv)) + "\n").encode())
        self.qemu_log.flush()
        environment = dict(self.display.environment if self.display else os.environ, **self.environment)
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.qemu_log, stderr=self.qemu_log,
                                        env=environment)
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        try:
            self._qmp = Qmp(os.path.join(self.folder, "qmp"))
            self.agent = connect(os.path.join(self.folder, "agent"))
        except (OSError, ValueError):
            raise VMError("QEMU did not start%s" % self.last_words()) from None
        threading.Thread(target=self._receive, daemon=True).start()
        if not self.wait_for(lambda: self.hello is not None, timeout):
            raise VMError("the guest did not come up within %d s%s" % (timeout, self.last_words()))
        self.boot_seconds = time.monotonic() - begin

    def last_words(self):
        """What QEMU and the guest's console said last, for messages."""
        text = ""
        for path in (self.qemu_log_path, self.console_path):
            if os.path.exists(path):
                with open(path, "rb") as log:
                    lines = log.read()[-3000:].decode(errors="replace").splitlines()[-12:]
                text += "; the end of %s:\n  | %s" % (host_path(path), "\n  | ".join(lines))
        return text

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def _watch(self):
        self.process.wait()
        with self.changed:
            self.gone = True
            self.changed.notify_all()

    def wait_for(self, condition, timeout):
        """Wait until @condition() is true (asked whenever something came from the guest). FALSE after @timeout seconds;
        VMError when QEMU is gone."""
        end = time.monotonic() + timeout
        with self.changed:
            while not condition():
                if self.gone:
                    raise VMError("QEMU ended with %s%s" % (self.process.returncode, self.last_words()))
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self.changed.wait(min(left, 1))
        return True

    # ---- the control channel ----

    def _read(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.agent.recv(min(size - len(data), 1 << 20))
            if not part:
                raise OSError("closed")
            data += part
        return bytes(data)

    def _receive(self):
        try:
            while True:
                head, body = struct.unpack("<II", self._read(8))
                header = json.loads(self._read(head))
                data = self._read(body)
                with self.changed:
                    self._dispatch(header, data)
                    self.changed.notify_all()
        except (OSError, ValueError):
            pass

    def _dispatch(self, header, data):
        if "hello" in header:
            self.hello = header["hello"]
            return
        command = self.commands.get(header.get("id"))
        if not command:
            return
        if "stream" in header:
            (command.out if header["stream"] == "out" else command.err).extend(data)
        else:
            command.data = data
            command.error = header.get("error")
            command.rc = header.get("rc")
            del self.commands[command.number]

    def send(self, header, data=b""):
        text = json.dumps(header).encode()
        with self.send_lock:
            try:
                self.agent.sendall(struct.pack("<II", len(text), len(data)) + text + bytes(data))
            except OSError as error:
                raise VMError("the guest's agent is gone: %s%s" % (error, self.last_words())) from None

    def _command(self, header, argv, data=b""):
        with self.changed:
            number = self._next
            self._next = number + 1
            command = Process(self, number, argv)
            self.commands[number] = command
        self.send(dict(header, id=number), data)
        return command

    def start(self, argv, env=None, cwd=None):
        """Start a command in the guest (a list, or a string for sh -c); returns its Process at once."""
        listed = ["sh", "-c", argv] if isinstance(argv, str) else list(argv)
        return self._command({"op": "run", "argv": listed, "env": env, "cwd": cwd}, argv)

    def run(self, argv, timeout=60, check=True, env=None, cwd=None, stdin=b""):
        """Run a command in the guest to its end; VMError if it fails and @check, or takes longer than @timeout."""
        process = self.start(argv, env, cwd)
        if stdin:
            process.write(stdin)
        process.close_input()
        return process.check(timeout) if check else process.wait(timeout)

    def push(self, source, target, mode=0o644):
        """Copy a file (or bytes) into the guest."""
        if not isinstance(source, (bytes, bytearray)):
            with open(source, "rb") as file:
                source = file.read()
        self._command({"op": "push", "path": target, "mode": mode}, "push " + target, source).check(300)

    def pull(self, source, target=None):
        """Copy a file out of the guest; returns its bytes, and writes them to @target if given."""
        command = self._command({"op": "pull", "path": source}, "pull " + source)
        command.check(300)
        if target:
            with open(target, "wb") as file:
                file.write(command.data)
        return command.data

    # ---- the desktop ----

    def desktop(self, width=1280, height=720, compositor="mutter"):
        """Start PipeWire and Mutter (or "weston") with a virtual monitor, and return when it can be captured."""
        self.run(["/helix/desktop", str(width), str(height), compositor], timeout=150)

    def cast(self, pipeline, *options):
        """argv of guest/cast.py: `gst-launch-1.0 -m -e pipewiresrc path=<Mutter's ScreenCast> ! PIPELINE`. SIGINT ends
        it in order (end of stream). Options of cast.py first."""
        return ["python3", "/helix/cast.py"] + list(options) + ["--", pipeline]

    # ---- QEMU ----

    def qmp(self, command, **arguments):
        return self._qmp.command(command, **arguments)

    def helix_stats(self):
        """helix-stats of the exporting GPU."""
        value = self.qmp("qom-get", path="/machine/peripheral/gpu", property="helix-stats")
        return json.loads(value) if isinstance(value, str) else value

    def power_off(self, timeout=20):
        """Let the guest end by itself; FALSE (QEMU was killed) if it did not."""
        if self.alive() and self.agent:
            self.agent.shutdown(socket.SHUT_WR)
            self.agent.close()
            try:
                self.process.wait(timeout)
                return True
            except subprocess.TimeoutExpired:
                pass
        self.close()
        return False

    def close(self):
        """Kill what still runs."""
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
        if self.agent:
            self.agent.close()
        if self.display:
            self.display.close()
        if getattr(self, "qemu_log", None):
            self.qemu_log.close()
