"""The AWS SDK for Java v2 and the KCL: their jars come in the wheel `kclpy-ext`, our programs stand in `../java`."""

import importlib.util
import json
import pathlib
import subprocess

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "java"


def jars():
    found = importlib.util.find_spec("amazon_kclpy")
    assert found, "the jars are missing: run packaging/install-dependencies.sh test"
    return pathlib.Path(found.submodule_search_locations[0]) / "jars"


def compile_into(folder):
    """Compiles every source with javac; returns the class path."""
    subprocess.run(
        [
            "javac",
            "-nowarn",
            "-Xlint:-deprecation",
            "-d",
            folder,
            "-cp",
            f"{jars()}/*",
            *sorted(SOURCES.glob("*.java")),
        ],
        check=True,
        timeout=120,
    )
    return f"{folder}:{jars()}/*"


def command(class_path, main, *arguments):
    # Short runs on few cores: the quick compiler alone, and the simplest collector.
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]
    logging = f"-Dlogback.configurationFile={SOURCES / 'logback.xml'}"
    return ["java", *options, logging, "-cp", class_path, main, *map(str, arguments)]


def lines(text):
    """Each step's line, by its name."""
    steps = {}
    for line in text.splitlines():
        step = json.loads(line)
        assert step["step"] not in steps, f"two lines of {step['step']}"
        steps[step["step"]] = step
    return steps
