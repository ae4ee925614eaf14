"""Gaps on record, as people and programs read them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from admin.actions.looking.status_json import moment
from admin.actions.looking.wording import age, counted, since
from shared.documents.gap import GapDocument, GapKind, gaps
from shared.errors import ConfigurationError
from shared.transport.port import Transport


async def read(transport: Transport) -> tuple[list[GapDocument], dict[str, str]]:
    """Returns the gaps, the oldest first, and by key why one cannot be read. Raises `TransportUnusable`."""
    table = await transport.control()
    try:
        unreadable: dict[str, str] = {}
        return gaps(await table.snapshot(), unreadable), unreadable
    finally:
        await table.close()


def find(known: list[GapDocument], wanted: str) -> GapDocument:
    """Returns the one whose id is `wanted`, or alone begins with it. Raises `ConfigurationError`."""
    found = [gap for gap in known if gap.id == wanted] or [gap for gap in known if gap.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} gaps have an id that begins with {wanted!r}" if found else f"there is no gap {wanted!r}"
    raise ConfigurationError([f"{what}; `auth0-webhooks gaps list` names all"])


def sentence(gap: GapDocument) -> str:
    """What is lost, or may be."""
    match gap.kind:
        case GapKind.AUTH0:
            length = "nothing tells of how long" if gap.span is None else f"of up to {age(gap.span)}"
            return f"entries may be lost, {length}, after {gap.before_date or gap.before}"
        case GapKind.TOO_LARGE:
            return f"an entry of {counted(gap.size or 0, 'byte')} is too large for the topic"
        case GapKind.RETENTION:
            return f"{counted(_records(gap), 'record')} of partition {gap.partition} removed before delivery"
        case GapKind.OFFSETS:
            return f"no committed position in partition {gap.partition}, which has lost {counted(_records(gap), 'record')}"


def _records(gap: GapDocument) -> int:
    """At most: offsets have holes."""
    return 1 + (gap.last_offset or 0) - (gap.first_offset or 0)


def fields(gap: GapDocument) -> dict[str, Any]:
    """For JSON: keys that stay, moments in ISO 8601, lengths of time in seconds."""
    return {**asdict(gap), "time": moment(gap.time)}


def lines(gap: GapDocument, now: float) -> list[str]:
    """For a person."""
    shown = {
        "found": f"{since(gap.time, now)} by {gap.by or 'a process without a name'}",
        "how": gap.why,
        "before": " ".join(filter(None, (gap.before, gap.before_date))),
        "after": " ".join(filter(None, (gap.after, gap.after_date))),
        "offsets": f"{gap.first_offset} to {gap.last_offset}" if gap.first_offset is not None else "",
        "sha256": gap.sha256,
        "policy": f"ON_GAP={gap.policy}" if gap.kind is GapKind.AUTH0 else "",
    }
    width = max(map(len, shown))
    return [f"{gap.id}: {sentence(gap)}", *(f"{name:{width}}  {text}" for name, text in shown.items() if text)]
