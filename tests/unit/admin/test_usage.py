"""What a person may mistype: one printable line that says what was typed, what is taken, and where to read more."""

from __future__ import annotations

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal import wrapped
from tests.support.command_line import commands, mistake

TREE = dict(commands())
NAMES = sorted({name for path in TREE for name in path})
OPTIONS = sorted({name for command in TREE.values() for param in command.params for name in param.opts if name.startswith("-")})
ANYTHING = st.text(st.characters(codec=None), max_size=300)
ARGUMENTS = st.lists(
    st.sampled_from(NAMES)
    | st.sampled_from(OPTIONS)
    | st.builds("{}={}".format, st.sampled_from(OPTIONS), ANYTHING)
    | st.sampled_from(["--", "-", "", "-h=1", "--=", "=", "900", "1e999", "nan", "-1", "2026-13-01", "9" * 400])
    | ANYTHING,
    max_size=8,
)


@given(st.sampled_from(list(TREE)) | st.just(()), ARGUMENTS)
def test_whatever_is_typed_gets_at_most_one_printable_line_of_bounded_length(path: tuple[str, ...], rest: list[str]) -> None:
    try:
        line = mistake(*path, *rest)
    except typer.Exit:  # help or version was shown
        return
    assert line.isprintable() or not line
    assert len(line) < 700
    assert all(len(row) <= 80 or len(row.split()) == 1 for row in wrapped(line, 80).split("\n"))
    for foreign in ("Input should", "valid integer", "Invalid value", "Got unexpected", "No such", "Traceback"):
        assert foreign not in line or any(foreign in word for word in rest)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("rnu", "`auth0-webhooks` has no command 'rnu'; did you mean `auth0-webhooks run`?"),
        ("retry", "`auth0-webhooks` has no command 'retry'; did you mean `auth0-webhooks dead-letters retry`?"),
        ("config exmple", "`auth0-webhooks config` has no command 'exmple'; did you mean `auth0-webhooks config example`?"),
        ("xyzzy", "`auth0-webhooks` has no command 'xyzzy'; see `auth0-webhooks --help`"),
        ("types --jsno", "`auth0-webhooks types` has no option '--jsno'; did you mean --json?"),
        ("dead-letters list --rea x", "`auth0-webhooks dead-letters list` has no option '--rea'; did you mean --reason?"),
        ("types -x", "`auth0-webhooks types` has no option '-x'; see `auth0-webhooks types --help`"),
        ("types all", "`auth0-webhooks types` does not take 'all'; see `auth0-webhooks types --help`"),
        ("run --once=3", "'--once' takes no value; see `auth0-webhooks run --help`"),
        ("listen --port", "--port needs a value: --port PORT; see `auth0-webhooks listen --help`"),
        ("listen --port 99999", "--port '99999': must be a whole number from 0 to 65535"),
        ("types --level loud", "--level 'loud': must be a level from 0 to 4, or its name: debug, info, warning, error, critical"),
        ("tail --type limit_wx", "--type 'limit_wx': is no log event type; did you mean limit_wc?"),
    ],
)
def test_a_mistake_is_explained(typed: str, line: str) -> None:
    assert mistake(*typed.split()) == line


def test_a_time_that_cannot_be_read_gets_an_example_of_each_form() -> None:
    line = mistake("dead-letters", "list", "--since", "yesterday")
    assert line.startswith("--since 'yesterday': must be a date or a time such as 2026-07-31, ")
    examples = ("2026-07-31", "2026-07-31T18:30", "2026-07-31T18:30+02:00", "90m", "2h", "3d")
    assert all(example in line and not mistake("dead-letters", "list", "--since", example) for example in examples)


def test_what_is_missing_is_named_with_an_example() -> None:
    line = mistake("dead-letters", "show")
    assert line.startswith("LOG_ID is missing; for example `auth0-webhooks dead-letters show 9002")
    assert mistake("skip", "900").startswith("--reason is missing; for example `auth0-webhooks skip 9002")


def test_a_long_value_is_shortened() -> None:
    line = mistake("listen", "--port", "9" * 400)
    assert line == f"--port '{'9' * 60}…' (400 characters): must be a whole number from 0 to 65535"


def test_no_command_at_all_shows_the_help_of_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        mistake("dead-letters")
    assert "Usage: auth0-webhooks dead-letters" in capsys.readouterr().err


def test_a_choice_names_all_that_are_taken() -> None:
    line = mistake("config", "show", "--role", "admin")
    assert line.startswith("--role 'admin': must be one of run, produce, consume")
