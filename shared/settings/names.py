"""Which variables are ours, which look as if they were meant to be, and which only a later release knows.

A name that nobody reads is a setting that silently does nothing. But Kubernetes and shared `.env` files bring names of their own:
so only what is very near to one of ours is held against anybody.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

# Names of the design that this release does not act on. Ignoring `ON_GAP`, say, would be worse than refusing it.
_LATER: Final = """
    AUTH0_RATE_SHARE AUTH0_LOG_RETENTION_DAYS START_FROM ON_GAP
    METRICS_PORT SLACK_INCOMING_WEBHOOK_URL SLACK_INCOMING_WEBHOOK_URL_FILE SLACK_SEND_SUCCESS DAILY_REPORT_TIME
"""
LATER: Final = frozenset(_LATER.split())
# What Kubernetes sets for a service called "metrics", for example: METRICS_PORT=tcp://10.0.0.7:80.
_SERVICE_LINK: Final = re.compile(r"(tcp|udp|sctp)://")


def problem_with(name: str, text: str, known: frozenset[str]) -> str | None:
    """Why a variable may not be set, beginning with its name; None if it is ours or nobody's business.

    `known` are our names and those of `LATER`.
    """
    if _SERVICE_LINK.match(text):
        return None
    if name in LATER:
        return f"{name} is not supported by this release yet; remove it"
    meant = nearest(name, known) if name not in known else None
    return f"{name} is not a setting; did you mean {meant}?" if meant else None


def nearest(name: str, ours: Collection[str]) -> str | None:
    """The one of our names that `name` was most likely meant to be; None if none is within two slips of the keyboard.

    A short name of ours allows one slip only: WINDOWID (xterm) and WINDIR are not meant to be WINDOW.
    """
    folded = name.upper()
    candidates = [(distance(folded, own), own) for own in ours if _may_be_near(folded, own)]
    near = [(slips, own) for slips, own in candidates if slips <= (2 if len(own) >= 8 else 1)]
    return min(near)[1] if near else None


def distance(one: str, other: str) -> int:
    """Levenshtein's distance: how many letters to insert, remove or replace."""
    row = list(range(len(other) + 1))
    for count, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], count
        for column, against in enumerate(other, start=1):
            change = diagonal + (letter != against)
            diagonal, row[column] = row[column], min(change, row[column] + 1, row[column - 1] + 1)
    return row[-1]


def _may_be_near(name: str, own: str) -> bool:
    """A cheap way to say no: two slips leave one of three parts of a name as it was (an environment can be large)."""
    third = len(own) // 3
    parts = (own[:third], own[third : 2 * third], own[2 * third :])
    return abs(len(name) - len(own)) <= 2 and any(part in name for part in parts)
