"""The assignor by itself: what its leader decides for members that join with the bytes of their former assignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

from shared.transport.kafka.group.assignor import Share, SharingAssignor, owners, shares


@dataclass(frozen=True, slots=True)
class Cluster:
    partitions: int = 6

    def topics(self) -> set[str]:
        return {"logs"}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self.partitions))


@dataclass(slots=True)
class Joined:
    member_id: str
    metadata: ConsumerProtocolSubscription


@dataclass(slots=True)
class SimulatedGroup:
    """Members that go through rebalances as the brokers carry them: everything as bytes."""

    cluster: Cluster = field(default_factory=Cluster)
    generation: int = 0

    def rebalance(self, *members: SharingAssignor) -> None:
        """The first one leads."""
        self.generation += 1
        joined = [Joined(f"m{index}", _over_the_wire(member)) for index, member in enumerate(members)]
        assignments = members[0].assign(self.cluster, joined)
        for index, member in enumerate(members):
            received = ConsumerProtocolAssignment.decode(assignments[f"m{index}"].encode())
            member.on_assignment(received, self.generation)


def _over_the_wire(member: SharingAssignor) -> ConsumerProtocolSubscription:
    return ConsumerProtocolSubscription.decode(member.metadata({"logs"}).encode())


def _owned(member: SharingAssignor) -> set[int]:
    return {partition.partition for partition in member.member_assignment}


def _calls(members: Sequence[SharingAssignor]) -> list[int]:
    return [member.share.calls for member in members]


def test_the_limit_and_all_partitions_are_given_out_when_members_come_and_go() -> None:
    for limit in (1, 2, 5, 20):
        group, members = SimulatedGroup(), [SharingAssignor(limit) for _ in range(8)]
        for count in (1, 2, 3, 8, 4, 6, 1):
            group.rebalance(*members[:count])
            assert sum(_calls(members[:count])) == limit
            assert sorted(partition for member in members[:count] for partition in _owned(member)) == list(range(6))
            assert all((member.share.calls > 0) == bool(_owned(member)) for member in members[:count])


def test_a_join_moves_only_what_it_must() -> None:
    group, members = SimulatedGroup(), [SharingAssignor(20) for _ in range(3)]
    group.rebalance(*members[:2])
    before = [_owned(member) for member in members[:2]]
    group.rebalance(*members)
    assert all(_owned(member) < had for member, had in zip(members, before, strict=False))
    assert len(_owned(members[2])) == 2


def test_a_member_that_comes_when_all_calls_are_taken_gets_nothing_and_takes_nothing() -> None:
    group, members = SimulatedGroup(), [SharingAssignor(2) for _ in range(3)]
    group.rebalance(*members[:2])
    before = [_owned(member) for member in members[:2]]
    group.rebalance(*members)
    assert [_owned(member) for member in members] == [*before, set()]
    assert members[2].share == Share(calls=0, limit=2)


def test_the_leaders_limit_holds_for_all() -> None:
    group, leader, other = SimulatedGroup(), SharingAssignor(4), SharingAssignor(50)
    group.rebalance(leader, other)
    assert _calls([leader, other]) == [2, 2]


def test_without_partitions_nobody_has_a_share() -> None:
    group, member = SimulatedGroup(Cluster(partitions=0)), SharingAssignor(5)
    group.rebalance(member)
    assert member.share == Share(calls=0, limit=5)


MEMBERS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 12), max_size=12)


@given(MEMBERS, st.integers(1, 60))
def test_the_shares_sum_to_exactly_the_limit(owned: dict[str, int], limit: int) -> None:
    chosen = owners(owned, limit=limit, partitions=100)
    parts = shares({member: owned[member] if member in chosen else 0 for member in owned}, limit=limit)
    with_partitions = [member for member in chosen if owned[member]]
    assert sum(parts.values()) == (limit if with_partitions else 0)
    assert all((part > 0) == (member in with_partitions) for member, part in parts.items())


@given(MEMBERS, st.integers(1, 60))
def test_of_equal_members_none_has_two_more_than_another(owned: dict[str, int], limit: int) -> None:
    chosen = owners(owned, limit=limit, partitions=100)
    parts = shares(dict.fromkeys(chosen, 2), limit=limit)
    assert max(parts.values(), default=0) - min(parts.values(), default=0) <= 1


def test_the_shares_follow_the_partitions() -> None:
    assert shares({"a": 2, "b": 2, "c": 1, "d": 1}, limit=18) == {"a": 6, "b": 6, "c": 3, "d": 3}


def test_a_member_that_owned_something_keeps_its_place() -> None:
    assert owners({"new": 0, "a": 3, "b": 3}, limit=2, partitions=6) == ["a", "b"]


def test_there_are_no_more_active_members_than_partitions_or_calls() -> None:
    owned = dict.fromkeys("abcdefgh", 0)
    assert len(owners(owned, limit=20, partitions=6)) == 6
    assert len(owners(owned, limit=3, partitions=6)) == 3
    assert owners(owned, limit=5, partitions=0) == []
