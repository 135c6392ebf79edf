#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu/integrate on a small tree that has its anchors, and on real ones.

HELIX_QEMU_TREES: QEMU source trees, separated by colons. They are copied as far as the edits reach, and left alone.
"""
import fcntl
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
import unittest
from contextlib import redirect_stderr, redirect_stdout

from pycotap import LogMode, TAPTestRunner

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANIFEST = '.integrated'
INTEGRATE = os.path.join(PROJECT, 'qemu/integrate')
OVERLAY = os.path.join(PROJECT, 'hw/display/helix')

# What the edits need of a tree, with as much around it as could mislead them.
SMALL_TREE = {
    'VERSION': '10.0.2\n',
    'meson.build': "project('qemu')\nconfig_host = keyval.load(meson.current_build_dir() / 'config-host.mak')\n"
                   "trace_events_subdirs += [\n    'hw/core',\n    'hw/display',\n    'hw/dma',\n]\n",
    'hw/display/meson.build': "system_ss.add(files('a.c'))\n\nmodules += { 'hw-display': hw_display_modules }\n",
    'hw/display/virtio-gpu-base.c': 'int untouched;\n',
    'include/hw/virtio/virtio-gpu.h':
        'struct virtio_gpu_simple_resource {\n    uint64_t hostmem;\n};\n\n'
        'struct virtio_gpu_base_conf {\n    uint32_t flags;\n    uint64_t hostmem;\n};\n',
    'hw/display/virtio-gpu.c':
        '#include "hw/virtio/virtio-gpu-pixman.h"\n\nvoid other(void)\n{\n    QTAILQ_INIT(&g->fenceq);\n}\n\n'
        'void virtio_gpu_device_realize(DeviceState *qdev, Error **errp)\n{\n    QTAILQ_INIT(&g->fenceq);\n}\n\n'
        'static const Property virtio_gpu_properties[] = {\n'
        '    VIRTIO_GPU_BASE_PROPERTIES(VirtIOGPU, parent_obj.conf),\n};',
    'hw/display/virtio-gpu-virgl.c':
        '#include "hw/virtio/virtio-gpu-pixman.h"\n\nint other(void)\n{\n    return 0;\n}\n\n'
        'int virtio_gpu_virgl_init(VirtIOGPU *g)\n{\n    if (ret) {\n        return ret;\n    }\n\n    return 0;\n}\n',
}
EDITED = sorted(set(SMALL_TREE) - {'VERSION', 'hw/display/virtio-gpu-base.c'})


def run(tree, *options):
    return subprocess.run([sys.executable, INTEGRATE, tree, *options], capture_output=True, text=True, check=False)


def snapshot(root):
    """{relative name: (mode, bytes)} of all files below @root."""
    result = {}
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, 'rb') as file:
                result[os.path.relpath(path, root)] = (stat.S_IMODE(os.stat(path).st_mode), file.read())
    return result


class TreeTest(unittest.TestCase):
    def setUp(self):
        self.tree = tempfile.mkdtemp(prefix='helix-integrate-')
        self.addCleanup(shutil.rmtree, self.tree)
        self.fill()
        self.before = snapshot(self.tree)

    def fill(self):
        for name, text in SMALL_TREE.items():
            self.write(name, text)

    def path(self, name):
        return os.path.join(self.tree, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as file:
            return file.read()

    def put_by_older_version(self, name, text):
        """Have the tree's folder be as if an older version of the project had put @text there; None: no such file."""
        rows = [row for row in self.read(f'hw/display/helix/{MANIFEST}').splitlines(True) if row.split()[1] != name]
        if text is None:
            os.remove(self.path('hw/display/helix/' + name))
        else:
            self.write('hw/display/helix/' + name, text)
            rows.append(f'{hashlib.sha256(text.encode()).hexdigest()}  {name}\n')
        self.write(f'hw/display/helix/{MANIFEST}', ''.join(rows))

    def succeed(self, *options, status=0):
        done = run(self.tree, *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def refuse(self, *options):
        """Refused, with nothing changed; what it said."""
        before = snapshot(self.tree)
        done = run(self.tree, *options)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(done.stdout, '')
        self.assertEqual(snapshot(self.tree), before)
        return done.stderr


class Whole(TreeTest):
    """All that must hold on any tree this is made for."""

    def test_copies_the_overlay_as_it_is(self):
        self.succeed()
        copied = snapshot(self.path('hw/display/helix'))
        self.assertIn(MANIFEST, copied)
        del copied[MANIFEST]
        ours = {name: data for name, data in snapshot(OVERLAY).items() if '__pycache__' not in name}
        users = {name: data for name, data in ours.items() if not name.startswith('measure/')}
        self.assertEqual(copied, users)
        self.succeed('--check')
        self.succeed('--measure', '--check', status=1)
        self.succeed('--measure')
        self.succeed('--measure', '--check')
        copied = snapshot(self.path('hw/display/helix'))
        del copied[MANIFEST]
        self.assertEqual(copied, ours)
        self.succeed()
        self.assertFalse(os.path.exists(self.path('hw/display/helix/measure')))

    def test_leaves_out_what_only_measures(self):
        self.succeed()
        for name, (_, data) in snapshot(self.path('hw/display/helix')).items():
            for word in (b'x-helix-', b'"null-texture"'):
                self.assertNotIn(word, data, name)
        self.succeed('--measure')
        with open(self.path('hw/display/helix/measure/measure.c'), 'rb') as file:
            self.assertIn(b'x-helix-', file.read())

    def test_inserts_lines_and_takes_none_away(self):
        self.succeed()
        inserted = 0
        for name in EDITED:
            old, new = self.before[name][1].split(b'\n'), self.read(name).encode().split(b'\n')
            rest = iter(new)
            self.assertTrue(all(line in rest for line in old), f'{name}: a line was changed or moved')
            self.assertGreater(len(new), len(old), name)
            inserted += len(new) - len(old)
        with open(os.path.join(OVERLAY, 'qemu/edits'), encoding='utf-8') as file:
            self.assertEqual(inserted, sum(line.startswith('+') for line in file))

    def test_again_changes_nothing(self):
        self.succeed()
        first = snapshot(self.tree)
        times = {name: os.stat(self.path(name)).st_mtime_ns for name in first}
        self.assertIn('nothing to do', self.succeed())
        self.assertEqual(snapshot(self.tree), first)
        self.assertEqual({name: os.stat(self.path(name)).st_mtime_ns for name in first}, times)

    def test_reverse_restores_every_byte(self):
        self.succeed()
        self.succeed('--reverse')
        self.assertEqual(snapshot(self.tree), self.before)
        self.assertFalse(os.path.exists(self.path('hw/display/helix')))
        self.assertIn('nothing to do', self.succeed('--reverse'))

    def test_check_says_how_the_tree_stands(self):
        self.assertIn('can be', self.succeed('--check', status=1))
        self.assertEqual(snapshot(self.tree), self.before)
        self.succeed()
        self.succeed('--check', status=0)
        self.put_by_older_version('stream/host.h', '/* of an older version */\n')
        self.assertIn('another version', self.succeed('--check', status=1))
        self.succeed()
        self.succeed('--check', status=0)


class SmallTree(Whole):
    """What goes wrong is tried on a tree small enough to break one line at a time."""

    def test_each_missing_anchor_is_named(self):
        anchors, file = [], None
        with open(os.path.join(OVERLAY, 'qemu/edits'), encoding='utf-8') as edits:
            for row in edits:
                word, _, rest = row.rstrip('\n').partition(' ')
                if word == 'file':
                    file = rest
                elif word in ('after', 'before', 'within'):
                    anchors.append((file, rest))
        self.assertGreater(len(anchors), 6)
        for name, anchor in anchors:
            lines = SMALL_TREE[name].split('\n')
            self.assertIn(anchor, lines)
            self.write(name, '\n'.join(line if line != anchor else line + ' /* changed */' for line in lines))
            said = self.refuse()
            self.assertIn(name, said)
            self.assertIn(anchor, said)
            self.assertEqual(self.refuse('--check'), said)
            self.write(name, SMALL_TREE[name])

    def test_an_anchor_twice_is_refused(self):
        line = "modules += { 'hw-display': hw_display_modules }\n"
        self.write('hw/display/meson.build', SMALL_TREE['hw/display/meson.build'] + line)
        said = self.refuse()
        self.assertIn('hw/display/meson.build', said)
        self.assertIn('has 2 times', said)

    def test_a_missing_file_is_refused(self):
        os.remove(self.path('hw/display/virtio-gpu-virgl.c'))
        self.assertIn('hw/display/virtio-gpu-virgl.c', self.refuse())

    def test_unknown_versions_are_refused(self):
        for version in ('9.2.4', '12.0.0', 'x', ''):
            self.write('VERSION', version + '\n')
            self.assertIn('10.0 to 11', self.refuse())

    def test_other_folders_are_refused(self):
        os.remove(self.path('VERSION'))
        self.assertIn('not a QEMU source tree', self.refuse())

    def test_a_foreign_folder_of_that_name_is_refused(self):
        self.write('hw/display/helix/notes', 'mine\n')
        self.assertIn('hw/display/helix', self.refuse())
        self.assertIn('hw/display/helix', self.refuse('--reverse'))

    def test_lost_edits_are_refused(self):
        self.succeed()
        self.write('hw/display/meson.build', SMALL_TREE['hw/display/meson.build'])
        for option in ((), ('--reverse',), ('--check',)):
            self.assertIn("subdir('helix')", self.refuse(*option))

    def test_edits_without_the_folder_are_refused(self):
        self.succeed()
        shutil.rmtree(self.path('hw/display/helix'))
        self.assertIn('there already', self.refuse())

    def make_older(self):
        """An older version had a file more, a file less, and another edit."""
        self.put_by_older_version('core/old.c', 'int old;\n')
        self.put_by_older_version('trace.h', None)
        for name in ('hw/display/helix/qemu/edits', 'hw/display/meson.build'):
            text = self.read(name).replace("subdir('helix')", "subdir('old')")
            if name.endswith('edits'):
                self.put_by_older_version('qemu/edits', text)
            else:
                self.write(name, text)

    def test_an_older_version_is_brought_up_to_date(self):
        self.succeed()
        wanted = snapshot(self.tree)
        self.make_older()
        self.succeed()
        self.assertEqual(snapshot(self.tree), wanted)
        self.succeed('--reverse')
        self.assertEqual(snapshot(self.tree), self.before)

    def test_a_version_that_kept_no_list_is_brought_up_to_date(self):
        self.succeed()
        wanted = snapshot(self.tree)
        os.remove(self.path(f'hw/display/helix/{MANIFEST}'))
        self.write('hw/display/helix/stream/host.h', '/* of an older version */\n')
        self.succeed()
        self.assertEqual(snapshot(self.tree), wanted)

    def test_unchanged_files_keep_their_time(self):
        self.succeed()
        self.put_by_older_version('stream/host.h', '/* of an older version */\n')
        names = [name for name in snapshot(self.path('hw/display/helix')) if name not in (MANIFEST, 'stream/host.h')]
        times = {name: os.stat(self.path('hw/display/helix/' + name)).st_mtime_ns for name in names}
        self.succeed()
        self.assertEqual({name: os.stat(self.path('hw/display/helix/' + name)).st_mtime_ns for name in names}, times)

    def test_files_of_the_user_are_named_and_kept(self):
        self.succeed()
        wanted = snapshot(self.tree)
        self.write('hw/display/helix/my-notes.c', 'mine\n')
        self.write('hw/display/helix/stream/host.h', '/* mine */\n')
        for option in ((), ('--reverse',), ('--check',)):
            said = self.refuse(*option)
            self.assertIn('my-notes.c (added)', said)
            self.assertIn('stream/host.h (changed)', said)
            self.assertIn('--discard', said)
        self.succeed('--discard')
        self.assertEqual(snapshot(self.tree), wanted)
        self.write('hw/display/helix/my-notes.c', 'mine\n')
        self.succeed('--reverse', '--discard')
        self.assertEqual(snapshot(self.tree), self.before)

    def test_links_of_the_user_to_folders_are_named_and_kept(self):
        self.succeed()
        os.rename(self.path('hw/display/helix/stream'), self.path('my-stream'))
        os.symlink(self.path('my-stream'), self.path('hw/display/helix/stream'))
        for option in ((), ('--reverse',), ('--check',)):
            self.assertIn('stream (added)', self.refuse(*option))
        self.assertTrue(os.path.islink(self.path('hw/display/helix/stream')))

    def test_a_link_in_place_of_the_folder_is_refused(self):
        os.symlink(OVERLAY, self.path('hw/display/helix'))
        for option in ((), ('--reverse',)):
            self.assertIn('symbolic link', self.refuse(*option))

    def test_two_at_once_take_turns(self):
        self.succeed()
        wanted = snapshot(self.tree)
        self.succeed('--reverse')
        with open_folder(self.tree) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            waiting = [subprocess.Popen([sys.executable, INTEGRATE, self.tree], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True) for _ in range(2)]
            self.assertEqual(snapshot(self.tree), self.before)
        said = sorted(process.communicate()[0] for process in waiting)
        self.assertEqual([process.returncode for process in waiting], [0, 0], said)
        self.assertIn('nothing to do', said[0])
        self.assertIn('integrated: ', said[1])
        self.assertEqual(snapshot(self.tree), wanted)


class open_folder:
    """A descriptor of a folder; closed, and with it a lock given up, at the end of the block."""
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.fd = os.open(self.path, os.O_RDONLY)
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)


