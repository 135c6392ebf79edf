#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
""".github/workflows/macos.yml: each job's steps in their order, as a runner would, with stand-ins for what a Mac and GitHub have.

A runner's rules, as GitHub's documents have them: a step without "shell" is run by bash -e in the workspace; after a failure only steps whose
condition has always() or cancelled() are run; an artifact is the files of its paths.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

import yaml
from pycotap import LogMode, TAPTestRunner

from stand_ins import PROJECT, STAND_IN, MacTest

WORKFLOW = os.path.join(PROJECT, ".github", "workflows", "macos.yml")
# GitHub's standard runners that were not announced to end (actions/runner-images, November 2026).
RUNNERS = {"ubuntu-24.04", "macos-15", "macos-26", "macos-15-intel"}
# The first major versions that run in node 24, or later ones, and inputs that their action.yml has.
ACTIONS = {
    "actions/checkout@v6": set(),
    "actions/cache@v5": {"path", "key", "restore-keys"},
    "actions/upload-artifact@v7": {"name", "path", "compression-level", "retention-days"},
    "actions/download-artifact@v8": {"name"},
}
# Keys that GitHub's "Workflow syntax" names; True is what YAML 1.1 makes of the key "on".
KEYS = {
    "workflow": {"name", "run-name", True, "permissions", "env", "defaults", "concurrency", "jobs"},
    "job": {"name", "permissions", "needs", "if", "runs-on", "environment", "concurrency", "outputs", "env", "defaults", "steps",
            "timeout-minutes", "strategy", "continue-on-error", "container", "services", "uses", "with", "secrets"},
    "strategy": {"matrix", "fail-fast", "max-parallel"},
    "container": {"image", "credentials", "env", "ports", "volumes", "options"},
    "step": {"id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env", "continue-on-error", "timeout-minutes"},
}
RUN_IN_ROOT = """#!/bin/sh
echo "run-in-root $*" >>"$STAND_IN_FOLDER/calls"
grep -qs no-root "$STAND_IN_FOLDER/fail" && exit 1
mkdir -p out/macos-guest/include/virgl
for name in kernel image initrd payload; do echo $name >out/macos-guest/$name; done
"""
MODEL = "hw/display/helix/capture/resource-resolver.c"

with open(WORKFLOW, encoding="utf-8") as file:
    TEXT = file.read()
ALL = yaml.safe_load(TEXT)
JOBS = ALL["jobs"]


def matrix_of(job):
    return job.get("strategy", {}).get("matrix", {}).get("include", [{}])


def problems(workflow):
    """What GitHub would refuse of it: unknown keys, jobs, and values in expressions."""
    found = []

    def keys(kind, where, value):
        found.extend("%s: no key %s of a %s" % (where, key, kind) for key in value if key not in KEYS[kind])

    keys("workflow", "workflow", workflow)
    for name, job in workflow["jobs"].items():
        keys("job", name, job)
        keys("strategy", name, job.get("strategy", {}))
        keys("container", name, job.get("container", {}))
        if job.get("needs", name) not in workflow["jobs"]:
            found.append("%s: needs no job of this file" % name)
        ids = set()
        for step in job["steps"]:
            keys("step", name, step)
            if ("uses" in step) == ("run" in step):
                found.append("%s: a step either runs or uses" % name)
            ids.add(step.get("id"))
        matrix = {key for row in matrix_of(job) for key in row}
        text = json.dumps(job)
        for context, value in re.findall(r"\b(matrix|steps|needs|secrets|inputs|vars|env)\.([\w-]+)", text):
            if value not in {"matrix": matrix, "steps": ids}.get(context, ()):
                found.append("%s: no %s.%s" % (name, context, value))
        for call in re.findall(r"(\w+)\(", " ".join(re.findall(r"\$\{\{(.*?)\}\}", text))):
            if call not in ("hashFiles", "always", "cancelled", "success", "failure"):
                found.append("%s: no function %s" % (name, call))
    return found


class Workflow(unittest.TestCase):
    def test_schema(self):
        self.assertEqual(problems(ALL), [])

    def test_mistakes_are_found(self):
        for right, wrong in (("timeout-minutes: 60", "timeout-minuts: 60"), ("needs: guest", "needs: gest"), ("matrix.gl", "matrix.lg"),
                             ("id: kept", "id: keep"), ("hashFiles(", "hashfile("), ("fail-fast", "failfast"), ("image:", "img:"),
                             ("concurrency:", "concurency:"), ("      - name: Report\n", "      - name: Report\n        uses: x\n")):
            self.assertIn(right, TEXT)
            self.assertTrue(problems(yaml.safe_load(TEXT.replace(right, wrong))), wrong)

    def test_runners_and_limits(self):
        for name, job in JOBS.items():
            self.assertIn("timeout-minutes", job, name)
            labels = [row.get("runner") for row in matrix_of(job)] if "matrix" in job["runs-on"] else [job["runs-on"]]
            for label in labels:
                self.assertIn(label, RUNNERS)

    def test_actions(self):
        for job in JOBS.values():
            for step in job["steps"]:
                if "uses" in step:
                    self.assertIn(step["uses"], ACTIONS)
                    self.assertLessEqual(set(step.get("with", {})), ACTIONS[step["uses"]])

    def test_no_expression_in_a_script(self):
        for name, job in JOBS.items():
            for step in job["steps"]:
                self.assertNotIn("${{", step.get("run", ""), name)

    @unittest.skipUnless(shutil.which("shellcheck"), "there is no shellcheck")
    def test_shellcheck(self):
        scripts = {"%s, %s" % (name, step["name"]): "#!/bin/bash -e\n" + step["run"] for name, job in JOBS.items() for step in job["steps"] if
                   "run" in step}
        for path in ("tools/mac-report", "tools/utm-build", "packaging/homebrew/make-tap"):
            if os.path.exists(os.path.join(PROJECT, path)):
                with open(os.path.join(PROJECT, path), encoding="utf-8") as script:
                    scripts[path] = script.read()
        for name, script in scripts.items():
            done = subprocess.run(["shellcheck", "-"], input=script, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, name + "\n" + done.stdout)


class Job(MacTest):
    project_parts = ("tools", "qemu", "hw", "tests/macos")

    def setUp(self):
        super().setUp()
        self.write("digest", self.put_qemu_on_the_web())
        for name in ("apt-get", "cc"):
            self.put_stand_in(name)
        shutil.copy(os.path.join(PROJECT, "macos-native.ini"), self.project)
        with open(os.path.join(self.project, "tools", "run-in-root"), "w", encoding="utf-8") as script:
            script.write(RUN_IN_ROOT)
        self.artifacts = {}
        self.summary = self.path("summary")

    def holds(self, step, row, failed, kept):
        """Whether a step is run: its condition is one of the kinds that this file has."""
        condition = step.get("if", "")
        on = re.search(r"matrix\.runner == '([\w-]+)'", condition)
        if on and on.group(1) != row["runner"]:
            return False
        if "cache-hit != 'true'" in condition and kept:
            return False
        left = re.sub(r"matrix\.runner == '[\w-]+'|steps\.kept\.outputs\.cache-hit != 'true'|always\(\)|!cancelled\(\)|&&|\$\{\{|\}\}|\s", "", condition)
        self.assertEqual(left, "", condition)
        return not failed or "always()" in condition or "!cancelled()" in condition

    def artifact(self, step, row):
        inputs = {key: str(value).replace("${{ matrix.runner }}", row.get("runner", "")) for key, value in step.get("with", {}).items()}
        if "upload" in step["uses"]:
            found = [path for pattern in inputs["path"].split() for path in glob.glob(os.path.join(self.project, pattern))]
            self.artifacts[inputs["name"]] = sorted(os.path.relpath(path, self.project) for path in found)
            for path in found:
                if os.path.isfile(path):
                    shutil.copy(path, self.path(os.path.basename(path)))
        elif "download" in step["uses"] and os.path.exists(self.path("guest.tar.zst")):
            shutil.copy(self.path("guest.tar.zst"), self.project)

    def run_job(self, name, row=None, kept=False):
        """Names of the steps that ran, and of those that failed."""
        job, ran, failed = JOBS[name], [], []
        for step in job["steps"]:
            if not self.holds(step, row or {}, failed, kept):
                continue
            if "uses" in step:
                self.artifact(step, row or {})
                continue
            values = {"${{ matrix.gl }}": (row or {}).get("gl"), "${{ github.token }}": "token", "${{ github.repository }}": "a/b"}
            more = {key: values.get(value, str(value)) for key, value in dict(job.get("env", {}), **step.get("env", {})).items()}
            self.assertFalse([value for value in more.values() if "${{" in value])
            script = self.path("step.sh")
            with open(script, "w", encoding="utf-8") as out:
                out.write(step["run"])
            done = self.run_script("bash", "-e", script, GITHUB_STEP_SUMMARY=self.summary, **more)
            ran.append(step["name"])
            if done.returncode:
                failed.append(step["name"])
            self.said = done.stdout
        return ran, failed

    def make_guest(self):
        self.assertEqual(self.run_job("guest"), (["Packages", "Make the guest"], []))

    def report_row(self, runner="macos-15"):
        """A row of the matrix; and QEMU's build leaves compile_commands.json, which a step behind the report reads."""
        folder = os.path.join(self.project, "out", "mac", "qemu-build-2d")
        entry = json.dumps([{"directory": self.project, "file": MODEL, "command": "cc -Ihere -c %s -o x.o" % MODEL}])
        self.put("ninja", '"%s" -B -I -S "%s" ninja "$@" || exit 1\n[ ! -d "%s" ] || echo \'%s\' >"%s/compile_commands.json"' % (
            sys.executable, STAND_IN, folder, entry, folder))
        return next(row for row in matrix_of(JOBS["report"]) if row["runner"] == runner)

    # ---- guest, release ----

    def test_guest(self):
        self.make_guest()
        self.assertEqual(self.artifacts, {"guest": ["guest.tar.zst"]})
        self.assertIn("run-in-root shell python3 /project/tests/macos/export-guest", self.calls())

    def test_guest_of_the_cache(self):
        self.assertEqual(self.run_job("guest", kept=True), (["Packages"], []))

    def test_guest_fails(self):
        for step, condition in (("Packages", "apt-get update"), ("Packages", "apt-get install"), ("Make the guest", "no-root")):
            with self.subTest(condition):
                self.write("fail", condition)
                self.assertEqual(self.run_job("guest")[1], [step])
        self.write("fail")
        self.put("zstd", "exit 1")
        self.assertEqual(self.run_job("guest")[1], ["Make the guest"])

    def test_release(self):
        self.assertEqual(self.run_job("release"), (["Upload the guest"], []))
        self.assertFalse([call for call in self.calls() if call.startswith("gh release create")])
        self.write("fail", "gh release view")       # there is none yet
        self.assertEqual(self.run_job("release"), (["Upload the guest"], []))
        self.assertTrue([call for call in self.calls() if call.startswith("gh release create macos-guest --prerelease")])
        self.assertEqual(self.calls()[-1], "gh release upload macos-guest guest.tar.zst --clobber")
        for condition in (("gh release view", "gh release create"), ("gh release upload",)):
            self.write("fail", *condition)
            self.assertEqual(self.run_job("release")[1], ["Upload the guest"])

    # ---- report ----

    def test_report(self):
        self.make_guest()
        names = ["Report", "Show it", "Build QEMU without configure", "Compile what a GL device adds"]
        self.assertEqual(self.run_job("report", self.report_row()), (names, []), getattr(self, "said", ""))
        self.assertEqual(self.artifacts["report-macos-15"], ["mac-report-Mac16_1-26.1.txt", "out/mac/core/meson-logs", "out/mac/film-2d",
                                                             "out/mac/film-gl", "out/mac/log"])
        with open(self.summary, encoding="utf-8") as summary:
            self.assertIn("Apple M4", summary.read())
        self.assertTrue([call for call in self.calls() if call.startswith("cc -I") and "apple" in call])

    def test_report_elsewhere(self):
        self.make_guest()
        self.assertEqual(self.run_job("report", self.report_row("macos-15-intel")), (["Report", "Show it"], []))
        self.assertFalse([call for call in self.calls() if "startergo" in call])

    def test_report_without_a_guest(self):
        self.assertEqual(self.run_job("report", self.report_row("macos-26")), (["Report", "Show it"], []))
        with open(self.summary, encoding="utf-8") as summary:
            self.assertIn("--guest FILE", summary.read())

    def test_report_fails(self):
        self.make_guest()
        row = self.report_row()
        for conditions, failed in ((("meson compile",), ["Report"]),
                                   (("meson setup out/mac/qemu-plain",), ["Build QEMU without configure"]),
                                   (("ninja -C out/mac/qemu-plain",), ["Build QEMU without configure"]),
                                   (("cc -I",), ["Compile what a GL device adds"])):
            with self.subTest(conditions):
                self.write("fail", *conditions)
                ran, found = self.run_job("report", row)
                self.assertEqual((len(ran), found), (4, failed))

    def test_no_report(self):
        self.write("fail", "xcode-select")
        self.assertEqual(self.run_job("report", self.report_row("macos-26")), (["Report", "Show it"], ["Report", "Show it"]))


if __name__ == "__main__":
    sys.exit(not TAPTestRunner(LogMode.LogToDiagnostics, LogMode.LogToDiagnostics).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])).wasSuccessful())
