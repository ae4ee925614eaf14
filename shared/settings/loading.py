"""From environment and `.env` to the settings of a role; or to every problem at once, one line each that says how to fix it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import ConfigurationError
from shared.logging import LogFormat
from shared.settings.cross_checks import REFUSED
from shared.settings.names import LATER, problem_with
from shared.settings.option import Conflicts, Declaration, Group, Role
from shared.settings.parsers import Refused, choice
from shared.settings.settings import GROUPS, Entry, Row, Settings
from shared.settings.sources import Sources, Unreadable, read_dotenv

DOTENV: Final = Path(".env")


def load(role: Role, environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> Settings:
    """Read and check the settings of a role; `environ` is the process's own if not given.

    Raises `ConfigurationError` with all problems.
    """
    reading = _Reading(role, os.environ if environ is None else environ, dotenv)
    if reading.problems:
        raise ConfigurationError(reading.problems)
    return reading.settings


def examine(
    role: Role, environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The same for onlookers: every option with what could be read of it, and the problems. Raises nothing."""
    reading = _Reading(role, os.environ if environ is None else environ, dotenv)
    return tuple(entry.row for entry in reading.entries), tuple(reading.problems)


def log_format(environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> LogFormat | None:
    """`LOG_FORMAT` as far as it can be read, for errors that come before the settings. Raises nothing."""
    values, _ = read_dotenv(dotenv)
    found = Sources(os.environ if environ is None else environ, values, str(dotenv)).get("LOG_FORMAT")
    try:
        return cast("LogFormat", choice(*get_args(LogFormat)).read(found.text)) if found else None
    except Refused:
        return None


def our_names() -> frozenset[str]:
    """Every variable that some role reads, `NAME_FILE` and old names included."""
    options = [declared.option for group in GROUPS for declared in group.declarations()]
    plain = {name for option in options for name in option.names}
    return frozenset(plain | {f"{name}_FILE" for option in options if option.secret for name in option.names})


class _Reading:
    """One pass over the sources, for one role."""

    def __init__(self, role: Role, environ: Mapping[str, str], dotenv: Path | None) -> None:
        values, self.problems = read_dotenv(dotenv)
        self._sources = Sources(environ, values, str(dotenv))
        self.problems += self._strangers()
        self.entries: list[Entry] = []
        self._groups: dict[type[Group], Group] = {}
        for group in GROUPS:
            if role in group.roles:
                self._read(group)
        #: Without the groups that have a problem.
        self.settings = Settings(role=role, groups=self._groups, entries=tuple(self.entries))
        self.problems += self.settings.clashing(REFUSED)

    def _strangers(self) -> Iterator[str]:
        known = our_names() | LATER
        for found in self._sources:
            problem = problem_with(found.name, found.text, known)
            if problem:
                yield f"{problem} (set in {found.source})"

    def _read(self, group: type[Group]) -> None:
        entries = {declared.attribute: entry for declared in group.declarations() if (entry := self._find(declared))}
        self.entries += entries.values()
        given = {attribute: entry.found.text for attribute, entry in entries.items() if entry.found}
        try:
            self._groups[group] = group.model_validate(given)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                self.problems += _explain(details, entries)

    def _find(self, declared: Declaration) -> Entry | None:
        """The option and its text; None if there is one that cannot be read, which is a problem then."""
        try:
            return Entry(declared, self._sources.find(declared.option))
        except Unreadable as error:
            self.problems.append(str(error))
            return None


def _explain(details: ErrorDetails, entries: Mapping[str, Entry]) -> Iterator[str]:
    """Pydantic's word on one field or one group, in ours. Nothing on what has no entry: its problem is told already."""
    entry = entries.get(str(details["loc"][0])) if details["loc"] else None
    if details["type"] == "missing":
        if entry:
            yield _missing(entry.declared)
        return
    error = details["ctx"]["error"]
    if isinstance(error, Conflicts):
        for conflict in error.all:
            if entries.keys() >= set(conflict.attributes):
                yield f"{' and '.join(str(entries[attribute]) for attribute in conflict.attributes)}: {conflict}"
    elif entry:
        yield _refused(entry, error)


def _refused(entry: Entry, error: Refused) -> str:
    return f"{entry}: {error.what}; {error.fix or f'for example {entry.declared.option.name}={entry.declared.example}'}"


def _missing(declared: Declaration) -> str:
    option = declared.option
    file = f" (or {option.name}_FILE)" if option.secret else ""
    return f"{option.name}{file} is not set: {option.sentence} For example {option.name}={declared.example}"