def load_program():
    sys.path.insert(0, os.path.dirname(INTEGRATE))
    loader = importlib.machinery.SourceFileLoader('integrate', INTEGRATE)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('integrate', loader))
    loader.exec_module(module)
    return module


# What a run does to the file system, as Python's audit events name it; open() for writing is one too.
STEPS = ('os.rename', 'os.link', 'os.mkdir', 'os.remove', 'os.rmdir', 'shutil.rmtree', 'shutil.copyfile', 'tempfile.mkdtemp')


class Interrupted(TreeTest):
    """A run is killed, or an operation of it fails, at every step that it makes. The project has few files here."""

    program = load_program()
    sys.modules['journal'].sync = lambda path: None     # takes long where the disk is shared, and no test sees it

    def setUp(self):
        super().setUp()
        self.project = tempfile.mkdtemp(prefix='helix-project-')
        self.addCleanup(shutil.rmtree, self.project)
        for name in ('qemu/edits', 'qemu/plain-meson', 'helix-frame-export.h', 'stream/host.h', 'trace.h'):
            target = os.path.join(self.project, 'hw/display/helix', name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(OVERLAY, name), target)
        self.program.PROJECT = self.project

    def call(self, *options, at=0, action=None):
        """The program's status in a process of its own, where @action is called before the @at-th step; negative: the signal."""
        child = os.fork()
        if child == 0:
            status = 99
            try:
                if at:
                    self.watch_steps(at, action)
                sys.argv = [INTEGRATE, self.tree, *options]
                with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                    status = self.program.main()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        status = os.waitpid(child, 0)[1]
        return os.waitstatus_to_exitcode(status)

    @staticmethod
    def watch_steps(at, action):
        seen = 0

        def hook(event, arguments):
            nonlocal seen
            writes = event == 'open' and isinstance(arguments[1], str) and set(arguments[1]) & set('wax')
            if writes or event in STEPS:
                seen += 1
                if seen == at:
                    action()
        sys.addaudithook(hook)

    @staticmethod
    def kill():
        os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def refuse_step():
        raise OSError(28, 'No space left on device')

    def states(self):
        """The tree as it is before, and after integrating."""
        self.assertEqual(self.call(), 0)
        integrated = snapshot(self.tree)
        self.assertEqual(self.call('--reverse'), 0)
        self.assertEqual(snapshot(self.tree), self.before)
        return integrated

    def restore(self, state):
        for name in os.listdir(self.tree):
            path = self.path(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        for name, (mode, data) in state.items():
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            with open(self.path(name), 'wb') as file:
                file.write(data)
            os.chmod(self.path(name), mode)

    def count_steps(self, start, options=()):
        at, status = 0, -signal.SIGKILL
        while status == -signal.SIGKILL:
            at += 1
            self.restore(start)
            status = self.call(*options, at=at, action=self.kill)
        self.assertEqual(status, 0)
        return at - 1

    def each_step(self, start, options, action):
        """For each step of a run from the state @start: its number, and the status of the run in which @action met it."""
        steps = self.count_steps(start, options)
        self.assertGreater(steps, 12)
        for at in range(1, steps + 1):
            self.restore(start)
            status = self.call(*options, at=at, action=action)
            yield status

    def older(self, integrated):
        """The state of a tree that an older version was put into."""
        self.restore(integrated)
        SmallTree.make_older(self)
        return snapshot(self.tree)

    def runs(self):
        """(state before, options, state after) of each kind of run."""
        integrated = self.states()
        return (self.before, (), integrated), (integrated, ('--reverse',), self.before), (self.older(integrated), (), integrated)

    @staticmethod
    def without_leftovers(state):
        """Less what was in preparation: the next run removes it."""
        return {name: data for name, data in state.items() if not name.startswith('.helix-integrate-')}

    def test_killed_at_every_step(self):
        integrated = self.states()
        for start, options, _ in self.runs():
            for status in self.each_step(start, options, self.kill):
                self.assertEqual(status, -signal.SIGKILL)
                self.assertIn(self.call('--check'), (0, 1))
                killed = snapshot(self.tree)
                self.assertEqual(self.call(), 0)
                self.assertEqual(snapshot(self.tree), integrated)
                self.restore(killed)
                self.assertEqual(self.call('--reverse'), 0)
                self.assertEqual(snapshot(self.tree), self.before)

    def cut(self, start):
        """The state that a run from @start leaves when it is killed with all changed but nothing final."""
        cut = None
        for _ in self.each_step(start, (), self.kill):
            state = snapshot(self.tree)
            cut = state if any(name.startswith('.helix-integrate/') for name in state) else cut
        return cut

    def test_recovery_killed_at_every_step(self):
        for start, options, integrated in self.runs():
            if not options:
                for status in self.each_step(self.cut(start), (), self.kill):
                    self.assertEqual(status, -signal.SIGKILL)
                    self.assertEqual(self.call(), 0)
                    self.assertEqual(snapshot(self.tree), integrated)

    def test_a_step_that_fails_leaves_the_tree_as_it_was(self):
        for start, options, done in self.runs():
            refused = 0
            for status in self.each_step(start, options, self.refuse_step):
                refused += status == 2
                # a link that cannot be made becomes a copy, and what is left to remove is removed by the next run
                self.assertEqual(self.without_leftovers(snapshot(self.tree)), {0: done, 2: start}[status])
            self.assertGreater(refused, 12)

    def test_signals_leave_a_whole_tree(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for start, options, done in self.runs():
                for status in self.each_step(start, options, lambda number=number: os.kill(os.getpid(), number)):
                    self.assertEqual(self.without_leftovers(snapshot(self.tree)), {0: done, 130: start}[status])

    def test_changes_made_after_a_kill_are_not_lost(self):
        start, _, integrated = self.runs()[0]
        self.restore(self.cut(start))
        self.write('hw/display/meson.build', 'mine\n')
        self.assertEqual(self.call(), 2)
        self.assertEqual(self.read('hw/display/meson.build'), 'mine\n')
        self.write('hw/display/meson.build', SMALL_TREE['hw/display/meson.build'])
        self.write('hw/display/helix/mine.c', 'mine\n')
        self.assertEqual(self.call(), 2)
        self.assertEqual(self.read('hw/display/helix/mine.c'), 'mine\n')
        os.remove(self.path('hw/display/helix/mine.c'))
        self.write('hw/display/helix/stream/host.h', 'mine\n')
        self.assertEqual(self.call(), 2)
        self.assertEqual(self.read('hw/display/helix/stream/host.h'), 'mine\n')
        shutil.copy(os.path.join(OVERLAY, 'stream/host.h'), self.path('hw/display/helix/stream/host.h'))
        self.assertEqual(self.call(), 0)
        self.assertEqual(snapshot(self.tree), integrated)

    def test_old_content_outlives_a_change_in_place(self):
        name = 'hw/display/meson.build'
        start, _, integrated = self.runs()[0]
        refused = 0
        for _ in self.each_step(start, (), self.kill):
            if os.path.isdir(self.path('.helix-integrate')):
                with open(self.path(name), 'a', encoding='utf-8') as file:      # keeps the inode, as some editors do
                    file.write('mine\n')
                refused += 1
                self.assertEqual(self.call(), 2)
                old = [self.path(file) for file, state in snapshot(self.tree).items()
                       if file.startswith('.helix-integrate/old-') and state[1] == start[name][1]]
                self.assertEqual(len(old), 1)
                shutil.copyfile(old[0], self.path(name))
                self.assertEqual(self.call(), 0)
                self.assertEqual(snapshot(self.tree), integrated)
        self.assertGreater(refused, 0)


def real_tree_test(source):
    class RealTree(Whole):
        def fill(self):
            for name in SMALL_TREE:
                os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
                shutil.copy(os.path.join(source, name), self.path(name))
            if os.path.isdir(os.path.join(source, 'hw/display/helix')):     # a tree in use
                shutil.copytree(os.path.join(source, 'hw/display/helix'), self.path('hw/display/helix'))
            done = run(self.tree, '--reverse')
            if done.returncode:
                raise unittest.SkipTest(done.stderr)
    RealTree.__name__ = RealTree.__qualname__ = 'RealTree_' + os.path.basename(source)
    return RealTree


for _source in filter(None, os.environ.get('HELIX_QEMU_TREES', '').split(':')):
    _case = real_tree_test(_source)
    globals()[_case.__name__] = _case
del Whole

if __name__ == '__main__':
    unittest.main(testRunner=TAPTestRunner(LogMode.LogToError, LogMode.LogToError))
