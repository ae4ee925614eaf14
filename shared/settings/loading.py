"""From environment and `.env` to the settings of a role; or to all errors at once, one line each that says how to fix it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import ConfigurationError
from shared.logging import LogFormat
from shared.parsers import InvalidValue, choice
from shared.settings.names import name_errors, unknown_names
from shared.settings.option import ConflictsFound, Group, Role
from shared.settings.rules import RulesSettings
from shared.settings.settings import GROUPS, OptionRow, Settings, conflict_errors
from shared.settings.sources import Entry, OptionSource, SettingError, Variables, read_variables
from shared.settings.tenant import Auth0Settings

DOTENV: Final = Path(".env")
#: A command that only looks at what they do does not repeat the warning.
_WARNED_OF_UNKNOWN_NAMES: Final = frozenset({Role.RUN, Role.PRODUCE, Role.CONSUME, Role.TRIGGER})


class Examined(NamedTuple):
    """The settings of a role, for output."""

    #: Every option, with what could be read of it.
    rows: tuple[OptionRow, ...]
    #: A line each.
    errors: tuple[str, ...]
    #: Lines about what is valid and yet should be changed.
    notes: tuple[str, ...]
    #: What has to be changed, each once: a name, or two of which one has to be.
    to_change: tuple[str, ...]


def load(role: Role, environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> Settings:
    """Reads and checks the settings of a role; `environ` is the process's own if not given.

    Raises `ConfigurationError` with all errors.
    """
    settings, errors = _read(role, environ, dotenv)
    if errors:
        raise ConfigurationError([error.line for error in errors])
    return settings


def examine(role: Role, environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> Examined:
    """Returns the same for output. Raises nothing."""
    settings, errors = _read(role, environ, dotenv)
    lines, to_change = (error.line for error in errors), dict.fromkeys(error.about for error in errors)
    notes = (*settings.notes(), *_outdone(settings.entries))
    return Examined(settings.rows(), tuple(lines), notes, tuple(to_change))


def _outdone(entries: Sequence[Entry]) -> Iterator[str]:
    """Yields a line if `.env` has other values than those that count. For who looks: a start in this way is often meant."""
    names = [entry.name for entry in entries if entry.found and entry.found.instead_of]
    if names:
        yield f".env has other values for {', '.join(names)}, but the environment wins; `unset` takes a variable out of it"


def log_format(environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> LogFormat | None:
    """Returns `LOG_FORMAT` if it can be read, for errors that come before the settings. Raises nothing."""
    found = read_variables(environ, dotenv)[0].get("LOG_FORMAT")
    try:
        return cast("LogFormat", choice(*get_args(LogFormat)).read(found.text)) if found else None
    except InvalidValue:
        return None


def is_given(group: type[Group], environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV) -> bool:
    """Returns whether one of the group's required options is set, so that it is meant to be used. Raises nothing."""
    return _is_given(group, read_variables(environ, dotenv)[0])


def _is_given(group: type[Group], variables: Variables) -> bool:
    names = (name for option in group.options.values() if option.required for name in option.names)
    return any(name in variables or f"{name}_FILE" in variables for name in names)


def our_names() -> frozenset[str]:
    """Returns every variable that some role reads, `NAME_FILE` and deprecated names included."""
    options = [option for group in GROUPS for option in group.options.values()]
    files = {f"{name}_FILE" for option in options if option.secret for name in option.names}
    return frozenset(files.union(*(option.names for option in options)))


def _read(role: Role, environ: Mapping[str, str] | None, dotenv: Path | None) -> tuple[Settings, list[SettingError]]:
    """Returns the settings, without the groups that have an error, and all errors."""
    variables, errors = read_variables(environ, dotenv)
    known = our_names()
    errors += name_errors(variables, known)
    unknown = unknown_names(variables, known) if role in _WARNED_OF_UNKNOWN_NAMES else ()
    groups: dict[type[Group], Group] = {}
    entries: list[Entry] = []
    read = _groups_of(role, variables)
    for group in read:
        source = OptionSource(group, variables)
        entries += source.entries.values()
        errors += source.errors
        try:
            groups[group] = group.model_validate({"source": source})
        except ValidationError as error:
            found = error.errors(include_url=False)
            if group is Auth0Settings and role is Role.CONSUME and _fetches_users(variables):
                missing, found = _without_missing(found)
                errors += _no_tenant(missing, source.entries, variables)
            for details in found:
                errors += _explain(details, source.entries)
    settings = Settings(role=role, read=read, groups=groups, entries=tuple(entries), unknown=unknown)
    return settings, [*errors, *settings.conflicts()]


def _groups_of(role: Role, variables: Variables) -> tuple[type[Group], ...]:
    """Returns those of a role. A consumer asks Auth0 where it runs rules that get users, or that were given what to ask with."""
    asks = (
        role is Role.CONSUME and "RULES_DIR" in variables and (_fetches_users(variables) or _is_given(Auth0Settings, variables))
    )
    return tuple(group for group in GROUPS if role in group.roles or (asks and group is Auth0Settings))


def _fetches_users(variables: Variables) -> bool:
    """What cannot be read has its own error."""
    option = RulesSettings.options["fetch_user"]
    found = variables.get(option.name)
    try:
        return bool(option.read(found.text) if found else option.default)
    except InvalidValue:
        return False


def _without_missing(found: list[ErrorDetails]) -> tuple[list[ErrorDetails], list[ErrorDetails]]:
    """Returns the errors about what is not set, and the others."""
    missing = [details for details in found if details["type"] == "missing"]
    return missing, [details for details in found if details not in missing]


def _no_tenant(missing: list[ErrorDetails], entries: Mapping[str, Entry], variables: Variables) -> Iterator[SettingError]:
    """Returns one error: who turned rules on may not know that they need this, nor that they can do without."""
    options = [entries[str(details["loc"][0])].option for details in missing if str(details["loc"][0]) in entries]
    if options:
        names = ", ".join(option.name for option in options)
        yield SettingError(
            f"{names} or RULES_FETCH_USER",
            f"RULES_DIR is set ({variables['RULES_DIR'].source}), and rules get the user of an event from Auth0, but {names} "
            f"{'is' if len(options) == 1 else 'are'} not set; set what the producer has (its application then needs the scope "
            "read:users too), or set RULES_FETCH_USER=false, and rules get only what the event says of its user",
        )


def _explain(details: ErrorDetails, entries: Mapping[str, Entry]) -> Iterator[SettingError]:
    """Translates an error of pydantic. An option without an entry has its line already: its text could not be read."""
    error = details.get("ctx", {}).get("error")
    if isinstance(error, ConflictsFound):
        yield from conflict_errors(error.conflicts, entries.values())
    elif entry := entries.get(str(details["loc"][0])):
        option = entry.option
        example = f"example {option.name}={option.example}"
        if isinstance(error, InvalidValue):
            yield SettingError(entry.name, f"{entry}: {error.what}; {error.fix or f'for {example}'}")
        else:
            file = f" (or {option.name}_FILE)" if option.secret else ""
            yield SettingError(option.name, f"{option.name}{file} is not set: {option.sentence} For {example}")
