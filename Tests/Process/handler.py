#!/usr/bin/env python3
"""A worker's command: appends each record's text to a file, synced before it ends well.

    handler.py FILE [--tag TAG] [--sleep SECONDS] [--fail-while FILE]

With --tag a line is `TAG<tab>SHARD<tab>TEXT`. While the file of --fail-while exists the command ends with 1 at once."""

import argparse
import base64
import json
import os
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--tag")
parser.add_argument("--sleep", type=float, default=0)
parser.add_argument("--fail-while")
options = parser.parse_args()

if options.fail_while and os.path.exists(options.fail_while):
    sys.exit(1)

lines = []
for text in sys.stdin:
    record = json.loads(text)
    data = base64.b64decode(record["data"]).decode().removesuffix("\n")
    lines.append(f"{options.tag}\t{record['shardId']}\t{data}" if options.tag else data)

if options.sleep:
    time.sleep(options.sleep)

# A kill may have cut the last line of an earlier run: begin with a newline then.
descriptor = os.open(options.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
size = os.fstat(descriptor).st_size
text = "".join(line + "\n" for line in lines)
if size and os.pread(descriptor, 1, size - 1) != b"\n":
    text = "\n" + text
os.write(descriptor, text.encode())
os.fsync(descriptor)
