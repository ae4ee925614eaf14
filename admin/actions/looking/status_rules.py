"""What consumers say of their rules: whether they run the same, and which are switched off. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.documents.replica import ReplicaDocument

#: The most processes that a sentence names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class RulesSeen:
    #: Names of consumers, by the hash of their rules; those without rules by an empty one.
    by_hash: Mapping[str, tuple[str, ...]]
    #: Consumers of one group run other rules: what becomes of an event depends on the one that owns its partition.
    differ: bool
    #: Names of consumers on which a rule is switched off, by the rule.
    switched_off: Mapping[str, tuple[str, ...]]

    @property
    def any(self) -> bool:
        return any(self.by_hash)

    @property
    def warnings(self) -> Iterator[str]:
        """For the sentence of `status`."""
        if self.differ:
            yield "consumers differ in their rules"
        for rule, where in self.switched_off.items():
            yield f"the rule {rule} is switched off on {named(where)}"


def rules_seen(replicas: Iterable[ReplicaDocument]) -> RulesSeen:
    """`replicas`: live ones."""
    by_hash, switched_off = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    by_group = defaultdict[str, set[str]](set)
    for one in replicas:
        if one.consumer:
            rules = one.consumer.rules
            found = rules.hash if rules else ""
            by_hash[found].append(one.id)
            by_group[one.consumer.group].add(found)
            for rule in rules.switched_off if rules else ():
                switched_off[rule].append(one.id)
    differ = any(len(hashes) > 1 for hashes in by_group.values())
    return RulesSeen(by_hash=_sorted(by_hash), differ=differ, switched_off=_sorted(switched_off))


def named(replicas: tuple[str, ...]) -> str:
    more = len(replicas) - _NAMED
    return ", ".join(replicas[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _sorted(found: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(sorted(found[key])) for key in sorted(found)}
