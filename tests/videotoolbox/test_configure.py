#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hw/display/helix/meson.build says on a Mac whose virglrenderer or epoxy will not do.

The file is read as QEMU reads it, by a small project that has QEMU's variables and calls its system darwin. virglrenderer is this
machine's or one without any function, epoxy a header or none. Where all is there, it goes on to Apple's frameworks, which are not here:
that Meson stops at those, and not earlier, is how the good case is seen. unittest alone, without pycotap: this runs on a Mac too.
"""
import os
import shutil
import subprocess
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SMALL_QEMU = """
project('small-qemu', 'c', meson_version: '>= 1.0.0')
ss = import('sourceset')
cc = meson.get_compiler('c')
host_os = 'darwin'
pixman = declare_dependency()
virgl = VIRGL
opengl = OPENGL
system_ss = ss.source_set()
if virgl.found() and opengl.found()
  virtio_gpu_gl_ss = ss.source_set()
endif
subdir('helix')
"""
OLD_VIRGL, VIRGL = "declare_dependency()", "dependency('virglrenderer')"


class Configure(unittest.TestCase):
    def configure(self, virgl=VIRGL, epoxy_header=True, opengl=True):
        folder = tempfile.mkdtemp(prefix='helix-configure-')
        self.addCleanup(shutil.rmtree, folder)
        shutil.copytree(os.path.join(PROJECT, 'hw/display/helix'), os.path.join(folder, 'helix'))
        os.makedirs(os.path.join(folder, 'gl/epoxy'))
        if epoxy_header:
            with open(os.path.join(folder, 'gl/epoxy/egl.h'), 'w', encoding='utf-8') as file:
                file.write('int eglQueryAPI(void);\n')
        found = ("declare_dependency(compile_args: ['-nostdinc', '-I%s/gl'])" % folder if opengl else
                 "dependency('', required: false)")
        with open(os.path.join(folder, 'meson.build'), 'w', encoding='utf-8') as file:
            file.write(SMALL_QEMU.replace('VIRGL', virgl).replace('OPENGL', found))
        done = subprocess.run(['meson', 'setup', os.path.join(folder, 'build'), folder], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_virglrenderer_too_old(self):
        status, said = self.configure(virgl=OLD_VIRGL)
        self.assertNotEqual(status, 0)
        self.assertIn('virglrenderer 1.0 or newer, which UTM has from 5.0 on', said)

    def test_epoxy_without_egl(self):
        status, said = self.configure(epoxy_header=False)
        self.assertNotEqual(status, 0)
        self.assertIn('needs epoxy/egl.h: epoxy built with -Degl=yes', said)

    def test_no_gl_device(self):
        status, said = self.configure(opengl=False)
        self.assertEqual(status, 0, said)
        self.assertIn('builds no GL device', said)

    def test_all_there(self):
        status, said = self.configure()
        self.assertNotEqual(status, 0)
        self.assertNotIn('frame module needs', said)
        self.assertRegex(said, 'objc|appleframeworks')


if __name__ == '__main__':
    unittest.main()
