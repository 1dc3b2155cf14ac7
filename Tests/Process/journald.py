"""A real journald of its own: in a mount and process namespace, writing its files into a folder of the test."""

import json
import os
import pathlib
import signal
import subprocess
import textwrap

from programs import eventually

START = """
set -e
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs /run/log
mkdir -p /run/systemd/journal /var/log/journal
mount --bind "$1" /var/log/journal
mount --bind "$2" /etc/systemd/journald.conf
touch /run/systemd/journal/flushed
exec /lib/systemd/systemd-journald
"""

# `Audit=` stays empty: yes and no would switch the whole machine's auditing.
CONFIGURATION = """
[Journal]
Storage=persistent
ReadKMsg=no
Audit=
RateLimitIntervalSec=0
ForwardToSyslog=no
ForwardToWall=no
SplitMode=none
SyncIntervalSec=1s
SystemMaxFileSize={most}
"""

NATIVE = """
import socket, sys, time
first, count, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.connect("/run/systemd/journal/socket")
for n in range(first, first + count):
    binary = b"BINARY\\n" + (8).to_bytes(8, "little") + n.to_bytes(8, "big") + b"\\n"
    out.send(b"MESSAGE=native %d\\nPRIORITY=6\\nTWICE=a\\nTWICE=b\\n" % n + binary)
    if pause and n % 50 == 0:
        time.sleep(pause)
"""


class Journald:
    """Needs root. `folder` holds the journal's files, in a folder named by the machine's id."""

    def __init__(self, folder, most="4M"):
        self.folder = pathlib.Path(folder)
        self.journal = self.folder / "journal"
        self.journal.mkdir(parents=True)
        self.configuration = self.folder / "journald.conf"
        self.configuration.write_text(CONFIGURATION.format(most=most))
        self.log = open(self.folder / "journald.log", "ab")
        self.unshare = None
        self.inner = None

    @staticmethod
    def unavailable():
        """Why it cannot run here; None when it can."""
        if os.geteuid() != 0:
            return "needs root"
        if not pathlib.Path("/lib/systemd/systemd-journald").exists():
            return "systemd-journald is not installed"
        tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
        return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None

    def start(self):
        arguments = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        arguments += ["--propagation", "private", "bash", "-c", START, "bash", self.journal, self.configuration]
        self.unshare = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )
        self.inner = eventually(self._child, 5, 0.01, "journald's process")
        ready = ["test", "-S", "/run/systemd/journal/socket", "-a", "-S", "/run/systemd/journal/stdout"]
        eventually(lambda: self._inside(ready, check=False).returncode == 0, 10, 0.02, "journald's sockets")
        return self

    def _child(self):
        path = pathlib.Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children")
        children = path.read_text().split()
        return int(children[0]) if children else None

    def _inside(self, command, check=True, **keys):
        """Runs a command in journald's mount and process namespaces."""
        enter = ["nsenter", "--target", str(self.inner), "--mount", "--pid", "--"]
        return subprocess.run(
            [*enter, *command], check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **keys
        )

    def logger(self, lines):
        """util-linux's `logger`, one entry a line, by the syslog socket."""
        command = ["logger", "--socket", "/run/systemd/journal/dev-log", "--tag", "load"]
        self._inside(command, input=("\n".join(lines) + "\n").encode())

    def native(self, first, count, pause=0.0):
        """`native N` by journald's own protocol, with a binary and a repeated field."""
        self._inside(["python3", "-c", textwrap.dedent(NATIVE), str(first), str(count), str(pause)])

    def rotate(self):
        self._inside(["journalctl", "--rotate"])

    def vacuum(self, files):
        """Keeps at most so many archived files."""
        self._inside(["journalctl", f"--vacuum-files={files}"])

    def sync(self):
        self._inside(["journalctl", "--sync"])

    def restart(self):
        """SIGKILL, and a new one on the same files."""
        self.kill()
        return self.start()

    def kill(self):
        if self.unshare is None:
            return
        try:
            os.kill(self.inner, signal.SIGKILL)
        except (ProcessLookupError, TypeError):
            pass
        self.unshare.wait(10)
        self.unshare = None

    def entries(self):
        """Every entry that the journal holds now, as journalctl shows them."""
        command = ["journalctl", "--directory", str(self.journal), "--output", "json", "--all", "--no-pager", "--quiet"]
        shown = subprocess.run(command, capture_output=True, check=True, timeout=60)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def disk_files(self):
        return sorted(self.journal.rglob("*.journal*"))


def sequence_number(cursor):
    """(id of the numbering, number) out of a journal cursor."""
    parts = dict(part.split("=", 1) for part in cursor.split(";"))
    return parts["s"], int(parts["i"], 16)
