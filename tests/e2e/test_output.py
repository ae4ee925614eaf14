"""What commands print, and where to: hostile ids, readers that went away, full disks, questions."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import pytest

from admin.actions.dead_letters import Choice, chosen
from shared.documents import desired
from shared.documents.dead_letter import put
from shared.documents.desired import DesiredDelivery
from shared.record import Record
from shared.transport.port import Checkpoint, DeadLetter
from shared.transport.sqlite.file import File
from shared.transport.sqlite.publisher import store_checkpoint
from shared.transport.sqlite.records import append
from shared.transport.sqlite.transport import SqliteTransport
from tests.e2e.stack import COMMAND
from tests.support.fork_server import run_command
from tests.support.process_guard import guarded

#: It clears a screen, turns writing round, rings, ends lines, names a window; 8-bit controls; and rich's markup.
HOSTILE: Final = "900\x1b[2J\u202e\x07\r\nerror: \x1b]0;pwned\x07\x9b31m\u2028[red]x[/red]"
PRINTING: Final = (
    "types",
    "status",
    "status --json",
    "tail",
    "tail --json",
    "dead-letters list",
    "config show",
    "config docs",
    "config example",
    "checkpoint show",
    "topics create --print",
    "types --json",
    "--help",
    "--version",
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a log in which another program has been at work."""
    asyncio.run(_fill(tmp_path / "log.db"))
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "SQLITE_PATH": str(tmp_path / "log.db")}


async def _fill(path: Path) -> None:
    log = SqliteTransport(path, retention_days=1)
    headers = [("type", HOSTILE.encode()), ("log-id", b"\x1b[2J")]
    record = Record(offset=1, key=HOSTILE.encode(), value=b"\x1b[2J\xff", headers=headers, timestamp=1.0)
    table = await log.dead_letters()
    for log_id in (HOSTILE, "1"):
        await put(
            table,
            DeadLetter(record=record, log_id=log_id, partition=0, attempts=1, status=400, reason=HOSTILE, time=1.7e9),
        )
    await table.close()
    file = await File.open(path)
    await file.run(store_checkpoint, Checkpoint(log_id="900", date=HOSTILE))
    body = json.dumps({"log_id": "9001", "type": HOSTILE, "user_id": HOSTILE}).encode()
    await file.run(append, "9001", record.key, body, headers, 1.0)
    await file.close()
    control = await log.control()
    await control.put(desired.KEY, DesiredDelivery.new(paused=True, by=HOSTILE, why=HOSTILE, now=1.0).encode())
    for key in (f"replica/{HOSTILE}", f"audit/{HOSTILE}", f"gap/{HOSTILE}", HOSTILE):
        await control.put(key, HOSTILE.encode())
    await control.close()
    await log.close()


def _run(environ: Mapping[str, str], *arguments: str, out: int | None = None) -> tuple[int, str, str]:
    done = run_command(*arguments, environ=environ, folder=Path(environ["HOME"]), stdout=out)
    return done.returncode, done.stdout, done.stderr


def _is_harmless(text: str) -> None:
    assert text.replace("\n", "").isprintable(), repr(text)


@pytest.mark.parametrize(
    "command",
    [
        "dead-letters list",
        "dead-letters list --json",
        "dead-letters show 1",
        "checkpoint show",
        "checkpoint show --json",
        "gaps list",
        "gaps list --json",
        "config show",
        "status",
        "status --json",
        "tail",
        "tail --json",
    ],
)
def test_nothing_from_elsewhere_reaches_a_terminal_raw(environ: dict[str, str], command: str) -> None:
    code, out, err = _run({**environ, "WEBHOOK_URL": "http://127.0.0.1/\x9b31m\u202e"}, *command.split())
    assert code in (0, 2), err
    assert out
    _is_harmless(out)
    _is_harmless(err)
    if command in ("dead-letters show 1", "checkpoint show --json"):
        assert HOSTILE in json.loads(out).values()


@pytest.mark.parametrize("command", ["dead-letters show", "dead-letters retry --yes", "skip --reason x --yes --timeout 5"])
def test_an_id_in_an_error_is_printable_too(environ: dict[str, str], command: str) -> None:
    name, *options = command.split(" --", 1)
    arguments = [*name.split(), f"{HOSTILE}\udcff", *(f"--{options[0]}".split() if options else ())]
    code, out, err = _run(environ, *arguments)
    assert code in (2, 3)
    assert "pwned" in err
    assert err.count("\n") == 1
    _is_harmless(out)
    _is_harmless(err)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_listen_shows_on_a_terminal_is_printable(environ: dict[str, str], options: tuple[str, ...]) -> None:
    main, side = pty.openpty()
    listen = subprocess.Popen(
        [COMMAND, "listen", "--port", "0", *options],
        env=guarded(environ),
        cwd=environ["HOME"],
        stdin=side,
        stdout=side,
        stderr=subprocess.PIPE,
    )
    os.close(side)
    assert listen.stderr is not None
    try:
        url = _url(listen.stderr)
        body = json.dumps({"log_id": "900", "type": HOSTILE, "user_id": HOSTILE}, ensure_ascii=False).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data=body)) as response:
            assert response.status == 200
        shown = _read(main)
        listen.send_signal(signal.SIGINT)
        assert listen.wait(60) == 0
    finally:
        listen.kill()
        listen.wait()
        listen.stderr.close()
        os.close(main)
    assert "pwned" in shown
    _is_harmless(shown.replace("\r\n", "\n"))
    if options:
        assert json.loads(shown)["user_id"] == HOSTILE


