"""The values that are hidden in one entry, and where a text repeats them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from producer.privacy.methods import Hide

# Possessive, and only from the start of a word: a text of 200,000 letters with an @ must not take minutes.
_LOCAL: Final = r"[\w.+~-]"  # not all that an address may hold: `u=ann@example.com` is none
_EMAIL: Final = re.compile(rf"(?<!{_LOCAL}){_LOCAL}++@(?:[\w-]++\.)++[\w-]++")
_WORD: Final = re.compile(r"\w+")
_LEAST: Final = 2  # characters; a single one stands in too many texts


class Hidden:
    """`values`: how to hide each. `otherwise`: how to hide what is found by its form. `emails`: addresses are, in any text."""

    def __init__(self, values: Mapping[str, Hide], *, otherwise: Hide, emails: bool) -> None:
        self._otherwise = otherwise
        self._emails = emails
        self._exact: dict[str, Hide] = {}
        #: By how it may be written, in lower case: the value. An address is written in other cases, and encoded in a URL.
        self._spellings: dict[str, str] = {}
        for value, hide in values.items():
            self.add(value, hide)

    def add(self, value: str, hide: Hide) -> None:
        self._exact[value] = hide
        if len(value) >= _LEAST:
            self._spellings[_lower(value)] = value
            if not value.isalnum():
                self._spellings[_lower(quote(value, safe="", errors="replace"))] = value

    def under_key(self, value: str) -> str:
        """Returns what stands in the place of a value that is hidden wherever its key stands."""
        return self._exact[value](value) if value in self._exact else self._otherwise(value) if value else value

    def within(self, text: str, *, is_key: bool = False) -> str:
        """Returns the text with every value hidden. In a key (`is_key`) a plain word stays: it is a name of Auth0's."""
        if text in self._exact and len(text) >= _LEAST and not is_key:
            return self._exact[text](text)
        pieces: list[str] = []
        end = 0
        for start, stop, value in self._repeats(text):
            if is_key and _WORD.fullmatch(value):
                continue
            hide = self._exact.get(value, self._otherwise)
            pieces += text[end:start], hide(value)
            end = stop
        return "".join([*pieces, text[end:]]) if pieces else text

    def holds(self, value: str) -> bool:
        return value in self._exact

    def stands_in(self, text: str) -> bool:
        return text in self._exact or next(self._repeats(text), None) is not None

    def _repeats(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Returns start, end and value of each repetition: from left to right, the longest of those that overlap."""
        low = _lower(text)
        found: list[tuple[int, int, str]] = []
        for spelling, value in self._spellings.items():
            if spelling in low:
                found += [(start, -len(spelling), value) for start in _places(spelling, low)]
        if self._emails and "@" in text:
            found += [
                (match.start(), match.start() - match.end(), self._spellings.get(_lower(match[0]), match[0]))
                for match in _EMAIL.finditer(text)
            ]
        end = 0
        for start, less, value in sorted(found):
            if start >= end:
                end = start - less
                yield start, end, value


def _places(spelling: str, text: str) -> Iterator[int]:
    """Returns where it stands as a whole: `ann` does not stand in `planned`."""
    start = text.find(spelling)
    while start >= 0:
        end = start + len(spelling)
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        if not (_is_word(before) and _is_word(spelling[0])) and not (_is_word(after) and _is_word(spelling[-1])):
            yield start
        start = text.find(spelling, start + 1)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _lower(text: str) -> str:
    """Returns the text in lower case, at the same places: some letters would become two."""
    low = text.lower()
    return low if len(low) == len(text) else text
