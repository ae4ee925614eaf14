from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.transport.kafka.group.assignor import owners, shares

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
