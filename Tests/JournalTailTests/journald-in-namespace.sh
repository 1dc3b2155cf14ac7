#!/bin/bash
# A real journald of its own, which no other process on the machine sees.
#
#   journald-in-namespace.sh FOLDER [MAX_FILE_SIZE]
#
# FOLDER/journal gets the journal. Each line on standard input is run by the shell beside journald; its end is told by a
# line "=done STATUS" on standard output. It all ends with standard input. Needs root and util-linux.
set -eu
folder=$1
most=${2:-4M}
if [ "${inside:-}" != yes ]; then
    mkdir -p "$folder/journal"
    # Audit= stays empty: yes and no would switch the whole machine's auditing.
    cat >"$folder/journald.conf" <<END
[Journal]
Storage=persistent
ReadKMsg=no
Audit=
RateLimitIntervalSec=0
ForwardToSyslog=no
ForwardToWall=no
SplitMode=none
SyncIntervalSec=1s
SystemMaxFileSize=$most
END
    inside=yes exec unshare --mount --pid --fork --kill-child=KILL --mount-proc --propagation private \
        bash "$0" "$folder" "$most"
fi
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs /run/log
mkdir -p /run/systemd/journal /var/log/journal
mount --bind "$folder/journal" /var/log/journal
mount --bind "$folder/journald.conf" /etc/systemd/journald.conf
touch /run/systemd/journal/flushed

start() {
    /lib/systemd/systemd-journald </dev/null >>"$folder/journald.log" 2>&1 &
    journald=$!
    for _ in $(seq 500); do
        if [ -S /run/systemd/journal/socket ] && [ -S /run/systemd/journal/stdout ]; then return 0; fi
        sleep 0.01
    done
    echo "journald did not start: $(cat "$folder/journald.log")" >&2
    return 1
}

stop() {
    kill -TERM "$journald"
    wait "$journald" || true
    rm -f /run/systemd/journal/socket /run/systemd/journal/stdout /run/systemd/journal/dev-log
}

# lines FIRST COUNT [TEXT]: entries by the syslog socket.
lines() { seq -f "${3:-line} %.0f" "$1" $(($1 + $2 - 1)) | logger --socket /run/systemd/journal/dev-log --tag load; }

# native PROGRAM: python with `send(bytes)` for one entry in journald's own protocol.
native() {
    python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect('/run/systemd/journal/socket')
send = s.send
$1"
}

# big BYTES: one entry whose MESSAGE is so long, by a sealed memory file as journald wants it.
big() {
    python3 -c "
import array, fcntl, os, socket, sys
d = os.memfd_create('entry', os.MFD_ALLOW_SEALING)
os.write(d, b'MESSAGE=' + b'x' * int(sys.argv[1]) + b'\nPRIORITY=6\n')
fcntl.fcntl(d, 1033, 15)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect('/run/systemd/journal/socket')
s.sendmsg([b''], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [d]))])" "$1"
}

start
echo "=done 0"
while IFS= read -r command; do
    status=0
    eval "$command" </dev/null >>"$folder/commands.log" 2>&1 || status=$?
    echo "=done $status"
done
kill -KILL "$journald"
