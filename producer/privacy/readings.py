"""What a text says once its escapes are decoded, and in letters that are the same for every spelling of a word. Pure.

Each form of the text knows where its characters stood: what is found in it is replaced in the text itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from unicodedata import normalize

from shared.json_tokens import decoded

#: Of a URL (UTF-8, else Latin-1; `%u0040` is of old scripts), of HTML, and of JSON or code inside a string.
_ESCAPE: Final = re.compile(
    r"%(?:[c-f][0-9a-f](?:%[89ab][0-9a-f]){1,3}|[0-9a-f]{2})"
    r"|&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});"
    r"|[%\\]u(?:d[89ab][0-9a-f]{2}[%\\]ud[c-f][0-9a-f]{2}|[0-9a-f]{4})"
    r"|\\[^u]",
    re.IGNORECASE | re.DOTALL,
)
#: A URL in a URL in a JSON text is three.
_DEEPEST: Final = 4
#: Those that stand behind their letter.
ACCENTS: Final = "\u0300-\u036f"
_OTHER_LETTERS: Final = re.compile(rf".[{ACCENTS}]+|[^\x00-\x7f]", re.DOTALL)
#: A space in a form's data; an address may have one, too, so both are the same here.
_PLUS: Final = re.compile(rf"(?<=[\w,.;'{ACCENTS}])\+(?=\w)")


class Reading(NamedTuple):
    text: str
    #: Where each of its characters stood, and its end; None: where they stand.
    places: Sequence[int] | None = None

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Returns where a part of it stood: whole characters and escapes."""
        if self.places is None:
            return start, stop
        last = self.places[stop - 1]
        while self.places[stop] == last:
            stop += 1
        return self.places[start], self.places[stop]


def readings(text: str) -> Iterator[Reading]:
    """Returns the text as it stands, and then with one layer of escapes after the other decoded."""
    reading = Reading(text)
    yield reading
    for _ in range(_DEEPEST):
        if not ("%" in reading.text or "&" in reading.text or "\\" in reading.text):
            return
        before, reading = reading, _changed(reading, _ESCAPE, _unescaped)
        if reading.text == before.text:
            return
        yield reading


def unescaped(text: str) -> str:
    """Returns the text without any layer of escapes."""
    *_, last = readings(text)
    return last.text


def folded(reading: Reading) -> Reading:
    """Returns it without capitals, accents in one form, `+` between words as a space."""
    if not reading.text.isascii():
        reading = _changed(reading, _OTHER_LETTERS, _folded)
    low = reading.text.lower()
    return Reading(_PLUS.sub(" ", low) if "+" in low else low, reading.places)


def _changed(reading: Reading, part: re.Pattern[str], change: Callable[[str], str]) -> Reading:
    text = reading.text
    parts = [(*match.span(), change(match[0])) for match in part.finditer(text)]
    pieces: list[str] = []
    end = 0
    for start, until, says in parts:
        pieces += text[end:start], says
        end = until
    moved = any(len(says) != until - start for start, until, says in parts)
    return Reading("".join([*pieces, text[end:]]), _moved(reading, parts) if moved else reading.places)


def _moved(reading: Reading, parts: Sequence[tuple[int, int, str]]) -> Sequence[int]:
    before = range(len(reading.text) + 1) if reading.places is None else reading.places
    places: list[int] = []
    end = 0
    for start, until, says in parts:
        places += before[end:start]
        places += before[start:until] if len(says) == until - start else [before[start]] * len(says)
        end = until
    return [*places, *before[end:]]


@lru_cache(maxsize=4096)
def _unescaped(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[1] in "uU":
        return decoded(f'"{escape.lower().replace("%", chr(92))}"')
    if escape[0] == "\\":
        return {"n": "\n", "r": "\r", "t": "\t"}.get(escape[1], escape[1])
    octets = bytes.fromhex(escape.replace("%", ""))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


@lru_cache(maxsize=4096)
def _folded(letter: str) -> str:
    return normalize("NFKC", normalize("NFKC", letter).casefold())