@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_went_away_ends_a_command_quietly(environ: dict[str, str], command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code, _, err = _run({**environ, **_settings(command)}, *command.split(), out=writer)
    os.close(writer)
    assert (code, err) == (0, "")


def test_a_terminal_that_went_away_ends_a_command_quietly_too(environ: dict[str, str]) -> None:
    """Where the hang-up itself is ignored, as by `nohup`."""
    main, side = pty.openpty()
    os.close(main)
    code, _, err = _run(environ, "types", out=side)
    os.close(side)
    assert (code, err) == (0, "")


@pytest.mark.parametrize("command", PRINTING)
def test_output_that_cannot_be_written_is_one_line_and_exit_3(environ: dict[str, str], command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, err = _run({**environ, **_settings(command)}, *command.split(), out=full.fileno())
    assert (code, err) == (3, "error: standard output cannot be written: No space left on device\n")


def test_a_listener_whose_reader_went_away_ends(environ: dict[str, str]) -> None:
    listen = subprocess.Popen(
        [COMMAND, "listen", "--port", "0"],
        env=guarded(environ),
        cwd=environ["HOME"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with listen:
        assert listen.stderr
        assert listen.stdout
        url = _url(listen.stderr)
        listen.stdout.close()
        with suppress(OSError), urllib.request.urlopen(urllib.request.Request(url, data=b"{}")):
            pass
        assert listen.wait(60) == 0
        assert b"Traceback" not in listen.stderr.read()


@pytest.mark.parametrize(("journal", "words"), [("/dev/full", "No space left"), ("/nowhere/x", "No such file")])
def test_a_journal_that_cannot_be_written_is_one_line_and_exit_3(environ: dict[str, str], journal: str, words: str) -> None:
    listen = subprocess.Popen(
        [COMMAND, "listen", "--port", "0", "--journal", journal],
        env=guarded(environ),
        cwd=environ["HOME"],
        stderr=subprocess.PIPE,
    )
    with listen:
        assert listen.stderr
        first = listen.stderr.readline().decode()
        if first.startswith("listening"):
            url = _url(listen.stderr)
            with suppress(OSError), urllib.request.urlopen(urllib.request.Request(url, data=b"{}")):
                pass
        assert listen.wait(60) == 3
        rest = (first + listen.stderr.read().decode()).splitlines()
    assert [line for line in rest if line.startswith("error: ")] == [rest[-1]]
    assert f"the journal {journal} cannot be written: {words}" in rest[-1]


@pytest.mark.parametrize(("typed", "code"), [(b"n\n", 0), (b"\x03", 130)])
@pytest.mark.parametrize("command", ["checkpoint reset", "dead-letters purge --all"])
def test_a_question_without_a_yes_changes_nothing_and_says_so(
    environ: dict[str, str], command: str, typed: bytes, code: int
) -> None:
    child, main = pty.fork()
    if child == 0:
        os.chdir(environ["HOME"])
        os.execve(COMMAND, [COMMAND, *command.split()], environ)
    try:
        text = ""
        while "[y/N]" not in text:
            text += _read(main)
        os.write(main, typed)
        with suppress(OSError):
            while more := _read(main):
                text += more
    finally:
        os.close(main)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, text
    assert "Nothing was changed" in text
    assert "Traceback" not in text
    seen = asyncio.run(_seen(Path(environ["SQLITE_PATH"])))
    assert seen == (Checkpoint(log_id="900", date=HOSTILE), 2)


async def _seen(path: Path) -> tuple[Checkpoint | None, int]:
    log = SqliteTransport(path, retention_days=1)
    try:
        return await log.checkpoint(), len((await chosen(log, Choice())).dead_letters)
    finally:
        await log.close()


def _url(stderr: IO[bytes]) -> str:
    """The one that a receiver says to paste."""
    return next(line for line in stderr if b"WEBHOOK_URL=" in line).decode().rpartition("=")[2].strip()


def _read(terminal: int) -> str:
    """What comes next. Raises OSError at the end, AssertionError after a minute of silence."""
    ready, _, _ = select.select([terminal], [], [], 60)
    assert ready, "silence"
    return os.read(terminal, 65536).decode("utf-8", "replace")


def _settings(command: str) -> dict[str, str]:
    """Those that it needs to end well."""
    if command.startswith("topics"):
        return {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    if command == "config show":
        return {
            "AUTH0_DOMAIN": "acme.eu.auth0.com",
            "AUTH0_CLIENT_ID": "x",
            "AUTH0_CLIENT_SECRET": "x",
            "WEBHOOK_URL": "http://127.0.0.1/",
        }
    return {}
