"""What the text of a setting or a command-line option may be. A parser reads text into a value or says why not; `text_of` writes
a value as text again.

Every value goes through text, also one that is given in code: so each rule stands once, and `read(text_of(value)) == value`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_FRACTION: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_DAY: Final = 86400
# What documentation writes where a value belongs. A password may have both < and > in it, so they count only around a whole word,
# in a URL around its host.
_PLACEHOLDER: Final = re.compile(r"""…|(://|(?<![^\s"']))<[^<>]*>(?![^\s"'./:])""")


class InvalidValue(ValueError):
    """A text that its parser does not take. `what` completes "NAME=text: …"; `fix` says what to write, if the parser knows."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what
        self.fix = fix


def require_value(text: str) -> None:
    """Raises `InvalidValue` for a text with a placeholder: pasted from an example and never filled in."""
    if _PLACEHOLDER.search(text):
        raise InvalidValue("has a placeholder (… or a word in < >) where a value belongs", "put the real value in its place")


@dataclass(frozen=True, slots=True)
class Parser:
    """A set of values, and how they are written."""

    #: For the documentation: "whole number from 1 to 100".
    says: str
    #: Text to value; raises `InvalidValue`. Must accept what `text_of` makes of its values.
    read: Callable[[str], object]
    #: Where in a text a secret stands, such as the password in a URL; in order, not overlapping.
    hidden: Callable[[str], tuple[slice, ...]] | None = None
    #: Of a secret text: the parts of its value that are secret by themselves too.
    within: Callable[[str], tuple[str, ...]] | None = None


def parser(says: str, hidden: Callable[[str], tuple[slice, ...]] | None = None) -> Callable[[Callable[[str], object]], Parser]:
    """Makes a parser of the function that reads."""
    return lambda read: Parser(says, read, hidden)


def text_of(value: object) -> str:
    """Returns a value as it is written into a setting; None is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, frozenset):
        return ",".join(map(str, sorted(value)))
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return json.dumps(dict(value))
    return ",".join(value) if isinstance(value, tuple) else str(value)


@parser("text")
def line(text: str) -> str:
    if not text.isprintable():
        raise InvalidValue("contains a line break or another character that cannot be seen", "remove it")
    return text


def matching(pattern: str, says: str) -> Parser:
    """Text of which a regular expression matches the whole."""

    @parser(says)
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise InvalidValue(f"must be {says}")
        return text

    return read


def whole(least: int, most: int, unit: str = "") -> Parser:
    """A whole number within bounds (inclusive)."""
    says = f"whole number{f' of {unit}' if unit else ''} from {least} to {most}"
    return _number(says, _WHOLE, int, lambda number: least <= number <= most)


def seconds(*, zero: bool = False, least: float = 0, most: float = _DAY) -> Parser:
    """A number of seconds within bounds (inclusive, but for 0 unless `zero`)."""
    low = f"from {text_of(float(least))} to" if least or zero else "above 0, up to"
    says = f"number of seconds {low} {text_of(float(most))}"
    return _number(says, _FRACTION, float, lambda number: least <= number <= most and (zero or number != 0), ", without a unit")


def days(least: float, most: float) -> Parser:
    """A number of days within bounds (inclusive)."""
    says = f"number of days from {text_of(float(least))} to {text_of(float(most))}"
    return _number(says, _FRACTION, float, lambda number: least <= number <= most, ", without a unit")


def per_second(what: str, least: float, most: float) -> Parser:
    """A number of something a second within bounds (inclusive)."""
    says = f"number of {what} a second from {text_of(float(least))} to {text_of(float(most))}"
    return _number(says, _FRACTION, float, lambda number: least <= number <= most, ", without a unit")


def fraction(least: float, most: float) -> Parser:
    """A number within bounds (inclusive)."""
    says = f"number from {text_of(float(least))} to {text_of(float(most))}"
    return _number(says, _FRACTION, float, lambda number: least <= number <= most)


def choice(*names: str, hint: str = "") -> Parser:
    """One of some names, in any mix of small and capital letters; the value is the name as given here."""
    by_folded = {name.lower(): name for name in names}

    @parser("one of " + ", ".join(f"`{name}`" for name in names))
    def read(text: str) -> str:
        name = by_folded.get(text.strip().lower())
        if name is None:
            raise InvalidValue(f"must be one of {', '.join(names)}", hint)
        return name

    return read


_EITHER: Final = choice("true", "false")
flag: Final = Parser(_EITHER.says, lambda text: _EITHER.read(text) == "true")


@parser("path of a PEM file")
def readable_file(text: str) -> Path:
    try:
        with Path(text).open("rb"):
            return Path(text)
    except FileNotFoundError:
        raise InvalidValue("there is no such file", "give the path of a PEM file") from None
    except ValueError:  # a null byte, or half of an emoji
        raise InvalidValue("is no path that a file can have", "give the path of a PEM file") from None
    except OSError as error:
        fix = "give the path of a PEM file that this process may read"
        raise InvalidValue(f"cannot be read ({error.strerror})", fix) from None


@parser("path of a file")
def file_to_be(text: str) -> Path:
    """The file need not exist yet."""
    try:
        directory = Path(text).is_dir()
    except OSError:  # Longer than any file system takes: opening it will say so.
        directory = False
    if directory:
        raise InvalidValue("is a directory", "give the path of a file")
    return Path(text)


def _number(
    says: str, written: re.Pattern[str], read_number: type[int | float], fits: Callable[[float], bool], hint: str = ""
) -> Parser:
    @parser(says)
    def read(text: str) -> float:
        text = text.strip()  # it takes more for white space than int() and float() do
        number = read_number(text) if written.fullmatch(text) else None
        if number is None or not fits(number):
            raise InvalidValue(f"must be a {says}{hint}")
        return number

    return read
