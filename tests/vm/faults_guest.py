# SPDX-License-Identifier: GPL-2.0-or-later
# suite: long
# seconds: 1200
"""A guest that is stopped, restarted, or loses a driver while it streams: reset, panic and reboot, the GPU's driver let go
and taken again, the same of vsock, helix-vsock pulled out of its slot and put in again, a VM stopped for a while, and a
guest that reads nothing for a minute. See faultvm.py for what has to hold after each."""

import sys
import time

from faultvm import SECONDS, FaultVM
from faults import gone, silent
from vm import VMError

GPU_DRIVER = "/sys/bus/virtio/drivers/virtio_gpu"
VSOCK_DRIVER = "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport"

# The root bus takes no device while the machine runs.
SLOT = "port1"


def restarted(faults, how):
    """The guest goes down in the middle of a stream; nothing of it stays on the host."""
    process = faults.vm.start(faults.client("stream"))
    if not faults.started(process):
        return "the client did not start: %s" % bytes(process.err).decode()
    if not faults.wait_guest(lambda: how(faults.vm)):
        return "the guest did not come up again" + faults.vm.last_words()
    return gone(faults) or "its streams are still there: %s" % faults.vm.helix_stats()["streams"]


def reset(vm):
    vm.qmp("system_reset")


def panic(vm):
    vm.start("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger")


def reboot(vm):
    vm.start("echo b >/proc/sysrq-trigger")


def device_of(vm, driver):
    return vm.run("ls %s | grep '^virtio[0-9]'" % driver).out.decode().strip()


def gpu_driver(faults):
    """Without a driver a stream of resource ids gets errors, one of pixels goes on, and vsock lives."""
    vm = faults.vm
    device = device_of(vm, GPU_DRIVER)
    with vm.start(faults.client("pixels")) as pixels, vm.start(faults.client("stream")) as stream:
        if not faults.started(pixels, b"unit 3") or not faults.started(stream):
            return "the clients did not start"
        vm.run("echo %s >%s/unbind" % (device, GPU_DRIVER))
        if not vm.wait_for(stream.done, SECONDS):
            return "a stream of resource ids does not notice"
        before = pixels.out.count(b"unit")
        if not vm.wait_for(lambda: pixels.out.count(b"unit") > before + 5, SECONDS):
            return "a stream of pixels has stopped: %s" % bytes(pixels.err).decode()
        said = bytes(stream.err).decode()
        if "error -2" not in said:
            return "the stream of resource ids was told %r" % said
        vm.run("echo %s >%s/bind" % (device, GPU_DRIVER))
        pixels.kill(15)
        result = pixels.wait(SECONDS)
    if result.rc:
        return result.err.decode()
    return faults.judge("pixels")


def vsock_driver(faults):
    """Unbound in the middle of a stream: the client's connection ends, and the driver can come back."""
    vm = faults.vm
    device = device_of(vm, VSOCK_DRIVER)
    with vm.start(faults.client("stream")) as stream:
        if not faults.started(stream):
            return "the client did not start"
        vm.run("echo %s >%s/unbind" % (device, VSOCK_DRIVER))
        if not vm.wait_for(stream.done, SECONDS):
            return "the client's connection did not end"
    if not gone(faults):
        return "the host still has its stream: %s" % vm.helix_stats()["streams"]
    vm.run("echo %s >%s/bind" % (device, VSOCK_DRIVER))
    return True


def vsock_module(faults):
    """Linux keeps a closed socket, and with it the module, for some seconds."""
    vm = faults.vm
    vm.run("for i in $(seq 60); do modprobe -r vmw_vsock_virtio_transport 2>/dev/null && exit 0; sleep 0.5; done; exit 1")
    if vm.run(faults.client("once"), check=False).rc == 0:
        return "vsock works without its driver"
    vm.run("modprobe vmw_vsock_virtio_transport")
    return True


def unplug(faults):
    vm = faults.vm
    with vm.start(faults.client("stream")) as stream:
        if not faults.started(stream):
            return "the client did not start"
        vm.qmp("device_del", id="vsock")
        end = time.monotonic() + SECONDS
        while present(vm):
            if time.monotonic() > end:
                return "the device did not go"
            time.sleep(0.2)
        if not vm.wait_for(stream.done, SECONDS):
            return "the client's connection did not end"
    if not gone(faults):
        return "the host still has its stream: %s" % vm.helix_stats()["streams"]
    time.sleep(1)
    vm.qmp("device_add", **{"driver": "helix-vsock-pci", "id": "vsock", "bus": SLOT, "guest-cid": 3,
                            "uds-path": vm.uds_path})
    vm.run("for i in $(seq 100); do ls %s | grep -q '^virtio[0-9]' && exit 0; sleep 0.2; done; exit 1" % VSOCK_DRIVER)
    return True


def present(vm):
    try:
        vm.qmp("qom-get", path="/machine/peripheral/vsock", property="guest-cid")
        return True
    except VMError:
        return False


def stop(faults):
    """Stopped in the middle of a stream, for longer than any frame takes; it goes on where it was."""
    vm = faults.vm
    with vm.start(faults.client("stream")) as stream:
        if not faults.started(stream):
            return "the client did not start"
        for seconds in (0.1, 0.5, 5):
            vm.qmp("stop")
            before = vm.helix_stats()["frames"]["requests"]
            time.sleep(seconds)
            after = vm.helix_stats()["host_paths"]
            vm.qmp("cont")
            time.sleep(0.3)
        stream.kill(15)
        result = stream.wait(SECONDS)
    print("# %d requests before the last stop, host paths %s" % (before, after))
    return result.rc == 0 or result.err.decode()


def main():
    with FaultVM("faults-guest", guest_stream=False, vsock_slot=SLOT) as faults:
        faults.check("the VM is reset while it streams", restarted, reset)
        faults.check("the guest panics while it streams", restarted, panic)
        faults.check("the guest reboots while it streams", restarted, reboot)
        faults.check("the GPU's driver is let go and taken again", gpu_driver)
        faults.check("vsock's driver is let go and taken again", vsock_driver)
        faults.check("vsock's module is unloaded and loaded", vsock_module)
        faults.check("helix-vsock is unplugged and plugged in again", unplug)
        faults.check("the VM is stopped for a while", stop)
        faults.check("a guest that does not read for a minute", silent, 60)
        return faults.end()


if __name__ == "__main__":
    sys.exit(main())
