"""Reads the log under test for the oracle, with the libraries and not with our own adapters (except for the positions)."""

from __future__ import annotations

import json
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from admin import compose_transport
from shared.settings import Role, load
from shared.transport.kafka.topics import topics
from shared.transport.port import Transport
from tests.support.kafka.fixtures import Names
from tests.support.position_observer import LogUnreadable
from tests.support.transports import read_kafka, read_values


class WrittenRecord(NamedTuple):
    log_id: str
    #: In seconds since the epoch; 0 on SQLite, which holds each log id once.
    time: float


#: By partition and offset.
Records = Mapping[tuple[int, int], WrittenRecord]


class LogProbe(ABC):
    #: The settings that name the log.
    environ: Mapping[str, str]

    def transport(self) -> Transport:
        return compose_transport.transport(load(Role.LOG, self.environ, None), concurrent_calls=1)

    @abstractmethod
    def records(self) -> Records:
        """Returns every record."""

    @abstractmethod
    def dead_letters(self) -> frozenset[str]:
        """Returns the log ids that have a dead letter. Raises `LogUnreadable`."""

    def close(self) -> None:  # noqa: B027  not every log has something to close
        """Idempotent."""


class SqliteProbe(LogProbe):
    def __init__(self, path: Path) -> None:
        self._path = path
        self.environ = {"SQLITE_PATH": str(path)}

    def records(self) -> Records:
        return {(0, offset): WrittenRecord(log_id, 0.0) for offset, log_id in self._rows("SELECT offset, log_id FROM record")}

    def dead_letters(self) -> frozenset[str]:
        return frozenset(log_id for (log_id,) in self._rows("SELECT log_id FROM dead_letter"))

    def _rows(self, query: str) -> list[Any]:
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.Error as error:
            raise LogUnreadable(str(error)) from error


class KafkaProbe(LogProbe):
    def __init__(self, bootstrap: str, *, session: float = 2.0, partitions: int = 6) -> None:
        names = Names()
        self._bootstrap = bootstrap
        self._partitions = partitions
        self.environ = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_TOPIC": names.topic,
            "KAFKA_GROUP": names.group,
            "KAFKA_SESSION_TIMEOUT": str(session),
        }
        topics.create(load(Role.LOG, self.environ, None).transport, partitions)
        self._dead = TopicPartition(f"{names.topic}.dead", 0)
        self._letters: set[str] = set()
        self._reader: KafkaConsumer | None = None
        #: The observer reads from its own thread.
        self._lock = threading.Lock()

    def records(self) -> Records:
        return {
            partition_offset: WrittenRecord(*found)
            for partition_offset, found in read_kafka(self.environ, self._partitions).items()
        }

    def dead_letters(self) -> frozenset[str]:
        try:
            with self._lock:
                self._catch_up()
        except KafkaError as error:
            raise LogUnreadable(str(error)) from error
        return frozenset(self._letters)

    def checkpoints(self) -> list[str]:
        """Returns the log id of every checkpoint that the topic still has, oldest first."""
        return [json.loads(value)["log_id"] for value in read_values(self._bootstrap, f"{self._dead.topic[:-5]}.checkpoint")]

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _catch_up(self) -> None:
        if self._reader is None:
            self._reader = KafkaConsumer(
                bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", reconnect_backoff_max_ms=1000
            )
            self._reader.assign([self._dead])
        end = self._reader.end_offsets([self._dead], timeout_ms=3000)[self._dead]
        while _position(self._reader, self._dead) < end:
            for batch in self._reader.poll(100).values():
                self._letters |= {record.key.decode() for record in batch if record.value is not None}


def _position(reader: KafkaConsumer, partition: TopicPartition) -> int:
    """Raises `LogUnreadable`: the library returns None after its timeout."""
    position: int | None = reader.position(partition, timeout_ms=3000)
    if position is None:
        raise LogUnreadable(f"no response about {partition.topic}")
    return position
