"""Variables that look as if they were meant for us, and those that only a later release knows.

A name that is not read is a setting that silently does nothing. But Kubernetes and shared `.env` files bring names of their own:
so only near misses of our names are errors, and what begins like our names is named in a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from shared.settings.sources import SERVICE_LINK, SettingError, SourceValue, Variables
from shared.suggestions import nearest

# Names of the design that this release does not act on. To ignore `RULES_PAYLOAD`, say, would be worse than to refuse it.
_LATER: Final = """
    RULES_PAYLOAD
    SLACK_INCOMING_WEBHOOK_URL SLACK_INCOMING_WEBHOOK_URL_FILE SLACK_SEND_SUCCESS DAILY_REPORT_TIME
"""
LATER: Final = frozenset(_LATER.split())
#: Why, where a person may not see it.
_WHY: Final = {
    "RULES_PAYLOAD": "the payload is the log entry with the member `rules`, and only rules in Python, which a later release has, "
    "can make another one of it",
}
_LIKE_OURS: Final = re.compile(r"(WEBHOOK|AUTH0|KAFKA|RULES)_.+")
# Those of Kubernetes for services called "kafka" or "auth0-webhooks"; and those that name our images for Compose.
_OF_OTHERS: Final = re.compile(r".*_SERVICE_.*|.*_PORT(_.*)?|AUTH0_WEBHOOKS_(RULES_)?IMAGE")


def name_errors(variables: Variables, known: frozenset[str]) -> Iterator[SettingError]:
    """Returns an error for each variable that is nearly one of the known ones, or that only a later release knows."""
    for name, found in variables.items():
        if SERVICE_LINK.match(found.text):
            continue
        if name in LATER:
            why = f" ({_WHY[name]})" if name in _WHY else ""
            yield SettingError(name, f"{name} is not supported by this release yet{why}; remove it (set in {found.source})")
        elif meant := _meant(name, known):
            yield SettingError(name, f"{name} is not a setting; did you mean {meant}? (set in {found.source})")


def unknown_names(variables: Variables, known: frozenset[str]) -> tuple[SourceValue, ...]:
    """Returns the variables that begin like ours, are not, and are no near miss either."""
    return tuple(
        found
        for name, found in sorted(variables.items())
        if _LIKE_OURS.fullmatch(name) and not _OF_OTHERS.fullmatch(name) and name not in known | LATER and not _meant(name, known)
    )


def _meant(name: str, known: frozenset[str]) -> str | None:
    return None if name in known else nearest(name.upper(), known | LATER)
