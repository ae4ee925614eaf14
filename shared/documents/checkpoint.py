"""The checkpoint as a stored document: JSON with a version, so that the document of a newer release is refused, not misread.

A document has the lowest version that can express it: an older release refuses a reset, which it would take for damage, and can
read the checkpoint after it. What a release does not know it leaves out: `caught_up` only makes reports of gaps rarer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from shared.errors import TransportUnusable
from shared.masking import excerpt
from shared.transport.port import Checkpoint

_PLACE: Final = 1
#: Begin at the oldest entry: there is no log id.
_RESET: Final = 2
VERSION: Final = _RESET
#: The end of the year 9999, in seconds since the epoch.
_LAST_MOMENT: Final = 253402300800


def dump(checkpoint: Checkpoint, ends: Mapping[int, int] | None = None) -> bytes:
    """`ends`: the offset of each partition from which a recovery compares; None where a log needs none."""
    version = _PLACE if checkpoint.log_id else _RESET
    document: dict[str, object] = {"v": version, "log_id": checkpoint.log_id, "date": checkpoint.date}
    if checkpoint.caught_up is not None:
        document["caught_up"] = round(checkpoint.caught_up, 3)
    if ends is not None:
        document["ends"] = {str(partition): offset for partition, offset in sorted(ends.items())}
    return json.dumps(document).encode()


def parse(document: bytes, *, where: str) -> tuple[Checkpoint, dict[int, int]]:
    """Returns the checkpoint and its `ends`, empty where none were stored. `where` names the place for the error.

    Raises `TransportUnusable` for a document that is not ours, damaged, or newer than this release.
    """
    try:
        fields = json.loads(document)
        version = fields["v"]
        if isinstance(version, int) and version > VERSION:
            raise TransportUnusable(
                f"the checkpoint at {where} has version {version}, this release knows {VERSION}: upgrade auth0-webhooks"
            )
        ends = {int(partition): int(offset) for partition, offset in fields.get("ends", {}).items()}
        log_id, date = fields["log_id"], fields["date"]
        # Like an event's, the id is printable ASCII: it goes into a URL.
        ours = isinstance(log_id, str) and log_id.isascii() and log_id.isprintable() and isinstance(date, str)
        if ours and version == (_PLACE if log_id else _RESET):
            return Checkpoint(log_id=log_id, date=date, caught_up=_moment(fields.get("caught_up"))), ends
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    raise TransportUnusable(
        f"the checkpoint at {where} is not one of ours or is damaged: {excerpt(repr(document), 80)}; "
        "nothing was read from Auth0. `auth0-webhooks checkpoint reset` begins again at the oldest entry that Auth0 still has"
    )


def _moment(seconds: object) -> float | None:
    """Returns None for anything but a moment: without it the checkpoint is as good."""
    usable = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < _LAST_MOMENT
    return float(seconds) if usable else None  # type: ignore[arg-type]
