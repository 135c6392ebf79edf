#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/run-in-root and what its runs share: which cache folders it accepts, locks, commands that are interrupted.

As root, which it is in the build root: files are given to another user, and a mount namespace is made.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from pycotap import LogMode, TAPTestRunner

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN_IN_ROOT = os.path.join(PROJECT, 'tools/run-in-root')
TOOLS = os.path.join(PROJECT, 'tools')
OTHER = 65534       # the uid of another user


def key(kind):
    return subprocess.run([os.path.join(TOOLS, 'make-root'), '--key', kind], capture_output=True, text=True,
                          check=True).stdout.strip()


class FolderTest(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('needs root')
        self.top = tempfile.mkdtemp(prefix='helix-run-in-root-')
        self.addCleanup(shutil.rmtree, self.top)

    def path(self, *names):
        return os.path.join(self.top, *names)


class Cache(FolderTest):
    """Nothing is run from a cache, and nothing in it is written, that is not the caller's own."""

    def setUp(self):
        super().setUp()
        self.cache = self.path('cache')
        self.root = os.path.join(self.cache, 'root-' + key('build'))
        os.mkdir(self.cache, 0o755)
        os.mkdir(self.root, 0o755)
        os.mkdir(os.path.join(self.cache, 'guest-' + key('guest')), 0o755)

    def run_in_root(self, *command, cache=None, mounted=True):
        """Its answer to a command. The build root in the cache is, if @mounted, a second view of the one that this is; and so
        is the system that tools/run-in-root stands in, for it needs a root that is a mount."""
        view = self.path('view')
        os.makedirs(view, exist_ok=True)
        script = ('mount --make-rprivate / 2>/dev/null; view=$1 root=$2; shift 2; mount --rbind / "$view" || exit; '
                  '[ -z "$root" ] || mount --bind / "$view$root" || exit; exec chroot "$view" "$@"')
        return subprocess.run(['unshare', '--mount', '--propagation', 'unchanged', 'sh', '-c', script, 'sh', view,
                               self.root if mounted else '', RUN_IN_ROOT, 'shell', *command], capture_output=True, text=True,
                              env=dict(os.environ, HELIX_CACHE=cache or self.cache), check=False)

    def refuse(self, *words, **options):
        done = self.run_in_root('echo', 'it was run', **options)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn('it was run', done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_cache_of_ones_own_is_taken(self):
        done = self.run_in_root('echo', 'it was run')
        self.assertEqual((done.returncode, done.stdout), (0, 'it was run\n'), done.stderr)

    def test_a_link_to_a_cache_of_ones_own_is_taken(self):
        os.symlink(self.cache, self.path('link'))
        self.assertEqual(self.run_in_root('echo', 'it was run', cache=self.path('link')).stdout, 'it was run\n')

    def test_another_users_cache_is_refused(self):
        os.chown(self.cache, OTHER, OTHER)
        self.refuse(f'belongs to uid {OTHER}', 'HELIX_CACHE')

    def test_a_cache_below_another_users_folder_is_refused(self):
        os.chown(self.top, OTHER, OTHER)
        self.refuse(self.top, f'belongs to uid {OTHER}')
        self.refuse(self.top, f'belongs to uid {OTHER}', cache=self.path('new', 'cache'))
        self.assertFalse(os.path.exists(self.path('new')))

    def test_a_cache_that_others_may_write_is_refused(self):
        os.chmod(self.cache, 0o775)
        self.refuse('may be written by others', 'chmod go-w')

    def test_a_cache_below_a_folder_that_others_may_write_is_refused(self):
        os.chmod(self.top, 0o777)
        self.refuse(self.top, 'others may write')
        os.chmod(self.top, 0o1777)      # as /tmp is: users cannot rename each other's files there
        self.assertEqual(self.run_in_root('true').returncode, 0)

    def test_a_planted_root_is_not_run(self):
        os.chown(self.root, OTHER, OTHER)
        self.refuse(f'{self.root} belongs to uid {OTHER}', mounted=False)     # the mount would hide it

    def test_a_lock_that_is_a_link_is_refused(self):
        victim = self.path('victim')
        with open(victim, 'w', encoding='utf-8') as file:
            file.write('precious\n')
        os.symlink(victim, os.path.join(self.cache, 'lock'))
        self.refuse('lock is a symbolic link')
        with open(victim, encoding='utf-8') as file:
            self.assertEqual(file.read(), 'precious\n')


class Tools(FolderTest):
    """What runs inside of the root."""

    def python(self, code, *arguments, **options):
        code = f'import sys; sys.path.insert(0, {TOOLS!r}); import steps; steps.LOGS = {self.path("logs")!r}\n' + code
        return subprocess.Popen([sys.executable, '-B', '-c', code, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **options)

    def test_a_lock_follows_no_link_and_keeps_content(self):
        victim, link = self.path('victim'), self.path('lock')
        with open(victim, 'w', encoding='utf-8') as file:
            file.write('precious\n')
        os.symlink(victim, link)
        code = 'with steps.locked(sys.argv[1], "it"): print("the lock is held")'
        refused = self.python(code, link)
        said = refused.communicate()[0]
        self.assertNotIn('the lock is held\n', said.splitlines(True))
        self.assertIn('a plain file of your own', said)
        self.assertEqual(self.python(code, victim).communicate()[0], 'the lock is held\n')
        with open(victim, encoding='utf-8') as file:
            self.assertEqual(file.read(), 'precious\n')

    def test_two_builds_of_one_folder_take_turns(self):
        source = self.path('source')
        os.mkdir(source)
        for name, text in (('meson.build', "project('p', 'c')\nexecutable('p', 'p.c')\n"),
                           ('p.c', 'int main(void) { return 0; }\n')):
            with open(os.path.join(source, name), 'w', encoding='utf-8') as file:
                file.write(text)
        code = f'import build; build.BUILDS = {self.path("builds")!r}; build.meson("b", "b", sys.argv[1])'
        both = [self.python(code, source) for _ in range(2)]
        said = [process.communicate()[0] for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], said)

    def test_an_interrupted_command_may_put_its_things_in_order(self):
        child = ('import os, signal, sys, time\n'
                 'def tidy(*_):\n'
                 '    time.sleep(0.3)\n'
                 '    open(sys.argv[2], "w").close()\n'
                 '    sys.exit(1)\n'
                 'signal.signal(signal.SIGTERM, tidy)\n'
                 'open(sys.argv[1], "w").close()\n'
                 'time.sleep(600)\n')
        code = ('import main, signal\n'
                'signal.signal(signal.SIGTERM, main.on_terminate)\n'
                'with steps.Step("s", "s") as step: step.run([sys.executable, "-c", *sys.argv[1:]])\n')
        begun, tidied = self.path('begun'), self.path('tidied')
        parent = self.python(code, child, begun, tidied)
        while not os.path.exists(begun):
            self.assertIsNone(parent.poll())
            time.sleep(0.02)
        parent.send_signal(signal.SIGTERM)
        parent.communicate()
        self.assertTrue(os.path.exists(tidied))


if __name__ == '__main__':
    unittest.main(testRunner=TAPTestRunner(LogMode.LogToError, LogMode.LogToError))
