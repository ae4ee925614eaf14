"""The logs that the contract suite and the end-to-end tests run on. Another adapter is one more parameter here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from admin import compose
from shared.settings import Role, load
from shared.transport.kafka import topics
from shared.transport.port import Transport
from tests.kafka.fixtures import Names

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Log:
    """One log of an adapter, made for one test."""

    #: The settings that name it, as environment variables: a child process gets the same ones.
    environ: Mapping[str, str]
    #: A second poller waits for the lease (Kafka), or is refused at once (SQLite).
    second_poller_waits: bool

    def transport(self) -> Transport:
        """The log as another process would open it."""
        return compose.transport(load(Role.LOG, self.environ, None), concurrent_calls=5)

    def child(self, *arguments: str) -> subprocess.Popen[str]:
        """One of the programs in `tests/contract/children.py`, on this log."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.contract.children", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore", **self.environ},
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(params=["sqlite", "kafka"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    match request.param:
        case "sqlite":
            return Log(environ={"SQLITE_PATH": str(tmp_path / "log.db")}, second_poller_waits=False)
        case "kafka":
            return _on_kafka(request.getfixturevalue("kafka").bootstrap, request.getfixturevalue("names"))
        case other:
            raise AssertionError(other)


def _on_kafka(bootstrap: str, names: Names) -> Log:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_TOPIC": names.topic,
        "KAFKA_GROUP": names.group,
        "KAFKA_SESSION_TIMEOUT": "3",
    }
    topics.create(load(Role.LOG, environ, None).log)
    return Log(environ=environ, second_poller_waits=True)
