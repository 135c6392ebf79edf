#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/mac-report with stand-ins for a Mac's programs: what it leaves, each step's failure, and that it names nobody.

HELIX_LATENCY_DOUBLE is bench-latency with the doubles of Apple's frameworks: the report's figures are measured, on this machine.
"""
import ast
import os
import re
import sys
import unittest

from pycotap import LogMode, TAPTestRunner

from stand_ins import PROJECT, USER, MacTest

ALL = ["packages", "core", "suite core", "suite vsock", "suite encoder", "suite videotoolbox", "latency", "gl libraries", "qemu source", "qemu gl",
       "qemu 2d", "guest", "film gl", "film 2d"]
SECRETS = ("Users/" + USER, USER + "@", "Roe", "janes-mac", "Janes-Mac", "Jane", "C02SECRET42", "192.168.7.9")


class Report(MacTest):
    def setUp(self):
        super().setUp()
        self.write("digest", self.put_qemu_on_the_web())
        self.guest = self.put_guest(self.path("guest.tar.zst"))

    def report(self, *options, status=0, file="mac-report-Mac16_1-26.1.txt"):
        """Run it; {step: (state, note)}, and the text of the report."""
        done = self.run_script(os.path.join(self.project, "tools", "mac-report"), "--yes", "--frames", "2", *options)
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertIn(file, os.listdir(self.project), done.stdout)
        with open(os.path.join(self.project, file), encoding="utf-8") as report:
            text = report.read()
        for secret in SECRETS:
            self.assertNotIn(secret.lower(), text.lower())
        steps = text.split("== Steps ==\n\n")[1].split("\n\n== ")[0]
        rows = re.findall(r"^(.{20}) (\w+) +\d+ s  (.*)$", steps, re.M)
        self.assertEqual([row[0].strip() for row in rows], ALL, steps)
        return {row[0].strip(): row[1:] for row in rows}, text

    def assertStates(self, steps, **but):
        """All steps are ok but those named; "_" in a name is a blank."""
        wanted = dict({name: "ok" for name in ALL}, **{name.replace("_", " "): state for name, state in but.items()})
        self.assertEqual({name: state for name, (state, _) in steps.items()}, wanted)

    def refuse(self, *words):
        done = self.run_script(os.path.join(self.project, "tools", "mac-report"), "--yes")
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)
        self.assertFalse([name for name in os.listdir(self.project) if name.startswith("mac-report")])

    # ---- prerequisites ----

    def test_elsewhere(self):
        self.put("uname", "echo Linux")
        self.refuse("this is for a Mac", "Linux")

    def test_no_command_line_tools(self):
        self.write("fail", "xcode-select -p")
        self.refuse("Command Line Tools are missing", "xcode-select --install")

    def test_licence_not_accepted(self):
        self.write("fail", "xcrun --find clang")
        self.refuse("do not give a compiler")

    def test_no_homebrew(self):
        self.remove("brew")
        self.refuse("Homebrew is missing", "https://brew.sh")

    def test_no_python(self):
        self.remove("python3")
        self.refuse("python3 is missing")

    def test_no_such_guest(self):
        done = self.run_script(os.path.join(self.project, "tools", "mac-report"), "--yes", "--guest", self.path("none"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no", done.stdout)

    # ---- all is well ----

    def test_whole(self):
        self.latency = os.environ["HELIX_LATENCY_DOUBLE"]
        steps, text = self.report("--guest", self.guest, "--gl", "taps")
        self.assertStates(steps)
        self.assertEqual(steps["suite core"][1], "2 passed, 0 failed, 1 skipped")
        self.assertIn("Mac16,1", text)
        self.assertIn("Apple M4", text)
        self.assertIn("24 GiB", text)
        self.assertIn("session: hardware (asked for hardware with low-latency rate control)", text)
        rows = re.findall(r"^(720p|1080p|4K) +(\d+) (iosurface|memory) +([\d.]+) +([\d.]+) ", text, re.M)
        self.assertEqual(len(rows), 18, text)
        self.assertTrue(all(0 < float(row[3]) <= float(row[4]) for row in rows), rows)
        self.assertIn('"gl-blit": 9', text)
        self.assertIn('"readback": 60', text)
        row = text.split("== Row for docs/mac-results.md ==\n")[1].splitlines()[0]
        with open(os.path.join(PROJECT, "docs", "mac-results.md"), encoding="utf-8") as file:
            header = re.search(r"^\| date .*$", file.read(), re.M).group(0)
        self.assertEqual(row.count("|"), header.count("|"))
        self.assertIn("gl_version 30 - es profile enabled", row)
        self.assertIn("brew install ninja", self.calls())
        self.assertIn("brew trust --formula startergo/angle/angle startergo/libepoxy/libepoxy startergo/virglrenderer/virglrenderer", self.calls())

    def test_without_taps(self):
        steps, _ = self.report("--guest", self.guest)
        self.assertStates(steps, gl_libraries="skipped", qemu_gl="skipped", film_gl="skipped")
        self.assertFalse([call for call in self.calls() if "startergo" in call])

    def test_second_run_fetches_nothing_again(self):
        self.report("--guest", self.guest)
        self.report("--guest", self.guest)
        self.assertEqual(len([call for call in self.calls() if call.startswith("curl")]), 1)

    def test_guest_of_a_release(self):
        self.write("origin", "git@github.com:somebody/video.git")
        self.put_guest(os.path.join(self.folder, "web", "guest.tar.zst"))
        steps, _ = self.report()
        self.assertEqual(steps["film 2d"][0], "ok")
        self.assertTrue([call for call in self.calls() if call.endswith("https://github.com/somebody/video/releases/download/macos-guest/"
                                                                        "guest.tar.zst")])

    # ---- each step fails ----

    def fail(self, *conditions):
        self.write("fail", *conditions)
        return self.report("--guest", self.guest, "--gl", "taps", status=1)

    def test_packages_fail(self):
        steps, text = self.fail("brew install ninja")
        self.assertStates(steps, packages="failed", **{name.replace(" ", "_"): "skipped" for name in ALL[1:]})
        self.assertIn("needs step 'packages'", steps["core"][1])
        self.assertIn("stand-in failure of USER in ~/project on COMPUTER, ADDRESS", text)

    def test_core_fails(self):
        for call in ("meson setup", "meson compile"):
            with self.subTest(call):
                steps, text = self.fail(call)
                lost = {name.replace(" ", "_"): "skipped" for name in ALL if name.startswith(("suite", "film", "latency"))}
                self.assertStates(steps, core="failed", **lost)
                self.assertIn("== Log of step 'core' ends with ==", text)
                self.assertIn("stand-in failure", text)

    def test_a_test_fails(self):
        steps, text = self.fail("failing test")
        self.assertStates(steps, suite_videotoolbox="failed")
        self.assertEqual(steps["suite videotoolbox"][1], "1 passed, 1 failed, 1 skipped")
        self.assertIn("# a picture is upside down\nnot ok 3 /metal-copy/turned", text)

    def test_meson_test_crashes(self):
        steps, _ = self.fail("--suite encoder")
        self.assertStates(steps, suite_encoder="failed")
        self.assertIn("left no report", steps["suite encoder"][1])

    def test_latency_fails(self):
        self.latency = "false"
        steps, text = self.report("--guest", self.guest, status=1)
        self.assertEqual(steps["latency"][0], "failed")
        self.assertIn("session: not known", text)
        self.assertEqual(len(re.findall(r"iosurface +not measured: ", text)), 9)

    def test_taps_fail(self):
        for call in ("brew tap startergo/libepoxy", "brew trust --formula", "brew install startergo"):
            with self.subTest(call):
                self.write("fail", call)
                steps, text = self.report("--guest", self.guest, "--gl", "taps")     # a report without GL is a report
                self.assertStates(steps, gl_libraries="failed", qemu_gl="skipped", film_gl="skipped")
                self.assertIn("== Log of step 'gl libraries'", text)

    def test_older_homebrew_has_no_trust(self):
        self.write("fail", "brew trust")
        steps, _ = self.report("--guest", self.guest, "--gl", "taps")
        self.assertStates(steps)

    def test_gl_does_not_configure(self):
        self.write("fail", "opengl-fails")
        steps, text = self.report("--guest", self.guest, "--gl", "taps")
        self.assertStates(steps, qemu_gl="failed", film_gl="skipped")
        self.assertIn("epoxy without EGL", text)

    def test_no_download(self):
        steps, text = self.fail("curl")
        self.assertStates(steps, **{name.replace(" ", "_"): "skipped" for name in ("qemu gl", "qemu 2d", "film gl", "film 2d")},
                          qemu_source="failed")

    def test_another_archive(self):
        os.unlink(os.path.join(self.folder, "digest"))
        steps, _ = self.report("--guest", self.guest, status=1)
        self.assertEqual(steps["qemu source"][0], "failed")
        self.assertIn("has the SHA-256", steps["qemu source"][1])
        self.assertEqual(steps["qemu 2d"][0], "skipped")

    def test_tree_is_refused(self):
        self.write("digest", self.put_qemu_on_the_web(files={"VERSION": "9.2.0\n"}))
        steps, text = self.fail("nothing at all")
        self.assertEqual(steps["qemu source"][0], "failed")
        self.assertIn("this is made for 10.0", text)

    def test_qemu_does_not_build(self):
        for condition in ("configure-fails", "ninja -C"):
            with self.subTest(condition):
                steps, _ = self.fail(condition)
                self.assertEqual((steps["qemu 2d"][0], steps["film 2d"][0], steps["latency"][0]), ("failed", "skipped", "ok"))

    def test_guest_is_broken(self):
        with open(self.guest, "w", encoding="utf-8") as file:
            file.write("not an archive")
        steps, _ = self.fail("nothing at all")
        self.assertStates(steps, guest="failed", film_gl="skipped", film_2d="skipped")

    def test_no_guest(self):
        steps, text = self.report()
        self.assertEqual((steps["guest"][0], steps["film 2d"][0]), ("skipped", "skipped"))
        self.assertIn("--guest FILE", steps["guest"][1])

    def test_film_fails(self):
        steps, text = self.fail("film breaks")
        self.assertStates(steps, film_gl="failed", film_2d="failed")
        self.assertIn("VMError: QEMU ended with -6 (socket of ADDRESS)", text)
        self.assertIn("macos-qemu.log ends with:", text)


class Python(unittest.TestCase):
    """The Command Line Tools have Python 3.9."""

    def test_syntax_is_that_of_3_9(self):
        names = [os.path.join("tools/mac", name) for name in os.listdir(os.path.join(PROJECT, "tools/mac")) if name.endswith(".py")]
        names += ["tests/macos/film", "qemu/integrate", "qemu/journal.py", "tools/vm.py", "tools/accel.py", "tools/qemu.py", "tools/steps.py",
                  "tools/meson_results.py", "tests/macos/compile-gl"]
        for name in names:
            with open(os.path.join(PROJECT, name), encoding="utf-8") as file:
                ast.parse(file.read(), name, feature_version=(3, 9))


if __name__ == "__main__":
    sys.exit(not TAPTestRunner(LogMode.LogToDiagnostics, LogMode.LogToDiagnostics).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])).wasSuccessful())
