"""How the help of a command is laid out, and what a group of commands is made of.

A docstring's first sentence is the command's line in the list of commands. What follows `Examples:` stands at the end, below
the options. Nothing is cut, whatever the width of the terminal. `rich` has panels too, but costs 0.2 s at each `--help`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from admin.cli import usage
from admin.cli.docstring import split_examples, summary
from admin.exits import Exit

F = TypeVar("F", bound=Callable[..., Any])


class _Docstring:
    """What a command and a group make of their docstring in the same way."""

    help: str | None

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002  a shell that completes shows it: whole, as the help does
        return summary(self.help)

    def format_help_text(self, _ctx: Any, formatter: Any) -> None:
        _write_text(self.help, formatter)

    def format_epilog(self, _ctx: Any, formatter: Any) -> None:
        _write_examples(self.help, formatter)


class HelpfulCommand(_Docstring, TyperCommand):
    """One command."""

    allow_extra_args = True  # so that `parse_args` names them

    def get_help_option_names(self, ctx: Any) -> list[str]:
        return sorted(super().get_help_option_names(ctx))  # else in the order of a set

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with usage.located(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise usage.too_many(ctx, rest)
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS]", *(_usage_piece(param) for param in _arguments(self.get_params(ctx)))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self.get_params(ctx), ctx, formatter)


class HelpfulGroup(_Docstring, TyperGroup):
    """Commands under one name. Those of the whole program stand in panels."""

    def get_help_option_names(self, ctx: Any) -> list[str]:
        return sorted(super().get_help_option_names(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(Exit.CONFIGURATION)
        with usage.located(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise usage.no_such_command(ctx, args[0])
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write_parameters(self.get_params(ctx), ctx, formatter)

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        shown = [(name, command) for name, command in self.commands.items() if not command.hidden]
        width = max(len(name) for name, _ in shown)
        for name, command in shown:
            panel = getattr(command, "rich_help_panel", None)
            row = f"{name:{width}}", summary(command.help)  # as wide in each panel
            panels.setdefault(panel if isinstance(panel, str) else "Commands", []).append(row)
        for panel, rows in panels.items():
            _write_rows(panel, rows, formatter)


class Commands(typer.Typer):
    """A group of commands, or the whole program."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(
            name=name,
            help=text,
            cls=HelpfulGroup,
            context_settings={"help_option_names": ["-h", "--help"]},
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        return super().command(name, cls=HelpfulCommand, **settings)

    def add(self, member: typer.Typer | Callable[..., Any], panel: str) -> None:
        """Adds a command, or a group of commands, to a panel."""
        if isinstance(member, typer.Typer):
            self.add_typer(member, rich_help_panel=panel)
        else:
            self.command(rich_help_panel=panel)(member)


def _arguments(params: Iterable[Any]) -> Iterator[Any]:
    return (param for param in params if param.param_type_name == "argument")


def _usage_piece(argument: Any) -> str:
    name = usage.name_of(argument)
    return f"{name if argument.required else f'[{name}]'}{'' if argument.nargs == 1 else '...'}"


def _write_text(help_text: str | None, formatter: Any) -> None:
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(split_examples(help_text)[0])


def _write_parameters(params: Iterable[Any], ctx: Any, formatter: Any) -> None:
    params = list(params)
    _write_rows("Arguments", [(usage.name_of(param), param.help or "") for param in _arguments(params)], formatter)
    _write_rows("Options", [record for param in params if (record := _option_record(param, ctx))], formatter)


def _option_record(param: Any, ctx: Any) -> tuple[str, str] | None:
    record: tuple[str, str] | None = None if param.param_type_name == "argument" else param.get_help_record(ctx)
    return record


def _write_rows(title: str, rows: list[tuple[str, str]], formatter: Any) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


def _write_examples(help_text: str | None, formatter: Any) -> None:
    examples = split_examples(help_text)[1]
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
