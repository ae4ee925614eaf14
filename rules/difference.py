"""What a chain changed: the difference of two JSON objects, for a person. And a patch laid over one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


class Absent(Enum):
    """Where one side has no value. JSON's null is a value."""

    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    #: As JavaScript writes it: `app_metadata.plan`, `idToken["https://example.com/vip"]`.
    path: str
    before: Any
    after: Any


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Returns what is different, by path; arrays count as a whole. A value that became an object is one change."""
    found = []
    pending: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [("", before, after)]
    while pending:
        path, old, new = pending.pop()
        for name in dict.fromkeys((*old, *new)):
            one, other = old.get(name, Absent.ABSENT), new.get(name, Absent.ABSENT)
            where = joined(path, name)
            if isinstance(one, dict) and isinstance(other, dict):
                pending.append((where, one, other))
            elif not same(one, other):
                found.append(Change(path=where, before=one, after=other))
    return sorted(found, key=lambda change: change.path)


def same(one: object, other: object) -> bool:
    """Whether two JSON values are the same; to Python 1 and true are equal."""
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def joined(path: str, name: str) -> str:
    if _IDENTIFIER.fullmatch(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{json.dumps(name)}]"


def patched(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the target with a JSON merge patch (RFC 7396) applied: objects are merged, null removes."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            inner = result.get(name)
            result[name] = patched(inner if isinstance(inner, dict) else {}, value)
        else:
            result[name] = value
    return result
