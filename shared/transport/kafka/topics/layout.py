"""What our topics look like, and how an existing one differs. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.record import MAX_RECORD
from shared.settings import TransportSettings

#: Partitions of the topic of events, unless another number is asked for.
PARTITIONS: Final = 6

_DAY_MS: Final = 86_400_000
_EVENTS: Final = {"cleanup.policy": "delete", "retention.ms": str(14 * _DAY_MS), "max.message.bytes": str(MAX_RECORD)}
# Compaction leaves the newest segment alone, by default a week or 1 GiB: these topics would never shrink.
_COMPACT: Final = {"cleanup.policy": "compact", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.01"}
# A dead letter carries a whole record, quoted.
_DEAD: Final = {**_COMPACT, "max.message.bytes": str(2 * MAX_RECORD)}


@dataclass(frozen=True, slots=True)
class Shape:
    """A topic as it should be."""

    name: str
    partitions: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is."""

    name: str
    partitions: int
    #: Copies of the partition that has the fewest.
    replicas: int
    #: Those that our shapes name; empty without the right to read them.
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    topic: str
    what: str
    found: str
    wanted: str
    #: It would lose events or the checkpoint.
    fatal: bool
    action: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.what} is {self.found}, should be {self.wanted} ({self.action})"


def shapes(settings: TransportSettings, partitions: int | None = None) -> list[Shape]:
    """Returns all our topics; `partitions` is for the topic of events."""
    return [
        Shape(settings.topic, partitions or PARTITIONS, _EVENTS),
        Shape(settings.checkpoint_topic, 1, _COMPACT),
        Shape(settings.dead_topic, 1, _DEAD),
        Shape(settings.control_topic, 1, _COMPACT),
    ]


def differences(shape: Shape, topic: Topic, *, any_number: bool) -> list[Difference]:
    """Returns where `topic` is worse than `shape`; a longer retention or a larger bound is no difference.

    `any_number`: the topic may have any number of partitions, unless it must have one.
    """
    return [*_partitions(shape, topic, any_number=any_number), *_configs(shape, topic)]


def _partitions(shape: Shape, topic: Topic, *, any_number: bool) -> Iterator[Difference]:
    only_one = shape.partitions == 1 and shape.configs["cleanup.policy"] == "compact"
    if topic.partitions != shape.partitions and (only_one or not any_number):
        action = "delete it and create it again" if only_one else "more can be added, which moves users; fewer cannot"
        yield Difference(topic.name, "the number of partitions", str(topic.partitions), str(shape.partitions), only_one, action)


def _configs(shape: Shape, topic: Topic) -> Iterator[Difference]:
    for name, wanted in shape.configs.items():
        found = topic.configs.get(name)
        if found is not None and not _RULES[name](found, wanted):
            action = f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {name}={wanted}"
            yield Difference(topic.name, name, found, wanted, name == "cleanup.policy", action)


def _is(found: str, wanted: str) -> bool:
    return found == wanted


def _at_least(found: str, wanted: str) -> bool:
    """-1 is no bound at all."""
    return int(found) == -1 or int(found) >= int(wanted)


def _at_most(found: str, wanted: str) -> bool:
    return float(found) <= float(wanted)


#: For each configuration of ours: is what was found as good as what was wanted?
_RULES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "cleanup.policy": _is,
    "retention.ms": _at_least,
    "max.message.bytes": _at_least,
    "segment.ms": _at_most,
    "min.cleanable.dirty.ratio": _at_most,
}
#: Their names.
CONFIGS: Final = tuple(_RULES)
