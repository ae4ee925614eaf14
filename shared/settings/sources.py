"""Where the text of a setting comes from: the environment, then `.env`; and for a secret also the file that `NAME_FILE` names.

An empty text is no text: Compose passes on every variable that it knows, also those that are not set.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from shared.masking import MASK
from shared.parsers import InvalidValue, text_of
from shared.settings.option import Group, Option

_LARGEST: Final = 65536


class SettingError(NamedTuple):
    """What is wrong with the settings in one place."""

    #: What has to be changed: a name, two of which one has to be, or a line of `.env`.
    about: str
    #: The whole message.
    line: str


class SourceValue(NamedTuple):
    """A text that is set."""

    text: str
    #: `environment`, the path of the `.env` file, or `file PATH`.
    source: str
    #: The variable that holds it, or names its file.
    name: str
    #: The `.env` file that has another text, which does not count; empty: none has.
    instead_of: str = ""


class Entry(NamedTuple):
    """An option and what was found for it."""

    option: Option
    found: SourceValue | None

    @property
    def name(self) -> str:
        """The variable that holds it, or could."""
        return self.found.name if self.found else self.option.name

    def __str__(self) -> str:
        """Name, text and source, as a message begins."""
        if self.found:
            return f"{self.found.name}={self.option.masked(self.found.text)!r} ({self.found.source})"
        default = text_of(self.option.default)
        return f"{self.option.name}={default!r} (default)" if default else f"{self.option.name} (not set)"


Variables = Mapping[str, SourceValue]
# What Kubernetes sets for a service called "metrics", for example: METRICS_PORT=tcp://10.0.0.7:80. It counts as not set.
SERVICE_LINK: Final = re.compile(r"(tcp|udp|sctp)://")


class OptionSource(PydanticBaseSettingsSource):
    """What the variables hold for the options of one group."""

    def __init__(self, group: type[Group], variables: Variables) -> None:
        super().__init__(group)
        self.errors: list[SettingError] = []
        #: By the name of the field; an option whose text cannot be read is in `errors` instead.
        self.entries: dict[str, Entry] = {}
        for attribute, option in group.options.items():
            try:
                self.entries[attribute] = Entry(option, _find(option, variables))
            except InvalidValue as error:
                self.errors.append(SettingError(option.name, str(error)))

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:  # noqa: ARG002
        found = self.entries[field_name].found if field_name in self.entries else None
        return found.text if found else None, field_name, False

    def __call__(self) -> dict[str, str]:
        values = ((name, self.get_field_value(field, name)[0]) for name, field in self.settings_cls.model_fields.items())
        return {name: text for name, text in values if text is not None}


def read_variables(environ: Mapping[str, str] | None, dotenv: Path | None) -> tuple[Variables, list[SettingError]]:
    """Returns everything that is set, foreign names included, and the errors in `.env`. The environment wins."""
    environ = os.environ if environ is None else environ
    texts, errors = read_dotenv(dotenv)
    variables = {}
    for name in {**environ, **texts}:
        if environ.get(name):
            other = texts.get(name, environ[name]) != environ[name]
            variables[name] = SourceValue(environ[name], "environment", name, str(dotenv) if other else "")
        elif name in texts:
            variables[name] = SourceValue(texts[name], str(dotenv), name)
    return variables, errors


def read_dotenv(path: Path | None) -> tuple[dict[str, str], list[SettingError]]:
    """Returns names and texts of a `.env` file (none if there is no file), and the errors in it."""
    try:
        text = path.read_text("utf-8-sig") if path else ""
    except FileNotFoundError:
        return {}, []
    except UnicodeDecodeError:
        return {}, [SettingError(str(path), f"{path}: is not UTF-8 text; save it as UTF-8")]
    except OSError as error:
        what = f"{path}: cannot be read ({error.strerror}); make it a file that this process may read"
        return {}, [SettingError(str(path), what)]
    if "\0" in text:
        return {}, [SettingError(str(path), f"{path}: is no text file; save it as UTF-8")]
    # dotenv_values() would only log what it cannot parse.
    bindings = list(parse_stream(io.StringIO(text)))
    good = io.StringIO("".join(binding.original.string for binding in bindings if not binding.error))
    advice = "write NAME=text, the text in quotes if it holds a # or a quote"
    lines = [binding.original.line for binding in bindings if binding.error]
    errors = [SettingError(f"line {line} of {path}", f"{path}: line {line} cannot be understood; {advice}") for line in lines]
    return {name: value for name, value in dotenv_values(stream=good).items() if value}, errors


def _find(option: Option, variables: Variables) -> SourceValue | None:
    """Returns the text of an option, under its name or its deprecated one. Raises `InvalidValue` with a whole line."""
    for name in option.names:
        plain = variables.get(name)
        if plain and name.endswith("_PORT") and SERVICE_LINK.match(plain.text):
            plain = None
        pointer = variables.get(f"{name}_FILE") if option.secret else None
        if plain and pointer:
            what = f"{name} is set too ({plain.source}), and only one can count"
            raise _unreadable(pointer, what, "remove one of them")
        if plain or pointer:
            return _follow(pointer) if pointer else plain
    return None


def _follow(pointer: SourceValue) -> SourceValue:
    """Returns the content of the file that a variable names, without one line end after it. Raises `InvalidValue`."""
    try:
        with Path(pointer.text).open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode("utf-8") if len(content) <= _LARGEST else ""
    except FileNotFoundError:
        raise _unreadable(pointer, "there is no such file", "give the path of the file that holds the secret") from None
    except UnicodeDecodeError:
        raise _unreadable(pointer, "the file is not UTF-8 text", "save it as UTF-8") from None
    except ValueError:  # a null byte, or half of an emoji
        raise _unreadable(pointer, "is no path that a file can have", "give the path of the file that holds the secret") from None
    except OSError as error:
        raise _unreadable(pointer, f"the file cannot be read ({error.strerror})", "change its owner or its mode") from None
    if len(content) > _LARGEST:
        raise _unreadable(pointer, f"the file is larger than {_LARGEST} bytes", "it must hold the secret and nothing else")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _unreadable(pointer, "the file is empty", "write the secret into it")
    return SourceValue(text, f"file {pointer.text}", pointer.name)


def _unreadable(pointer: SourceValue, what: str, fix: str) -> InvalidValue:
    # The secret itself may stand where its file's path belongs.
    path = repr(pointer.text) if pointer.text.startswith(("/", ".")) else MASK
    return InvalidValue(f"{pointer.name}={path} ({pointer.source}): {what}", fix)
