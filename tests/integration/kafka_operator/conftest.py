from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.settings import TransportSettings
from shared.transport.kafka import transport
from shared.transport.kafka.client import clients
from shared.transport.kafka.topics import producer
from tests.integration.kafka_adapter.conftest import _sockets_are_closed as _sockets_are_closed
from tests.integration.kafka_adapter.conftest import lines as lines
from tests.integration.kafka_adapter.conftest import settings_on
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names, _lent, _ways


@pytest.fixture
def settings(kafka: Broker, names: Names) -> TransportSettings:
    return settings_on(kafka, names)


@pytest.fixture(scope="package")
def patient() -> Iterator[Broker]:
    """A broker that these tests kill, freeze and configure, and leave running."""
    yield from _lent(*_ways("jars", "docker"))


@pytest.fixture
def its_settings(patient: Broker, names: Names) -> TransportSettings:
    return settings_on(patient, names)


@pytest.fixture(autouse=True)
def _shorter_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "REQUEST_TIMEOUT", 1.0)
    monkeypatch.setattr(transport, "CONTROL_BOUND", 1.5)
    monkeypatch.setattr(producer, "DELIVERY", 2.0)
    monkeypatch.setattr(producer, "BOUND", 3.0)
