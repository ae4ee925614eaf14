"""A consumer in a group, kept alive: it waits out what passes, watches its membership, and is replaced when it is stuck.

Used by the group of consumers and by the group that elects the poller. It belongs to one client thread. Its rebalance listener
runs on the client's I/O thread, but only while the client thread waits in `poll` or `close`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
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
from shared.log_throttle import LogThrottle
from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client import internals
from shared.transport.kafka.client.clients import build
from shared.transport.kafka.client.error_policy import ErrorAction, action_for, advice_for
from shared.transport.kafka.client.errors import Access, reason, translation

#: Seconds that a member may stay away from `poll` before the group goes on without it. A drain has to be shorter, and a member
#: that hangs delays every other member's join for so long.
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


class WatchdogAction(Enum):
    WAIT = auto()
    REJOIN = auto()
    REBUILD = auto()


class Watchdog:
    """Watches a membership without an assignment: the client library can leave a finished join unapplied. Pure.

    `rejoin_after` and `rebuild_after` are seconds without an assignment; times are handed in. A join may rightly last as long as
    the slowest member takes to give its partitions back, so `rebuild_after` has to be longer than that; to ask for another join
    does no harm meanwhile.
    """

    def __init__(self, *, rejoin_after: float, rebuild_after: float, now: float) -> None:
        self._rejoin_after = rejoin_after
        self._rebuild_after = rebuild_after
        self._since: float | None = now
        self._asked = now

    @property
    def assigned(self) -> bool:
        return self._since is None

    def waiting(self, now: float) -> None:
        """Subscribed, revoked or lost: an assignment has to follow."""
        self._since = self._asked = now

    def arrived(self) -> None:
        """An assignment came, even an empty one."""
        self._since = None

    def action(self, now: float, *, reachable: bool) -> WatchdogAction:
        """Not `reachable`: the group cannot be asked at all, and neither a join nor a new client would change that."""
        if self._since is None:
            return WatchdogAction.WAIT
        if not reachable:
            self.waiting(now)
        elif now - self._since >= self._rebuild_after:
            self.waiting(now)
            return WatchdogAction.REBUILD
        elif now - self._asked >= self._rejoin_after:
            self._asked = now
            return WatchdogAction.REJOIN
        return WatchdogAction.WAIT


def new_watchdog(settings: TransportSettings) -> Watchdog:
    """Asks for another join after a session; replaces the client when even the slowest drain of another member must be over."""
    session = settings.session_timeout
    return Watchdog(rejoin_after=session, rebuild_after=MAX_POLL_INTERVAL + session, now=time.monotonic())


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
        self._throttle = LogThrottle()
        #: Set by the owner once Kafka has served it: a missing right is then a reason to wait, no longer one to give up.
        self.proven = False

    def open(self) -> KafkaConsumer:
        """Returns the client, made and subscribed if there is none. Raises `TransportUnusable`."""
        if self._consumer is None:
            consumer = build(KafkaConsumer, self._settings, **self._arguments)
            self._listener.attach(consumer)
            consumer.subscribe([self._topic], listener=self._listener)
            internals.partitions(consumer, self._topic, _METADATA_BOUND)
            self._watchdog.waiting(time.monotonic())
            self._consumer = consumer
        return self._consumer

    def poll(self, wait: float, limit: int) -> Fetched:
        """Returns records, at most about `limit`. Waits up to `wait` seconds, and 0.1 at least while a join is under way.

        Raises `TransportUnusable` for what only a person can change, and lets through what the owner has to handle:
        `NoOffsetForPartitionError`, `OffsetOutOfRangeError`, `LogTruncationError`, and `CorruptRecordError`, after which the
        client has to be closed: another poll would never return.
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
            self.handle(error)
        finally:
            self._watch()
        return fetched

    def handle(self, error: Exception) -> None:
        """Does what the error policy says about an error of the library. Returns if going on makes sense, else raises."""
        match action_for(error):
            case ErrorAction.CRASH:
                raise error
            case ErrorAction.GIVE_UP:
                session = self._settings.session_timeout
                raise TransportUnusable(advice_for(error, group=self._group, topic=self._topic, session=session)) from error
            case ErrorAction.DENIED:
                self._denied(self._access(error), error)
            case ErrorAction.WAIT:
                self._log("Kafka failed; trying again", reason(error), log.warning)
        time.sleep(_PAUSE)

    def close(self) -> None:
        """Gives back what is owned, leaves the group, ends the client. Idempotent; bounded but for the listener."""
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
            self._log("no new client yet; trying again", str(error), log.error)
            time.sleep(_PAUSE)
        return {}

    def _denied(self, access: Access, cause: Exception | None = None) -> None:
        error = translation(self._settings, cause or TopicAuthorizationFailedError(self._topic), "reading", access)
        if not self.proven:
            raise error from cause
        self._log("a right in Kafka is missing; trying again until it is granted", str(error), log.error)

    def _access(self, error: Exception) -> Access:
        of_group = isinstance(error, GroupAuthorizationFailedError)
        return Access("READ", f"group {self._group}" if of_group else f"topic {self._topic}")

    def _watch(self) -> None:
        if self._consumer is None:
            return
        internals.keep_join(self._consumer)
        if internals.topic_hidden(self._consumer, self._topic):
            self._denied(Access("DESCRIBE", f"topic {self._topic}"))
        match self._watchdog.action(time.monotonic(), reachable=internals.coordinator_known(self._consumer)):
            case WatchdogAction.REJOIN:
                log.warning("no assignment yet: joining the group again", group=self._group)
                internals.request_rejoin(self._consumer)
            case WatchdogAction.REBUILD:
                log.error("no assignment for too long: starting a new client", group=self._group)
                self.close()
            case WatchdogAction.WAIT:
                pass

    def _log(self, sentence: str, why: str, level: Callable[..., Any]) -> None:
        if self._throttle.allows(why, time.monotonic()):
            level(sentence, group=self._group, topic=self._topic, reason=why)


def _membership(settings: TransportSettings, group: str, assignor: AbstractPartitionAssignor) -> dict[str, Any]:
    return {
        "group_id": group,
        "partition_assignment_strategy": [assignor],
        "session_timeout_ms": round(settings.session_timeout * 1000),
        "heartbeat_interval_ms": round(min(_HEARTBEAT_MOST, settings.session_timeout / 5) * 1000),
        "max_poll_interval_ms": round(MAX_POLL_INTERVAL * 1000),
        "enable_auto_commit": False,
    }
