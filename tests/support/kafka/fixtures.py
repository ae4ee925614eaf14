"""The brokers as pytest fixtures; `tests/conftest.py` registers this module.

- `kafka`: one plain broker for the whole run and all its workers; take topic and group names from `names`, all else is shared.
- `own_kafka`: a broker of this test alone, to be killed, frozen and restarted.
- `secured_kafka`: one broker with three doors (plaintext, SASL_SSL, mutual TLS) and ACLs on; always from the jars.
- `kafka_gate`: a gate in front of a broker, which cuts everything off at the n-th request; always from the jars.
- `principal`: `principal("consumer")` comes to the secured broker with exactly the rights of that role on this test's names.

Where the broker of `kafka` comes from: the environment's KAFKA_BOOTSTRAP_SERVERS, Apache Kafka's own jars, a Docker engine that
has the image; the first that works. The jars start in a third of the time, and end with the tests alone, while others may stop an
engine. `own_kafka` is never the environment's. AUTH0_WEBHOOKS_TEST_BROKER=jars|docker picks one for both. Without any: skipped at
home, failed where CI is set.

A test that starts our own program must give it an environment of its own: the program reads KAFKA_BOOTSTRAP_SERVERS too.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, NoReturn, TypeVar

import pytest

from tests.support.kafka.broker import PATIENT, Broker, ExternalBroker, JarsBroker
from tests.support.kafka.cutting import BrokerBehindGate, Gate
from tests.support.kafka.docker import DockerBroker
from tests.support.kafka.jars import Unavailable
from tests.support.kafka.principals import Door, Principal, create_principal
from tests.support.kafka.readiness import BrokerEnded
from tests.support.kafka.secured import SecuredBroker
from tests.support.kafka.sharing import shared

B = TypeVar("B", bound=Broker)
#: How often a broker that ends while it starts is tried, each time a new one with other ports.
_STARTS: Final = 3
_WAYS: Final[dict[str, Callable[[Mapping[str, str]], Broker]]] = {"jars": JarsBroker, "docker": DockerBroker}


@dataclass(frozen=True, slots=True)
class Names:
    """Names that no other test uses; what the product derives from `topic` and `group` is free too."""

    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:10])

    @property
    def topic(self) -> str:
        return f"logs-{self.suffix}"

    @property
    def group(self) -> str:
        return f"group-{self.suffix}"

    @property
    def environment(self) -> dict[str, str]:
        return {"KAFKA_TOPIC": self.topic, "KAFKA_GROUP": self.group}


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Broker:
    return _shared(request, "plain", _external, *_ways("jars", "docker", properties=PATIENT))


@pytest.fixture
def own_kafka() -> Iterator[Broker]:
    yield from _lent(*_ways("jars", "docker"))


@pytest.fixture(scope="session")
def secured_kafka(request: pytest.FixtureRequest) -> SecuredBroker:
    return _shared(request, "secured", SecuredBroker)


@pytest.fixture(scope="session")
def kafka_gate() -> Iterator[Gate]:
    for broker in _lent(BrokerBehindGate):
        yield broker.gate


@pytest.fixture
def principal(secured_kafka: SecuredBroker, names: Names) -> Callable[..., Principal]:
    def create(role: str, door: Door = "sasl") -> Principal:
        return create_principal(secured_kafka, role, topic=names.topic, group=names.group, door=door)

    return create


def _ways(*order: str, properties: Mapping[str, str] = MappingProxyType({})) -> list[Callable[[], Broker]]:
    wanted = os.environ.get("AUTH0_WEBHOOKS_TEST_BROKER")
    return [partial(_WAYS[way], properties) for way in ((wanted,) if wanted else order)]


def _external() -> Broker:
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not bootstrap or os.environ.get("AUTH0_WEBHOOKS_TEST_BROKER"):
        raise Unavailable("KAFKA_BOOTSTRAP_SERVERS is not set")
    return ExternalBroker(bootstrap)


def _lent(*ways: Callable[[], B]) -> Iterator[B]:
    """The first broker that starts, closed at the end."""
    broker = _started(*ways)
    try:
        yield broker
    finally:
        broker.close()


def _shared(request: pytest.FixtureRequest, name: str, *ways: Callable[[], B]) -> B:
    """The same for all workers of this run, closed after the last test of the last of them."""
    folder: Path = request.getfixturevalue("tmp_path_factory").getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent
    return shared(folder, name, partial(_started, *ways), request.config.add_cleanup)


def _started(*ways: Callable[[], B]) -> B:
    reasons = []
    for way in ways:
        for _ in range(_STARTS):
            try:
                return way().__enter__()
            except BrokerEnded as reason:
                reasons.append(str(reason))
            except Unavailable as reason:
                reasons.append(str(reason))
                break
    return _without("; ".join(reasons))


def _without(reasons: str) -> NoReturn:
    line = f"no Kafka for tests: {reasons}"
    if os.environ.get("CI"):
        pytest.fail(line)
    pytest.skip(line)
