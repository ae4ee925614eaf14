"""What operators and consumers write about a skip, and what a consumer does next. Pure.

Each document has one writer. The operator asks with `skip/REQUEST` and withdraws by deleting it. Each consumer that has the
event in hand answers under `skip-answer/REQUEST/MEMBER`:

    taken ──▶ setting-aside ──▶ set-aside
      │ │           │
      │ └──▶ left ◀─┘           withdrawn, expired, or the partition went: this consumer does nothing more
      └──▶ delivered            it saw the 200

A withdrawal and a dead letter cannot pass each other: both sides write first and read the table afterwards, so at least one
sees the other's document. A consumer writes the letter only when one snapshot shows both the request and its own
`setting-aside`. An operator who has withdrawn, and then sees no `setting-aside`, knows that none follows. No clock is needed
for that; the times are there so that a request whose operator is gone does not act hours later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, StrEnum, auto
from typing import Final

REQUESTS: Final = "skip/"
ANSWERS: Final = "skip-answer/"
#: 1: `skip/LOG_ID` of a release before; such a request is left alone, and its operator withdraws it.
VERSION: Final = 2
#: Seconds that the clocks of operator and consumer may differ.
SKEW: Final = 60.0
#: Seconds after its end from which on any consumer removes a document that its writer left behind.
_LEFT_BEHIND: Final = 600.0


class Word(StrEnum):
    """What a consumer says of a request."""

    TAKEN = "taken"
    SETTING_ASIDE = "setting-aside"
    SET_ASIDE = "set-aside"
    DELIVERED = "delivered"
    LEFT = "left"


#: After these the request has come to its end, whoever said it.
ENDS: Final = frozenset({Word.SET_ASIDE, Word.DELIVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    id: str
    log_id: str
    by: str
    why: str
    #: Seconds since the epoch, by the operator's clock.
    asked: float
    #: The same; `SKEW` is in it.
    until: float

    @property
    def key(self) -> str:
        return REQUESTS + self.id

    @property
    def reason(self) -> str:
        """As it stands in the dead letter."""
        return f"skipped by {self.by}: {self.why}"

    def is_timely(self, now: float) -> bool:
        return self.asked - SKEW <= now <= self.until

    def document(self) -> bytes:
        return _dump(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    request: str
    #: Tells consumers apart; new with each start.
    member: str
    #: Host and process, for people.
    name: str
    log_id: str
    word: Word
    #: Of the request.
    until: float

    @property
    def key(self) -> str:
        return f"{ANSWERS}{self.request}/{self.member}"

    def document(self) -> bytes:
        return _dump(asdict(self))


class Hand(Enum):
    """How a consumer has an event in hand."""

    #: Its call is open, or it is behind another of its lane.
    WAITING = auto()
    #: Out of its turn: nothing of it starts.
    FREE = auto()
    #: Its dead letter is being written.
    GOING = auto()
    #: Its dead letter is acknowledged.
    DEAD = auto()
    DELIVERED = auto()
    #: Its partition went.
    LOST = auto()
    #: Its partition went while the dead letter was being written.
    UNCERTAIN = auto()


@dataclass(slots=True)
class Table:
    """The control table as far as it is about skips."""

    requests: dict[str, Request] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    #: Keys of documents that this release cannot read.
    unknown: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, documents: Mapping[str, bytes]) -> Table:
        table = cls()
        for key, text in documents.items():
            if not key.startswith((REQUESTS, ANSWERS)):
                continue
            document = _parse(key, text)
            if isinstance(document, Request):
                table.requests[document.id] = document
            elif isinstance(document, Answer):
                table.answers[key] = document
            else:
                table.unknown.add(key)
        return table

    def standing(self, now: float) -> list[Request]:
        """Those to act on, the oldest first: not withdrawn, not expired, and not at their end."""
        ended = {answer.request for answer in self.answers.values() if answer.word in ENDS}
        standing = [one for one in self.requests.values() if one.id not in ended and one.is_timely(now)]
        return sorted(standing, key=lambda one: (one.asked, one.id))

    def answers_of(self, request: str) -> list[Answer]:
        return [answer for answer in self.answers.values() if answer.request == request]


@dataclass(slots=True, kw_only=True)
class Step:
    """What a consumer does now."""

    #: The reason by log id: the events that are free may be set aside, if it is done before anything else is awaited.
    permits: dict[str, str] = field(default_factory=dict)
    #: Documents by key; None: delete it.
    writes: dict[str, bytes | None] = field(default_factory=dict)
    #: One of them says that we are setting aside: look again as soon as it is acknowledged.
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One consumer."""

    id: str
    name: str

    def step(self, table: Table, hands: Mapping[str, AbstractSet[Hand]], now: float) -> Step:
        """`hands`: by log id; several, where a log id stands in the log several times."""
        step = Step()
        acting = self._acting(table, now)
        for answer, stands in self._answers(table, now):
            said = table.answers.get(answer.key)
            hand = hands.get(answer.log_id, frozenset())
            acts = acting.get(answer.log_id) == answer.request
            word = _word(said.word if said else None, hand, stands=stands, acts=acts)
            if acts and said and said.word is word is Word.SETTING_ASIDE and Hand.FREE in hand:
                step.permits[answer.log_id] = table.requests[answer.request].reason
            elif word is not None and (said is None or said.word is not word):
                step.writes[answer.key] = replace(answer, word=word).document()
                step.again |= word is Word.SETTING_ASIDE
        step.writes |= dict.fromkeys(self._over(table, now))
        return step

    def owes(self, table: Table) -> set[str]:
        """The log ids of which it has to say more."""
        mine = (answer for answer in table.answers.values() if answer.member == self.id)
        return {answer.log_id for answer in mine if answer.word in (Word.TAKEN, Word.SETTING_ASIDE)}

    def _acting(self, table: Table, now: float) -> dict[str, str]:
        """By log id the request that is acted on: where there are several, one that we are setting aside for, else the oldest."""
        acting: dict[str, str] = {}
        for request in table.standing(now):
            said = table.answers.get(self._answer(request).key)
            if request.log_id not in acting or (said and said.word is Word.SETTING_ASIDE):
                acting[request.log_id] = request.id
        return acting

    def _answers(self, table: Table, now: float) -> Iterator[tuple[Answer, bool]]:
        """What we may have to say something of, and whether its request stands."""
        standing = {request.id for request in table.standing(now)}
        mine = {key: answer for key, answer in table.answers.items() if answer.member == self.id}
        for request in table.requests.values():
            mine.setdefault((answer := self._answer(request)).key, answer)
        for answer in mine.values():
            if now <= answer.until + SKEW:
                yield answer, answer.request in standing

    def _answer(self, request: Request) -> Answer:
        return Answer(
            request=request.id,
            member=self.id,
            name=self.name,
            log_id=request.log_id,
            word=Word.TAKEN,
            until=request.until,
        )

    def _over(self, table: Table, now: float) -> Iterator[str]:
        """What is to be deleted: our answers once no operator relies on them, and what others left behind."""
        documents: list[Request | Answer] = [*table.requests.values(), *table.answers.values()]
        for document in documents:
            ours = isinstance(document, Answer) and document.member == self.id
            if now > document.until + (SKEW if ours else _LEFT_BEHIND):
                yield document.key


