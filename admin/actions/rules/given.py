"""The login that `rules test` runs a chain on: what a person gave, or a made-up one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from admin.actions.rules.samples import sample_entry, sample_profile
from rules.loading.files import FileUnusable, decoded, read_text
from rules.loading.json_file import parse_object
from shared.errors import ConfigurationError

_LARGEST: Final = 4_000_000  # bytes
_STANDARD_INPUT: Final = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLogin:
    """What a person gave, read."""

    entry: Mapping[str, Any]
    #: None: not given.
    profile: Mapping[str, Any] | None
    #: Laid over the context that the entry gives, as a JSON merge patch.
    over: Mapping[str, Any]
    #: The tenant knows nothing of a made-up login.
    made_up: bool

    @property
    def log_id(self) -> str:
        found = self.entry.get("log_id") or self.entry.get("_id")
        return found if isinstance(found, str) else ""

    @property
    def type(self) -> str:
        found = self.entry.get("type")
        return found if isinstance(found, str) else ""


def read_given(
    *, event: Path | None = None, sample: str | None = None, user: Path | None = None, context: Path | None = None
) -> GivenLogin:
    """Raises `ConfigurationError`. Without `event` the login is a made-up one of the type `sample`, of a made-up user."""
    profile = _read(user, "a user") if user else None if event else sample_profile()
    return GivenLogin(
        entry=_read(event, "a log entry") if event else sample_entry(sample or "s"),
        profile=profile,
        over=_read(context, "a context") if context else {},
        made_up=event is None,
    )


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        if path == _STANDARD_INPUT:
            path = Path("standard input")
            text = decoded(sys.stdin.buffer.read(_LARGEST + 1), path, _LARGEST, what)
        else:
            text = read_text(path, _LARGEST, what, pipe=True)
        return parse_object(text, path, what)
    except FileUnusable as error:
        raise ConfigurationError([str(error)]) from None
