"""README's first command: all of it runs in the foreground, stops cleanly on Ctrl-C, and goes on where it stopped."""

import os
import re
import signal
import subprocess
import time

import aws
from programs import BINARIES, ROOT, Collector, eventually


def numbers(texts):
    """The number at the end of each of the demo's lines."""
    return sorted(int(text.rsplit(" ", 1)[1]) for text in texts)


def written(folder):
    """The highest number that the demo has written."""
    return max(numbers(line for path in folder.glob("access.log*") for line in path.read_text().splitlines()))


def test_two_runs_ship_every_line_of_the_demo_once(stage, tmp_path):
    folder = tmp_path / "millrace-data"
    said = tmp_path / "said"

    def run(seconds):
        command = [ROOT / "packaging" / "try", "--no-build", "--data-dir", folder, "--port", "0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with open(said, "wb") as out:
            process = subprocess.Popen(
                command,
                env={**environment, "MILLRACE_BIN": str(BINARIES)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Whoever runs the tests in the background has SIGINT ignored, and no shell can trap what it is born with.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        try:
            eventually(lambda: said.read_text().count("records stored") >= seconds / 2 or process.poll() is not None,
                       seconds + 30, what="status lines")
            assert process.poll() is None, said.read_text()
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) == 0, said.read_text()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
        status = re.findall(r"lines in (\d+)  records stored (\d+)  consumed (\d+)  sink files finalized (\d+)  lag \d+",
                            said.read_text())
        assert status and all(int(number) > 0 for number in status[-1]), said.read_text()
        assert "aws kinesis" in said.read_text() and "curl" in said.read_text() and str(folder) in said.read_text()

    run(14)
    after_one = written(folder / "demo")
    run(14)
    after_two = written(folder / "demo")
    assert after_two > after_one
    left = subprocess.run(["pgrep", "--full", str(folder)], capture_output=True, text=True)
    assert left.stdout == "", f"still running: {left.stdout}"

    collector = stage.add(Collector(tmp_path, data=folder / "collector")).start()
    kinesis = aws.client("kinesis", collector)
    reader = aws.StreamReader(kinesis, "demo").read()
    stored = numbers(reader.texts)
    assert stored == list(range(1, len(stored) + 1)), "a line of the demo is missing or doubled"
    assert after_one <= len(stored) <= after_two
    eventually(lambda: len(aws.delivered_lines(collector)) >= len(stored), 30, 0.5, "every record is in a file")
    time.sleep(1)
    assert numbers(aws.delivered_lines(collector)) == stored
    handled = sum(int(line) for line in (folder / "handled-lines").read_text().split())
    assert handled >= after_one
