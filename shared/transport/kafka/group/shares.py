"""How a limit that holds for a whole group is shared out to its members. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def active(owned: Mapping[str, int], *, limit: int, partitions: int) -> Sequence[str]:
    """The members that get partitions: no more than there are calls to share out, and partitions to own.

    `owned`: how many partitions each member had until now. Whoever had some keeps its place, so that a join moves nothing.
    """
    order = sorted(owned, key=lambda member: (-owned[member], member))
    return order[: min(limit, partitions)]


def shares(owned: Mapping[str, int], *, limit: int) -> Mapping[str, int]:
    """Each member's part of `limit`, in proportion to its partitions: at least 1 with a partition, 0 without one.

    The parts sum to exactly `limit` as soon as one member owns a partition. No more members than `limit` may own some.
    """
    owners = sorted(member for member in owned if owned[member])
    parts = {member: int(owned[member] > 0) for member in owned}
    if owners:
        for _ in range(limit - len(owners)):
            parts[min(owners, key=lambda member: parts[member] / owned[member])] += 1
    return parts
