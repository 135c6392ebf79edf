# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to some files and one folder of a tree that happen as a whole or not at all, even when the process is killed.

Everything new is written into a folder of its own below the tree first, beside copies of what it replaces; a rename
gives that folder its final name, and from then on it is the journal: a run that finds it puts the old state back. The
changes themselves are renames. A last rename takes the journal away, which makes them final.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import tempfile

NAME = '.helix-integrate'       # of the journal; folders in preparation or done with have a suffix


class Refused(Exception):
    """The tree is not as expected; the text says where and what was expected."""


def read(path):
    with open(path, 'rb') as handle:
        return handle.read()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def link(source, target):
    """A second name for @source, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def names_below(root):
    """Relative names of all files below @root, and of links to folders, in order, but for what Python caches there."""
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f != '__pycache__')
        links = [f for f in folders if os.path.islink(os.path.join(folder, f))]     # not descended into
        names += [os.path.relpath(os.path.join(folder, f), root) for f in sorted(files + links)]
    return names


def sync(path):
    """Have the file or folder @path reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(path):
    """Remove a folder that has no meaning; what cannot be removed now is left to the next run."""
    with contextlib.suppress(OSError):
        shutil.rmtree(path)


@contextlib.contextmanager
def shielded():
    """Ctrl-C and SIGTERM are ignored: what happens here takes milliseconds and must not stop halfway."""
    old = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class Journal:
    def __init__(self, root, folder):
        """@folder: relative name of the folder below @root that is replaced as a whole."""
        self.root = root
        self.folder = folder
        self.path = os.path.join(root, NAME)

    @contextlib.contextmanager
    def locked(self):
        """One process at a time; another one waits. The lock is on the tree's own folder and leaves nothing behind."""
        handle = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def is_open(self):
        """Whether a run was killed in the middle."""
        return os.path.isdir(self.path)

    # ---- a change ----

    def apply(self, contents, fill_folder):
        """Write @contents ({relative name: bytes} of files that exist) and replace the folder by the one that
        @fill_folder(path) makes, or remove it if that is None. On an error nothing has changed."""
        work = tempfile.mkdtemp(prefix=NAME + '-', dir=self.root)
        try:
            self._prepare(work, contents, fill_folder)
        except BaseException:
            sweep(work)
            raise
        with shielded():
            try:
                os.rename(work, self.path)
                sync(self.root)
                self._make()
                done = self._finish()
            except BaseException:
                sweep(work)
                self.recover()
                raise
            sweep(done)

    def _prepare(self, work, contents, fill_folder):
        record = {'files': [], 'had_folder': os.path.isdir(os.path.join(self.root, self.folder)), 'folder_new': None}
        for number, (name, data) in enumerate(sorted(contents.items())):
            full, new = os.path.join(self.root, name), os.path.join(work, f'new-{number}')
            # a copy: an editor that writes in place after a kill would change a hard link's content too
            shutil.copy2(full, os.path.join(work, f'old-{number}'))
            sync(os.path.join(work, f'old-{number}'))
            with open(new, 'wb') as handle:
                handle.write(data)
            shutil.copymode(full, new)
            sync(new)
            record['files'].append({'name': name, 'old': digest(read(full)), 'new': digest(data)})
        if fill_folder:
            folder = os.path.join(work, 'folder-new')
            os.mkdir(folder)
            fill_folder(folder)
            record['folder_new'] = {name: digest(read(os.path.join(folder, name))) for name in names_below(folder)}
        path = os.path.join(work, 'journal.json')
        with open(path, 'w', encoding='utf-8') as handle:
            json.dump(record, handle)
        sync(path)
        sync(work)

    def _make(self):
        target = os.path.join(self.root, self.folder)
        record = self._record()
        if record['had_folder']:
            os.rename(target, os.path.join(self.path, 'folder-old'))
        if record['folder_new'] is not None:
            os.rename(os.path.join(self.path, 'folder-new'), target)
        for number, file in enumerate(record['files']):
            os.replace(os.path.join(self.path, f'new-{number}'), os.path.join(self.root, file['name']))

    def _finish(self):
        """The state as it is now is final; returns the folder that is left to remove."""
        done = f'{self.path}-{secrets.token_hex(8)}'
        os.rename(self.path, done)
        return done

    # ---- recovery ----

    def recover(self):
        """Put back what a run that was killed had changed, and remove what it left; whether there was something to put back.
        Refused if files were changed by something else since."""
        for name in os.listdir(self.root):
            if name.startswith(NAME + '-'):
                sweep(os.path.join(self.root, name))
        if not self.is_open():
            return False
        with shielded():
            record = self._record()
            changed = [number for number, file in enumerate(record['files']) if self._is_changed(file)]
            self._check_folder(record)
            for number in changed:
                restored = os.path.join(self.path, f'restored-{number}')
                with contextlib.suppress(FileNotFoundError):
                    os.remove(restored)
                link(os.path.join(self.path, f'old-{number}'), restored)
                os.replace(restored, os.path.join(self.root, record['files'][number]['name']))
            self._restore_folder(record)
            sweep(self._finish())
        return True

    def _record(self):
        path = os.path.join(self.path, 'journal.json')
        try:
            with open(path, encoding='utf-8') as handle:
                return json.load(handle)
        except (OSError, ValueError) as error:
            raise Refused(f'{path}: an earlier run was interrupted, and its journal cannot be read ({error})') from error

    def _is_changed(self, file):
        """Whether @file has the interrupted run's content; FALSE: the old one."""
        path = os.path.join(self.root, file['name'])
        found = digest(read(path)) if os.path.isfile(path) else None
        if found not in (file['old'], file['new']):
            raise Refused(f"{file['name']}: an earlier run was interrupted, and the file was changed since; the content "
                          f'before that run is one of {self.path}/old-*: put it back, then run this again')
        return found != file['old']

    def _in_place(self, record):
        """Whether the folder that is there is the interrupted run's."""
        return record['folder_new'] is not None and not os.path.isdir(os.path.join(self.path, 'folder-new')) and \
            os.path.isdir(os.path.join(self.root, self.folder)) and \
            (not record['had_folder'] or os.path.isdir(os.path.join(self.path, 'folder-old')))

    def _check_folder(self, record):
        if self._in_place(record):
            folder, written = os.path.join(self.root, self.folder), record['folder_new']
            foreign = [name for name in names_below(folder)
                       if name not in written or digest(read(os.path.join(folder, name))) != written[name]]
            if foreign:
                raise Refused(f'{self.folder}: an earlier run was interrupted, and files were added or changed since: '
                              f'{", ".join(foreign)}; move them elsewhere, then run this again')

    def _restore_folder(self, record):
        target, old = os.path.join(self.root, self.folder), os.path.join(self.path, 'folder-old')
        if self._in_place(record):
            os.rename(target, os.path.join(self.path, 'folder-undone'))
        if os.path.isdir(old):
            os.rename(old, target)
