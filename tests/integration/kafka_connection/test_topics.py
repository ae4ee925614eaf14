"""Our topics: made where they are missing, refused where they fall short, checked before they are used."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from structlog.testing import capture_logs

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.topics import topics
from shared.transport.kafka.topics.layout import Topic, shapes
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names
from tests.support.kafka.jars import install
from tests.support.kafka.principals import log_settings
from tests.support.process_guard import guarded

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def settings(kafka: Broker, names: Names) -> TransportSettings:
    return log_settings({**kafka.environment, **names.environment})


@pytest.fixture
def admin(kafka: Broker) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


def _make(admin: KafkaAdminClient, name: str, partitions: int, **configs: str) -> None:
    given = {key.replace("_", "."): value for key, value in configs.items()}
    admin.create_topics({name: {"num_partitions": partitions, "configs": given}}, wait_for_metadata=True)


def _all(settings: TransportSettings) -> dict[str, Topic | None]:
    return dict(topics.show(settings))


def test_what_is_missing_is_made_and_what_is_there_stays(settings: TransportSettings) -> None:
    assert set(_all(settings).values()) == {None}
    made = topics.create(settings)
    assert made.created == (settings.topic, settings.checkpoint_topic, settings.dead_topic, settings.control_topic)
    again = topics.create(settings)
    assert (again.created, again.present) == ((), made.created)


def test_they_are_as_the_document_says(settings: TransportSettings) -> None:
    topics.create(settings)
    rows = re.findall(r"\| `auth0\.logs(\S*)` \| (\d) \| (.*?) \|", DOCUMENT.read_text())
    assert len(rows) == 4
    for suffix, partitions, configs in rows:
        topic = _all(settings)[settings.topic + suffix]
        assert topic
        assert topic.partitions == int(partitions)
        written = dict(config.split("=") for config in re.findall(r"`(\S+=\S+)`", configs))
        assert written.items() <= topic.configs.items()


def test_another_number_of_partitions_can_be_asked_for_once(settings: TransportSettings) -> None:
    topics.create(settings, 12)
    assert topics.create(settings).created == ()
    with pytest.raises(TransportUnusable, match=f"topic {settings.topic}: the number of partitions is 12, should be 6"):
        topics.create(settings, 6)


@pytest.mark.parametrize(
    ("topic", "partitions", "configs", "expected"),
    [
        ("checkpoint", 1, {"cleanup_policy": "delete"}, "cleanup.policy is delete, should be compact"),
        ("checkpoint", 2, {"cleanup_policy": "compact"}, "the number of partitions is 2, should be 1"),
        ("dead", 1, {"cleanup_policy": "compact", "max_message_bytes": "1000"}, "max.message.bytes is 1000, should be 16777216"),
        ("", 6, {"retention_ms": "3600000"}, "retention.ms is 3600000, should be 1209600000"),
        ("", 6, {"cleanup_policy": "compact"}, "cleanup.policy is compact, should be delete"),
    ],
)
def test_what_falls_short_is_refused_with_both_values_and_nothing_is_made(
    settings: TransportSettings, admin: KafkaAdminClient, topic: str, partitions: int, configs: dict[str, str], expected: str
) -> None:
    name = ".".join(filter(None, [settings.topic, topic]))
    _make(admin, name, partitions, **configs)
    with pytest.raises(TransportUnusable, match=f"topic {name}: {re.escape(expected)}"):
        topics.create(settings)
    assert [there for there, found in topics.show(settings) if found] == [name]


def test_a_longer_retention_and_larger_bounds_are_fine(settings: TransportSettings, admin: KafkaAdminClient) -> None:
    _make(admin, settings.topic, 6, retention_ms="-1", max_message_bytes="20000000")
    assert settings.topic in topics.create(settings).present


def test_the_printed_commands_make_what_create_would_make(settings: TransportSettings) -> None:
    jars = install()
    for command in topics.commands(settings, 3):
        program, *arguments = shlex.split(command)
        assert program == "kafka-topics.sh"
        classes = f"-XX:SharedArchiveFile={jars.archive}"
        tool = jars.command("org.apache.kafka.tools.TopicCommand", *arguments, extra=(classes,))
        subprocess.run(tool, env=guarded(), check=True, timeout=30, capture_output=True)
    assert topics.create(settings, 3).created == ()
    with capture_logs() as lines:
        topics.verify(settings, [shape.name for shape in shapes(settings)])
    assert lines == []


def test_the_printed_commands_for_a_secured_cluster_leave_room_for_its_credentials() -> None:
    secured = TransportSettings(
        bootstrap_servers=("one:9093", "two:9093"),
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="name",
        sasl_password="the-password",
    )
    for command in topics.commands(secured):
        assert "--bootstrap-server one:9093,two:9093 --command-config client.properties" in command
        assert "the-password" not in command


def test_a_missing_topic_names_the_command_that_makes_it(settings: TransportSettings, admin: KafkaAdminClient) -> None:
    _make(admin, settings.topic, 6)
    with pytest.raises(TransportUnusable, match=rf"topic {settings.checkpoint_topic};.*auth0-webhooks topics create") as raised:
        topics.verify(settings, [settings.topic, settings.checkpoint_topic])
    assert f"topic {settings.topic};" not in str(raised.value)
    assert settings.checkpoint_topic not in admin.list_topics()


@pytest.mark.parametrize(
    ("topic", "partitions", "policy"),
    [("checkpoint", 1, "delete"), ("checkpoint", 1, "compact,delete"), ("checkpoint", 3, "compact"), ("", 6, "compact")],
)
def test_a_shape_that_would_lose_events_is_refused_at_start(
    settings: TransportSettings, admin: KafkaAdminClient, topic: str, partitions: int, policy: str
) -> None:
    name = ".".join(filter(None, [settings.topic, topic]))
    _make(admin, name, partitions, cleanup_policy=policy)
    with pytest.raises(TransportUnusable, match=rf"topic {name}: (cleanup\.policy|the number of partitions) is "):
        topics.verify(settings, [name])


def test_a_shape_that_only_serves_us_worse_is_a_warning(settings: TransportSettings, admin: KafkaAdminClient) -> None:
    _make(admin, settings.topic, 2, retention_ms="3600000")
    with capture_logs() as lines:
        topics.verify(settings, [settings.topic])
    assert [line["log_level"] for line in lines] == ["warning", "warning"]
    assert {line["problem"].split(" is ")[0] for line in lines} == {
        f"topic {settings.topic}: retention.ms",
        f"topic {settings.topic}: max.message.bytes",
    }
