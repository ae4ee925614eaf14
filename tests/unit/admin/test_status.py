"""What `status` makes of positions and members, in a sentence."""

from __future__ import annotations

import pytest

from admin.actions.status import PartitionStatus, Status
from shared.transport.port import Consumers

OTHER = "Where consumers run, they use another group."


def _status(*committed: int | None, members: int | None = 0, end: int = 10) -> Status:
    rows = [
        PartitionStatus(partition=number, begin=0, end=end, committed=at, lag=end - (at or 0), done_beyond=0)
        for number, at in enumerate(committed)
    ]
    return Status(partitions=rows, consumers=Consumers(group="" if members is None else "g", members=members))


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (_status(None, None, end=0), "No consumer has joined the group g (KAFKA_GROUP) yet; no event is in the log."),
        (
            _status(None, None),
            f"No consumer has joined the group g (KAFKA_GROUP) yet; 20 events are in the log. {OTHER}",
        ),
        (_status(None, members=None, end=1), "No consumer has joined this log yet; 1 event is in the log."),
        (_status(10, None), "No consumer is running: the group g has no member; 10 events are not delivered yet."),
        (_status(10, 10), "No consumer is running: the group g has no member; everything is delivered."),
        (_status(None, members=1), "1 consumer in the group g; 10 events are not delivered yet."),
        (_status(10, members=3), "3 consumers in the group g; everything is delivered."),
        (_status(9, members=None), "1 event is not delivered yet."),
        (_status(10, members=None), "Everything is delivered."),
    ],
)
def test_what_is_said_is_what_can_be_known(seen: Status, sentence: str) -> None:
    assert seen.sentence == sentence
