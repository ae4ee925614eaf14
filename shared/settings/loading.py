"""From environment and `.env` to the settings of a role; or to all errors at once, one line each that says how to fix it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import ConfigurationError
from shared.logging import LogFormat
from shared.settings.names import name_errors
from shared.settings.option import ConflictsFound, Group, Role
from shared.settings.parsers import InvalidValue, choice
from shared.settings.settings import GROUPS, OptionRow, Settings, conflict_lines
from shared.settings.sources import Entry, OptionSource, read_variables

DOTENV: Final = Path(".env")


def load(role: Role, environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> Settings:
    """Reads and checks the settings of a role; `environ` is the process's own if not given.

    Raises `ConfigurationError` with all errors.
    """
    settings, errors = _read(role, environ, dotenv)
    if errors:
        raise ConfigurationError(errors)
    return settings


def examine(
    role: Role, environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV
) -> tuple[tuple[OptionRow, ...], tuple[str, ...]]:
    """Returns the same for output: every option with what could be read of it, and the errors. Raises nothing."""
    settings, errors = _read(role, environ, dotenv)
    return settings.rows(), tuple(errors)


def log_format(environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> LogFormat | None:
    """Returns `LOG_FORMAT` if it can be read, for errors that come before the settings. Raises nothing."""
    found = read_variables(environ, dotenv)[0].get("LOG_FORMAT")
    try:
        return cast("LogFormat", choice(*get_args(LogFormat)).read(found.text)) if found else None
    except InvalidValue:
        return None


def our_names() -> frozenset[str]:
    """Returns every variable that some role reads, `NAME_FILE` and deprecated names included."""
    options = [option for group in GROUPS for option in group.options.values()]
    files = {f"{name}_FILE" for option in options if option.secret for name in option.names}
    return frozenset(files.union(*(option.names for option in options)))


def _read(role: Role, environ: Mapping[str, str] | None, dotenv: Path | None) -> tuple[Settings, list[str]]:
    """Returns the settings, without the groups that have an error, and all errors."""
    variables, errors = read_variables(environ, dotenv)
    errors += name_errors(variables, our_names())
    groups: dict[type[Group], Group] = {}
    entries: list[Entry] = []
    for group in GROUPS:
        if role in group.roles:
            source = OptionSource(group, variables)
            entries += source.entries.values()
            errors += source.errors
            try:
                groups[group] = group.model_validate({"source": source})
            except ValidationError as error:
                for details in error.errors(include_url=False):
                    errors += _explain(details, source.entries)
    settings = Settings(role=role, groups=groups, entries=tuple(entries))
    return settings, [*errors, *settings.conflicts()]


def _explain(details: ErrorDetails, entries: Mapping[str, Entry]) -> Iterator[str]:
    """Translates an error of pydantic. An option without an entry has its line already: its text could not be read."""
    error = details.get("ctx", {}).get("error")
    if isinstance(error, ConflictsFound):
        yield from conflict_lines(error.conflicts, entries.values())
    elif entry := entries.get(str(details["loc"][0])):
        option = entry.option
        example = f"example {option.name}={option.example}"
        if isinstance(error, InvalidValue):
            yield f"{entry}: {error.what}; {error.fix or f'for {example}'}"
        else:
            file = f" (or {option.name}_FILE)" if option.secret else ""
            yield f"{option.name}{file} is not set: {option.sentence} For {example}"
