# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts for the tests of clients: the real one (tests/core/helix-host.c), and sockets that answer what a test says."""

import json
import os
import socket
import subprocess
import threading


class Host:
    """with Host(folder) as host: host.address; afterwards host.stats. The program is $HELIX_HOST."""

    def __init__(self, folder, *options):
        self.path = os.path.join(folder, "host")
        self.address = "unix:" + self.path
        self.process = subprocess.Popen([os.environ["HELIX_HOST"], "--quiet", "--listen=" + self.address, *options],
                                        text=True, stdout=subprocess.PIPE)
        if "listening on" not in self.process.stdout.readline():
            raise OSError("helix-host did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.stats = json.loads(self.process.communicate(timeout=30)[0])


class Script:
    """A host that sends @answer to the peer that connects, then reads until the peer closes, or @closes at once."""

    def __init__(self, folder, answer, closes=False):
        path = os.path.join(folder, "script")
        self.address = "unix:" + path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.answer, self.closes, self.path = answer, closes, path
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        peer, _ = self.listener.accept()
        with peer:
            peer.sendall(self.answer)
            while not self.closes and peer.recv(65536):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()
        os.unlink(self.path)
