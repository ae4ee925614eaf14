"""A JSON object in a file of the user's, and what is wrong with it, with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules.loading.files import FileUnusable, read_text


def read_object(path: Path, most: int, what: str) -> dict[str, Any]:
    """Returns the object of a file. Raises `FileUnusable`. `what`: "a configuration", for messages."""
    return parse_object(read_text(path, most, what), path, what)


def parse_object(text: str, path: Path, what: str) -> dict[str, Any]:
    """Returns the object of a file's text. Raises `FileUnusable`, also for a member of the object itself that stands twice."""
    try:
        value = json.loads(text, object_pairs_hook=_Members.made)
    except json.JSONDecodeError as error:
        raise FileUnusable(f"{path}:{error.lineno}: is not valid JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise FileUnusable(f"{path}: is nested too deeply for {what}") from None
    if not isinstance(value, _Members):
        raise FileUnusable(f"{path}: must be one JSON object, not {_name(value)}")
    if value.twice:
        raise FileUnusable(f"{path}: has {value.twice!r} twice; remove one")
    return dict(value)


class _Members(dict[str, Any]):
    """An object that knows a name that stood in it twice."""

    twice: str | None = None

    @staticmethod
    def made(pairs: list[tuple[str, Any]]) -> _Members:
        made = _Members(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            made.twice = next(name for name in names if names.count(name) > 1)
        return made


def _name(value: object) -> str:
    match value:
        case None:
            return "null"
        case list():
            return "an array"
        case str():
            return "a text"
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else str(value).lower()
