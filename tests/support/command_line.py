"""The tree of commands, and what the command line says against arguments, without running a command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import typer.main

from admin.cli import usage
from admin.cli.app import app
from shared.errors import ConfigurationError

PROGRAM: Final[Any] = typer.main.get_command(app)


def commands(command: Any = PROGRAM, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields every command and group below one, with its path."""
    for name, inner in getattr(command, "commands", {}).items():
        yield (*path, name), inner
        yield from commands(inner, *path, name)


def mistake(*arguments: str) -> str:
    """Returns the lines against these arguments; empty if a command takes them. Raises `typer.Exit` after `--help`."""
    try:
        _parse(list(arguments))
    except typer.TyperException as error:
        return usage.explain(error)
    except ConfigurationError as error:
        return "\n".join(error.problems)
    return ""


def _parse(arguments: list[str]) -> None:
    command, ctx, name = PROGRAM, None, "auth0-webhooks"
    while command is not None:
        ctx = command.make_context(name, arguments, parent=ctx)
        if not hasattr(command, "commands"):
            return
        rest = [*ctx._protected_args, *ctx.args]
        if not rest:
            command.invoke(ctx)  # says what is missing
        name, command, arguments = command.resolve_command(ctx, rest)
