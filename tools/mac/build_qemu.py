# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU with the module on a Mac: its release, integrated, with the GL device if the libraries for one are there."""

import hashlib
import os
import shutil

from runner import Skip, StepFailed

VERSION = "10.0.2"      # what UTM's fork and Homebrew's formula (packaging/homebrew) begin with too
URL = "https://download.qemu.org/qemu-%s.tar.xz" % VERSION
SHA256 = "ef786f2398cb5184600f69aef4d5d691efd44576a3cff4126d38d4c6fec87759"
EMULATOR = "qemu-system-x86_64"

# Taps of Homebrew by a third party: ANGLE (EGL and OpenGL ES on Metal), an epoxy with EGL, a virglrenderer for both.
TAPS = ("startergo/angle", "startergo/libepoxy", "startergo/virglrenderer")
FORMULAE = ("startergo/angle/angle", "startergo/libepoxy/libepoxy", "startergo/virglrenderer/virglrenderer")
GL_NAMES = ("angle", "libepoxy", "virglrenderer")

CONFIGURE = ["--target-list=x86_64-softmmu", "--disable-docs", "--disable-tools", "--disable-guest-agent", "--enable-slirp",
             "--enable-pixman"]
WITH_GL = ["--enable-opengl", "--enable-virglrenderer", "--enable-sdl"]
WITHOUT_GL = ["--disable-opengl", "--disable-virglrenderer", "--disable-sdl"]


def digest(path):
    result = hashlib.sha256()
    with open(path, "rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            result.update(part)
    return result.hexdigest()


def fetch(runner, folder):
    """The release's archive in @folder, looked at before it is used; an earlier run's is kept."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, os.path.basename(URL))
    if not os.path.exists(path):
        runner.run(["curl", "--fail", "--location", "--silent", "--show-error", "--retry", "3", "-o", path + ".part", URL])
        os.rename(path + ".part", path)
    found = digest(path)
    if found != SHA256:
        os.rename(path, path + ".wrong")
        raise StepFailed("%s has the SHA-256 %s, not %s" % (URL, found, SHA256))
    return path


def unpack(runner, archive, tree):
    if os.path.isdir(tree):
        return
    shutil.rmtree(tree + ".new", ignore_errors=True)
    os.makedirs(tree + ".new")
    runner.run(["tar", "-C", tree + ".new", "--strip-components=1", "-xf", archive])
    os.rename(tree + ".new", tree)


def integrate(runner, project, tree):
    program = os.path.join(project, "qemu", "integrate")
    runner.run(["python3", program, tree])
    runner.run(["python3", program, tree, "--check"])


def install_gl(runner):
    """The libraries of the GL device, from the taps."""
    for tap in TAPS:
        runner.run(["brew", "tap", tap], seconds=600)
    if runner.run(["brew", "trust", "--help"], check=False) == 0:       # Homebrew 6: a formula of a foreign tap needs it
        runner.run(["brew", "trust", "--formula", *FORMULAE])
    runner.run(["brew", "install", *FORMULAE, "sdl2"], seconds=5400)


def gl_environment(runner):
    """Variables by which a build finds the taps' libraries rather than Homebrew's own."""
    folders = [runner.output(["brew", "--prefix", formula]).strip() for formula in FORMULAE]
    return {"PKG_CONFIG_PATH": ":".join(os.path.join(folder, "lib", "pkgconfig") for folder in folders)}


def build(runner, tree, build_folder, gl):
    """Configure and build; returns the emulator's path."""
    shutil.rmtree(build_folder, ignore_errors=True)
    os.makedirs(build_folder)
    environment = gl_environment(runner) if gl else {}
    runner.run([os.path.join(tree, "configure"), *CONFIGURE, *(WITH_GL if gl else WITHOUT_GL)], cwd=build_folder, env=environment)
    runner.run(["ninja", "-C", build_folder, EMULATOR], seconds=7200, env=environment)
    emulator = os.path.join(build_folder, EMULATOR)
    device = "virtio-gpu-gl-device" if gl else "virtio-gpu-device"
    if "helix-frame-export" not in runner.output([emulator, "-device", device + ",help"]):
        raise StepFailed("%s has no %s with helix-frame-export" % (emulator, device))
    return emulator


def fetch_guest(runner, project, given, folder):
    """The folder of the tests' guest: @given (a folder or an archive), that of an earlier run, or the project's release."""
    if given and os.path.isdir(given):
        return given
    local = os.path.join(project, "out", "macos-guest")
    if not given and os.path.isdir(local):
        return local
    target = os.path.join(folder, "macos-guest")
    if not given and os.path.isdir(target):
        return target
    archive = given or download_guest(runner, project, folder)
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    runner.run(["sh", "-c", 'zstd -dc -- "$1" | tar -C "$2" -xf -', "sh", os.path.abspath(archive), folder])
    if not os.path.exists(os.path.join(target, "kernel")):
        raise StepFailed("%s holds no macos-guest/kernel" % archive)
    return target


def download_guest(runner, project, folder):
    """guest.tar.zst of the release macos-guest of the repository that this checkout came from; the workflow keeps it there."""
    origin = runner.output(["git", "-C", project, "remote", "get-url", "origin"], check=False).strip()
    where = origin[:-len(".git")] if origin.endswith(".git") else origin
    for start in ("git@github.com:", "ssh://git@github.com/"):
        if where.startswith(start):
            where = "https://github.com/" + where[len(start):]
    if not where.startswith("https://github.com/"):
        raise Skip("no guest: --guest FILE gives one (make mac-report GUEST=FILE); docs/macos.md says where they come from")
    path = os.path.join(folder, "guest.tar.zst")
    os.makedirs(folder, exist_ok=True)
    runner.run(["curl", "--fail", "--location", "--silent", "--show-error", "--retry", "3", "-o", path,
                where + "/releases/download/macos-guest/guest.tar.zst"], seconds=3600)
    return path
