"""What the text of a setting may be. A kind reads text into a value or says why not; `text_of` writes a value as text again.

Every value goes through text, also one that is given in code: so each rule stands once, and `read(text_of(value)) == value`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_FRACTION: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_DAY: Final = 86400


class Refused(ValueError):
    """A text that is no value of its kind. `what` completes "NAME=text: …"; `fix` says what to write, where the kind knows."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what
        self.fix = fix


def _nothing(_text: str) -> tuple[slice, ...]:
    return ()


def _nothing_more(_text: str) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A set of values, and how they are written."""

    #: For the documentation: "whole number from 1 to 100".
    says: str
    #: Text to value; raises `Refused`. Must accept what `text_of` makes of its values.
    read: Callable[[str], object]
    #: Where in a text there is something that nobody may see, such as the password in a URL; in order, not overlapping.
    hidden: Callable[[str], tuple[slice, ...]] = _nothing
    #: Of a secret text: which parts of its value must not be seen by themselves either.
    within: Callable[[str], tuple[str, ...]] = _nothing_more


def text_of(value: object) -> str:
    """A value as one writes it into a setting; None is the empty text."""
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


def line(says: str = "text") -> Kind:
    """Anything in one line."""

    def read(text: str) -> str:
        if not text.isprintable():
            raise Refused("contains a line break or another character that cannot be seen", "remove it")
        return text

    return Kind(says, read)


def matching(pattern: str, says: str) -> Kind:
    """Text of which a regular expression matches the whole."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise Refused(f"must be {says}")
        return text

    return Kind(says, read)


def whole(least: int, most: int, unit: str = "") -> Kind:
    """A whole number within bounds (inclusive)."""
    says = f"whole number{f' of {unit}' if unit else ''} from {least} to {most}"

    def read(text: str) -> int:
        number = int(text.strip()) if _WHOLE.fullmatch(text.strip()) else None
        if number is None or not least <= number <= most:
            raise Refused(f"must be a {says}")
        return number

    return Kind(says, read)


def seconds(*, zero: bool = False, least: float = 0, most: float = _DAY) -> Kind:
    """A number of seconds within bounds (inclusive, but for 0 unless `zero`)."""
    low = f"from {text_of(float(least))} to" if least or zero else "above 0, up to"
    says = f"number of seconds {low} {text_of(float(most))}"

    def read(text: str) -> float:
        number = _number(text)
        if not least <= number <= most or (number == 0 and not zero):
            raise Refused(f"must be a {says}, without a unit")
        return number

    return Kind(says, read)


def per_second(what: str, least: float, most: float) -> Kind:
    """A number of something a second within bounds (inclusive)."""
    says = f"number of {what} a second from {text_of(float(least))} to {text_of(float(most))}"

    def read(text: str) -> float:
        number = _number(text)
        if not least <= number <= most:
            raise Refused(f"must be a {says}, without a unit")
        return number

    return Kind(says, read)


def flag() -> Kind:
    """Yes or no."""
    either = choice("true", "false")
    return Kind(either.says, lambda text: either.read(text) == "true")


def choice(*names: str, hint: str = "") -> Kind:
    """One of some names, in any mix of small and capital letters; the value is the name as given here."""
    says = "one of " + ", ".join(f"`{name}`" for name in names)
    by_folded = {name.lower(): name for name in names}

    def read(text: str) -> str:
        name = by_folded.get(text.strip().lower())
        if name is None:
            raise Refused(f"must be one of {', '.join(names)}", hint)
        return name

    return Kind(says, read)


def readable_file() -> Kind:
    """The path of a file that this process can read, now."""

    def read(text: str) -> Path:
        try:
            with Path(text).open("rb"):
                return Path(text)
        except FileNotFoundError:
            raise Refused("there is no such file", "give the path of a PEM file") from None
        except OSError as error:
            raise Refused(
                f"cannot be read ({error.strerror})", "give the path of a PEM file that this process may read"
            ) from None

    return Kind("path of a PEM file", read)


def file_to_be() -> Kind:
    """The path of a file that may not exist yet."""

    def read(text: str) -> Path:
        if _is_directory(Path(text)):
            raise Refused("is a directory", "give the path of a file")
        return Path(text)

    return Kind("path of a file", read)


def _number(text: str) -> float:
    """NaN for what is none."""
    # Stripped for both: strip() takes more for white space than float() does.
    return float(text.strip()) if _FRACTION.fullmatch(text.strip()) else math.nan


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # Longer than any file system takes: whoever opens it will say so.
        return False
