"""What the publisher does in its client thread: hold the lease, take over, write pages and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka.errors import KafkaError, MessageSizeTooLargeError

from shared import failpoints
from shared.documents import checkpoint as documents
from shared.errors import LeaseLost, PublishFailed, TransportUnusable
from shared.event import Event
from shared.settings import TransportSettings
from shared.transport.kafka.client.errors import Access, is_denied, translation
from shared.transport.kafka.publish.election import STANDBY_LOOK, Election, Lease
from shared.transport.kafka.publish.oversize import Oversize, bound_of
from shared.transport.kafka.publish.page_producer import PageProducer
from shared.transport.kafka.publish.recovery import Tail, read_tail
from shared.transport.kafka.topics import checkpoints
from shared.transport.kafka.topics.reader import Unreachable, reader
from shared.transport.port import Checkpoint


class ActivePoller:
    """Leads between a `take_over` and the first error; before and after that it only stands for election."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._election = Election(settings)
        self._oversize: Oversize
        self._producer: PageProducer | None = None
        #: None: we do not lead.
        self._tail: Tail | None = None
        #: Of the next checkpoint.
        self._offset = 0
        #: A page was refused for the size of a record: send one by one, to find out which.
        self._careful = False
        #: The log has answered us once; what is missing then may come back.
        self._proven = False

    def open(self) -> None:
        """Raises `TransportUnusable`."""
        self._oversize = Oversize(bound_of(self._settings))
        self._election.open()

    def stand(self) -> Lease:
        """Stand for election a moment longer. Raises `TransportUnusable`."""
        return self._election.look(STANDBY_LOOK)

    def take_over(self) -> Checkpoint | None:
        """Read where to go on from, once the lease is held. Raises `Unreachable`, `TransportUnusable`."""
        self._election.begin()
        self._producer = self._producer or self._new_producer()
        try:
            with reader(self._settings) as consumer:
                stored = checkpoints.newest(consumer, self._settings.checkpoint_topic)
                self._tail = read_tail(consumer, self._settings.topic, stored)
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
        """Answers how many were new. Raises `LeaseLost`, `PublishFailed`."""
        tail, producer = self._tail, self._producer
        if tail is None or producer is None:
            raise LeaseLost("this poller does not lead")
        self._prove()  # a poller that slept must not even begin
        fresh = {event.log_id: event for event in events if event.log_id not in tail.present}
        new = self._oversize.without(list(fresh.values()))
        with self._failing("publishing", Access("WRITE", f"topic {self._settings.topic}")):
            failpoints.at("before-publish")
            self._send(producer, new, tail)
        failpoints.at("page-acknowledged")
        self._prove()
        tail.move((event.log_id for event in events), checkpoint.log_id)
        with self._failing("storing the checkpoint", Access("WRITE", f"topic {self._settings.checkpoint_topic}")):
            document = documents.dump(checkpoint, tail.floors())
            self._offset = producer.write(self._settings.checkpoint_topic, checkpoints.KEY, document) + 1
        return len(new)

    def close(self) -> None:
        """Leave the election; the next one takes over at once."""
        self._stop_leading()
        self._election.leave()

    def _send(self, producer: PageProducer, events: Sequence[Event], tail: Tail) -> None:
        for part in [[event] for event in events] if self._careful else [events]:
            try:
                tail.acknowledged(producer.send(self._settings.topic, part))
            except MessageSizeTooLargeError:
                self._careful = True
                if len(part) == 1:
                    self._oversize.refused(part[0])
                raise
        self._careful = False

    def _prove(self) -> None:
        with self._lease(), self._failing("proving the lease", Access("READ", f"group {self._settings.poller_group}")):
            self._election.prove(self._offset)

    @contextmanager
    def _lease(self) -> Iterator[None]:
        try:
            yield
        except LeaseLost:
            self._tail = None
            raise

    @contextmanager
    def _failing(self, doing: str, access: Access) -> Iterator[None]:
        """Nobody knows what is written after an error, so the producer goes, and `take_over` looks."""
        try:
            yield
        except (KafkaError, ValueError, TransportUnusable) as error:
            self._stop_leading()
            known = isinstance(error, TransportUnusable)
            raise PublishFailed(str(error if known else translation(self._settings, error, doing, access))) from error

    def _stop_leading(self) -> None:
        self._tail = None
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
        ours = translation(self._settings, error, "reading the checkpoint and the topic's tail", Access("READ", f"topic {topic}"))
        return Unreachable(str(ours)) if self._proven or not is_denied(error) else ours
