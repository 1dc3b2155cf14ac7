"""A log file that an application writes and logrotate's four ways rotate."""

import os
import pathlib
import shutil
import threading


class RotatedLog:
    """Numbered lines in FOLDER/app.log. Writing and rotating exclude each other, so no rotation loses a line by itself:
    between copytruncate's copy and its truncation nothing is written."""

    pattern = "app.log*"

    def __init__(self, folder, label="line"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "app.log"
        self.label = label
        self.lines = []
        self.rotations = 0
        self.lock = threading.Lock()
        self.file = open(self.path, "ab", buffering=0)
        self.stopping = threading.Event()
        self.thread = None

    def write(self, count):
        """Appends `count` lines, cut into two writes at an odd place, as a buffered writer would."""
        with self.lock:
            first = len(self.lines)
            lines = [f"{self.label} {n} {'.' * (n * 7 % 150)}" for n in range(first, first + count)]
            text = ("\n".join(lines) + "\n").encode()
            cut = len(text) * 2 // 3
            self.file.write(text[:cut])
            self.file.write(text[cut:])
            self.lines += lines

    def rotate(self, way):
        getattr(self, way)()

    def rename(self):
        """app.log -> app.log.N; the writer goes on in the old file for a while, as one that is yet to be signalled."""
        with self.lock:
            self.rotations += 1
            os.rename(self.path, self._generation())
        self.write(3)
        with self.lock:
            self._reopen()

    def create(self):
        """app.log -> app.log.N, and a new app.log at once."""
        with self.lock:
            self.rotations += 1
            os.rename(self.path, self._generation())
            self._reopen()

    def copytruncate(self):
        """A copy to app.log.N, then app.log is cut to nothing."""
        with self.lock:
            self.rotations += 1
            shutil.copyfile(self.path, self._generation())
            os.truncate(self.path, 0)

    def delete(self):
        """app.log is unlinked while open; what follows until `reopen` goes to the unlinked file."""
        with self.lock:
            self.rotations += 1
            os.unlink(self.path)

    def reopen(self):
        with self.lock:
            self._reopen()

    def run(self, lines_per_second=1000):
        """Writes in the background until `stop`."""

        def loop():
            while not self.stopping.wait(0.02):
                self.write(max(1, lines_per_second // 50))

        self.thread = threading.Thread(target=loop, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        if self.thread:
            self.thread.join()
        self.file.close()

    def _generation(self):
        return self.folder / f"app.log.{self.rotations}"

    def _reopen(self):
        self.file.close()
        self.file = open(self.path, "ab", buffering=0)
