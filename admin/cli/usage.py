"""The line that a mistake on the command line becomes: what was typed, what is taken, and where to read more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final

import typer

from admin.cli.docstring import split_examples
from shared.errors import ConfigurationError
from shared.text import visible

#: What typer raises for a mistake of the user; it is explained here, and never printed as it is.
UsageError = typer.TyperException

_PROGRAM: Final = "auth0-webhooks"
_LONGEST: Final = 60  # characters of a value that are shown


def explain(error: typer.TyperException) -> str:
    """Returns the line. The errors of typer have no public classes; they differ in their fields."""
    ctx: typer.Context | None = getattr(error, "ctx", None)
    where = ctx.command_path if ctx else _PROGRAM
    match vars(error):
        case {"option_name": str(name), "possibilities": _}:
            return f"`{where}` has no option {quoted(name)}; {_did_you_mean(name, ctx) or _see(where)}"
        case {"option_name": str(name)}:
            return f"{_wrong_use(name, ctx)}; {_see(where)}"
        case {"param": param, "param_type": _} if param is not None:
            return f"{_label(param)} is missing; {_example(ctx)}{_see(where)}"
        case {"param": param} if param is not None:
            return f"{_label(param)} {error.message}"
        case _:
            return f"{visible(error.format_message()).rstrip('.')}; {_see(where)}"


@contextmanager
def located(ctx: typer.Context) -> Iterator[None]:
    """Names the command in the errors of typer that do not."""
    try:
        yield
    except UsageError as error:
        if getattr(error, "ctx", None) is None:
            vars(error)["ctx"] = ctx
        raise


def no_such_command(ctx: typer.Context, name: str) -> ConfigurationError:
    """Suggests a command of this group, or one of the same name in another."""
    where = ctx.command_path
    near = [f"{where} {own}" for own in get_close_matches(name, getattr(ctx.command, "commands", {}), 1)]
    near += [" ".join((_PROGRAM, *path)) for path in _paths(ctx.find_root().command) if path[-1] == name]
    hint = f"did you mean `{near[0]}`?" if near else _see(where)
    return ConfigurationError([f"`{where}` has no command {quoted(name)}; {hint}"])


def too_many(ctx: typer.Context, rest: Sequence[str]) -> ConfigurationError:
    return ConfigurationError([f"`{ctx.command_path}` does not take {quoted(' '.join(rest))}; {_see(ctx.command_path)}"])


def name_of(param: Any) -> str:
    """Returns what help calls an argument, such as LOG_ID."""
    return str(param.metavar or param.name.upper())


def quoted(text: str) -> str:
    """Returns what a person typed, for a line that a person reads: printable, and not too long."""
    text = visible(text)
    return f"'{text}'" if len(text) <= _LONGEST else f"'{text[:_LONGEST]}…' ({len(text)} characters)"


def _label(param: Any) -> str:
    return name_of(param) if param.param_type_name == "argument" else str(param.opts[-1])


def _wrong_use(name: str, ctx: typer.Context | None) -> str:
    param: Any = next((param for param in ctx.command.params if name in param.opts), None) if ctx else None
    if param is None or param.is_flag:
        return f"{quoted(name)} takes no value"
    return f"{name} needs a value: {name} {param.metavar}"


def _did_you_mean(name: str, ctx: typer.Context | None) -> str:
    known = [name for param in ctx.command.get_params(ctx) for name in param.opts if name.startswith("--")] if ctx else []
    near = [own for own in known if own.startswith(name) and len(name) > 3] or get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if len(near) == 1 else ""


def _example(ctx: typer.Context | None) -> str:
    examples = split_examples(ctx.command.help)[1] if ctx else []
    return f"for example `{examples[0]}`; " if examples else ""


def _see(where: str) -> str:
    return f"see `{where} --help`"


def _paths(command: Any, *before: str) -> Iterator[tuple[str, ...]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield (*before, name)
        yield from _paths(inner, *before, name)
