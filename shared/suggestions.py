"""The known name that an unknown one was most likely meant to be. Pure."""

from __future__ import annotations

from collections.abc import Collection


def nearest(name: str, known: Collection[str]) -> str | None:
    """Returns the nearest known name, or None if none is within two typing errors.

    A short name allows fewer: WINDOWID (xterm) and WINDIR are not meant to be WINDOW, nor is every letter the log type `f`.
    """
    for errors in range(3):
        if near := [own for own in known if errors <= _allowed(own) and within_distance(name, own, errors)]:
            return min(near)
    return None


def within_distance(one: str, other: str, most: int) -> bool:
    """Whether at most so many letters have to be inserted, removed or replaced (Levenshtein's distance)."""
    if abs(len(one) - len(other)) > most:
        return False
    if not one or not other:
        return True
    if one[0] == other[0]:
        return within_distance(one[1:], other[1:], most)
    changes = ((one[1:], other), (one, other[1:]), (one[1:], other[1:]))
    return most > 0 and any(within_distance(*changed, most - 1) for changed in changes)


def _allowed(name: str) -> int:
    return 2 if len(name) >= 8 else 1 if len(name) >= 4 else 0
