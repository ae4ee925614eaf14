"""Each role can do its part with exactly the rights of docs/operations.md, and a right that is missing is named.

Here: what can be seen of the topics before anything is published or consumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from kafka.admin import ACL
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared.errors import TransportUnusable
from shared.transport.kafka.topics import topics
from tests.support.kafka.principals import Principal, log_settings
from tests.support.kafka.secured import SecuredBroker

Create = Callable[..., Principal]


@pytest.fixture
def made(principal: Create, secured_kafka: SecuredBroker) -> Create:
    """As `principal`, with the topics made beforehand."""

    def create(role: str, door: str = "sasl") -> Principal:
        somebody = principal(role, door)
        names = {name: somebody.environment[name] for name in ("KAFKA_TOPIC", "KAFKA_GROUP")}
        topics.create(log_settings({**secured_kafka.environment, **names}))
        return somebody

    return create


def _right(somebody: Principal, operation: str, suffix: str = "") -> ACL:
    name = somebody.settings.topic + suffix
    (found,) = [acl for acl in somebody.acls if acl.operation.name == operation and acl.resource_pattern.resource_name == name]
    return found


def _verify(somebody: Principal) -> list[EventDict]:
    """The warnings of checking what its role uses."""
    used = {acl.resource_pattern.resource_name for acl in somebody.acls}
    with capture_logs() as lines:
        topics.verify(somebody.settings, used)
    return lines


def _denied(somebody: Principal, operation: str, who: str | None = None) -> str:
    return re.escape(f"{who or somebody.name} has no right to {operation} on topic {somebody.settings.topic}")


@pytest.mark.parametrize("door", ["sasl", "mutual"])
@pytest.mark.parametrize("role", ["producer", "consumer", "admin", "viewer"])
def test_each_role_sees_that_its_topics_are_right(made: Create, role: str, door: str) -> None:
    somebody = made(role, door)
    assert _verify(somebody) == []
    assert somebody.settings.sasl_password is None or somebody.settings.sasl_password not in repr(somebody.settings)


def test_the_administrator_makes_the_topics(principal: Create) -> None:
    somebody = principal("admin")
    assert len(topics.create(somebody.settings).created) == 4
    assert len(topics.create(somebody.settings).present) == 4


def test_the_viewer_sees_all_and_makes_none(made: Create) -> None:
    somebody = made("viewer")
    assert all(topic and topic.configs for _, topic in topics.show(somebody.settings))


@pytest.mark.parametrize("role", ["producer", "consumer", "viewer"])
def test_nobody_else_makes_topics(principal: Create, role: str) -> None:
    somebody = principal(role)
    with pytest.raises(TransportUnusable, match=f"{somebody.name} has no right to (CREATE|DESCRIBE) on topic"):
        topics.create(somebody.settings)


def test_an_administrator_without_create_is_told_so(principal: Create) -> None:
    somebody = principal("admin")
    somebody.lose(_right(somebody, "CREATE"))
    with pytest.raises(TransportUnusable, match=_denied(somebody, "CREATE")):
        topics.create(somebody.settings)


@pytest.mark.parametrize(
    ("role", "lost"),
    [
        ("producer", ("READ", "WRITE")),
        ("consumer", ("READ",)),
        ("admin", ("DESCRIBE", "READ", "WRITE")),
        ("viewer", ("DESCRIBE",)),
    ],
)
def test_a_topic_that_may_not_be_seen_is_never_silence(made: Create, role: str, lost: tuple[str, ...]) -> None:
    """A consumer without DESCRIBE would poll for ever and get nothing, without an error."""
    somebody = made(role)
    for operation in lost:
        somebody.lose(_right(somebody, operation))
    with pytest.raises(TransportUnusable, match=_denied(somebody, "DESCRIBE")):
        _verify(somebody)
    for operation in lost:
        somebody.regain(_right(somebody, operation))
    assert _verify(somebody) == []


def test_who_comes_with_a_certificate_is_named_by_it(made: Create) -> None:
    somebody = made("consumer", "mutual")
    somebody.lose(_right(somebody, "READ"))
    with pytest.raises(TransportUnusable, match=_denied(somebody, "DESCRIBE", "the certificate's subject")):
        _verify(somebody)


@pytest.mark.parametrize("role", ["producer", "consumer", "admin", "viewer"])
def test_without_the_right_to_read_configurations_there_is_a_warning(made: Create, role: str) -> None:
    somebody = made(role)
    somebody.lose(_right(somebody, "DESCRIBE_CONFIGS"))
    lines = _verify(somebody)
    assert somebody.settings.topic in {line["topic"] for line in lines}
    assert all(line["log_level"] == "warning" and "DESCRIBE_CONFIGS" in line["event"] for line in lines)
