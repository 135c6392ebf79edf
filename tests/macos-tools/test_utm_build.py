#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/utm-build with stand-ins for a Mac's programs and for UTM's scripts: prerequisites, each step, and going on after a failure.

Nothing of UTM is here: the stand-ins of its scripts only look at how they are called, and leave what later steps look for.
"""
import os
import sys
import unittest

from pycotap import LogMode, TAPTestRunner

from stand_ins import MacTest

STEPS = ["clone", "python", "source", "integrate", "libraries", "app", "package"]
SCRIPTS = {
    "scripts/build_dependencies.sh": 'echo "libraries $*" >>"$STAND_IN_FOLDER/calls"\n! grep -qs no-libraries "$STAND_IN_FOLDER/fail"\n',
    "scripts/build_utm.sh": 'echo "app $*" >>"$STAND_IN_FOLDER/calls"\ngrep -qs no-app "$STAND_IN_FOLDER/fail" && exit 1\n'
                            'while [ "$1" != -o ]; do shift; done\nmkdir -p "$2.xcarchive/Products/Applications/UTM.app"\n',
    "scripts/package_mac.sh": 'echo "package $*" >>"$STAND_IN_FOLDER/calls"\ngrep -qs no-package "$STAND_IN_FOLDER/fail" && exit 1\n'
                              'grep -qs no-image "$STAND_IN_FOLDER/fail" || echo image >"$3/UTM.dmg"\n',
    "patches/sources": '#!/bin/sh\nJSON_SRC="https://example.org/json.tar.xz"\n'
                       'QEMU_SRC="https://example.org/v10.0.2-utm/qemu-10.0.2-utm.tar.xz"\n',
    "patches/qemu-10.0.2-utm.patch": "--- a/VERSION\n+++ b/VERSION\n@@ -1 +1,1 @@\n-10.0.2\n+10.0.2-utm\n",
    "patches/data/qemu-10.0.2-utm/pc-bios/firmware.fd": "firmware of UTM's\n",
}


class UtmBuild(MacTest):
    project_parts = ("tools", "qemu", "hw")

    def setUp(self):
        super().setUp()
        self.put_qemu_on_the_web(name="qemu-10.0.2-utm.tar.xz")
        for name, text in SCRIPTS.items():
            path = os.path.join(self.folder, "web", "UTM", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + text if name.endswith(".sh") else text)
            if name.endswith(".sh"):
                os.chmod(path, 0o755)
        self.work = self.path("work")
        self.app = self.path("Applications", "UTM.app")     # the user's own
        os.makedirs(self.app)
        # More than is needed, whatever this machine has.
        self.put("df", 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "disk 1 1 ${STAND_IN_KIB:-99999999} 1% /"')

    def build(self, *options, status=0, **more):
        done = self.run_script(os.path.join(self.project, "tools", "utm-build"), "--work", self.work, *options, **more)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def done(self):
        folder = os.path.join(self.work, "done")
        return [step for step in STEPS if os.path.exists(os.path.join(folder, step))]

    def scripts(self):
        """Calls of UTM's scripts, by their stand-ins' own words."""
        return [call for call in self.calls() if call.split()[0] in ("libraries", "app", "package")]

    # ---- prerequisites ----

    def test_each_missing_prerequisite_is_named(self):
        self.put_formulae_there()
        for condition, words in (("xcodebuild -version", "Xcode (the Command Line Tools are not enough)"),
                                 ("xcodebuild -checkFirstLaunchStatus", "xcodebuild -runFirstLaunch"),
                                 ("xcrun -sdk macosx metal", "xcodebuild -downloadComponent MetalToolchain"),
                                 ("brew list --versions bison", "brew install bison")):
            with self.subTest(condition):
                self.write("fail", condition)
                said = self.build(status=1)
                self.assertIn(words, said)
                self.assertEqual(said.count("\n  - "), 1, said)
                self.assertFalse(os.path.exists(self.work))

    def put_formulae_there(self):
        self.write("ninja-there")

    def test_missing_programs(self):
        for name, words in (("curl", "the command curl"), ("python3", "the command python3"), ("git", "the command git"),
                            ("brew", "https://brew.sh")):
            with self.subTest(name):
                self.setUp()
                self.remove(name)
                self.assertIn(words, self.build(status=1))
                self.assertFalse(os.path.exists(self.work))

    def test_all_that_is_missing_is_named_at_once(self):
        self.write("fail", "xcodebuild", "xcrun", "brew list")
        said = self.build(status=1)
        self.assertEqual(said.count("\n  - "), 4, said)
        self.assertIn("brew install llvm spirv-llvm-translator libxcb libxrandr bison gettext glib-utils libgpg-error nasm meson cmake", said)

    def test_little_space(self):
        self.assertIn("2 GiB free", self.build(status=1, STAND_IN_KIB="3000000"))

    def test_elsewhere(self):
        self.put("uname", "echo Linux")
        self.assertIn("this is for a Mac", self.build(status=1))

    def test_arguments(self):
        for options, words in ((("--no",), "unknown argument"), (("--from", "nowhere"), "there is no step"), (("--tag",), "needs a value"),
                               (("--work", self.path("a b")), "a blank")):
            self.assertIn(words, self.build(*options, status=1))
        self.assertIn("--dry-run", self.build("--help"))

    # ---- steps ----

    def test_whole(self):
        said = self.build()
        self.assertEqual(self.done(), STEPS)
        with open(os.path.join(self.work, "qemu", "VERSION"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "10.0.2-utm\n")               # UTM's patch was applied
        self.assertTrue(os.path.exists(os.path.join(self.work, "qemu", "pc-bios", "firmware.fd")))
        self.assertTrue(os.path.exists(os.path.join(self.work, "qemu", "hw", "display", "helix", "helix-frame-export.h")))
        self.assertEqual(self.scripts(), ["libraries -p macos -a arm64 -q %s/qemu" % self.work,
                                          "app -k macosx -s macOS -a arm64 -o %s/UTM" % self.work,
                                          "package unsigned %s/UTM.xcarchive %s" % (self.work, self.work)])
        self.assertIn("pip install six pyparsing pyyaml setuptools distlib mako", self.calls())
        self.assertIn("git clone --depth 1 --branch v5.0.3 --recurse-submodules --shallow-submodules https://github.com/utmapp/UTM.git %s/UTM" %
                      self.work, self.calls())
        self.assertIn("UTM.dmg is done", said)
        self.assertEqual(os.listdir(self.app), [])
        self.assertEqual(os.listdir(self.home), [])

    def test_intel(self):
        self.put("uname", '[ "$1" = -m ] && echo x86_64 || echo Darwin')
        self.build()
        self.assertIn("-a x86_64", self.scripts()[0])

    def test_dry_run_prints_the_steps_and_does_nothing(self):
        said = self.build("--dry-run")
        self.assertEqual([line[3:] for line in said.splitlines() if line.startswith("== ")], STEPS)
        for words in ("git clone", "pip install six", "patch -d", "qemu/integrate", "scripts/build_dependencies.sh -p macos -a arm64 -q",
                      "scripts/build_utm.sh -k macosx -s macOS", "scripts/package_mac.sh unsigned"):
            self.assertIn(words, said)
        self.assertFalse(os.path.exists(self.work))
        self.assertFalse([call for call in self.calls() if call.startswith(("git clone", "curl", "pip"))])

    def test_goes_on_after_each_failure(self):
        failures = (("clone", "git clone"), ("python", "-m venv"), ("python", "pip install"), ("source", "curl --fail"), ("libraries", "no-libraries"),
                    ("app", "no-app"), ("package", "no-package"), ("package", "no-image"))
        for step, condition in failures:
            with self.subTest(condition):
                self.write("fail", condition)
                said = self.build(status=1)
                before = STEPS[:STEPS.index(step)]
                self.assertIn("step '%s' failed" % step, said)
                self.assertEqual(self.done(), before)
        self.write("fail")
        said = self.build()
        self.assertEqual(self.done(), STEPS)
        self.assertEqual(said.count(": done before"), len(STEPS) - 1)
        self.assertEqual(len([call for call in self.scripts() if call.startswith("libraries")]), 2)    # the failed one, and one

    def test_a_refused_tree(self):
        self.put_qemu_on_the_web(name="qemu-10.0.2-utm.tar.xz", files={"hw/display/meson.build": "other\n"})
        self.assertIn("does not have the line", self.build(status=1))
        self.assertEqual(self.done(), ["clone", "python", "source"])

    def test_a_patch_that_does_not_apply(self):
        path = os.path.join(self.folder, "web", "UTM", "patches", "qemu-10.0.2-utm.patch")
        with open(path, "w", encoding="utf-8") as file:
            file.write("--- a/VERSION\n+++ b/VERSION\n@@ -1 +1,1 @@\n-9.1\n+9.2\n")
        self.assertIn("step 'source' failed", self.build(status=1))

    def test_another_utm(self):
        with open(os.path.join(self.folder, "web", "UTM", "patches", "sources"), "w", encoding="utf-8") as file:
            file.write("ELSE=1\n")
        self.assertIn("names no QEMU_SRC", self.build(status=1))

    def test_from_does_a_step_and_those_behind_it_again(self):
        self.build()
        said = self.build("--from", "app")
        self.assertEqual(said.count(": done before"), 5)
        self.assertEqual([call.split()[0] for call in self.scripts()], ["libraries", "app", "package", "app", "package"])

    def test_one_folder_is_one_version(self):
        self.build()
        self.assertIn("holds UTM v5.0.3, not v5.0.4", self.build("--tag", "v5.0.4", status=1))


if __name__ == "__main__":
    sys.exit(not TAPTestRunner(LogMode.LogToDiagnostics, LogMode.LogToDiagnostics).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])).wasSuccessful())
