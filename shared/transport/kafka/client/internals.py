"""What we touch of kafka-python 3.0.12 that it does not offer: all of it stands here, each with its reason.

The exact version is pinned for these. Everything takes the client it works on; nothing is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.future import Future
from kafka.structs import OffsetAndMetadata, TopicPartition

#: Seconds; a request that the thread may be waiting for ends before.
_JOIN_SENDER: Final = 15.0

T = TypeVar("T")


class QuietProducer(KafkaProducer):  # type: ignore[misc]  # the client library is not typed
    """Collecting any producer as garbage replaces its module's logger by one that logs nothing, for the whole process.

    Ours are closed by hand, so the destructor has nothing to do.
    """

    def __del__(self) -> None:
        pass


def abandon(producer: KafkaProducer) -> bool:
    """Stop it without another try for what it still holds; returns when its thread has ended, False if it has not yet.

    `close(timeout)` would first go on sending for that time, and raise before it stops the thread: a record that counts as
    failed would be written behind our back, after the topic's tail was read.
    """
    producer._sender.force_close()  # noqa: SLF001
    producer._sender.join(_JOIN_SENDER)  # noqa: SLF001
    with suppress(KafkaError):
        producer.close(timeout=0)
    return not producer._sender.is_alive()  # noqa: SLF001


def close(consumer: KafkaConsumer, bound: float) -> None:
    """Leave the group and end the client; the listener's work on the way is not bounded by `bound` seconds.

    `KafkaConsumer.close` alone ends the connections from this thread, while the I/O thread works on them and opens new ones for
    metadata: a traceback in the log, and a socket that is never closed.
    """
    consumer._closed = True  # noqa: SLF001
    try:
        consumer._coordinator.close(autocommit=False, timeout_ms=bound * 1000)  # noqa: SLF001
        consumer._net.run(consumer._cluster.close)  # noqa: SLF001
        consumer._net.run(consumer._manager.close)  # noqa: SLF001
    finally:
        consumer._metrics.close()  # noqa: SLF001
        consumer._client.close()  # noqa: SLF001


async def in_loop(consumer: KafkaConsumer, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], bound: float) -> T:
    """For a rebalance listener: await `work`, which runs in `loop`, from the client's own I/O loop.

    Heartbeats go on meanwhile. Raises `KafkaTimeoutError` after `bound` seconds, and whatever `work` raises.
    """
    answer: Future = Future()
    net = consumer._net  # noqa: SLF001
    task = asyncio.run_coroutine_threadsafe(work, loop)
    task.add_done_callback(lambda done: net.call_soon_threadsafe(lambda: _pass_on(done, answer)))
    result: T = await consumer._manager.wait_for(answer, bound * 1000)  # noqa: SLF001
    return result


def in_io_thread(consumer: KafkaConsumer, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Await `work(*arguments)` on the client's I/O loop, from any other thread; raises what it raises.

    `KafkaConnectionError` when the client is closed, before or meanwhile.
    """
    try:
        result: T = consumer._net.run(work, *arguments)  # noqa: SLF001
    except KafkaError:  # which is a RuntimeError
        raise
    except RuntimeError as error:  # "NetworkSelector closed!"
        raise KafkaConnectionError(str(error)) from None
    return result


async def commit_in_listener(consumer: KafkaConsumer, offsets: Mapping[TopicPartition, OffsetAndMetadata], bound: float) -> None:
    """Commit and wait for the answer, on the I/O loop; raises what `KafkaConsumer.commit` would.

    `commit_async` would answer for the search of the coordinator instead of the commit when there is none at the moment.
    """
    await consumer._coordinator._commit_offsets_sync_async(offsets, bound * 1000)  # noqa: SLF001


def hold_on_to_join(consumer: KafkaConsumer) -> None:
    """After a `poll` that ended while a join was under way: have the next one take it up.

    Without this a join that a change of metadata started is forgotten when `poll` ends between our work as the group's leader and
    the broker's answer: no partitions and no heartbeats, for ever.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    if coordinator._join_task is not None:  # noqa: SLF001
        coordinator.request_rejoin()


def request_rejoin(consumer: KafkaConsumer) -> None:
    """Have the next `poll` join the group anew."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


def heartbeats(consumer: KafkaConsumer) -> tuple[float, float]:
    """When the newest heartbeat was sent, and when one was confirmed, in the time of `time.monotonic`; -inf before the first."""
    heartbeat = consumer._coordinator.heartbeat  # noqa: SLF001
    return heartbeat.last_send, heartbeat.last_receive


def coordinator_known(consumer: KafkaConsumer) -> bool:
    """Whether the group's coordinator is known and not disconnected: False in an outage, where no new client would help."""
    return not consumer._coordinator.coordinator_unknown()  # noqa: SLF001


def take_up(consumer: KafkaConsumer) -> None:
    """Before each `poll`: what was fetched of a partition and put aside when it was paused comes back once it is resumed.

    The library takes it up again only while no batch is in hand, and a batch that is used up counts as one in hand. With the
    other partitions at their ends that is for ever: the partition is not fetched either, and nothing of it comes any more. With
    a backlog there is nearly always one in hand, so that one is put aside too, behind those that wait already. One in hand that
    is paused itself makes room as well: `poll` would find nothing else and sleep out its timeout.
    """
    fetcher = consumer._fetcher  # noqa: SLF001
    aside, in_hand = fetcher._paused_partition_records, fetcher._next_partition_records  # noqa: SLF001
    paused = consumer.paused()
    if aside.keys() - paused or (in_hand and in_hand.topic_partition in paused):
        if in_hand:
            aside[in_hand.topic_partition] = in_hand
        fetcher._next_partition_records = None  # noqa: SLF001


def hidden(consumer: KafkaConsumer, topic: str) -> bool:
    """Whether the brokers do not show us the topic any more: polls bring nothing then, without any error.

    Asks again in that case, else a right given back would be noticed after five minutes only.
    """
    cluster = consumer._cluster  # noqa: SLF001
    found = topic in cluster.unauthorized_topics
    if found:
        cluster.request_update()
    return found


def topic_id(consumer: KafkaConsumer, topic: str) -> object:
    """Another one when the topic is made anew. None while the topic is not there, and always with brokers before 2.8."""
    return consumer._cluster.topic_id(topic)  # noqa: SLF001


def partitions(consumer: KafkaConsumer, topic: str, bound: float) -> Collection[int]:
    """The topic's partitions; waits `bound` seconds at most until they are known, and is empty if they are not by then.

    `partitions_for_topic` would wait for ever. A group whose first leader does not know them yet assigns nothing, and rebalances
    again as soon as it does.
    """
    cluster, manager = consumer._cluster, consumer._manager  # noqa: SLF001
    deadline = time.monotonic() + bound
    cluster.add_topic(topic)
    while not cluster.partitions_for_topic(topic) and (left := deadline - time.monotonic()) > 0:
        with suppress(KafkaError):
            manager.run(manager.wait_for, cluster.request_update(), left * 1000)
    return cluster.partitions_for_topic(topic) or ()


def _pass_on(done: Any, answer: Future) -> None:
    if not answer.is_done:
        error = done.exception() if not done.cancelled() else KafkaTimeoutError("cancelled")
        answer.failure(error) if error else answer.success(done.result())
