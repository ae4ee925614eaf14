"""How far every partition is, and how many members a group has. Everything here blocks.

A new cluster creates its topic of groups when it is first asked for one, and returns "coordinator not available" until that is
done; it says the same for a moment whenever a coordinator moves. So `patiently` asks again for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from kafka import KafkaAdminClient
from kafka.admin import OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    GroupIdNotFoundError,
    KafkaError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
    for_code,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import build
from shared.transport.kafka.client.errors import Access, translation
from shared.transport.port import Consumers, Position, Progress

#: Seconds.
BOUND: Final = 20.0
_PAUSE: Final = 0.25
_PASSING: Final = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError, LeaderNotAvailableError)

T = TypeVar("T")


class BlockingProgress:
    """What happens in the client thread. One admin client is kept open; after an error the next call makes a new one."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient | None = None

    def progress(self) -> Mapping[int, Progress]:
        """Raises `TransportUnusable`."""
        return self._asked(self._progress, "asking for the progress")

    def consumers(self) -> Consumers:
        """Raises `TransportUnusable`."""
        group = self._settings.group
        return Consumers(group=group, members=self._asked(lambda admin: members(admin, group), "asking for the consumer group"))

    def close(self) -> None:
        """Idempotent."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def _asked(self, question: Callable[[KafkaAdminClient], T], doing: str) -> T:
        def ask() -> T:
            admin = self._admin = self._admin or build(KafkaAdminClient, self._settings)
            try:
                return question(admin)
            except KafkaError:
                self.close()
                raise

        try:
            return patiently(ask)
        except KafkaError as error:
            of_group = isinstance(error, GroupAuthorizationFailedError)
            access = Access("DESCRIBE", f"group {self._settings.group}" if of_group else f"topic {self._settings.topic}")
            raise translation(self._settings, error, doing, access) from error

    def _progress(self, admin: KafkaAdminClient) -> Mapping[int, Progress]:
        topic = self._settings.topic
        (described,) = admin.describe_topics([topic])
        partitions = [TopicPartition(topic, found["partition_index"]) for found in described["partitions"]]
        if not partitions:
            error = for_code(described["error_code"])
            if issubclass(error, TopicAuthorizationFailedError):
                raise error(topic)
            raise TransportUnusable(f"topic {topic} is not there: run `auth0-webhooks topics create`")
        begins = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        committed = admin.list_group_offsets({self._settings.group: partitions})[self._settings.group]
        return {
            p.partition: Progress(begin=begins[p].offset, end=ends[p].offset, committed=_position(committed.get(p)))
            for p in sorted(partitions)
        }


def _position(found: OffsetAndMetadata | None) -> Position | None:
    return Position(found.offset, found.metadata or "") if found is not None and found.offset >= 0 else None


def patiently(ask: Callable[[], T]) -> T:
    """Returns what `ask` returns; asks again, for `BOUND` seconds, while the coordinator is not available yet.

    `ask` must take a new client after an error: one that knows a coordinator goes on asking it. Raises what the last try raised.
    """
    deadline = time.monotonic() + BOUND
    while True:
        try:
            return ask()
        except _PASSING:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def members(admin: KafkaAdminClient, group: str) -> int:
    """Returns how many members the group has, 0 also for one that the brokers do not know. Raises `KafkaError`."""
    described = admin.describe_groups([group])[group]
    if (text := described["error"]) is None:
        return len(described["members"])
    kinds = (GroupIdNotFoundError, GroupAuthorizationFailedError, *_PASSING)
    kind = next((kind for kind in kinds if kind.message in text or kind.__name__ in text), KafkaError)
    if kind is GroupIdNotFoundError:
        return 0
    raise kind(text)
