"""Whatever is typed: a documented exit code, no traceback, and a mistake in one line; measured on real processes."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.exits import Exit
from tests.e2e.stack import COMMAND, Stack, stacked
from tests.support.command_line import commands, mistake
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded

#: Those that end by themselves; without settings and without a log all of them do, but for these.
SERVING = ("demo", "listen", "simulate")
PATHS = [path for path, command in commands() if path[0] not in SERVING and not hasattr(command, "commands")]
WORDS = st.sampled_from(
    ["--json", "--yes", "--all", "--type", "fp", "--reason", "-h", "--", "", "900", "x=1", "--limit", "3", "é\x1b[2J"]
)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with stacked(tmp_path, {"SQLITE_PATH": str(tmp_path / "log.db")}, ListedLog([])) as stack:
        yield stack


def _mistake(*typed: str) -> str:
    try:
        return mistake(*typed)
    except typer.Exit:
        return ""


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), st.lists(WORDS | st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=4))
def test_an_exit_code_is_documented_and_a_mistake_is_one_line(stack: Stack, path: tuple[str, ...], rest: list[str]) -> None:
    process = stack.start(*path, *rest, AUTH0_DOMAIN="", WEBHOOK_URL="", LOG_FORMAT="console")
    code, text = process.wait(), process.text
    assert code in (Exit.FINE, Exit.CONFIGURATION, Exit.ENVIRONMENT), text
    assert "Traceback" not in text
    line = _mistake(*path, *rest)
    if line:
        assert (code, text) == (Exit.CONFIGURATION, f"error: {line}\n")
    else:
        assert code == Exit.FINE or "error: " in text or " error " in text


def test_on_a_terminal_a_mistake_is_broken_at_words(tmp_path: Path) -> None:
    main, side = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "dead-letters", "list", "--since", "yesterday"],
        env=guarded({"PATH": os.environ["PATH"]}),
        cwd=tmp_path,
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    assert process.wait(60) == Exit.CONFIGURATION
    lines = os.read(main, 65536).decode().splitlines()
    os.close(main)
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("error: --since 'yesterday': must be a date or a time such as ")
    assert " ".join(line.strip() for line in lines) == f"error: {mistake('dead-letters', 'list', '--since', 'yesterday')}"


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_needs_neither_pydantic_nor_rich_nor_kafka(tmp_path: Path, option: str) -> None:
    """Each costs a fifth of a second or more."""
    done = subprocess.run(
        [COMMAND, option],
        env=guarded({"PATH": os.environ["PATH"], "PYTHONPROFILEIMPORTTIME": "1"}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint({"pydantic", "pydantic_settings", "rich", "kafka", "httpx", "structlog"})


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("dead-letters list --type limit_", {"limit_wc", "limit_mu", "limit_ui"}),
        ("tail --level ", {"0", "1", "2", "3", "4"}),
        ("config show --role p", {"produce"}),
        ("dead-l", {"dead-letters"}),
    ],
)
def test_a_shell_completes_commands_codes_levels_and_choices(tmp_path: Path, typed: str, completed: set[str]) -> None:
    words = ["auth0-webhooks", *typed.split(" ")]
    done = subprocess.run(
        [COMMAND],
        env=guarded(
            {
                "PATH": os.environ["PATH"],
                "_AUTH0_WEBHOOKS_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(words),
                "COMP_CWORD": str(len(words) - 1),
            }
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert completed <= set(done.stdout.split())
    assert all(line.startswith(words[-1]) for line in done.stdout.split())
    assert done.stderr == ""


def test_an_interrupt_while_a_mistake_is_explained_is_no_traceback(tmp_path: Path) -> None:
    """Seen on a loaded machine: what writes the line was still being imported."""
    (tmp_path / "structlog.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [COMMAND, "rnu"],
        env=guarded({"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (Exit.INTERRUPTED, "")
