"""Variables that look as if they were meant for us, and those that only a later release knows.

A name that is not read is a setting that silently does nothing. But Kubernetes and shared `.env` files bring names of their own:
so only near misses of our names are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from shared.settings.sources import Variables
from shared.suggestions import nearest

# Names of the design that this release does not act on. To ignore `ON_GAP`, say, would be worse than to refuse it.
_LATER: Final = """
    AUTH0_RATE_SHARE AUTH0_LOG_RETENTION_DAYS START_FROM ON_GAP
    METRICS_PORT SLACK_INCOMING_WEBHOOK_URL SLACK_INCOMING_WEBHOOK_URL_FILE SLACK_SEND_SUCCESS DAILY_REPORT_TIME
"""
LATER: Final = frozenset(_LATER.split())
# What Kubernetes sets for a service called "metrics", for example: METRICS_PORT=tcp://10.0.0.7:80.
_SERVICE_LINK: Final = re.compile(r"(tcp|udp|sctp)://")


def name_errors(variables: Variables, known: frozenset[str]) -> Iterator[str]:
    """A line for each variable that is nearly one of the known ones, or that only a later release knows."""
    for name, (text, source, _) in variables.items():
        if _SERVICE_LINK.match(text):
            continue
        if name in LATER:
            yield f"{name} is not supported by this release yet; remove it (set in {source})"
        elif name not in known and (meant := nearest(name.upper(), known | LATER)):
            yield f"{name} is not a setting; did you mean {meant}? (set in {source})"
