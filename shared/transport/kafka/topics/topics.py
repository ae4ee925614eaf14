"""Our topics on the cluster: make them, show them, and see at start that they are as they must be. Everything here blocks.

Never lean on auto-creation: kafka-python cannot switch it off on its side, and a checkpoint topic that came about in that way is
not compacted and expires. And a consumer without DESCRIBE gets no error, it is silent for ever: so `verify` comes before every
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
    """What `create` did, by name."""

    created: tuple[str, ...]
    present: tuple[str, ...]


def create(settings: TransportSettings, partitions: int | None = None) -> Report:
    """Make the topics that are missing. `partitions`: of the topic of events; None takes 6, or as many as it has.

    Raises `TransportUnusable` for a missing right, and, before anything is made, when one that is there differs, naming both.
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
    """The same as commands of Kafka's own tools, one a line, for whoever owns the cluster."""
    return [_command(settings, shape) for shape in shapes(settings, partitions)]


def show(settings: TransportSettings) -> list[tuple[str, Topic | None]]:
    """Every topic of ours by name; None: it is not there. Raises `TransportUnusable`."""
    names = [shape.name for shape in shapes(settings)]
    with administrator(settings) as admin:
        present = _describe(admin, settings, names)
    return [(name, present.get(name)) for name in names]


def verify(settings: TransportSettings, topics: Collection[str]) -> None:
    """See that these topics of ours can be used; what only serves us worse is logged as a warning.

    Raises `TransportUnusable` for a topic that is missing, that we may not see, or that would lose events or our place.
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
            "run `auth0-webhooks topics create` (with --print it prints the commands for whoever owns the cluster)"
        )


def _describe(admin: KafkaAdminClient, settings: TransportSettings, names: list[str]) -> dict[str, Topic]:
    """The topics that are there, by name. Raises `TransportUnusable` for one that we may not see."""
    with translated(settings, "asking for topics", Access("DESCRIBE", f"topic {names[0]}")):
        answers = [answer for answer in admin.describe_topics(names) if answer["error_code"] != _MISSING]
    for answer in answers:
        _check_answer(settings, answer["error_code"], Access("DESCRIBE", f"topic {answer['name']}"), "shows")
    resources = [ConfigResource(ConfigResourceType.TOPIC, answer["name"], list(CONFIGS)) for answer in answers]
    with translated(settings, "asking for topic configurations", Access("DESCRIBE_CONFIGS", f"topic {names[0]}")):
        # Without the right to read them there is no error, but nothing for that topic.
        configs = admin.describe_configs(resources, config_filter="all").get("topic", {}) if resources else {}
    return {answer["name"]: _topic(answer, configs.get(answer["name"], {})) for answer in answers}


def _topic(answer: dict[str, Any], configs: dict[str, dict[str, str]]) -> Topic:
    partitions = answer["partitions"]
    replicas = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    return Topic(answer["name"], len(partitions), replicas, {name: config["value"] for name, config in configs.items()})


def _create(admin: KafkaAdminClient, settings: TransportSettings, shape: Shape) -> bool:
    """False: somebody else made it in the meantime."""
    access = Access("CREATE", f"topic {shape.name}")
    asked = {shape.name: {"num_partitions": shape.partitions, "replication_factor": -1, "configs": dict(shape.configs)}}
    with translated(settings, f"creating topic {shape.name}", access):
        answer = admin.create_topics(asked, raise_errors=False)["topics"][0]
    if answer["error_code"] == _EXISTS:
        return False
    _check_answer(settings, answer["error_code"], access, "creates", answer.get("error_message"))
    return True


def _check_answer(settings: TransportSettings, code: int, access: Access, verb: str, message: str | None = None) -> None:
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
