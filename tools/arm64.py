# SPDX-License-Identifier: GPL-2.0-or-later
"""An arm64 Debian 13 to build against and to run programs from, on a machine that has no arm64: packages downloaded
with an apt state of their own and unpacked, never installed: what runs of arm64 here runs under qemu-aarch64.
"""

import hashlib
import os
import re
import shutil
import subprocess

from steps import CACHE, Step, StepError, locked

MACHINE = "aarch64-linux-gnu"
ARCHITECTURE = "arm64"

# What the guest's part is built against, and what its tests run.
WANTED = ("libc6-dev", "libglib2.0-dev", "libgstreamer1.0-dev", "libgstreamer-plugins-base1.0-dev", "libdrm-dev", "libva-dev",
          "gstreamer1.0-plugins-base", "gstreamer1.0-tools", "libgstreamer-plugins-bad1.0-0", "base-files")

# Without what they depend on, which is large: of its plugins the tests load "va" alone.
ALONE = ("gstreamer1.0-plugins-bad",)

# Of what these depend on: large, and neither linked nor loaded here.
UNUSED = re.compile(r"^(libllvm|libz3-|mesa-|iso-codes|fonts-|python3|libpython3|perl|gir1.2-glib-2.0-dev|dpkg$|tar$)")


def apt(state, *arguments):
    """argv of an apt-get that knows of arm64 alone, with everything it writes in @state."""
    folders = {"Dir::State": state, "Dir::State::lists": state + "/lists", "Dir::State::status": state + "/status",
               "Dir::Cache": state + "/cache", "Dir::Cache::archives": state + "/archives",
               "Dir::Etc::sourceparts": "-"}
    settings = {"APT::Architecture": ARCHITECTURE, "APT::Architectures": ARCHITECTURE, "APT::Sandbox::User": "root",
                "APT::Install-Recommends": "false", "Acquire::Languages": "none", "Acquire::Retries": "3"}
    options = ["-o%s=%s" % item for item in list(folders.items()) + list(settings.items())]
    return ["apt-get", "-q", "-y"] + options + list(arguments)


def download(step, state):
    """Paths of the packages of WANTED and what they depend on, and of ALONE, base-files first: it has the links /lib and /bin."""
    for name in ("lists/partial", "archives/partial", "cache"):
        os.makedirs(os.path.join(state, name))
    open(os.path.join(state, "status"), "w").close()
    step.run(apt(state, "update"))
    listed = subprocess.run(apt(state, "install", "--print-uris", *WANTED), capture_output=True, text=True, check=False)
    names = [re.sub("_.*", "", line.split()[1]) for line in listed.stdout.splitlines() if line.startswith("'")]
    if listed.returncode or not names:
        raise StepError("apt can't resolve the arm64 packages: %s" % listed.stderr.strip()[-500:])
    step.progress("%d packages" % len(names))
    folder = os.path.join(state, "archives")
    step.run(apt(state, "download", *ALONE, *(name for name in names if not UNUSED.match(name))), cwd=folder)
    files = sorted(name for name in os.listdir(folder) if name.endswith(".deb"))
    return [os.path.join(folder, name) for name in sorted(files, key=lambda name: not name.startswith("base-files_"))]


