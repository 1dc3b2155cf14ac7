"""The real programs as child processes: started, paused, killed and stopped by their own process ids."""

import configparser
import json
import os
import pathlib
import re
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("MILLRACE_BIN", ROOT / ".build" / "release"))
REGION = "us-east-1"
ACCOUNT = "000000000000"


def eventually(check, timeout=30.0, every=0.05, what="the condition"):
    """The first true value of `check()`; fails after `timeout` seconds with the last value in the message."""
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout:g} s still not so: {what} (last value: {value!r})")
        time.sleep(every)


class Program:
    """One program. Its output goes to NAME.out and NAME.err in `folder`, appended over restarts."""

    def __init__(self, name, arguments, folder, environment=None, binary=None):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.environment = environment or {}
        # `millrace-worker-one` is a second `millrace-worker`, told apart in the logs.
        program = re.match(r"millrace(-collector|-agent|-worker)?", name)
        self.binary = str(binary or BINARIES / (program.group() if program else name))
        self.out = pathlib.Path(folder) / f"{name}.out"
        self.err = pathlib.Path(folder) / f"{name}.err"
        self.process = None
        self.starts = 0

    def start(self):
        assert not self.running, f"{self.name} runs already"
        environment = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **self.environment}
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen(
                [self.binary, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                start_new_session=True,
            )
        self.starts += 1
        return self

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def kill9(self):
        """SIGKILL, as a power cut for this process alone. Handlers that a worker started go with it."""
        if self.process is None:
            return
        self._signal_group(signal.SIGKILL)
        self.process.wait(20)

    def stop(self, timeout=30):
        """SIGTERM; the exit code."""
        if self.process is None:
            return None
        if self.running:
            self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} did not stop within {timeout} s of SIGTERM") from None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        if self.running:
            self.process.send_signal(signal.SIGCONT)

    def expect_running(self):
        assert self.running, f"{self.name} ended by itself with {self.process.returncode}:\n{self.tail()}"

    def tail(self, lines=40):
        texts = []
        for path in (self.out, self.err):
            if path.exists() and path.stat().st_size:
                text = path.read_text(errors="replace").splitlines()[-lines:]
                texts.append(f"--- {path.name}\n" + "\n".join(text))
        return "\n".join(texts) or "(no output)"

    def _signal_group(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


class Collector(Program):
    """A collector on a free loopback port, the same one over restarts."""

    def __init__(self, folder, data=None, extra=(), name="millrace-collector", environment=None, binary=None):
        super().__init__(name, [], folder, environment, binary)
        self.data = pathlib.Path(data or pathlib.Path(folder) / "collector")
        self.extra = [str(argument) for argument in extra]
        self.port = 0
        self.url = None

    def start(self, timeout=30):
        offset = self.out.stat().st_size if self.out.exists() else 0
        self.arguments = ["--data-dir", str(self.data), "--listen", f"127.0.0.1:{self.port}", *self.extra]
        super().start()
        self.url = eventually(lambda: self._ready(offset), timeout, 0.005, "the collector prints `ready URL`")
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))
        return self

    def restart(self):
        self.kill9()
        return self.start()

    def _ready(self, offset):
        with open(self.out, "rb") as file:
            file.seek(offset)
            found = re.search(rb"^ready (\S+)\n", file.read(), re.MULTILINE)
        if found is None:
            self.expect_running()
            return None
        return found[1].decode().rstrip("/")

    @property
    def sinks(self):
        return self.data / "sinks"

    @property
    def credentials(self):
        """(access key id, secret access key), from the file that the collector made."""
        file = configparser.ConfigParser()
        file.read(self.data / "credentials")
        profile = file["default"]
        return profile["aws_access_key_id"], profile["aws_secret_access_key"]

    @property
    def aws_environment(self):
        """What a client needs in its environment to speak to this collector."""
        key, secret = self.credentials
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PAGER": "",
        }


class Agent(Program):
    """An agent whose agent.json holds `flows`, with its state beside it."""

    def __init__(self, folder, collector, flows, name="millrace-agent", **keys):
        folder = pathlib.Path(folder)
        self.config = folder / f"{name}.json"
        self.state = folder / f"{name}-state"
        settings = {"kinesis.endpoint": collector.url, "firehose.endpoint": collector.url, **keys, "flows": flows}
        self.config.write_text(json.dumps(settings, indent=2))
        arguments = ["run", "--config", self.config, "--state-dir", self.state]
        super().__init__(name, arguments, folder, collector.aws_environment)

    def run(self, *arguments, timeout=30):
        """Another command of the same program on the same configuration, to its end."""
        return run_program(self.binary, arguments, {**self.environment}, timeout)


class Worker(Program):
    """A worker that gives records to `command`."""

    def __init__(self, folder, collector, application, stream, command=(), extra=(), name="millrace-worker"):
        self.stats = pathlib.Path(folder) / f"{name}.stats.json"
        arguments = ["run", "--application-name", application, "--stream", stream, "--endpoint-url", collector.url]
        arguments += ["--initial-position", "TRIM_HORIZON", "--stats-file", self.stats, *extra]
        if command:
            arguments += ["--", *command]
        super().__init__(name, arguments, folder, collector.aws_environment)

    def read_stats(self):
        try:
            return json.loads(self.stats.read_text())
        except (FileNotFoundError, ValueError):
            return {}


def run_program(binary, arguments, environment, timeout=30, input=None):
    """Runs to the end; a CompletedProcess with text output."""
    return subprocess.run(
        [str(binary), *[str(argument) for argument in arguments]],
        env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        input=input if input is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
