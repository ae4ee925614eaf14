"""The help of each command, also of new ones: a group, a whole sentence, an example that is true, `-h`, plain names of values."""

from __future__ import annotations

import re
import shlex
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from typing import Any

import pytest

from admin.cli.app import PANELS, app
from admin.cli.docstring import split_examples, summary
from tests.support.command_line import commands, mistake

ALL = dict(commands())
LEAVES = {path: command for path, command in ALL.items() if not hasattr(command, "commands")}
#: Options and arguments that take a value, with the command that has them.
VALUES = [(path, param) for path, command in LEAVES.items() for param in command.params if not getattr(param, "is_flag", False)]


@cache
def _help(*path: str) -> str:
    shown = StringIO()
    with redirect_stdout(shown):
        app([*path, "-h"], prog_name="auth0-webhooks", standalone_mode=False)
    return shown.getvalue()


def _named(command: tuple[str, ...]) -> str:
    return " ".join(command)


@pytest.mark.parametrize("path", ALL, ids=_named)
def test_its_first_sentence_stands_whole_on_one_row_of_80_columns(path: tuple[str, ...]) -> None:
    sentence = summary(ALL[path].help)
    assert re.fullmatch(r"[A-Z].*[^.]\.", sentence), sentence
    assert re.search(rf"^  {path[-1]} +{re.escape(sentence)}$", _help(*path[:-1]), re.MULTILINE), sentence
    assert ALL[path].get_short_help_str() == sentence  # what a shell shows that completes


@pytest.mark.parametrize("path", ALL, ids=_named)
def test_its_help_fits_80_columns_and_names_h_beside_help(path: tuple[str, ...]) -> None:
    text = _help(*path)
    assert "-h, --help" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("path", LEAVES, ids=_named)
def test_its_examples_are_command_lines_that_it_takes(path: tuple[str, ...]) -> None:
    _, examples = split_examples(LEAVES[path].help)
    assert examples
    for example in examples:
        program, *arguments = shlex.split(re.split(r" [|>] |   ", example)[0])
        assert (program, *arguments[: len(path)]) == ("auth0-webhooks", *path)
        assert mistake(*arguments) == ""


def test_every_command_stands_in_a_panel() -> None:
    assert list(PANELS) == ["Run", "Look", "Repair", "Try"]
    assert {command.rich_help_panel for path, command in ALL.items() if len(path) == 1} == set(PANELS)
    assert "\nCommands:" not in _help()


@pytest.mark.parametrize(("path", "param"), VALUES, ids=lambda value: value.name if hasattr(value, "name") else _named(value))
def test_a_value_has_a_plain_name_and_is_read_by_a_parser_of_ours(path: tuple[str, ...], param: Any) -> None:
    assert re.fullmatch(r"[A-Z_]+|[a-z0-9_-]+(\|[a-z0-9_-]+)+", param.metavar or ""), (
        f"{param.name}: declare it by admin/cli/options.py"
    )
    assert param.help
    typed = ["no such value"] if param.param_type_name == "argument" else [param.opts[-1], "no such value"]
    line = mistake(*path, *typed)
    assert "Input should" not in line
    assert not line or line.startswith((param.opts[-1], param.metavar)) or "is missing" in line, line


@pytest.mark.parametrize(
    "typed",
    [
        "show ''",
        "skip ' ' --reason x",
        "dead-letters show ''",
        "dead-letters purge ''",
        "explain ''",
        "gaps show ''",
        "listen --host ''",
    ],
)
def test_the_value_of_a_variable_that_the_shell_does_not_know_is_refused(typed: str) -> None:
    assert mistake(*shlex.split(typed)).endswith("': must not be empty")
