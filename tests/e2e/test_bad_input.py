"""What a user may get wrong: one clear line, the right exit code, no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from shared.transport.sqlite.file import APPLICATION_ID
from tests.e2e.stack import Stack, simple, stacked
from tests.support.fork_server import run_command
from tests.support.listed_log import ListedLog


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with stacked(tmp_path, {"SQLITE_PATH": str(tmp_path / "log.db")}, ListedLog(simple(range(20)))) as stack:
        yield stack


def _fails(
    stack: Stack, code: int, *words: str, arguments: tuple[str, ...] = ("run",), settings: Mapping[str, str] | None = None
) -> str:
    process = stack.start(*arguments, **(settings or {}))
    assert process.wait(60) == code, process.text
    assert "Traceback" not in process.text
    assert "canary" not in process.text
    for word in words:
        assert word in process.text
    return process.text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WEBHOOK_URL", "", ("WEBHOOK_URL", "not set")),
        ("WEBHOOK_URL", "example.com/hook", ("WEBHOOK_URL", "example.com/hook")),
        ("WEBHOOK_URL", "http:///hook", ("WEBHOOK_URL",)),
        ("WEBHOOK_URL", "https://user:canary-password@example.com/", ("WEBHOOK_URL",)),
        ("WEBHOOK_URL", "https://example.com/#part", ("WEBHOOK_URL",)),
        ("WEBHOOK_CONCURRENT_CALLS", "0", ("WEBHOOK_CONCURRENT_CALLS", "'0'")),
        ("WEBHOOK_CONCURRENT_CALLS", "many", ("WEBHOOK_CONCURRENT_CALLS", "'many'")),
        ("LOG_TYPES", "s,limit_wx", ("LOG_TYPES", "limit_wx", "limit_wc")),
        ("LOG_LEVEL", "info", ("LOG_LEVEL", "VERBOSITY")),
        ("LOG_LEVEL", "7", ("LOG_LEVEL", "'7'")),
        ("AUTH0_DOMAIN", "", ("AUTH0_DOMAIN", "not set")),
        ("AUTH0_CLIENT_SECRET", "", ("AUTH0_CLIENT_SECRET", "not set")),
        ("AUTHORIZATION", "canary\r\nX-Evil: 1", ("AUTHORIZATION",)),
        ("WEBHOK_URL", "https://example.com", ("WEBHOK_URL", "WEBHOOK_URL")),
        ("POLL_INTERVAL", "nan", ("POLL_INTERVAL", "'nan'")),
        ("WEBHOOK_BACKOFF_BASE", "400", ("WEBHOOK_BACKOFF_BASE", "WEBHOOK_BACKOFF_CAP")),
        ("DRAIN_TIMEOUT", "40", ("DRAIN_TIMEOUT", "STOP_GRACE")),
        ("WINDOW", "0", ("WINDOW", "'0'")),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka", ("KAFKA_BOOTSTRAP_SERVERS", "port")),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_a_fix(stack: Stack, name: str, value: str, words: tuple[str, ...]) -> None:
    _fails(stack, 2, *words, settings={name: value})
    assert stack.tenant.requests == []


def test_all_bad_settings_are_named_at_once(stack: Stack) -> None:
    text = _fails(stack, 2, settings={"WEBHOOK_URL": "x", "LOG_LEVEL": "info", "WINDOW": "0"})
    assert [json.loads(line)["exit_code"] for line in text.splitlines()] == [2, 2, 2]


def test_foreign_variables_are_left_alone(stack: Stack) -> None:
    foreign = {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "WEBHOOK_TEAM": "x",
        "KAFKA_PORT": "tcp://10.0.0.2:9092",
        "AUTH0_TENANT": "y",
    }
    assert stack.start("run", "--once", **foreign).wait() == 0


def _no_sqlite(path: Path) -> None:
    path.write_bytes(b"this is a text file, and not a short one either" * 100)


def _other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=99")
        connection.execute("CREATE TABLE record (x)")


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_sqlite, "is not an SQLite file"),
        (_other_program, "of another program"),
        (_newer, "schema version 99"),
        (_directory, "log.db"),
    ],
    ids=["text", "other program", "newer", "directory"],
)
def test_a_file_that_is_no_log_of_ours_is_refused_and_left_as_it_is(
    stack: Stack, spoil: Callable[[Path], None], words: str
) -> None:
    path = stack.folder / "log.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    process = stack.start("run")
    assert process.wait(60) in (2, 3)
    assert words in process.text
    assert "Traceback" not in process.text
    assert before == (path.read_bytes() if path.is_file() else b"")


@pytest.mark.parametrize(
    "command", ["status", "dead-letters list", "dead-letters purge --all --yes", "skip 900 --reason it --yes"]
)
def test_an_operator_in_the_wrong_folder_is_not_told_that_all_is_done(stack: Stack, tmp_path: Path, command: str) -> None:
    _fails(stack, 3, f"there is no log at {tmp_path / 'log.db'}", "SQLITE_PATH", arguments=tuple(command.split()))
    assert not (tmp_path / "log.db").exists()


def test_a_missing_folder_is_named(stack: Stack) -> None:
    process = stack.start("run", SQLITE_PATH=str(stack.folder / "nowhere" / "log.db"))
    assert process.wait(60) in (2, 3)
    assert "nowhere" in process.text
    assert "Traceback" not in process.text


def test_a_read_only_file_is_named(stack: Stack) -> None:
    assert stack.start("run", "--once").wait() == 0
    (stack.folder / "log.db").chmod(0o400)
    if os.geteuid() == 0:  # root may write everywhere, unless it gives that right away
        if shutil.which("setpriv") is None:
            pytest.skip("as root this needs setpriv")
        stack.prefix = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    _fails(stack, 3, "read-only", "SQLITE_PATH")


def test_a_second_process_on_the_same_file_is_refused(stack: Stack) -> None:
    first = stack.start("run")
    stack.wait_delivered(20)
    _fails(stack, 3, "already has a", "SQLITE_PATH")
    _fails(stack, 3, "already has a consumer", arguments=("consume",))
    _fails(stack, 3, "already has a poller", arguments=("produce",))
    assert first.alive
    assert first.stop() == 0


def test_producer_and_consumer_may_be_two_processes_on_one_file(stack: Stack) -> None:
    consumer = stack.start("consume")
    producer = stack.start("produce")
    stack.wait_delivered(20)
    assert (producer.stop(), consumer.stop()) == (0, 0)
    assert "AUTH0" not in consumer.text


def test_an_unexpected_error_ends_with_1(stack: Stack) -> None:
    """A bug of ours is provoked: a package that cannot be imported."""
    broken = stack.folder / "broken"
    broken.mkdir()
    (broken / "httptools.py").write_text("raise RuntimeError('provoked')\n")
    process = stack.start("run", PYTHONPATH=str(broken))
    assert process.wait(60) == 1
    assert "provoked" in process.text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["types", "--json"], 0),
        (["types", "--level", "9"], 2),
        (["nonsense"], 2),
        (["run", "--once", "--timeout", "soon"], 2),
        (["topics", "show"], 2),
        (["listen", "--host", "256.1.1.1"], 3),
    ],
)
def test_commands_end_with_their_exit_code(tmp_path: Path, arguments: list[str], code: int) -> None:
    done = run_command(*arguments, environ={"PATH": os.environ["PATH"]}, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(stack: Stack) -> None:
    _fails(stack, 3, f"127.0.0.1:{stack.receiver.port}", "--port", arguments=("listen", "--port", str(stack.receiver.port)))


def test_config_show_names_sources_and_masks_secrets(stack: Stack) -> None:
    (stack.folder / ".env").write_text("WINDOW=77\nAUTHORIZATION=canary-token\n")
    process = stack.start("config", "show")
    assert process.wait(60) == 0
    assert "canary" not in process.text
    for words in (("WINDOW", "77", ".env"), ("AUTHORIZATION", "***", ".env"), ("POLL_INTERVAL", "0.2", "environment")):
        assert any(all(word in line for word in words) for line in process.text.splitlines()), words
