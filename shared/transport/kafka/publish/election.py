"""Who the active poller is: the member of the poller group that holds the one partition of the checkpoint topic.

Lives in the client thread of the publisher, so that a publisher that hangs loses the lease. Nothing is ever read here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from enum import Enum, auto
from typing import Final

from kafka import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import CommitFailedError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata, TopicPartition

from shared.errors import LeaseLost
from shared.settings import TransportSettings
from shared.transport.kafka.group.client import MAX_POLL_INTERVAL, GroupClient, Watchdog, new_watchdog
from shared.transport.kafka.topics.checkpoints import PARTITION

#: Seconds of one poll. In a quiet group it sleeps through them; the library wants more than 0.
STANDBY_WAIT: Final = 0.2
_LEADER_WAIT: Final = 0.001
_VERIFY_BOUND: Final = 10_000  # milliseconds
#: Seconds after a `renew` in which `verify` does without another: each costs a page a poll, which waits.
_RENEW_EVERY: Final = 1.0
_SETTLE_BOUND: Final = MAX_POLL_INTERVAL


class Lease(Enum):
    #: No assignment yet, or a rebalance is under way.
    OPEN = auto()
    HELD = auto()
    ELSEWHERE = auto()


class Election:
    def __init__(self, settings: TransportSettings) -> None:
        self._partition = TopicPartition(settings.checkpoint_topic, PARTITION)
        self._watchdog = new_watchdog(settings)
        self._listener = _LeaseListener(self._watchdog)
        self._client = GroupClient(
            settings,
            group=settings.poller_group,
            topic=settings.checkpoint_topic,
            # A sticky one: a join does not move the partition.
            assignor=StickyPartitionAssignor(),
            listener=self._listener,
            watchdog=self._watchdog,
            auto_offset_reset="earliest",
            metrics_enabled=False,
        )
        self._term = 0
        #: For how long after a `verify`, in seconds, the group cannot have given the lease to another poller.
        self._trusted = settings.session_timeout / 3
        #: When the group last knew us as the holder, and when the last `renew` was over, by `time.monotonic`.
        self._verified = self._renewed = -math.inf

    def open(self) -> None:
        """Raises `TransportUnusable`."""
        self._client.open()

    def campaign(self, wait: float) -> Lease:
        """Polls once. Raises `TransportUnusable`."""
        self._client.poll(wait, 1)
        self._client.proven = self._client.proven or self._watchdog.assigned
        return self._listener.lease

    def acquire(self) -> None:
        """From now on the lease is this one: `renew` and `verify` raise if it was interrupted, even if it is ours again."""
        self._term = self._listener.term

    def renew(self) -> None:
        """Shows the group that we are alive, and waits until a rebalance is over. Raises `LeaseLost`, `TransportUnusable`."""
        deadline = time.monotonic() + _SETTLE_BOUND
        lease = self.campaign(_LEADER_WAIT)
        while lease is Lease.OPEN and time.monotonic() < deadline:
            lease = self.campaign(STANDBY_WAIT)
        if not self._held:
            raise LeaseLost("another poller may have been active meanwhile")
        self._renewed = time.monotonic()

    def verify(self, offset: int) -> None:
        """Verifies that the group still knows us as the holder, by committing `offset`: a poller that was frozen is refused here.

        Raises `LeaseLost`, and `KafkaError` when no response comes.
        """
        # The commit is the proof. Between two renewals the client does not poll, and so does not join the group anew.
        if not self._held or time.monotonic() - self._renewed > min(_RENEW_EVERY, self._trusted):
            self.renew()
        while not self._confirmed(offset):
            self.renew()

    def _confirmed(self, offset: int) -> bool:
        """Returns False while a rebalance is under way: renew, and ask again. Raises like `verify`."""
        asked = time.monotonic()
        try:
            self._client.open().commit({self._partition: OffsetAndMetadata(offset, "", -1)}, timeout_ms=_VERIFY_BOUND)
        except RebalanceInProgressError:
            return False
        except CommitFailedError as error:
            if not any(isinstance(cause, RebalanceInProgressError) for cause in error.args):
                raise LeaseLost("the poller group went on without this poller") from error
            return False
        self._verified = asked
        return True

    @property
    def just_verified(self) -> bool:
        """`verify` was called a moment ago, and nothing has interrupted the lease since: for the group our session goes on.

        Spares one round trip to the brokers a page. A poller that was frozen for longer sees it by the clock.
        """
        return self._held and time.monotonic() - self._verified < self._trusted

    @property
    def _held(self) -> bool:
        """As of the last poll, without an interruption since `acquire`."""
        return self._listener.lease is Lease.HELD and self._listener.term == self._term

    def resign(self) -> None:
        self._client.close()


class _LeaseListener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client library is not typed
    """On the client's I/O thread, while the client thread waits in `poll`."""

    _consumer: KafkaConsumer

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self.lease = Lease.OPEN
        #: Another number whenever another poller may have held the lease.
        self.term = 0

    def attach(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self.lease = Lease.OPEN
        self.term += 1

    def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        self._watchdog.waiting(time.monotonic())
        self.lease = Lease.OPEN

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._consumer.pause(*assigned)
        self._watchdog.arrived()
        self.lease = Lease.HELD if assigned else Lease.ELSEWHERE
        self.term += not assigned

    def on_partitions_lost(self, _lost: Collection[TopicPartition]) -> None:
        self._watchdog.waiting(time.monotonic())
        self.lease = Lease.OPEN
        self.term += 1
