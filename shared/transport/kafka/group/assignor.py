"""Who owns which partition and how many calls: decided by the group's leader, carried in the assignment's own bytes.

A sticky assignor (its data carries the generation, so a member that was away claims nothing stale) that gives partitions to at
most as many members as there are calls. Runs in the client's I/O thread, `on_assignment` before the rebalance listener.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

from shared.logging import get_logger

#: Goes with the form of the bytes below: members of another form are refused by the broker instead of misread.
NAME: Final = "auth0-webhooks.shares.1"
_SUBSCRIPTION: Final = struct.Struct(">I")  # the member's own limit; the sticky assignor's data follows
_ASSIGNMENT: Final = struct.Struct(">II")  # share, the group's limit

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Share:
    """What the leader gave this member."""

    calls: int = 0
    #: What the leader shared out in all; 0 until the first assignment.
    limit: int = 0


class SharingAssignor(StickyPartitionAssignor):  # type: ignore[misc]  # the client library is not typed
    name: Final = NAME

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self.share = Share()

    def metadata(self, topics: Collection[str]) -> ConsumerProtocolSubscription:
        subscription = super().metadata(topics)
        history = subscription.user_data
        subscription.user_data = _SUBSCRIPTION.pack(self._limit) + (history.encode() if history else b"")
        return subscription

    @classmethod
    def parse_member_metadata(cls, metadata: ConsumerProtocolSubscription) -> Any:
        history = metadata.user_data[_SUBSCRIPTION.size :]
        return super().parse_member_metadata(ConsumerProtocolSubscription(metadata.version, metadata.topics, history))

    def assign(self, cluster: Any, members: Iterable[Any]) -> Mapping[str, ConsumerProtocolAssignment]:
        """`members`: `member_id` and decoded subscription (`metadata`) of each one that joined."""
        joined = {member.member_id: member for member in members}
        self._compare({name: _SUBSCRIPTION.unpack_from(member.metadata.user_data)[0] for name, member in joined.items()})
        had = {name: len(self.parse_member_metadata(member.metadata).partitions) for name, member in joined.items()}
        topics = {topic for member in joined.values() for topic in member.metadata.topics}
        partitions = sum(len(cluster.partitions_for_topic(topic) or ()) for topic in topics)
        chosen = owners(had, limit=self._limit, partitions=partitions)
        assignment = super().assign(cluster, [joined[name] for name in chosen]) if chosen else {}
        return self._with_shares({name: assignment.get(name) or _nothing() for name in joined})

    def on_assignment(self, assignment: ConsumerProtocolAssignment, generation: int) -> None:
        super().on_assignment(assignment, generation)
        self.share = Share(*_ASSIGNMENT.unpack(assignment.user_data))

    def _with_shares(self, assignment: Mapping[str, ConsumerProtocolAssignment]) -> Mapping[str, ConsumerProtocolAssignment]:
        parts = shares({name: len(part.partitions()) for name, part in assignment.items()}, limit=self._limit)
        for name, part in assignment.items():
            part.user_data = _ASSIGNMENT.pack(parts[name], self._limit)
        log.info("shared the calls out", limit=self._limit, shares=sorted(parts.values(), reverse=True))
        return assignment

    def _compare(self, limits: Mapping[str, int]) -> None:
        others = sorted({limit for limit in limits.values() if limit != self._limit})
        if others:
            log.warning(
                "members of the group differ in WEBHOOK_CONCURRENT_CALLS: this member leads the group, so its value holds",
                holds=self._limit,
                others=others,
            )


def _nothing() -> ConsumerProtocolAssignment:
    return ConsumerProtocolAssignment(StickyPartitionAssignor.version, [], b"")


def owners(owned: Mapping[str, int], *, limit: int, partitions: int) -> Sequence[str]:
    """Returns the members that get partitions: no more than there are calls to share out, and partitions to own. Pure.

    `owned`: how many partitions each member had until now. A member that had some keeps its place, so that a join moves nothing.
    """
    order = sorted(owned, key=lambda member: (-owned[member], member))
    return order[: min(limit, partitions)]


def shares(owned: Mapping[str, int], *, limit: int) -> Mapping[str, int]:
    """Returns each member's part of `limit`, in proportion to its partitions: at least 1 with a partition, 0 without. Pure.

    The parts sum to exactly `limit` as soon as one member owns a partition. No more members than `limit` may own some.
    """
    with_partitions = sorted(member for member in owned if owned[member])
    parts = {member: int(owned[member] > 0) for member in owned}
    if with_partitions:
        for _ in range(limit - len(with_partitions)):
            parts[min(with_partitions, key=lambda member: parts[member] / owned[member])] += 1
    return parts
