"""The texts and commands that derive from the declarations."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from admin.actions.configuration import document, example
from admin.cli.app import app
from shared.errors import ConfigurationError
from shared.settings.loading import our_names
from shared.settings.sources import read_dotenv
from tests.unit.settings.cases import ENOUGH, OPTIONS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """In an empty folder, with nothing of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in our_names():
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


def test_the_documentation_is_up_to_date() -> None:
    up_to_date = (ROOT / "docs/configuration.md").read_text() == document()
    assert up_to_date, "run: auth0-webhooks config docs > docs/configuration.md"


def test_the_example_is_up_to_date() -> None:
    assert (ROOT / ".env.example").read_text() == example(), "run: auth0-webhooks config example > .env.example"
    assert "   " not in example()  # the indentation of a docstring
    assert "\n    " not in document()


def test_the_example_sets_nothing_and_names_everything(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(example())
    assert read_dotenv(path) == ({}, [])
    current = {name for name in our_names() if not name.endswith("_FILE") and "GLOBAL" not in name}
    assert not [name for name in current if f"\n{name}=" not in example() and f"\n# {name}=" not in example()]


def test_the_example_can_be_commented_in(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("\n".join(line.removeprefix("# ") if "=" in line else "" for line in example().splitlines()))
    values, damaged = read_dotenv(path)
    assert not damaged
    assert set(values) <= our_names()


def test_config_docs_and_example_print_the_files(runner: CliRunner) -> None:
    assert runner.invoke(app, ["config", "docs"]).output == document()
    assert runner.invoke(app, ["config", "example"]).output == example()


def test_config_show_tells_values_sources_and_no_secrets(runner: CliRunner) -> None:
    result = runner.invoke(app, ["config", "show"], env=ENOUGH, catch_exceptions=False)
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.output.splitlines() if line}
    assert lines["AUTH0_CLIENT_SECRET"] == ["***", "environment"]
    assert lines["WINDOW"] == ["1000", "default"]
    assert lines["AUTH0_AUDIENCE"] == ["https://acme.eu.auth0.com/api/v2/", "default"]
    assert result.output.endswith("\nAll settings are valid\n")


def test_config_show_changed_leaves_out_what_has_its_default(runner: CliRunner) -> None:
    result = runner.invoke(app, ["config", "show", "--changed"], env=ENOUGH | {"WINDOW": "7"}, catch_exceptions=False)
    assert [line.split()[0] for line in result.output.splitlines()[1:-2]] == [*list(ENOUGH)[:3], "WEBHOOK_URL", "WINDOW"]


def test_config_show_says_what_is_required_and_ends_with_what_must_be_changed(runner: CliRunner) -> None:
    environ = ENOUGH | {"AUTH0_CLIENT_ID": "", "WEBHOK_URL": "x", "STOP_GRACE": "1"}
    result = runner.invoke(app, ["config", "show"], env=environ)
    assert [line.split() for line in result.output.splitlines() if "AUTH0_CLIENT_ID" in line] == [
        ["AUTH0_CLIENT_ID", "(required)", "not", "set"]
    ]
    assert isinstance(result.exception, ConfigurationError)
    last = "3 settings must be changed: WEBHOK_URL, AUTH0_CLIENT_ID, DRAIN_TIMEOUT or STOP_GRACE"
    assert result.exception.problems[-1] == last
    assert "valid" not in result.output


def test_config_show_counts_a_setting_once_and_names_a_line_of_dotenv(runner: CliRunner) -> None:
    Path(".env").write_text("!!! what\n")
    result = runner.invoke(app, ["config", "show", "--role", "consume"], env={"WEBHOOK_URL": "http://localhost:1/"})
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.problems[-1] == "1 setting must be changed: line 1 of .env"


def test_config_show_shows_notes(runner: CliRunner) -> None:
    result = runner.invoke(app, ["config", "show"], env=ENOUGH | {"WEBHOOK_TEAM": "x"}, catch_exceptions=False)
    assert "WEBHOOK_TEAM (environment)" in result.stderr
    assert result.stdout.endswith("\nAll settings are valid\n")


def test_config_show_shows_what_it_can_and_then_the_problems(runner: CliRunner) -> None:
    Path(".env").write_text("WINDOW=0\nWEBHOOK_URL=http://localhost:1/\n")
    result = runner.invoke(app, ["config", "show", "--role", "consume", "--json"])
    assert isinstance(result.exception, ConfigurationError)
    shown = json.loads(result.output)
    assert {"name": "WINDOW", "value": "0", "source": ".env"}.items() <= next(
        row for row in shown["settings"] if row["name"] == "WINDOW"
    ).items()
    assert tuple(shown["problems"]) == result.exception.problems
    assert not [row for row in shown["settings"] if row["name"].startswith("AUTH0")]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (["--name", "LIMIT_WC"], {"limit_wc"}),
        (["--name", "login", "--level", "3", "--category", "failure"], {"f", "fp", "fu"}),
        (["--name", "no such thing"], set()),
    ],
)
def test_types_are_filtered(runner: CliRunner, options: list[str], codes: set[str]) -> None:
    result = runner.invoke(app, ["types", "--json", *options])
    assert {row["code"] for row in json.loads(result.output)} == codes


def test_types_are_a_table_for_a_person(runner: CliRunner) -> None:
    output = runner.invoke(app, ["types"]).output
    assert "limit_wc" in output
    assert "185 of 185 types" in output


def test_a_level_that_is_none_is_refused(runner: CliRunner) -> None:
    assert runner.invoke(app, ["types", "--level", "5"]).exit_code == 2


def test_the_security_policy_names_every_secret_and_nothing_else_as_one() -> None:
    whole, parts = re.findall(r"^- Secret.*?(?=^- )", (ROOT / "SECURITY.md").read_text(), re.DOTALL | re.MULTILINE)
    secret = {name for option in OPTIONS.values() if option.secret for name in option.names}
    in_part = {option.name for option in OPTIONS.values() if not option.secret and option.parser.hidden}
    assert set(re.findall(r"`([A-Z0-9_]+)`", whole)) - {"NAME_FILE"} == secret
    assert set(re.findall(r"`([A-Z0-9_]+)`", parts)) == in_part
