"""What the filter says of an entry, and which setting decided. Pure but for the entry that Auth0 is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from producer.auth0.client import Auth0Logs
from producer.selection import Selection
from shared.errors import EnvironmentUnusable, PageInvalid, Transient
from shared.event import Event, slice_page

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    log_id: str
    #: The type code.
    type: str
    #: 0 (debug) to 4 (critical); None: the type is in no table of ours.
    level: int | None
    passes: bool
    #: `LOG_TYPES` or `LOG_LEVEL`; empty: neither is set, and nothing leaves it out.
    setting: str
    why: str


def explain(events: Iterable[Event], selection: Selection) -> list[Explanation]:
    return [_explained(event, selection) for event in events]


def _explained(event: Event, selection: Selection) -> Explanation:
    decision = selection.explain(event.type)
    return Explanation(
        log_id=event.log_id,
        type=event.type,
        level=selection.levels.get(event.type),
        passes=decision.reason is None,
        setting=decision.setting,
        why=decision.why,
    )


def entries_in(text: bytes) -> list[Event]:
    """Returns the entries, at least one, of a JSON object, of an array of them, or of JSON lines. Raises `PageInvalid`."""
    events = _sliced(text.removeprefix(_BYTE_ORDER_MARK).strip())
    if not events:
        raise PageInvalid("it is empty")
    return events


def _sliced(text: bytes) -> list[Event]:
    if text.startswith(b"["):
        return slice_page(text)
    try:
        return slice_page(b"[" + text + b"]")
    except PageInvalid:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise
        return slice_page(b"[" + b",".join(lines) + b"]")


async def ask_auth0(logs: Auth0Logs, log_id: str) -> Event | None:
    """Returns None for an id that the tenant does not know, or not any more. Closes `logs`. Raises `EnvironmentUnusable`."""
    try:
        return await logs.entry(log_id)
    except Transient as error:
        raise EnvironmentUnusable(f"Auth0 could not be asked for {log_id}: {error}") from None
    finally:
        await logs.close()
