"""A delivery: one event on its way to the webhook. The object is the call; nothing else is made for an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.webhook import Call
from shared.record import Record

if TYPE_CHECKING:
    from consumer.assignment import Assignment


class Delivery(Call):
    __slots__ = ("alone", "assignment", "lane", "readable", "record", "skip", "status")

    def __init__(self, assignment: Assignment, record: Record, log_id: str, lane: bytes | int) -> None:
        super().__init__(log_id, record.value or b"")
        self.assignment = assignment
        self.record = record
        self.lane = lane
        #: The status of its last answer.
        self.status: int | None = None
        #: Who set it aside, and why; None: nobody.
        self.skip: str | None = None
        #: It goes in a call of its own, also where events are sent in batches.
        self.alone = False
        #: False: it is held, since it is no record of ours.
        self.readable = True
