"""A delivery: one event on its way to the webhook. The object is the call; nothing else is made for an event."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from consumer.webhook import Call
from shared.record import Record

if TYPE_CHECKING:
    from consumer.partitions.partition import Assignment


class Skip(Enum):
    """How far an event is that an operator wants set aside."""

    #: It goes out of its turn as soon as it is at the head of its lane and not under way.
    ASKED = auto()
    #: Nothing of it starts; whether it is set aside is decided now.
    FREE = auto()
    #: Its dead letter is being written.
    GOING = auto()
    #: Its dead letter is acknowledged.
    DEAD = auto()


class Delivery(Call):
    __slots__ = ("alone", "assignment", "lane", "readable", "record", "skip", "status")

    def __init__(self, assignment: Assignment, record: Record, log_id: str, lane: bytes | int) -> None:
        super().__init__(log_id, record.value or b"")
        self.assignment = assignment
        self.record = record
        self.lane = lane
        #: The status of its last answer.
        self.status: int | None = None
        #: None: no operator asks for it.
        self.skip: Skip | None = None
        #: It goes in a call of its own, also where events are sent in batches.
        self.alone = False
        #: False: it is held, since it is no record of ours.
        self.readable = True
