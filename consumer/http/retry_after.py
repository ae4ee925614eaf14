"""`Retry-After`, which comes as seconds or as a date (RFC 9110, 10.2.3). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"\d{1,10}", re.ASCII)


def retry_after(value: bytes, now: datetime) -> float | None:
    """How many seconds to wait, at least 0; None for what is neither. There is no upper bound: the caller has one."""
    text = value.decode("latin-1").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone, or with -0000, comes without one: it is UTC all the same.
    wait = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return max(0.0, wait)
