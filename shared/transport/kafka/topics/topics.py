"""Our topics on the cluster: create them, show them, and verify them at start. Everything here blocks.

Never rely on auto-creation: kafka-python cannot switch it off on its side, and a checkpoint topic that came about in that way is
not compacted and expires. And a consumer without DESCRIBE gets no error, it just gets nothing: so call `verify` before every
client.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import RetriableError, for_code

from shared.errors import TransportUnreachable, TransportUnusable
from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator, servers
from shared.transport.kafka.client.errors import Access, denied, translated
from shared.transport.kafka.topics.layout import CONFIGS, Difference, Shape, Topic, differences, shapes

_MISSING: Final = 3
_DENIED: Final = 29
_EXISTS: Final = 36

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What `create` did."""

    created: tuple[str, ...]
    present: tuple[str, ...]


def create(settings: TransportSettings, partitions: int | None = None) -> Report:
    """Creates the missing topics. `partitions`: of the topic of events; None takes 6, or as many as it has.

    Raises `TransportUnusable` for a missing right, and before anything is created if an existing topic differs, naming both.
    """
    wanted = shapes(settings, partitions)
    with administrator(settings) as admin:
        present = _describe(admin, settings, [shape.name for shape in wanted])
        _warn_of_unseen(present.values())
        unlike = _differences(wanted, present, any_number=partitions is None)
        if unlike:
            raise TransportUnusable("\n".join(map(str, unlike)))
        created = [shape.name for shape in wanted if shape.name not in present and _create(admin, settings, shape)]
        with translated(settings, "waiting for the new topics", Access("DESCRIBE", f"topic {settings.topic}")):
            admin.wait_for_topics(created)
    return Report(tuple(created), tuple(shape.name for shape in wanted if shape.name not in created))


def commands(settings: TransportSettings, partitions: int | None = None) -> list[str]:
    """Returns commands of Kafka's own tools that do the same, for the cluster's owner."""
    return [_command(settings, shape) for shape in shapes(settings, partitions)]


def show(settings: TransportSettings) -> list[tuple[str, Topic | None]]:
    """Returns all our topics by name; None: it is missing. Raises `TransportUnusable`."""
    names = [shape.name for shape in shapes(settings)]
    with administrator(settings) as admin:
        present = _describe(admin, settings, names)
    return [(name, present.get(name)) for name in names]


def verify(settings: TransportSettings, topics: Collection[str]) -> None:
    """Checks these topics of ours; logs a warning for a difference that does no harm.

    Raises `TransportUnusable` for a topic that is missing, that we may not see, or that would lose events or the checkpoint.
    """
    wanted = [shape for shape in shapes(settings) if shape.name in topics]
    with administrator(settings) as admin:
        present = _describe(admin, settings, [shape.name for shape in wanted])
    _check_missing(settings, [shape.name for shape in wanted if shape.name not in present])
    _warn_of_unseen(present.values())
    unlike = _differences(wanted, present, any_number=True)
    if any(difference.fatal for difference in unlike):
        raise TransportUnusable("\n".join(str(difference) for difference in unlike if difference.fatal))
    for difference in unlike:
        _log.warning("a topic is not as it should be", problem=str(difference))


def _differences(wanted: Iterable[Shape], present: dict[str, Topic], *, any_number: bool) -> list[Difference]:
    pairs = [(shape, present[shape.name]) for shape in wanted if shape.name in present]
    return [found for shape, topic in pairs for found in differences(shape, topic, any_number=any_number)]


def _warn_of_unseen(present: Iterable[Topic]) -> None:
    for topic in present:
        if not topic.configs:
            _log.warning("the topic's configuration cannot be checked: no right to DESCRIBE_CONFIGS on it", topic=topic.name)


def _check_missing(settings: TransportSettings, missing: list[str]) -> None:
    if missing:
        names = ", ".join(missing)
        raise TransportUnusable(
            f"missing in Kafka at {servers(settings)}: {'topic' if len(missing) == 1 else 'topics'} {names}; "
            "run `auth0-webhooks topics create` (with --print it prints the commands for the owners of the cluster)"
        )


def _describe(admin: KafkaAdminClient, settings: TransportSettings, names: list[str]) -> dict[str, Topic]:
    """Returns the existing topics by name. Raises `TransportUnusable` for one that we may not see."""
    with translated(settings, "asking for topics", Access("DESCRIBE", f"topic {names[0]}")):
        found = [topic for topic in admin.describe_topics(names) if topic["error_code"] != _MISSING]
    for topic in found:
        _check_code(settings, topic["error_code"], Access("DESCRIBE", f"topic {topic['name']}"), "shows")
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic["name"], list(CONFIGS)) for topic in found]
    with translated(settings, "asking for topic configurations", Access("DESCRIBE_CONFIGS", f"topic {names[0]}")):
        # Without the right to read them there is no error, but no configuration of that topic.
        configs = admin.describe_configs(resources, config_filter="all").get("topic", {}) if resources else {}
    return {topic["name"]: _topic(topic, configs.get(topic["name"], {})) for topic in found}


def _topic(found: dict[str, Any], configs: dict[str, dict[str, str]]) -> Topic:
    partitions = found["partitions"]
    replicas = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    return Topic(found["name"], len(partitions), replicas, {name: config["value"] for name, config in configs.items()})


def _create(admin: KafkaAdminClient, settings: TransportSettings, shape: Shape) -> bool:
    """Returns False if another process has created it meanwhile."""
    access = Access("CREATE", f"topic {shape.name}")
    asked = {shape.name: {"num_partitions": shape.partitions, "replication_factor": -1, "configs": dict(shape.configs)}}
    with translated(settings, f"creating topic {shape.name}", access):
        response = admin.create_topics(asked, raise_errors=False)["topics"][0]
    if response["error_code"] == _EXISTS:
        return False
    _check_code(settings, response["error_code"], access, "creates", response.get("error_message"))
    return True


def _check_code(settings: TransportSettings, code: int, access: Access, verb: str, message: str | None = None) -> None:
    if code == _DENIED:
        raise TransportUnusable(denied(settings, access))
    if code:
        kind = TransportUnreachable if issubclass(for_code(code), RetriableError) else TransportUnusable
        raise kind(f"Kafka at {servers(settings)} {verb} no {access.resource}: {message or for_code(code).__name__}")


def _command(settings: TransportSettings, shape: Shape) -> str:
    secured = [] if settings.security_protocol == "PLAINTEXT" else ["--command-config", "client.properties"]
    configs = [word for name, value in shape.configs.items() for word in ("--config", f"{name}={value}")]
    where = ["kafka-topics.sh", "--bootstrap-server", ",".join(settings.bootstrap_servers), *secured]
    what = ["--create", "--if-not-exists", "--topic", shape.name, "--partitions", str(shape.partitions)]
    return shlex.join([*where, *what, *configs])
