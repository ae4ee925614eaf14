"""Each role can do its part with exactly the rights of docs/operations.md, and a right that is missing is named.

Here: what can be seen of the topics before anything is published or consumed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared.errors import TransportUnusable
from shared.transport.kafka.topics import topics
from tests.support.kafka.principals import Principal, log_settings
from tests.support.kafka.secured import SecuredBroker

Create = Callable[..., Principal]


@pytest.fixture
def with_topics(principal: Create, secured_kafka: SecuredBroker) -> Create:
    """As `principal`, on topics that exist."""

    def create(role: str, door: str = "sasl") -> Principal:
        client = principal(role, door)
        names = {name: client.environment[name] for name in ("KAFKA_TOPIC", "KAFKA_GROUP")}
        topics.create(log_settings({**secured_kafka.environment, **names}))
        return client

    return create


def _verify(client: Principal) -> list[EventDict]:
    """The warnings of checking what its role uses."""
    used = {acl.resource_pattern.resource_name for acl in client.acls}
    with capture_logs() as lines:
        topics.verify(client.settings, used)
    return lines


@pytest.mark.parametrize("door", ["sasl", "mutual"])
@pytest.mark.parametrize("role", ["producer", "consumer", "admin", "viewer"])
def test_each_role_sees_that_its_topics_are_right(with_topics: Create, role: str, door: str) -> None:
    client = with_topics(role, door)
    assert _verify(client) == []
    assert client.settings.sasl_password is None or client.settings.sasl_password not in repr(client.settings)


def test_the_administrator_makes_the_topics(principal: Create) -> None:
    client = principal("admin")
    assert len(topics.create(client.settings).created) == 4
    assert len(topics.create(client.settings).present) == 4


def test_the_viewer_sees_all_and_makes_none(with_topics: Create) -> None:
    client = with_topics("viewer")
    assert all(topic and topic.configs for _, topic in topics.show(client.settings))


@pytest.mark.parametrize("role", ["producer", "consumer", "viewer"])
def test_no_other_role_makes_topics(principal: Create, role: str) -> None:
    client = principal(role)
    with pytest.raises(TransportUnusable, match=f"{client.name} has no right to (CREATE|DESCRIBE) on topic"):
        topics.create(client.settings)


def test_an_administrator_without_create_is_told_so(principal: Create) -> None:
    client = principal("admin")
    client.lose(client.right("CREATE", client.settings.topic))
    with pytest.raises(TransportUnusable, match=client.denied("CREATE", f"topic {client.settings.topic}")):
        topics.create(client.settings)


@pytest.mark.parametrize(
    ("role", "lost"),
    [
        ("producer", ("READ", "WRITE")),
        ("consumer", ("READ",)),
        ("admin", ("DESCRIBE", "READ", "WRITE")),
        ("viewer", ("DESCRIBE", "READ")),
    ],
)
def test_a_topic_that_may_not_be_seen_is_never_silence(with_topics: Create, role: str, lost: tuple[str, ...]) -> None:
    """A consumer without DESCRIBE would poll and get nothing, without an error."""
    client = with_topics(role)
    for operation in lost:
        client.lose(client.right(operation, client.settings.topic))
    with pytest.raises(TransportUnusable, match=client.denied("DESCRIBE", f"topic {client.settings.topic}")):
        _verify(client)
    for operation in lost:
        client.regain(client.right(operation, client.settings.topic))
    assert _verify(client) == []


def test_a_client_with_a_certificate_is_named_by_it(with_topics: Create) -> None:
    client = with_topics("consumer", "mutual")
    client.lose(client.right("READ", client.settings.topic))
    with pytest.raises(
        TransportUnusable, match=client.denied("DESCRIBE", f"topic {client.settings.topic}", "the certificate's subject")
    ):
        _verify(client)


@pytest.mark.parametrize("role", ["producer", "consumer", "admin", "viewer"])
def test_without_the_right_to_read_configurations_there_is_a_warning(with_topics: Create, role: str) -> None:
    client = with_topics(role)
    client.lose(client.right("DESCRIBE_CONFIGS", client.settings.topic))
    lines = _verify(client)
    assert client.settings.topic in {line["topic"] for line in lines}
    assert all(line["log_level"] == "warning" and "DESCRIBE_CONFIGS" in line["event"] for line in lines)
