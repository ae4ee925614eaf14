"""A consumer in a group, kept alive: it rides out what passes, watches its membership, and is closed and made anew when stuck.

Used by the group of consumers and by the group that elects the poller. Lives in one client thread; its rebalance listener runs
on the client's I/O thread, but only while the worker waits in `poll` or `close`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from kafka import KafkaConsumer
from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.errors import (
    CorruptRecordError,
    GroupAuthorizationFailedError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from kafka.structs import TopicPartition

from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.clients import build
from shared.transport.kafka.client.error_policy import Remedy, Seldom, advice, remedy
from shared.transport.kafka.client.errors import Access, reason, translation
from shared.transport.kafka.group.watchdog import Advice, Watchdog

#: Seconds that a member may stay away from `poll` before the group goes on without it. A drain has to be shorter, and a member
#: that hangs holds up everybody's join for so long.
MAX_POLL_INTERVAL: Final = 60.0
CLOSE_BOUND: Final = 3.0
_HEARTBEAT_MOST: Final = 1.0
_METADATA_BOUND: Final = 2.0
#: The shortest poll while a join is under way: one that ends in the middle of it makes it fragile.
_JOINING: Final = 0.1
#: After an error that comes back at once, so that nothing spins.
_PAUSE: Final = 0.5

Fetched = Mapping[TopicPartition, Sequence[Any]]
log = get_logger(__name__)


class Listener(Protocol):
    def attach(self, consumer: KafkaConsumer) -> None:
        """From now on this is the client, a new one, which has not joined yet."""


class GroupClient:
    """`listener` is a rebalance listener of the library, and tells the watchdog what happens.

    `more`: further arguments for `KafkaConsumer`.
    """

    def __init__(
        self,
        settings: TransportSettings,
        *,
        group: str,
        topic: str,
        assignor: AbstractPartitionAssignor,
        listener: Listener,
        watchdog: Watchdog,
        **more: Any,
    ) -> None:
        self._settings = settings
        self._group = group
        self._topic = topic
        self._listener = listener
        self._watchdog = watchdog
        self._arguments = {**_membership(settings, group, assignor), **more}
        self._consumer: KafkaConsumer | None = None
        self._seldom = Seldom()
        #: Set by the owner once the log has answered it: a missing right is then a reason to wait, no longer one to give up.
        self.proven = False

    def open(self) -> KafkaConsumer:
        """The client, made and subscribed if there is none. Raises `TransportUnusable`."""
        if self._consumer is None:
            consumer = build(KafkaConsumer, self._settings, **self._arguments)
            self._listener.attach(consumer)
            consumer.subscribe([self._topic], listener=self._listener)
            internals.partitions(consumer, self._topic, _METADATA_BOUND)
            self._watchdog.waiting(time.monotonic())
            self._consumer = consumer
        return self._consumer

    def poll(self, wait: float, limit: int) -> Fetched:
        """Records, at most about `limit`; waits up to `wait` seconds, and 0.1 at least while a join is under way.

        Raises `TransportUnusable` for what only a person can change, and lets through what the owner has to answer:
        `NoOffsetForPartitionError`, `OffsetOutOfRangeError`, `LogTruncationError`, and `CorruptRecordError`, after which the
        client has to be closed: another poll would spin for ever.
        """
        if self._consumer is None:
            return self._reopen()
        wait = wait if self._watchdog.assigned else max(wait, _JOINING)
        wait = min(wait, self._settings.session_timeout / 3)
        fetched: Fetched = {}
        try:
            fetched = self._consumer.poll(timeout_ms=round(wait * 1000), max_records=limit)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError, CorruptRecordError):
            raise
        except KafkaError as error:
            self.trouble(error)
        finally:
            self._watch()
        return fetched

    def trouble(self, error: Exception) -> None:
        """Do what there is to do about an error of the library; returns if going on makes sense."""
        match remedy(error):
            case Remedy.UNKNOWN:
                raise error
            case Remedy.GIVE_UP:
                session = self._settings.session_timeout
                raise TransportUnusable(advice(error, group=self._group, topic=self._topic, session=session)) from error
            case Remedy.DENIED:
                self._denied(self._access(error), error)
            case Remedy.WAIT:
                self._say("Kafka is in trouble, trying again", reason(error), log.warning)
        time.sleep(_PAUSE)

    def close(self) -> None:
        """Give back what is owned, leave the group, end the client. Idempotent; bounded but for the listener."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                internals.close(consumer, CLOSE_BOUND)
            except KafkaError as error:
                log.warning("could not leave the group in good order; it goes on after the session timeout", reason=reason(error))

    def _reopen(self) -> Fetched:
        try:
            self.open()
        except TransportUnusable as error:
            self._say("no new client yet, trying again", str(error), log.error)
            time.sleep(_PAUSE)
        return {}

    def _denied(self, access: Access, cause: Exception | None = None) -> None:
        ours = translation(self._settings, cause or TopicAuthorizationFailedError(self._topic), "reading", access)
        if not self.proven:
            raise ours from cause
        self._say("a right in Kafka is missing; trying again until it is given back", str(ours), log.error)

    def _access(self, error: Exception) -> Access:
        of_group = isinstance(error, GroupAuthorizationFailedError)
        return Access("READ", f"group {self._group}" if of_group else f"topic {self._topic}")

    def _watch(self) -> None:
        if self._consumer is None:
            return
        internals.hold_on_to_join(self._consumer)
        if internals.hidden(self._consumer, self._topic):
            self._denied(Access("DESCRIBE", f"topic {self._topic}"))
        match self._watchdog.advice(time.monotonic(), reachable=internals.coordinator_known(self._consumer)):
            case Advice.REJOIN:
                log.warning("no assignment yet: joining the group again", group=self._group)
                internals.request_rejoin(self._consumer)
            case Advice.REBUILD:
                log.error("no assignment for too long: starting a new client", group=self._group)
                self.close()
            case Advice.WAIT:
                pass

    def _say(self, sentence: str, why: str, level: Callable[..., Any]) -> None:
        if self._seldom(why, time.monotonic()):
            level(sentence, group=self._group, topic=self._topic, reason=why)


def new_watchdog(settings: TransportSettings) -> Watchdog:
    """Asks again after a session; gives the client up when even the slowest drain of another member must have ended."""
    session = settings.session_timeout
    return Watchdog(rejoin_after=session, rebuild_after=MAX_POLL_INTERVAL + session, now=time.monotonic())


def _membership(settings: TransportSettings, group: str, assignor: AbstractPartitionAssignor) -> dict[str, Any]:
    return {
        "group_id": group,
        "partition_assignment_strategy": [assignor],
        "session_timeout_ms": round(settings.session_timeout * 1000),
        "heartbeat_interval_ms": round(min(_HEARTBEAT_MOST, settings.session_timeout / 5) * 1000),
        "max_poll_interval_ms": round(MAX_POLL_INTERVAL * 1000),
        "enable_auto_commit": False,
    }
