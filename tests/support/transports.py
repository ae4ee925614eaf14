"""Embedded and Kafka transports for tests: each test gets a new log. Another adapter is one more parameter here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, TopicPartition

from admin import compose_transport
from shared.settings import Role, load
from shared.transport.kafka.topics import topics
from shared.transport.port import (
    Checkpoint,
    Consumers,
    DeadLetter,
    Member,
    Progress,
    Publisher,
    Reader,
    RebalanceListener,
    Repeats,
    Table,
    Transport,
)
from tests.support.forked_program import ForkedProgram
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names
from tests.support.kafka.principals import Door, create_principal
from tests.support.kafka.secured import SecuredBroker

_ROLES: Final = {"publish": "producer", "consume": "consumer"}


@dataclass(frozen=True, slots=True)
class Log:
    """One log of an adapter, made for one test."""

    #: The settings that name it, as environment variables: a child process gets the same ones.
    environ: Mapping[str, str]
    #: A second poller waits for the lease (Kafka), or fails at once (SQLite).
    second_poller_waits: bool
    #: The variables of each role (producer, consumer, viewer) that has a login of its own, on top of `environ`.
    logins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Started by `child`.
    children: list[ForkedProgram] = field(default_factory=list)

    def transport(self) -> Transport:
        """Returns a new transport, as another process would open it."""
        return _TransportByRole(self) if self.logins else self.transport_of("")

    def transport_of(self, role: str) -> Transport:
        return compose_transport.transport(load(Role.LOG, self.environ_of(role), None), concurrent_calls=5)

    def environ_of(self, role: str) -> dict[str, str]:
        return {**self.environ, **self.logins.get(role, {})}

    def child(self, *arguments: str) -> ForkedProgram:
        """Starts one of the programs in `tests/contract/children.py`, on this log; the end of the test kills it."""
        child = ForkedProgram("tests.contract.children", *arguments, environ=self.environ_of(_ROLES[arguments[0]]))
        self.children.append(child)
        return child

    def end_children(self) -> None:
        for child in self.children:
            child.close()

    def dump(self) -> dict[tuple[int, int], str]:
        """Returns every record's log id by partition and offset, read without our own code."""
        return records_in_kafka(self.environ) if "KAFKA_TOPIC" in self.environ else _in_sqlite(self.environ["SQLITE_PATH"])


class _TransportByRole(Transport):
    """Opens each part with the login of its role."""

    def __init__(self, log: Log) -> None:
        roles = ("producer", "consumer", "viewer", "admin")
        self._producer, self._consumer, self._viewer, self._admin = map(log.transport_of, roles)
        self.metadata_limit = self._consumer.metadata_limit

    async def publisher(self) -> Publisher:
        return await self._producer.publisher()

    async def member(self, listener: RebalanceListener) -> Member:
        return await self._consumer.member(listener)

    async def dead_letters(self) -> Table:
        return await self._admin.dead_letters()

    async def retry_dead_letter(self, dead_letter: DeadLetter) -> bool:
        return await self._admin.retry_dead_letter(dead_letter)

    async def control(self) -> Table:
        return await self._consumer.control()

    async def progress(self) -> Mapping[int, Progress]:
        return await self._viewer.progress()

    async def reader(self) -> Reader:
        return await self._viewer.reader()

    async def consumers(self) -> Consumers:
        return await self._viewer.consumers()

    async def retention(self) -> float | None:
        return await self._viewer.retention()

    async def checkpoint(self) -> Checkpoint | None:
        return await self._viewer.checkpoint()

    async def set_checkpoint(self, checkpoint: Checkpoint, confirm: Callable[[Repeats], bool], *, force: bool = False) -> bool:
        return await self._admin.set_checkpoint(checkpoint, confirm, force=force)

    async def close(self) -> None:
        for transport in (self._producer, self._consumer, self._viewer, self._admin):
            await transport.close()


