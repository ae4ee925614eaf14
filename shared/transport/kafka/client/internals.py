"""Every private part of kafka-python 3.0.12 that we touch, each with its reason; the exact version is pinned for them.

Functions take the client they work on and keep nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import IllegalStateError, KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.future import Future
from kafka.producer.producer_batch import ProducerBatch
from kafka.protocol.consumer.offsets import OffsetForLeaderEpochRequest
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import OffsetAndMetadata, TopicPartition

#: Seconds; a request that the thread may be waiting for ends before.
_JOIN_SENDER: Final = 15.0

_EpochTopic: Final = OffsetForLeaderEpochRequest.OffsetForLeaderTopic

T = TypeVar("T")


class QuietProducer(KafkaProducer):  # type: ignore[misc]  # the client library is not typed
    """Without the destructor, which replaces the library's logger by one that logs nothing, for the whole process.

    Our producers are closed by hand, so it has nothing to do.
    """

    def __del__(self) -> None:
        pass


def abandon(producer: KafkaProducer) -> bool:
    """Stops it without another try for what it still holds. Waits for its thread; returns False if that has not ended.

    `close(timeout)` would first go on sending for that time, and raise before it stops the thread: a record that counts as
    failed would be written after the end of the topic was compared.
    """
    producer._sender.force_close()  # noqa: SLF001
    producer._sender.join(_JOIN_SENDER)  # noqa: SLF001
    with suppress(KafkaError):
        producer.close(timeout=0)
    return not producer._sender.is_alive()  # noqa: SLF001


def enqueue(
    producer: KafkaProducer, partition: TopicPartition, records: Iterable[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]
) -> list[Any]:
    """Queues records as batches that hold nothing else, as `send` would one by one. Returns the library's future for each.

    A record is its timestamp in milliseconds, key, value and headers. Unlike `send` this neither wakes the sender nor compares
    a record with `max_request_size`.
    """
    accumulator = producer._accumulator  # noqa: SLF001
    given = [accumulator.config[name] for name in ("message_version", "compression_attrs", "batch_size")]
    batches: list[ProducerBatch] = []
    futures: list[Any] = []
    for record in records:
        future = batches[-1].try_append(*record) if batches else None
        if future is None:
            batches.append(ProducerBatch(partition, MemoryRecordsBuilder(*given)))
            future = batches[-1].try_append(*record)  # the first record of a batch always has room
        futures.append(future)
    with accumulator._tp_lock(partition):  # noqa: SLF001
        if accumulator._closed:  # noqa: SLF001
            raise IllegalStateError("the producer is closed")
        for batch in batches:
            accumulator._batches[partition].append(batch)  # noqa: SLF001
            accumulator._incomplete.add(batch)  # noqa: SLF001
    return futures


@contextmanager
def without_linger(producer: KafkaProducer) -> Iterator[None]:
    """What was sent before goes out at once, and what is sent meanwhile too.

    `flush` does that as well, but waits for one batch after the other, each with its whole timeout.
    """
    producer._accumulator.begin_flush()  # noqa: SLF001
    producer._sender.wakeup()  # noqa: SLF001
    try:
        yield
    finally:
        producer._accumulator._flushes_in_progress.decrement()  # noqa: SLF001


def close(consumer: KafkaConsumer, bound: float) -> None:
    """Leaves the group and ends the client; the listener's work on the way is not bounded by `bound` seconds.

    `KafkaConsumer.close` alone ends the connections from this thread, while the I/O thread works on them and opens new ones for
    metadata: a traceback in the log, and a socket that is never closed.
    """
    consumer._closed = True  # noqa: SLF001
    try:
        consumer._coordinator.close(autocommit=False, timeout_ms=bound * 1000)  # noqa: SLF001
        consumer._net.run(consumer._cluster.close)  # noqa: SLF001
        consumer._net.run(consumer._manager.close)  # noqa: SLF001
    finally:
        if consumer._metrics is not None:  # noqa: SLF001
            consumer._metrics.close()  # noqa: SLF001
        consumer._client.close()  # noqa: SLF001


async def run_in_event_loop(
    consumer: KafkaConsumer, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], bound: float
) -> T:
    """For a rebalance listener: awaits `work`, which runs in `loop`, on the client's own I/O loop. Heartbeats go on meanwhile.

    Raises `KafkaTimeoutError` after `bound` seconds, and whatever `work` raises.
    """
    result: Future = Future()
    net = consumer._net  # noqa: SLF001
    task = asyncio.run_coroutine_threadsafe(work, loop)
    task.add_done_callback(lambda done: net.call_soon_threadsafe(lambda: _pass_on(done, result)))
    value: T = await consumer._manager.wait_for(result, bound * 1000)  # noqa: SLF001
    return value


def run_in_io_thread(consumer: KafkaConsumer, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Waits for `work(*arguments)` on the client's I/O loop, from any other thread; raises what it raises.

    Raises `KafkaConnectionError` when the client is closed, before or meanwhile.
    """
    try:
        result: T = consumer._net.run(work, *arguments)  # noqa: SLF001
    except KafkaError:  # which is a RuntimeError
        raise
    except RuntimeError as error:  # "NetworkSelector closed!"
        raise KafkaConnectionError(str(error)) from None
    return result


