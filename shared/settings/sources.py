"""Where the text of a setting comes from: the environment, then `.env`; and for a secret also the file that `NAME_FILE` names.

An empty text is no text: Compose hands on every variable that it knows, also those that nobody set.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from shared.masking import MASK
from shared.settings.option import Option
from shared.settings.parsers import Refused

_LARGEST: Final = 65536


@dataclass(frozen=True, slots=True)
class Found:
    """A text that is set."""

    text: str
    #: `environment`, the path of the `.env` file, or `file PATH`.
    source: str
    #: The variable that holds it, or names its file.
    name: str


class Unreadable(Refused):
    """A secret that cannot be read; `pointer` is the variable that names its file. The message is a whole line."""

    def __init__(self, pointer: Found, what: str, fix: str) -> None:
        # Somebody may have put the secret itself where its file's path belongs.
        path = repr(pointer.text) if pointer.text.startswith(("/", ".")) else MASK
        super().__init__(f"{pointer.name}={path} ({pointer.source}): {what}", fix)


@dataclass(frozen=True, slots=True)
class Sources:
    """The environment and `.env` of one process, the empty texts left out."""

    environ: Mapping[str, str]
    dotenv: Mapping[str, str]
    dotenv_name: str

    def __iter__(self) -> Iterator[Found]:
        """Everything that is set, foreign names included, each once."""
        for name in {**self.environ, **self.dotenv}:
            found = self.get(name)
            if found:
                yield found

    def get(self, name: str) -> Found | None:
        """What one variable holds; the environment wins."""
        if self.environ.get(name):
            return Found(self.environ[name], "environment", name)
        return Found(self.dotenv[name], self.dotenv_name, name) if self.dotenv.get(name) else None

    def find(self, option: Option) -> Found | None:
        """The text of an option, under its name or its old one. Raises `Unreadable`."""
        found = (self._find(name, option) for name in option.names)
        return next((item for item in found if item), None)

    def _find(self, name: str, option: Option) -> Found | None:
        plain = self.get(name)
        pointer = self.get(f"{name}_FILE") if option.secret else None
        if plain and pointer:
            raise Unreadable(pointer, f"{name} is set too ({plain.source}), and only one can count", "remove one of them")
        return _follow(pointer) if pointer else plain


def read_dotenv(path: Path | None) -> tuple[dict[str, str], list[str]]:
    """Names and texts of a `.env` file (none if there is no file), and what is wrong with it, one line each."""
    if path is None:
        return {}, []
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}, []
    except UnicodeDecodeError:
        return {}, [f"{path}: is not UTF-8 text; save it as UTF-8"]
    except OSError as error:
        return {}, [f"{path}: cannot be read ({error.strerror}); make it a file that this process may read"]
    if "\0" in text:
        return {}, [f"{path}: is no text file; save it as UTF-8"]
    bindings = list(parse_stream(io.StringIO(text)))
    good = "".join(binding.original.string for binding in bindings if not binding.error)
    return _values(good), [_unclear(path, binding.original.line) for binding in bindings if binding.error]


def _unclear(path: Path, line: int) -> str:
    return f"{path}: line {line} cannot be understood; write NAME=text, the text in quotes if it holds a # or a quote"


def _values(text: str) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value}


def _follow(pointer: Found) -> Found:
    """The content of the file that a variable names, without one line end after it. Raises `Unreadable`."""
    try:
        with Path(pointer.text).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise Unreadable(pointer, "there is no such file", "give the path of the file that holds the secret") from None
    except OSError as error:
        raise Unreadable(pointer, f"the file cannot be read ({error.strerror})", "change its owner or its mode") from None
    if len(content) > _LARGEST:
        raise Unreadable(pointer, f"the file is larger than {_LARGEST} bytes", "it must hold the secret and nothing else")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(pointer, "the file is not UTF-8 text", "save it as UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Unreadable(pointer, "the file is empty", "write the secret into it")
    return Found(text, f"file {pointer.text}", pointer.name)
