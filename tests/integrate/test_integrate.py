#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu/integrate on a small tree that has its anchors, and on real ones.

HELIX_QEMU_TREES: QEMU source trees, separated by colons. They are copied as far as the edits reach, and left alone.
"""
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
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
        copied = {name: data for name, data in snapshot(self.path('hw/display/helix')).items()}
        ours = {name: data for name, data in snapshot(OVERLAY).items() if '__pycache__' not in name}
        self.assertEqual(copied, ours)

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
        self.write('hw/display/helix/core/host.h', '/* of an older version */\n')
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
            with self.subTest(file=name, anchor=anchor):
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

    def test_an_older_version_is_brought_up_to_date(self):
        self.succeed()
        wanted = snapshot(self.tree)
        # an older version had a file more, a file less, and another edit
        self.write('hw/display/helix/core/old.c', 'int old;\n')
        os.remove(self.path('hw/display/helix/trace.h'))
        for name in ('hw/display/helix/qemu/edits', 'hw/display/meson.build'):
            self.write(name, self.read(name).replace("subdir('helix')", "subdir('old')"))
        self.succeed()
        self.assertEqual(snapshot(self.tree), wanted)
        self.succeed('--reverse')
        self.assertEqual(snapshot(self.tree), self.before)

    def test_a_write_that_fails_leaves_the_tree_as_it_was(self):
        # the file that is written last but one can't be: those before it must be put back
        os.mkdir(self.path('hw/display/virtio-gpu.c.helix-new'))
        self.assertIn('virtio-gpu.c.helix-new', self.refuse())
        self.assertFalse(os.path.exists(self.path('hw/display/helix')))

    def interrupt(self, function, call, *options):
        """Ctrl-C in the @call-th call of @function of shutil or os."""
        code = f'''
import importlib.machinery, importlib.util, sys
loader = importlib.machinery.SourceFileLoader('integrate', sys.argv[1])
program = importlib.util.module_from_spec(importlib.util.spec_from_loader('integrate', loader))
loader.exec_module(program)
module, name = {function!r}.split('.')
real, calls = getattr(getattr(program, module), name), []
def interrupted(*args, **named):
    calls.append(args)
    if len(calls) == {call}:
        raise KeyboardInterrupt
    return real(*args, **named)
setattr(getattr(program, module), name, interrupted)
sys.argv[:2] = sys.argv[1:2]
program.main()
'''
        done = subprocess.run([sys.executable, '-B', '-c', code, INTEGRATE, self.tree, *options], capture_output=True,
                              text=True, check=False)
        self.assertIn('KeyboardInterrupt', done.stderr)

    def test_an_interrupted_run_leaves_the_tree_as_it_was(self):
        for function, call in (('os.replace', 2), ('shutil.copy', 3)):
            self.interrupt(function, call)
            self.assertEqual(snapshot(self.tree), self.before)
        self.succeed()
        wanted = snapshot(self.tree)
        self.interrupt('os.replace', 2, '--reverse')
        self.assertEqual(snapshot(self.tree), wanted)
        self.interrupt('shutil.rmtree', 2, '--reverse')     # done, but for what was put aside
        self.succeed()
        self.succeed('--reverse')
        self.assertEqual(snapshot(self.tree), self.before)


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
    unittest.main(verbosity=2)
