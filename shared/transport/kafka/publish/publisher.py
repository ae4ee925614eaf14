"""The active poller's side: `KafkaPublisher` in the event loop, `BlockingPublisher` in the thread that owns its clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from kafka.errors import KafkaError, MessageSizeTooLargeError

from shared import failpoints
from shared.documents import checkpoint as documents
from shared.errors import LeaseLost, PublishFailed, TransportUnusable
from shared.event import Event
from shared.log_throttle import LogThrottle
from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client.errors import Access, is_denied, translation
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.publish.election import STANDBY_WAIT, Election, Lease
from shared.transport.kafka.publish.page_producer import OversizeFilter, PageProducer
from shared.transport.kafka.publish.recovery import Recovery, recover
from shared.transport.kafka.topics import checkpoints
from shared.transport.kafka.topics.reader import Unreachable, reader
from shared.transport.kafka.topics.sizes import max_message_bytes
from shared.transport.port import Checkpoint, Publisher

_RETRY: Final = 1.0

log = get_logger(__name__)


class KafkaPublisher(Publisher):
    def __init__(self, publisher: BlockingPublisher, thread: ClientThread) -> None:
        self._publisher = publisher
        self._thread = thread
        self._throttle = LogThrottle()

    async def acquire(self) -> Checkpoint | None:
        lease = Lease.OPEN
        while True:
            before, lease = lease, await self._thread.run(self._publisher.campaign)
            if lease is Lease.ELSEWHERE is not before:
                log.info("standing by: another poller is active")
            if lease is Lease.HELD:
                try:
                    return await self._thread.run(self._publisher.take_over)
                except Unreachable as error:
                    if self._throttle.allows(str(error), time.monotonic()):
                        log.error("this poller is the active one but cannot take over yet; trying again", reason=str(error))
                    await asyncio.sleep(_RETRY)

    async def renew(self) -> None:
        await self._thread.run(self._publisher.renew)

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        return await self._thread.run(self._publisher.publish, list(events), checkpoint)

    def too_large(self, events: Sequence[Event]) -> Sequence[Event]:
        return self._publisher.too_large(events)

    async def close(self) -> None:
        await self._thread.end(self._publisher.close)


class BlockingPublisher:
    """Holds the lease, takes over, writes pages and checkpoints. Leads between a `take_over` and the first error."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._election = Election(settings)
        self._oversize: OversizeFilter
        self._producer: PageProducer | None = None
        #: None: this poller does not lead.
        self._recovery: Recovery | None = None
        #: Of the next checkpoint.
        self._offset = 0
        #: Log ids that we sent in a publish that failed: where the topic has them, we have published them.
        self._unsure: set[str] = set()
        #: A page was rejected because a record is too large: send one by one, to find out which.
        self._one_by_one = False
        #: Kafka has served us once; what is missing later may come back.
        self._proven = False

    def open(self) -> None:
        """Raises `TransportUnusable`."""
        self._oversize = OversizeFilter(max_message_bytes(self._settings, self._settings.topic))
        self._election.open()

    def campaign(self) -> Lease:
        """Campaigns a moment longer. Raises `TransportUnusable`."""
        return self._election.campaign(STANDBY_WAIT)

    def take_over(self) -> Checkpoint | None:
        """Returns where to go on from, once the lease is held. Raises `Unreachable`, `TransportUnusable`."""
        self._election.acquire()
        self._producer = self._producer or self._new_producer()
        try:
            with reader(self._settings) as consumer:
                stored = checkpoints.newest(consumer, self._settings.checkpoint_topic)
                self._recovery = recover(consumer, self._settings.topic, stored)
        except KafkaError as error:
            raise self._unreadable(error) from error
        self._offset = stored.offset + 1 if stored else 0
        self._proven = True
        return stored.checkpoint if stored else None

    def renew(self) -> None:
        """Raises `LeaseLost`."""
        with self._lease():
            self._election.renew()

    def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        """Returns how many of them we have published, now or in a publish that failed. Raises `LeaseLost`, `PublishFailed`."""
        recovery, producer = self._recovery, self._producer
        if recovery is None or producer is None:
            raise LeaseLost("this poller does not lead")
        if not self._election.just_verified:
            self._verify_lease()  # a poller that slept must not even begin
        fresh = {event.log_id: event for event in events if event.log_id not in recovery.present}
        new = self._oversize.without(list(fresh.values()))
        left = self._unsure.intersection(recovery.present, (event.log_id for event in events))
        self._unsure.update(event.log_id for event in new)
        with self._failing("publishing", Access("WRITE", f"topic {self._settings.topic}")):
            failpoints.at("before-publish")
            self._send(producer, new, recovery)
        failpoints.at("page-acknowledged")
        self._verify_lease()
        recovery.advance((event.log_id for event in events), checkpoint.log_id)
        with self._failing("storing the checkpoint", Access("WRITE", f"topic {self._settings.checkpoint_topic}")):
            document = documents.dump(checkpoint, recovery.resume_offsets())
            self._offset = producer.write(self._settings.checkpoint_topic, checkpoints.KEY, document) + 1
        self._unsure.intersection_update(recovery.present)  # it has forgotten what this page brought
        return len(new) + len(left)

    def too_large(self, events: Sequence[Event]) -> Sequence[Event]:
        """Pure but for what was rejected; not to be called during a `publish`."""
        return self._oversize.found(events)

    def close(self) -> None:
        """Leaves the election; the next poller takes over at once."""
        self._stop_leading()
        self._election.resign()

    def _send(self, producer: PageProducer, events: Sequence[Event], recovery: Recovery) -> None:
        for part in [[event] for event in events] if self._one_by_one else [events]:
            try:
                recovery.acknowledged(producer.send(self._settings.topic, part))
            except MessageSizeTooLargeError:
                self._one_by_one = True
                if len(part) == 1:
                    self._oversize.rejected(part[0])
                raise
        self._one_by_one = False

    def _verify_lease(self) -> None:
        with self._lease(), self._failing("verifying the lease", Access("READ", f"group {self._settings.poller_group}")):
            self._election.verify(self._offset)

    @contextmanager
    def _lease(self) -> Iterator[None]:
        try:
            yield
        except LeaseLost:
            self._recovery = None
            raise

    @contextmanager
    def _failing(self, doing: str, access: Access) -> Iterator[None]:
        """The outcome is unknown after an error: discard the producer; `take_over` re-reads the end of the topic."""
        try:
            yield
        except (KafkaError, ValueError, TransportUnusable) as error:
            self._stop_leading()
            known = isinstance(error, TransportUnusable)
            raise PublishFailed(str(error if known else translation(self._settings, error, doing, access))) from error

    def _stop_leading(self) -> None:
        self._recovery = None
        if self._producer is not None:
            self._producer.discard()
            self._producer = None

    def _new_producer(self) -> PageProducer:
        try:
            return PageProducer(self._settings)
        except TransportUnusable as error:
            raise Unreachable(str(error)) from error

    def _unreadable(self, error: KafkaError) -> Exception:
        names = (self._settings.checkpoint_topic, self._settings.topic)
        topic = next((name for name in names if f"'{name}'" in str(error)), names[0])
        doing = "reading the checkpoint and the end of the topic"
        ours = translation(self._settings, error, doing, Access("READ", f"topic {topic}"))
        return Unreachable(str(ours)) if self._proven or not is_denied(error) else ours
