"""The logs that the contract suite and the end-to-end tests run on. Another adapter is one more parameter here."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

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

    def dump(self) -> dict[tuple[int, int], str]:
        """Every record's log id by partition and offset, read without our own code."""
        return _in_kafka(self.environ) if "KAFKA_TOPIC" in self.environ else _in_sqlite(self.environ["SQLITE_PATH"])


def _in_sqlite(path: str) -> dict[tuple[int, int], str]:
    with closing(sqlite3.connect(path)) as connection:
        return {(0, offset): log_id for offset, log_id in connection.execute("SELECT offset, log_id FROM record")}


def _in_kafka(environ: Mapping[str, str]) -> dict[tuple[int, int], str]:
    reader = KafkaConsumer(bootstrap_servers=environ["KAFKA_BOOTSTRAP_SERVERS"], auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(environ["KAFKA_TOPIC"], number) for number in range(6)]
        reader.assign(partitions)
        ends = reader.end_offsets(partitions)
        records: dict[tuple[int, int], str] = {}
        while any(reader.position(partition) < ends[partition] for partition in partitions):
            for batch in reader.poll(200).values():
                records |= {(record.partition, record.offset): dict(record.headers)["log-id"].decode() for record in batch}
        return records
    finally:
        reader.close()


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
