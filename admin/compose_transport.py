"""Wires the log between producer and consumer, from the settings of the transport."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from shared import logging
from shared.settings import Role, Settings, TransportSettings
from shared.transport.port import Transport
from shared.waiting import Stopped, unless_stopped

#: Seconds to wait for Kafka at the start: longer than a broker takes to come up beside us, shorter than a person's patience.
_PATIENCE: Final = 60.0

our_log = logging.get_logger(__name__)


def transport(settings: Settings, *, concurrent_calls: int | None = None) -> Transport:
    """Returns Kafka if `KAFKA_BOOTSTRAP_SERVERS` is set, else SQLite.

    `concurrent_calls`: the limit over the whole group, if not the one of the settings.
    """
    serves = settings.role in (Role.RUN, Role.PRODUCE, Role.CONSUME)
    if concurrent_calls is None:
        concurrent_calls = settings.delivery.concurrent_calls if settings.role in (Role.RUN, Role.CONSUME) else 1
    if settings.transport.bootstrap_servers:
        from shared.transport.kafka.transport import KafkaTransport  # importing kafka takes up to a second

        return KafkaTransport(settings.transport, concurrent_calls=concurrent_calls, patience=_PATIENCE if serves else 0.0)
    from shared.transport.sqlite.transport import SqliteTransport

    return SqliteTransport(
        settings.transport.sqlite_path,
        retention_days=settings.transport.sqlite_retention_days,
        concurrent_calls=concurrent_calls,
    )


def require_broker(kafka: TransportSettings) -> None:
    """Blocks until one broker answers as it must. Raises `TransportUnusable` after the first try."""
    from shared.transport.kafka.client.preflight import wait_for_broker

    wait_for_broker(kafka, 0.0, our_log)


async def wait_for_transport(settings: Settings, stop: asyncio.Event, *, patience: float = _PATIENCE) -> bool:
    """Wait until Kafka can be reached. Returns False if `stop` came first. Raises `TransportUnusable` when waiting is no use."""
    if not settings.transport.bootstrap_servers:
        return True
    from shared.transport.kafka.client.preflight import wait_for_broker
    from shared.transport.kafka.client.thread import ClientThread

    # The thread is abandoned at a stop: a DNS look-up may take it a minute.
    halt, thread = threading.Event(), ClientThread("kafka-preflight")
    try:
        return await unless_stopped(stop, thread.run(wait_for_broker, settings.transport, patience, our_log, halt))
    except Stopped:
        our_log.info("stopped before Kafka could be reached; nothing was read or sent")
        return False
    finally:
        halt.set()
        thread.stop()