def _in_sqlite(path: str) -> dict[tuple[int, int], str]:
    with closing(sqlite3.connect(path)) as connection:
        return {(0, offset): log_id for offset, log_id in connection.execute("SELECT offset, log_id FROM record")}


def records_in_kafka(environ: Mapping[str, str], partitions: int = 6) -> dict[tuple[int, int], str]:
    """Returns every record's log id by partition and offset."""
    return {partition_offset: log_id for partition_offset, (log_id, _) in read_kafka(environ, partitions).items()}


def read_kafka(environ: Mapping[str, str], partitions: int) -> dict[tuple[int, int], tuple[str, float]]:
    """Returns every record's log id, and when it was written in seconds since the epoch, by partition and offset."""
    servers = environ["KAFKA_BOOTSTRAP_SERVERS"]
    with closing(KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")) as reader:
        parts = [TopicPartition(environ["KAFKA_TOPIC"], number) for number in range(partitions)]
        reader.assign(parts)
        ends = reader.end_offsets(parts)
        records: dict[tuple[int, int], tuple[str, float]] = {}
        while any(reader.position(part) < ends[part] for part in parts):
            for batch in reader.poll(200).values():
                for record in batch:
                    log_id = dict(record.headers)["log-id"].decode()
                    records[record.partition, record.offset] = log_id, record.timestamp / 1000
        return records


def read_values(servers: str, topic: str) -> list[bytes]:
    """Returns the values of a topic with one partition."""
    with closing(KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")) as reader:
        part = TopicPartition(topic, 0)
        reader.assign([part])
        end = reader.end_offsets([part])[part]
        values: list[bytes] = []
        while reader.position(part) < end:
            values += [record.value for batch in reader.poll(200).values() for record in batch]
        return values


@pytest.fixture(params=["sqlite", "kafka"])
def log(request: pytest.FixtureRequest) -> Log:
    return make(request.param, request)


def make(kind: str, request: pytest.FixtureRequest, *, session: float = 3.0) -> Log:
    """Returns a log of that kind for the test that requests it. `session`: seconds, on Kafka."""
    log = _made(kind, request.getfixturevalue, session)
    request.addfinalizer(log.end_children)
    return log


def _made(kind: str, wanted: Callable[[str], Any], session: float) -> Log:
    match kind:
        case "sqlite":
            return Log(environ={"SQLITE_PATH": str(wanted("tmp_path") / "log.db")}, second_poller_waits=False)
        case "kafka":
            return on_kafka(wanted("kafka"), wanted("names"), session)
        case "own kafka":
            return on_kafka(wanted("own_kafka"), wanted("names"), session)
        case "kafka by password":
            return on_secured_kafka(wanted("secured_kafka"), wanted("names"), session, "sasl")
        case "kafka by certificate":
            return on_secured_kafka(wanted("secured_kafka"), wanted("names"), session, "mutual")
        case other:
            raise AssertionError(other)


def on_kafka(broker: Broker, names: Names, session: float) -> Log:
    environ = _environ(broker, names, session)
    topics.create(load(Role.LOG, environ, None).transport)
    return Log(environ=environ, second_poller_waits=True)


def on_secured_kafka(broker: SecuredBroker, names: Names, session: float, door: Door) -> Log:
    """Makes a principal for each role, with exactly the rights of docs/operations.md; the administrator creates the topics."""
    roles = {
        role: create_principal(broker, role, topic=names.topic, group=names.group, door=door)
        for role in ("admin", "producer", "consumer", "viewer")
    }
    topics.create(roles["admin"].settings)
    logins = {role: principal.environment for role, principal in roles.items()}
    return Log(environ=_environ(broker, names, session), second_poller_waits=True, logins=logins)


def _environ(broker: Broker, names: Names, session: float) -> dict[str, str]:
    return {**broker.environment, **names.environment, "KAFKA_SESSION_TIMEOUT": str(session)}
