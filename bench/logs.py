"""The logs of the benchmarks: filled once, read by many consumers. Each is named by settings, as environment variables."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final

from admin import compose_transport
from shared.event import Event
from shared.settings import Role, TransportSettings, load
from shared.transport.kafka.publish.page_producer import PageProducer
from shared.transport.kafka.topics import topics
from shared.transport.port import Checkpoint
from tests.support.kafka.broker import Broker, JarsBroker

Environ = Mapping[str, str]
_PAGE: Final = 100  # events, as the producer gets them from Auth0
#: In parallel: a page takes 50 ms, most of it waiting. The order of a user's events does not matter here.
_PRODUCERS: Final = 4


class KafkaLog:
    """One topic of six partitions; each run reads it as a group of its own, from the beginning."""

    def __init__(self, broker: Broker, events: Iterable[Event] = ()) -> None:
        self._broker = broker
        self._topic = f"bench-{uuid.uuid4().hex[:8]}"
        settings = _log(self.environ())
        topics.create(settings)
        pages = _Shared(_pages(events))
        with ThreadPoolExecutor(_PRODUCERS) as pool:
            list(pool.map(lambda _: _fill(settings, pages), range(_PRODUCERS)))

    def environ(self) -> Environ:
        """Returns the settings of a new group, which reads from the beginning."""
        group = f"bench-{uuid.uuid4().hex[:8]}"
        return {**self._broker.environment, "KAFKA_TOPIC": self._topic, "KAFKA_GROUP": group}


class SqliteLog:
    """One file; each run gets a copy."""

    def __init__(self, folder: Path, events: Iterable[Event] = ()) -> None:
        self._folder = folder
        self._file = folder / f"{uuid.uuid4().hex[:8]}.db"
        asyncio.run(self._fill(events))

    def environ(self) -> Environ:
        """Replace the last copy by a new one, in which nothing is delivered yet. Returns its settings."""
        for old in self._folder.glob(f"{self._file.stem}-copy.db*"):
            old.unlink()
        copy = self._folder / f"{self._file.stem}-copy.db"
        shutil.copy(self._file, copy)
        return {"SQLITE_PATH": str(copy)}

    async def _fill(self, events: Iterable[Event]) -> None:
        transport = compose_transport.transport(load(Role.LOG, {"SQLITE_PATH": str(self._file)}, None))
        publisher = await transport.publisher()
        await publisher.acquire()
        for page in _pages(events):
            await publisher.publish(page, Checkpoint(log_id=page[-1].log_id))
        await publisher.close()
        await transport.close()


@contextmanager
def broker() -> Iterator[Broker]:
    """Run Apache Kafka from its jars."""
    with JarsBroker() as broker:
        yield broker


class _Shared(Iterator[list[Event]]):
    """An iterator for several threads."""

    def __init__(self, pages: Iterator[list[Event]]) -> None:
        self._pages = pages
        self._lock = Lock()

    def __next__(self) -> list[Event]:
        with self._lock:
            return next(self._pages)


def _fill(settings: TransportSettings, pages: Iterator[list[Event]]) -> None:
    producer = PageProducer(settings)
    for page in pages:
        producer.send(settings.topic, page)
    producer.discard()


def _log(environ: Environ) -> TransportSettings:
    return load(Role.LOG, environ, None).transport


def _pages(events: Iterable[Event]) -> Iterator[list[Event]]:
    rest = iter(events)
    while page := list(islice(rest, _PAGE)):
        yield page