async def commit_in_listener(consumer: KafkaConsumer, offsets: Mapping[TopicPartition, OffsetAndMetadata], bound: float) -> None:
    """Commits and waits for the response, on the I/O loop; raises what `KafkaConsumer.commit` would.

    While no coordinator is known, `commit_async` would complete with the search for one, not with the commit.
    """
    await consumer._coordinator._commit_offsets_sync_async(offsets, bound * 1000)  # noqa: SLF001


def keep_join(consumer: KafkaConsumer) -> None:
    """After a `poll` that ended while a join was under way: makes the next one continue it.

    Without this, a join that a change of metadata started is forgotten when `poll` ends between our work as the group's leader
    and the broker's response: no partitions and no heartbeats from then on.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    if coordinator._join_task is not None:  # noqa: SLF001
        coordinator.request_rejoin()


def request_rejoin(consumer: KafkaConsumer) -> None:
    """Makes the next `poll` join the group again."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


def heartbeats(consumer: KafkaConsumer) -> tuple[float, float]:
    """Returns when the newest heartbeat was sent and when one was confirmed, by `time.monotonic`; -inf before the first."""
    heartbeat = consumer._coordinator.heartbeat  # noqa: SLF001
    return heartbeat.last_send, heartbeat.last_receive


def coordinator_known(consumer: KafkaConsumer) -> bool:
    """Returns whether the group's coordinator is known and connected. False in an outage, where no new client would help."""
    return not consumer._coordinator.coordinator_unknown()  # noqa: SLF001


def release_resumed(consumer: KafkaConsumer) -> None:
    """Before each `poll`: makes the library return what it fetched of a partition before that was paused, once it is resumed.

    The library puts such a batch aside, and looks at it again only while it has no current batch; one that is used up counts as
    current. With the other partitions at their ends that never ends: the partition is not fetched either, and no record of it
    comes any more. With a backlog there is nearly always a current batch, so that one is put aside too, behind those that wait
    already. A current batch that is paused itself makes room as well: `poll` would find nothing else and sleep out its timeout.
    """
    fetcher = consumer._fetcher  # noqa: SLF001
    aside, current = fetcher._paused_partition_records, fetcher._next_partition_records  # noqa: SLF001
    paused = consumer.paused()
    if aside.keys() - paused or (current and current.topic_partition in paused):
        if current:
            aside[current.topic_partition] = current
        fetcher._next_partition_records = None  # noqa: SLF001


def topic_hidden(consumer: KafkaConsumer, topic: str) -> bool:
    """Returns whether the brokers do not show us the topic any more: polls bring nothing then, without any error.

    Asks for it again in that case, else a right given back would be noticed after five minutes only.
    """
    cluster = consumer._cluster  # noqa: SLF001
    hidden = topic in cluster.unauthorized_topics
    if hidden:
        cluster.request_update()
    return hidden


def topic_id(consumer: KafkaConsumer, topic: str) -> object:
    """Returns another id when the topic was recreated. None while the topic is not there, and always with brokers before 2.8."""
    return consumer._cluster.topic_id(topic)  # noqa: SLF001


def partitions(consumer: KafkaConsumer, topic: str, bound: float) -> Collection[int]:
    """Returns the topic's partitions, empty if they are not known after `bound` seconds.

    `partitions_for_topic` would never return. A group whose first leader does not know them yet assigns nothing, and rebalances
    again as soon as it does.
    """
    cluster, manager = consumer._cluster, consumer._manager  # noqa: SLF001
    deadline = time.monotonic() + bound
    cluster.add_topic(topic)
    while not cluster.partitions_for_topic(topic) and (left := deadline - time.monotonic()) > 0:
        with suppress(KafkaError):
            manager.run(manager.wait_for, cluster.request_update(), left * 1000)
    return cluster.partitions_for_topic(topic) or ()


def log_ends(consumer: KafkaConsumer, topic: str, bound: float) -> Mapping[int, int]:
    """Returns where each partition ends on its leader; left out is one whose leader does not tell.

    `end_offsets` tells less while records are not on all the replicas that they need: a failed page may be there, out of sight.
    """
    cluster, manager = consumer._cluster, consumer._manager  # noqa: SLF001
    asked: dict[int, list[Any]] = {}
    for number in cluster.partitions_for_topic(topic) or ():
        partition = TopicPartition(topic, number)
        epoch, leader = cluster.leader_epoch_for_partition(partition), cluster.leader_for_partition(partition)
        if epoch is not None and epoch >= 0 and leader is not None and leader >= 0:
            one = _EpochTopic.OffsetForLeaderPartition(partition=number, current_leader_epoch=-1, leader_epoch=epoch)
            asked.setdefault(leader, []).append(one)
    ends: dict[int, int] = {}
    for leader, partitions in asked.items():
        request = OffsetForLeaderEpochRequest(replica_id=-1, topics=[(topic, partitions)])
        with suppress(KafkaError):
            response = manager.run(_response, manager, request, leader, bound)
            found = (one for topic in response.topics for one in topic.partitions)
            ends |= {one.partition: one.end_offset for one in found if not one.error_code}
    return ends


async def _response(manager: Any, request: Any, node: int, bound: float) -> Any:
    return await manager.wait_for(manager.send(request, node_id=node), bound * 1000)


def _pass_on(done: Any, result: Future) -> None:
    if not result.is_done:
        error = done.exception() if not done.cancelled() else KafkaTimeoutError("cancelled")
        result.failure(error) if error else result.success(done.result())
