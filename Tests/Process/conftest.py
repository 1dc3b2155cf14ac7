"""Fixtures: real programs from the release build, each test with its own folder and its own collector."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest

import aws
from programs import Agent, Collector, Program, Worker


class Stage:
    """The programs of one test. All of them are ended, by process id, when the test is over."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = []

    def add(self, program: Program):
        self.programs.append(program)
        return program

    def collector(self, extra=(), **keys):
        """One without AWS's limits, unless it is told which: most tests send more than a shard on AWS takes."""
        limits = () if "--limits" in extra else ("--limits", "none")
        return self.add(Collector(self.folder, extra=[*extra, *limits], **keys)).start()

    def agent(self, collector, flows, **keys):
        return self.add(Agent(self.folder, collector, flows, **keys))

    def worker(self, collector, application, stream, command=(), **keys):
        return self.add(Worker(self.folder, collector, application, stream, command, **keys))

    def close(self):
        for program in reversed(self.programs):
            if program.process is not None:
                program.resume()
                program.kill9()
        for pid in orphans(self.folder):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def orphans(folder):
    """Commands of a killed worker that still run: they name this test's own folder on their command line."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(str(folder).encode() + b"/" in argument for argument in arguments):
            yield int(entry.name)


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def open_stage():
    """A stage in a folder that every user may enter; pytest's own folders are their user's alone."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-test-"))
    folder.chmod(0o755)
    stage = Stage(folder)
    yield stage
    stage.close()
    shutil.rmtree(folder)


@pytest.fixture
def collector(stage):
    return stage.collector()


@pytest.fixture
def kinesis(collector):
    return aws.client("kinesis", collector)


@pytest.fixture
def firehose(collector):
    return aws.client("firehose", collector)


@pytest.fixture
def dynamodb(collector):
    return aws.client("dynamodb", collector)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of what each of its programs said."""
    report = (yield).get_result()
    fixtures = getattr(item, "funcargs", {})
    stage = fixtures.get("stage") or fixtures.get("open_stage")
    if report.failed and stage is not None:
        for program in stage.programs:
            state = "running" if program.running else f"ended: {program.process and program.process.returncode}"
            report.sections.append((f"{program.name} ({state}, {program.starts} starts)", program.tail()))
