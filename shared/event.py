"""An event: one entry of Auth0's tenant log, its bytes kept exactly as Auth0 sent them.

A page is cut into entries by a JSON decoder that finds where each one ends; nothing is ever encoded again. The decoder is the
standard library's on purpose: faster ones refuse valid pages that hold half an emoji (`"\\ud83d"`). Pure: no I/O, no clock.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.errors import PageInvalid
from shared.json_tokens import TOKEN, decoded
from shared.masking import excerpt


class _Number(str):
    """A JSON number as its text: its value does not matter here, and a huge one must cost nothing."""

    __slots__ = ()


# Not strict: control characters inside strings are let through.
_DECODER: Final = json.JSONDecoder(parse_int=_Number, parse_float=_Number, strict=False)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
# Fit for an HTTP header and for a key of a table: printable ASCII without spaces. Auth0's own ids are ~56 digits.
_LOG_ID: Final = re.compile(r"[!-~]{1,1024}")
_FIRST_KEY: Final = re.compile(r'\{\s*"\w+"')
_ID_TIME: Final = re.compile(r"900(\d{14})\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One log entry. Every text field but `log_id` can be empty: Auth0 may leave any of them out."""

    #: The entry's JSON, byte for byte as it stood in Auth0's response.
    raw: bytes
    #: `log_id`, or `_id` in older entries.
    log_id: str
    #: The short code, such as `s` or `limit_wc`; not every code is in our table.
    type: str
    #: ISO 8601 as Auth0 wrote it; no promise that it parses.
    date: str
    user_id: str
    tenant: str
    #: What was hidden in it: empty, or the mode and whether the user's id is a hash, such as `mask; user_id=hashed`.
    pii: str = ""

    @property
    def key(self) -> str:
        """Events of one key are delivered in order: the user, or for an event without one the log id.

        Never `user_name`: in a failed login it is the application's name, which would put all of them in one queue.
        """
        return self.user_id or self.log_id


def slice_page(body: bytes) -> list[Event]:
    """Cuts the body of `GET /api/v2/logs` into events, in their order.

    Raises `PageInvalid`, which names what was found instead, for anything but a JSON array of objects with an id each.
    """
    text = body.decode("utf-8", "surrogateescape")
    position = _skip_space(text, 0)
    if text[position : position + 1] != "[":
        raise PageInvalid(f"expected a JSON array of log entries, got {_describe(text[position:])}")
    position = _skip_space(text, position + 1)
    events: list[Event] = []
    closed = text[position : position + 1] == "]"
    while not closed:
        entry, end = _decode(text, position)
        events.append(_event(entry, text[position:end], len(events)))
        position = _skip_space(text, end)
        separator = text[position : position + 1]
        closed = separator == "]"
        if not closed:
            if separator != ",":
                raise PageInvalid(f"the JSON breaks off or is damaged after {len(events)} entries (byte {position})")
            position = _skip_space(text, position + 1)
    if _skip_space(text, position + 1) != len(text):
        raise PageInvalid(f"something follows the JSON array: {_describe(text[position + 1 :])}")
    return events


def log_id_time(log_id: str) -> datetime | None:
    """Returns the moment in an id of Auth0's current form (`900` + yyyymmddhhmmss + …), in UTC; None for other forms."""
    match = _ID_TIME.fullmatch(log_id)
    try:
        return datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def moment_of(date: str) -> datetime | None:
    """Returns an event's date as a moment; None where it cannot be read. One without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _event(entry: object, raw: str, index: int) -> Event:
    if not isinstance(entry, dict):
        raise PageInvalid(f"entry {index} of the page is {_describe(raw)}, not an object")
    log_id = entry.get("log_id") or entry.get("_id")
    if not _LOG_ID.fullmatch(_text(log_id)):
        shown = excerpt(repr(log_id), 80) if isinstance(log_id, str) else "none" if log_id is None else type(log_id).__name__
        raise PageInvalid(f"entry {index} of the page has no usable log_id or _id (found: {shown})")
    return Event(
        raw=raw.encode("utf-8", "surrogateescape"),
        log_id=_text(log_id),
        type=_text(entry.get("type")),
        date=_date(entry.get("date")),
        user_id=_user_id(entry.get("user_id")),
        tenant=_text(entry.get("tenant_name")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) and not isinstance(value, _Number) else ""


def _user_id(value: object) -> str:
    """A number is one, too; Auth0's own are texts."""
    return str(value) if isinstance(value, _Number) else _text(value)


def _date(value: object) -> str:
    """Old exports wrap the date: `{"$date": "…"}`."""
    return _text(value.get("$date") if isinstance(value, dict) else value)


def _decode(text: str, position: int) -> tuple[object, int]:
    try:
        try:
            return _DECODER.raw_decode(text, position)
        except RecursionError:
            return _decode_deep(text, position)
    except json.JSONDecodeError as error:
        raise PageInvalid(f"the JSON breaks off or is damaged: {error.msg} at byte {error.pos}") from None


def _decode_deep(text: str, position: int) -> tuple[object, int]:
    """Reads an entry that is nested deeper than the decoder can follow: its string members, and where it ends."""
    depth, member = 0, ""
    entry: dict[str, object] = {}
    for token in TOKEN.finditer(text, position):
        key, value, bracket = token.groups()
        if depth == 1 and key:
            member = decoded(key)
        if depth == 1 and value:
            entry[member] = decoded(value) if value[0] == '"' else _Number(value)
        if bracket:
            depth += 1 if bracket in "{[" else -1
            if depth == 0:
                return entry, token.end()
    raise PageInvalid("the JSON breaks off inside a deeply nested entry")


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _describe(text: str) -> str:
    """Describes what was found instead of a page, without quoting what may be personal data."""
    start = excerpt(text.lstrip(), 40)
    if not start:
        return "nothing (an empty body)"
    if start.startswith("\ufeff"):
        return "a byte order mark"
    if start.lower().startswith(("<!doctype", "<html", "<?xml")):
        return "an HTML page (a proxy or a login page in between?)"
    if start[0] == "{":
        first = _FIRST_KEY.match(start)
        return f"a JSON object that begins with {first[0]}" if first else "a JSON object"
    kinds = {"[": "a JSON array", '"': "a JSON string"}
    return kinds.get(start[0]) or f"text that begins with {start!r}"
