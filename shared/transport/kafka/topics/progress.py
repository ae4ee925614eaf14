"""How far every partition is, and who consumes them, seen from outside. One admin client, kept open, in one client thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from kafka import KafkaAdminClient
from kafka.admin import OffsetSpec
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError, for_code
from kafka.structs import OffsetAndMetadata, TopicPartition

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import build
from shared.transport.kafka.client.errors import Access, translation
from shared.transport.kafka.topics import checkpoints
from shared.transport.kafka.topics.groups import members, patiently
from shared.transport.kafka.topics.reader import reading
from shared.transport.kafka.topics.topics import verify
from shared.transport.port import Checkpoint, Consumers, Position, Progress

T = TypeVar("T")


class Onlooker:
    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient | None = None

    def progress(self) -> Mapping[int, Progress]:
        """Raises `TransportUnusable`; the next call starts with a new client."""
        return self._asked(self._look, "asking for the progress")

    def consumers(self) -> Consumers:
        """Raises `TransportUnusable`; the next call starts with a new client."""
        group = self._settings.group
        return Consumers(group=group, members=self._asked(lambda admin: members(admin, group), "asking for the consumer group"))

    def checkpoint(self) -> Checkpoint | None:
        """Raises `TransportUnusable`."""
        topic = self._settings.checkpoint_topic
        verify(self._settings, (topic,))
        with reading(self._settings, topic, "reading the checkpoint") as consumer:
            stored = checkpoints.newest(consumer, topic)
        return stored.checkpoint if stored else None

    def close(self) -> None:
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

    def _look(self, admin: KafkaAdminClient) -> Mapping[int, Progress]:
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
