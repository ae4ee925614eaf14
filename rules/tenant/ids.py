"""The ids of an event, as a part of a path of the Management API. Pure: an event may hold any text as an id."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

#: Characters; the ids of Auth0 have 1024 at most.
_LONGEST: Final = 1024
#: What the producer puts in the place of a user id that it hides, `producer/privacy/methods.py`. Auth0's have a `|`.
_HASHED: Final = re.compile(r"[0-9a-f]{64}")


def path_part(identifier: object) -> str | None:
    """Returns the id percent-encoded, a slash in it too; None for what is no id, so that there is nothing to ask for.

    Dots alone would be another path, and what UTF-8 cannot say (half of a pair of surrogates) is in no URL.
    """
    if not isinstance(identifier, str) or not identifier.strip(".") or len(identifier) > _LONGEST:
        return None
    try:
        return quote(identifier, safe="")
    except UnicodeEncodeError:
        return None


def is_hashed(user_id: str) -> bool:
    """Whether `PII_MODE` put a hash in the place of the user id (the record's header `pii` then says `user_id=hashed`)."""
    return _HASHED.fullmatch(user_id) is not None
