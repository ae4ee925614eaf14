"""Apache Kafka's own jars, fetched once by Maven into the user's cache, and what makes a broker start from them in a second.

`python -m tests.support.kafka.broker` fills the cache ahead of a test run. Several test runs may do it at the same time:
a lock file makes the others wait. Recipe and figures: a format run copied instead of repeated, and a class archive (AppCDS),
take the start from 3 s to 1 s; an archive belongs to one JVM and one class path, so its name carries `java -version`. The
folder's name carries what is fetched: another checkout with other jars must not replace them under a broker that loads classes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.process_guard import guarded

VERSION: Final = "4.3.1"
# The broker, the tools that are called kafka-topics.sh and so on in a whole installation, and what writes the broker's log:
# without it a broker that cannot start ends without a word.
_POM: Final = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>auth0-webhooks</groupId><artifactId>test-broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


class Unavailable(Exception):
    """A broker cannot be had in this way; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Jars:
    """A filled cache folder."""

    folder: Path
    #: Identifies the JVM: the class archive works with this one only.
    jvm: str

    @property
    def archive(self) -> Path:
        return self.folder / f"classes-{self.jvm}.jsa"

    def command(self, *arguments: str, heap: str = "128m", extra: tuple[str, ...] = ()) -> list[str]:
        """A JVM with Kafka on its class path; `arguments` begin with the main class."""
        light = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Xmx{heap}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
        return ["java", *light, *extra, "-cp", f"{self.folder / 'libs'}/*", *arguments]

    def format(self, data: Path) -> None:
        """Lay out an empty data folder. The copies make one cluster id for all brokers, which never meet."""
        data.mkdir(parents=True)
        for name in ("meta.properties", "bootstrap.checkpoint"):
            shutil.copy(self.folder / "formatted" / name, data / name)


def properties_text(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


@cache
def install() -> Jars:
    """The jars, fetched if they are not there yet: 4 s from Maven's local repository. Raises `Unavailable`."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Unavailable(f"Apache Kafka's jars need `{program}`, which is not installed")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auth0-webhooks"
    folder = caches / f"kafka-{VERSION}-{hashlib.sha256(_POM.encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    jars = Jars(folder, _jvm())
    with _locked(folder / ".lock"):
        ready = folder / ".ready"
        if not ready.exists():
            _fetch(folder)
            _format_once(jars)
            ready.touch()
    return jars


@contextmanager
def locked(jars: Jars) -> Iterator[None]:
    """One at a time over all test runs of this user."""
    with _locked(jars.folder / ".lock"):
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _jvm() -> str:
    version = subprocess.run(["java", "-version"], env=guarded(), capture_output=True, timeout=30, check=True)
    return hashlib.sha256(version.stderr).hexdigest()[:12]


def _fetch(folder: Path) -> None:
    libs = folder / "libs"
    shutil.rmtree(libs, ignore_errors=True)
    with tempfile.TemporaryDirectory() as project:
        Path(project, "pom.xml").write_text(_POM)
        copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={libs}", "-DincludeScope=runtime"]
        # Offline first: with everything in the local repository Maven would still ask for updates.
        offline = _run([*copy, "-o"], cwd=project, seconds=60)
        if offline.returncode and (online := _run(copy, cwd=project, seconds=300)).returncode:
            reason = next(iter(online.stdout.splitlines()), "no answer in time")
            raise Unavailable(f"Maven could not fetch Apache Kafka {VERSION}: {reason}")


def _format_once(jars: Jars) -> None:
    formatted = jars.folder / "formatted"
    shutil.rmtree(formatted, ignore_errors=True)
    minimal = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(formatted),
    }
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch, "server.properties")
        settings.write_text(properties_text(minimal))
        cluster = uuid.uuid4().hex[:22]
        done = _run(
            jars.command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)), cwd=scratch, seconds=60
        )
    if done.returncode:
        raise Unavailable(f"Kafka's StorageTool failed: {done.stdout.strip()[-300:]}")


def _run(command: list[str], *, cwd: str, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=guarded(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, returncode=1, stdout="")