def _word(said: Word | None, hand: AbstractSet[Hand], *, stands: bool, acts: bool) -> Word | None:
    """What a consumer has to say of a request. None: nothing, and nothing was said."""
    if said in ENDS:
        return said
    if Hand.GOING in hand:
        return said or (Word.TAKEN if stands else None)
    if hand & {Hand.FREE, Hand.WAITING} and stands:
        # With another copy of the event dead, or maybe dead, it must not look as if nothing had been done.
        begun = said is Word.SETTING_ASIDE and hand & {Hand.DEAD, Hand.UNCERTAIN}
        return Word.SETTING_ASIDE if begun or (acts and Hand.FREE in hand) else Word.TAKEN
    if Hand.DEAD in hand:
        return said and Word.SET_ASIDE  # None: it was dead before it was asked for
    if Hand.UNCERTAIN in hand:
        return said
    if hand == {Hand.DELIVERED}:
        return Word.DELIVERED
    return said and Word.LEFT


# -- the operator's side


def outstanding(answers: Collection[Answer]) -> Sequence[Answer]:
    """Those whose consumer may be writing the dead letter at this moment."""
    if any(answer.word is Word.SET_ASIDE for answer in answers):
        return ()
    return [answer for answer in answers if answer.word is Word.SETTING_ASIDE]


def has_ended(answers: Collection[Answer]) -> bool:
    """There is nothing to wait for: it is set aside, or delivered and no consumer is setting it aside."""
    return any(answer.word in ENDS for answer in answers) and not outstanding(answers)


# -- documents


def _dump(fields: dict[str, object]) -> bytes:
    return json.dumps({"v": VERSION, **fields}).encode()


def _parse(key: str, text: bytes) -> Request | Answer | None:
    """None: of another version or form, or it is not under its own key."""
    document: Request | Answer
    try:
        fields = json.loads(text)
        if fields["v"] != VERSION:
            return None
        if key.startswith(REQUESTS):
            document = Request(
                **{name: str(fields[name]) for name in ("id", "log_id", "by", "why")},
                asked=float(fields["asked"]),
                until=float(fields["until"]),
            )
        else:
            document = Answer(
                **{name: str(fields[name]) for name in ("request", "member", "name", "log_id")},
                word=Word(fields["word"]),
                until=float(fields["until"]),
            )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    times = (document.until, document.asked) if isinstance(document, Request) else (document.until,)
    return document if document.key == key and all(map(math.isfinite, times)) else None
