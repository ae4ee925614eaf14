"""Where in Auth0's log to begin: `START_FROM`, and the position that `checkpoint set` takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

FORMS: Final = "`beginning`, `now`, a log id, or a date such as `2026-11-20` or `2026-11-20T08:00:00Z`"

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(T.+)?", re.IGNORECASE)
_LOG_ID: Final = re.compile(r"(?=.*\d)[0-9A-Za-z_-]{20,1024}")  # Auth0's own have 24 to 56 characters; a word is none


@dataclass(frozen=True, slots=True)
class StartFrom:
    """Exactly one of `now`, `log_id` and `moment`, or none of them: the oldest entry that the tenant still has."""

    text: str = "beginning"
    now: bool = False
    #: Begin with what comes after this entry.
    log_id: str = ""
    #: Begin with the first event at this moment or later.
    moment: datetime | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def is_beginning(self) -> bool:
        return self == BEGINNING

    @classmethod
    def parse(cls, text: str, clock: datetime) -> StartFrom:
        """Raises `ValueError`, which says what is wrong. `clock`: what time it is."""
        word = text.strip()
        if word.lower() in ("beginning", "now"):
            return cls(word.lower(), now=word.lower() == "now")
        if _DATE.fullmatch(word):
            return cls(word, moment=_moment(word, clock))
        if _LOG_ID.fullmatch(word):
            return cls(word, log_id=word)
        raise ValueError(f"must be {FORMS.replace('`', '')}")


BEGINNING: Final = StartFrom()


def _moment(text: str, clock: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"is no date ({error}); a date is written as 2026-11-20 or 2026-11-20T08:00:00Z") from None
    if "T" not in text.upper():
        moment = moment.replace(tzinfo=UTC)
    elif moment.tzinfo is None:
        raise ValueError(f"has no time zone; write {text}Z for UTC, or {text}+02:00")
    if moment > clock:
        raise ValueError("lies in the future; `now` begins with what comes from now on")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies before the year 1 in UTC; `beginning` is the oldest entry") from None