def remember(admin, root, package):
    """An entry for @package in dpkg's database at @admin, with the paths its files have from here: dpkg-shlibdeps asks
    it which package a library is of, and for the symbols file of that package."""
    info = os.path.join(admin, "info")
    control = os.path.join(admin, "control")
    shutil.rmtree(control, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-e", package, control], check=True)
    with open(os.path.join(control, "control")) as file:
        fields = file.read().strip()
    name = re.search(r"^Package: (\S+)", fields, re.M).group(1)
    if re.search(r"^Multi-Arch: same", fields, re.M):
        name += ":" + ARCHITECTURE
    for kind in ("symbols", "shlibs"):
        if os.path.exists(os.path.join(control, kind)):
            shutil.copy(os.path.join(control, kind), os.path.join(info, "%s.%s" % (name, kind)))
    listed = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    paths = subprocess.run(["tar", "-t"], input=listed, check=True, capture_output=True).stdout.decode()
    with open(os.path.join(info, name + ".list"), "w") as file:
        file.writelines(root + path.lstrip(".").rstrip("/") + "\n" for path in paths.splitlines())
    shutil.rmtree(control)
    return re.sub(r"^(Package: .*)$", r"\1\nStatus: install ok installed", fields, count=1, flags=re.M) + "\n\n"


def unpack(root, packages):
    admin = os.path.join(root, "var/lib/dpkg")
    final = sysroot_path()          # the name it has when it is whole
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    shutil.rmtree(admin, ignore_errors=True)
    os.makedirs(os.path.join(admin, "info"))
    with open(os.path.join(admin, "info", "format"), "w") as file:
        file.write("1\n")
    with open(os.path.join(admin, "arch"), "w") as file:
        file.write("amd64\n%s\n" % ARCHITECTURE)
    with open(os.path.join(admin, "status"), "w") as file:
        file.writelines(remember(admin, final, package) for package in packages)
    # Links of -dev packages that lead to /usr/... would leave the tree.
    for top, _, names in os.walk(os.path.join(root, "usr/lib")):
        for name in names:
            path = os.path.join(top, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = root + os.readlink(path)
                os.unlink(path)
                os.symlink(os.path.relpath(target, top), path)


def sysroot_path():
    with open(__file__, "rb") as file:
        return os.path.join(CACHE, "arm64-" + hashlib.sha256(file.read()).hexdigest()[:12])


def sysroot():
    """The path of the unpacked tree, made if it is not there."""
    root = sysroot_path()
    if not os.path.isdir(root):
        with locked(os.path.join(CACHE, "lock"), "the cache"):
            make_sysroot(root)
    os.utime(root)
    return root


def make_sysroot(root):
    if os.path.isdir(root):         # another run was quicker
        return
    new = os.path.join(CACHE, "new.arm64")
    with Step("Debian 13 for arm64, unpacked (once)", "arm64") as step:
        shutil.rmtree(new, ignore_errors=True)
        packages = download(step, os.path.join(new, "apt"))
        step.progress("unpacking %d packages" % len(packages))
        os.makedirs(os.path.join(new, "root"))
        unpack(os.path.join(new, "root"), packages)
        os.rename(os.path.join(new, "root"), root)
        shutil.rmtree(new)


def flags(name):
    """Debian's own compiler or linker flags for arm64, as words."""
    return subprocess.run(["dpkg-architecture", "-a" + ARCHITECTURE, "-f", "-c", "dpkg-buildflags", "--get", name],
                          check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def cross_file(root, path):
    """Write meson's cross file for @root to @path."""
    def words(values):
        return "[%s]" % ", ".join("'%s'" % value for value in values)

    libraries = "%s/usr/lib/%s" % (root, MACHINE)
    with open(path, "w") as file:
        file.write("\n".join((
            "[binaries]", "c = ['ccache', '%s-gcc']" % MACHINE, "ar = '%s-ar'" % MACHINE,
            "strip = '%s-strip'" % MACHINE,
            "pkg-config = 'pkg-config'", "",
            "[built-in options]",
            "c_args = " + words(["--sysroot=" + root] + flags("CFLAGS") + flags("CPPFLAGS")),
            "c_link_args = " + words(["--sysroot=" + root] + flags("LDFLAGS")), "",
            "[properties]", "needs_exe_wrapper = true", "sys_root = '%s'" % root,
            "pkg_config_libdir = '%s/pkgconfig:%s/usr/share/pkgconfig'" % (libraries, root), "",
            "[host_machine]", "system = 'linux'", "cpu_family = 'aarch64'", "cpu = 'aarch64'",
            "endian = 'little'", "")))


def emulated(root, *argv):
    """argv that runs a program of the tree (argv[0], a path in it) under qemu-aarch64; no binfmt_misc is needed."""
    return ["qemu-aarch64", "-L", root, root + argv[0]] + list(argv[1:])
