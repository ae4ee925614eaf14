"""`explain`: what the filter says of an entry, and which setting decided."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from admin.cli.options import argument, some
from admin.cli.output import say, show_json
from shared.errors import ConfigurationError, PageInvalid
from shared.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admin.actions.looking.explain import Explanation
    from producer.selection import Selection
    from shared.event import Event

#: Auth0's own ids, and anything else that no one would call a file.
_LOG_ID: Final = re.compile(r"[0-9A-Za-z_-]{6,1024}")
_LARGEST: Final = 64 << 20  # bytes


def explain(
    entry: Annotated[str, argument(some("ENTRY"), "A file of log entries (JSON), - for standard input, or a whole log id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the filter lets a log entry pass, and why.

    The filter is LOG_TYPES and LOG_LEVEL. Nothing is read from the log or sent. For a log id the entry is asked from
    Auth0, which needs AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET.

    Examples:
      auth0-webhooks explain entry.json
      auth0-webhooks explain 90020261129183000000
    """
    from dataclasses import asdict

    from admin.actions.looking.explain import explain as actions_explain

    events, selection = _from_auth0(entry) if _is_log_id(entry) else _from_file(entry)
    found = actions_explain(events, selection)
    if as_json:
        show_json([asdict(one) for one in found])
    else:
        for one in found:
            say(_line(one))
        if len(found) > 1:
            say(f"\n{sum(one.passes for one in found)} of {len(found)} entries pass")


def _is_log_id(entry: str) -> bool:
    return entry != "-" and not Path(entry).exists() and _LOG_ID.fullmatch(entry) is not None


def _from_file(name: str) -> tuple[Sequence[Event], Selection]:
    from admin import compose
    from admin.actions.looking.explain import entries_in
    from shared.settings import Role, load

    settings = load(Role.EXPLAIN)
    compose.configure_log(settings, otherwise="console")
    where = "standard input" if name == "-" else name
    try:
        return entries_in(_read(name)), compose.selection(settings)
    except PageInvalid as error:
        raise ConfigurationError([f"{visible(where)} holds no log entry of Auth0: {error}"]) from None


def _read(name: str) -> bytes:
    try:
        if name == "-":
            text = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with Path(name).open("rb") as file:
                text = file.read(_LARGEST + 1)
    except OSError as error:
        hint = "" if Path(name).exists() else "; a log id has only letters, digits, - and _"
        raise ConfigurationError([f"{visible(name)} cannot be read: {error.strerror or error}{hint}"]) from None
    if len(text) > _LARGEST:
        raise ConfigurationError([f"{visible(name)} is larger than {_LARGEST >> 20} MB: give fewer entries"])
    return text


def _from_auth0(log_id: str) -> tuple[Sequence[Event], Selection]:
    from admin import compose, compose_auth0
    from admin.actions.looking.explain import ask_auth0
    from shared.settings import Role, load

    try:
        settings = load(Role.PRODUCE)
    except ConfigurationError as error:
        hint = f"there is no file {log_id}, so Auth0 is asked for an entry of that id; without its credentials give a file or -"
        raise ConfigurationError([*error.problems, hint]) from None
    compose.configure_log(settings, otherwise="console")

    async def ask() -> Event | None:
        return await ask_auth0(compose_auth0.auth0_logs(settings), log_id)

    event = asyncio.run(ask())
    if event is None:
        raise ConfigurationError(
            [f"there is no file {log_id}, and {settings.auth0.domain} knows no entry of that id, or not any more"]
        )
    return [event], compose.selection(settings)


def _line(one: Explanation) -> str:
    what = "passes" if one.passes else "filtered out"
    setting = f" ({one.setting})" if one.setting else ""
    return f"{one.log_id}  {visible(one.type) or '-'}  {what}{setting}: {one.why}"
