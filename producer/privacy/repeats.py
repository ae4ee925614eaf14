"""The values that are hidden in one entry, and where a text repeats them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from producer.privacy.methods import Hide
from producer.privacy.phrases import Phrases
from producer.privacy.readings import Reading, folded, readings, unescaped

# Possessive, and only from the start of a word: a text of 200,000 letters with an @ must not take minutes.
_LOCAL: Final = r"[\w.+~-]"  # not all that an address may hold: `u=ann@example.com` is none
_EMAIL: Final = re.compile(rf"(?<!{_LOCAL})(?<!{_LOCAL}')(?:{_LOCAL}++')*+{_LOCAL}++@(?:[\w-]++\.)++[\w-]++")
_WORD: Final = re.compile(r"\w+")
_LEAST: Final = 2  # characters; a single one stands in too many texts
#: As many values are looked for one after the other before all are looked for at once: most entries repeat none.
_FEW: Final = 32

#: Start and end.
Span = tuple[int, int]


class Hidden:
    """`values`: how to hide each. `otherwise`: how to hide what is found by its form. `emails`: addresses are, in any text."""

    def __init__(self, values: Mapping[str, Hide], *, otherwise: Hide, emails: bool) -> None:
        self._otherwise = otherwise
        self._emails = emails
        self._exact: dict[str, Hide] = {}
        #: By how it is looked for: the value.
        self._spellings: dict[str, str] = {}
        self._phrases: Phrases | None = None
        for value, hide in values.items():
            self.add(value, hide)

    def add(self, value: str, hide: Hide) -> None:
        self._exact[value] = hide
        if len(value) >= _LEAST:
            self._spellings[_spelling(value)] = value
            self._phrases = None

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
        return text in self._exact or any(self._values(reading) or self._addresses(reading) for reading in readings(text))

    def _repeats(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Returns start, end and value of each repetition, from left to right."""
        for start, stop in self._places(text):
            said = unescaped(text[start:stop])
            yield start, stop, said if said in self._exact else self._spellings.get(_spelling(said), said)

    def _places(self, text: str) -> list[Span]:
        """Returns the longest of those that overlap, from left to right.

        An address that is found while something is escaped counts only where none is found without: `%22ann@example.com`.
        """
        forms = list(readings(text))
        *escaped, addresses = map(self._addresses, forms)
        places = _longest([*addresses, *(place for form in forms for place in self._values(form))])
        for others in filter(None, escaped):
            taken = bytearray(len(text))
            for start, stop in places:
                taken[start:stop] = b"x" * (stop - start)
            places = sorted([*places, *((start, stop) for start, stop in others if not any(taken[start:stop]))])
        return places

    def _values(self, reading: Reading) -> list[Span]:
        """Returns the longest value at each place where one begins."""
        plain = folded(reading)
        if len(self._spellings) <= _FEW and not any(spelling in plain.text for spelling in self._spellings):
            return []
        self._phrases = self._phrases or Phrases(self._spellings)
        return [plain.span(start, stop) for start, stop in self._phrases.found(plain.text)]

    def _addresses(self, reading: Reading) -> list[Span]:
        if not self._emails or "@" not in reading.text:
            return []
        return [reading.span(*match.span()) for match in _EMAIL.finditer(reading.text)]


def _longest(places: list[Span]) -> list[Span]:
    chosen: list[Span] = []
    for start, stop in sorted(places, key=lambda place: (place[0], -place[1])):
        if not chosen or start >= chosen[-1][1]:
            chosen.append((start, stop))
    return chosen


def _spelling(value: str) -> str:
    return folded(Reading(value)).text
