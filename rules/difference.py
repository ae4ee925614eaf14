"""What a chain changed: the difference of two JSON objects, for a person and as a patch. And a patch laid over one. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeGuard

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


def patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON merge patch (RFC 7396) that leads from the one to the other.

    In such a patch null removes a member, so it cannot set one to null: a member that is null counts as one that is not there.
    In arrays, which a patch replaces as a whole, null stays.
    """
    if before is after:
        return {}
    patch: dict[str, Any] = {name: None for name, value in before.items() if value is not None and after.get(name) is None}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict):
            inner = patch_between(old if isinstance(old, dict) else {}, value)
            if inner or not isinstance(old, dict):
                patch[name] = inner
        elif value is not None and not _same_to_javascript(old, value):
            patch[name] = value
    return patch


def _same_to_javascript(one: object, other: object) -> bool:
    """Whether a value that went through JavaScript came back as it was: there 1.0 is 1, and large numbers are rounded."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_to_javascript, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_to_javascript(one[name], other[name]) for name in one)
    if _is_number(one) and _is_number(other):
        return _double(one) == _double(other)
    return type(one) is type(other) and one == other


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
