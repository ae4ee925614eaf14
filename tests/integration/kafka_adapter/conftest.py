from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
import structlog
from kafka.net.inet import KafkaNetSocket
from structlog.typing import EventDict

from shared.settings import TransportSettings
from shared.transport.kafka.topics import topics
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names

#: Time is compressed: the group's other bounds follow from this one. Below three seconds a busy machine ends sessions by itself.
SESSION = 3.0
#: Returns the logged lines whose sentence contains a text.
Lines = Callable[[str], list[EventDict]]


def settings_on(broker: Broker, names: Names) -> TransportSettings:
    """Settings of a log that exists, with topics and groups of its own."""
    settings = TransportSettings(
        bootstrap_servers=(broker.bootstrap,), topic=names.topic, group=names.group, session_timeout=SESSION
    )
    topics.create(settings)
    return settings


@pytest.fixture
def settings(kafka: Broker, names: Names) -> TransportSettings:
    return settings_on(kafka, names)


@pytest.fixture
def own_settings(own_kafka: Broker, names: Names) -> TransportSettings:
    """On a broker that this test may kill and freeze."""
    return settings_on(own_kafka, names)


@pytest.fixture(autouse=True)
def _sockets_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client leaves those of refused connections to the garbage collector, which warns, and warnings are errors here."""
    connect = KafkaNetSocket.sock_connect

    async def connect_or_close(
        self: KafkaNetSocket, net: object, sock: socket.socket, *address: object, **more: object
    ) -> object:
        try:
            return await connect(self, net, sock, *address, **more)
        except BaseException:
            sock.close()
            raise

    monkeypatch.setattr(KafkaNetSocket, "sock_connect", connect_or_close)


@pytest.fixture
def lines() -> Iterator[Lines]:
    with structlog.testing.capture_logs() as captured:
        yield lambda text: [line for line in captured if text in line["event"]]
