"""From settings to a client: the one place where they become kafka-python's arguments, for consumer, producer and admin alike.

Make clients with `build` only. A constructor that meets TLS on a silent port ignores its own timeout and never returns, and one
that fails leaves its I/O thread and four sockets behind. So each constructor runs in a thread of its own, under a bound, and what
it leaves behind is closed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import kafka
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from shared.errors import TransportUnreachable, TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.errors import Access, translation
from shared.transport.kafka.client.internals import QuietProducer
from shared.transport.kafka.client.library_log import throttle_library_log
from shared.transport.kafka.client.probe import CLIENT_ID
from shared.transport.kafka.client.security import sasl_arguments, tls_context

#: Older versions stall after a change of leader (before 3.0.6) or leave partitions unread after a rebalance (before 3.0.9).
OLDEST: Final = (3, 0, 12)
#: Seconds that one request may take before it is given up and sent again.
REQUEST_TIMEOUT: Final = 10.0
#: Seconds that the library gets to find the cluster, and that a constructor may take in all.
BOOTSTRAP_TIMEOUT: Final = 10.0
BUILD_BOUND: Final = 12.0
#: Seconds that a producer may wait for a topic's metadata.
_METADATA_BOUND: Final = 10.0

C = TypeVar("C")


def build(kind: Callable[..., C], settings: TransportSettings, *, bound: float = BUILD_BOUND, **more: Any) -> C:
    """Returns `kind(**arguments(settings), **more)`; `more` wins. `kind` is a class of kafka-python. Blocks for `bound` seconds.

    Raises `TransportUnusable`; `TransportUnreachable` where no response came.
    """
    throttle_library_log()
    parts: list[KafkaNetClient] = []
    given = {**arguments(settings), "kafka_client": _recorder(parts), **more}
    made: Future[C] = Future()
    threading.Thread(target=_construct, args=(lambda: kind(**given), made, parts), name="kafka-build", daemon=True).start()
    wait([made], timeout=bound)
    if made.cancel():
        # Closing can wait for a name server, so not here; it also frees the constructor that hangs.
        threading.Thread(target=_close, args=(parts,), name="kafka-close", daemon=True).start()
        raise TransportUnreachable(f"Kafka at {servers(settings)} does not answer: no connection within {bound:g} s")
    try:
        return made.result()
    except (KafkaError, OSError) as error:
        raise translation(settings, error, f"connecting to {servers(settings)}", Access("DESCRIBE", "cluster")) from error


@contextmanager
def administrator(settings: TransportSettings) -> Iterator[KafkaAdminClient]:
    """Yields a `KafkaAdminClient` and closes it. Blocks. Raises `TransportUnusable`."""
    client = build(KafkaAdminClient, settings)
    try:
        yield client
    finally:
        client.close()


def idempotent_producer(settings: TransportSettings, *, delivery: float, **more: Any) -> QuietProducer:
    """Returns a producer that gives a record up after `delivery` seconds. Blocks. Raises like `build`."""
    return build(
        QuietProducer,
        settings,
        acks="all",
        enable_idempotence=True,
        compression_type="gzip",
        metrics_enabled=False,  # the library's own, which nothing reads: a tenth of the sender's work
        delivery_timeout_ms=round(delivery * 1000),
        max_block_ms=round(_METADATA_BOUND * 1000),
        **more,
    )


def arguments(settings: TransportSettings) -> dict[str, Any]:
    """Returns what every client is given. Raises `TransportUnusable` for unusable files, mechanism or library version."""
    _require_version()
    return {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": CLIENT_ID,
        "request_timeout_ms": round(REQUEST_TIMEOUT * 1000),
        "bootstrap_timeout_ms": round(BOOTSTRAP_TIMEOUT * 1000),
        # With the library's own 30 s a broker that came back would be noticed that late.
        "reconnect_backoff_max_ms": 1000,
        "security_protocol": settings.security_protocol,
        "ssl_context": tls_context(settings),
        **sasl_arguments(settings),
    }


def servers(settings: TransportSettings) -> str:
    return ", ".join(settings.bootstrap_servers)


def _require_version() -> None:
    found = tuple(int(number) for number in re.findall(r"\d+", kafka.__version__)[:3])
    if found < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise TransportUnusable(f"kafka-python {kafka.__version__} loses its place after rebalances: install {wanted} or newer")


def _recorder(parts: list[KafkaNetClient]) -> Callable[..., KafkaNetClient]:
    """Returns a factory for the network half of a client that remembers what it made: all that a failed constructor leaves."""

    def record(**given: Any) -> KafkaNetClient:
        part = KafkaNetClient(**given)
        parts.append(part)
        return part

    return record


def _construct(make: Callable[[], C], made: Future[C], parts: list[KafkaNetClient]) -> None:
    try:
        client = make()
    except BaseException as error:  # noqa: BLE001 - it is raised where the client was wanted
        _close(parts)
        if made.set_running_or_notify_cancel():
            made.set_exception(error)
        return
    if made.set_running_or_notify_cancel():
        made.set_result(client)
    else:
        _close(parts)


def _close(parts: list[KafkaNetClient]) -> None:
    """Idempotent: called from two threads."""
    while parts:
        # RuntimeError: a producer's constructor runs the network loop itself; closing from outside frees it, and then complains.
        with suppress(IndexError, RuntimeError):
            parts.pop().close()
