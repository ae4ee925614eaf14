"""What a person types to choose dead letters, and what they see of them: in a pipe, on a terminal, on a narrow one."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from admin.actions.dead_letters import Choice, chosen
from shared.documents.dead_letter import put
from shared.event import Event
from shared.event_rules import HEADER
from shared.record import Record, headers_of, key_of
from shared.transport.port import Checkpoint, DeadLetter
from shared.transport.sqlite.transport import SqliteTransport
from tests.e2e.stack import Stack, stacked
from tests.support.fork_server import fork_server
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded

#: As long as those of Auth0; they differ in the 18th character.
IDS: Final = [f"90020261129183000{number}001223372036854775807{'0' * 17}" for number in range(5)]
USER: Final = "auth0|5f7c8ec7c33c6c004bbafe82"
#: A type that our table does not know.
NEW_TYPE: Final = "brand_new"
#: What rules said of an event: with half an emoji, as a rule can cut one.
RULES: Final = rb'{"claims":{},"user":{},"decision":{"deny":{"rule":"wall","message":"no \ud83d"}},"rules":[{"rule":"wall"}]}'


def _event(log_id: str) -> Event:
    code = NEW_TYPE if log_id == IDS[4] else "fp"
    raw = json.dumps({"log_id": log_id, "type": code, "user_id": USER, "details": {"error": "wrong password"}}).encode()
    return Event(raw=raw, log_id=log_id, type=code, date="2026-11-29T18:30:00.000Z", user_id=USER, tenant="acme")


async def _fill(path: Path) -> None:
    log = SqliteTransport(path, retention_days=14)
    publisher = await log.publisher()
    await publisher.acquire()
    await publisher.publish([_event(log_id) for log_id in IDS], Checkpoint(log_id=IDS[-1]))
    await publisher.close()
    table = await log.dead_letters()
    for offset, event in enumerate(map(_event, IDS)):
        record = Record(offset=offset, key=key_of(event), value=event.raw, headers=headers_of(event), timestamp=1.7e9)
        status = 400 if offset else None
        letter = DeadLetter(
            record=record,
            log_id=event.log_id,
            partition=0,
            attempts=3,
            status=status,
            reason="3 attempts failed",
            time=1.7e9 + offset,
        )
        await put(table, letter)
    await table.close()
    await log.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """One without a log of a tenant: all events are dead letters already."""
    asyncio.run(_fill(tmp_path / "log.db"))
    with stacked(tmp_path, {"SQLITE_PATH": str(tmp_path / "log.db")}, ListedLog([])) as stack:
        yield stack


def _run(stack: Stack, *arguments: str, code: int = 0) -> str:
    """Returns what it writes, to both outputs, as into a pipe."""
    process = stack.start("dead-letters", *arguments, VERBOSITY="error", LOG_FORMAT="console")
    assert process.wait() == code, process.text
    assert "Traceback" not in process.text
    return process.text


def _on_terminal(stack: Stack, columns: int, *arguments: str) -> str:
    """Returns what it writes to a terminal of this width."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = guarded({**stack.environ(), "TERM": "xterm"})
    process = fork_server().start(
        "dead-letters",
        *arguments,
        environ=environ,
        folder=stack.folder,
        output=Path(os.devnull),
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    text = b""
    try:
        while more := os.read(main, 65536):
            text += more
    except OSError:  # the end
        pass
    finally:
        os.close(main)
        assert process.wait(60) == 0, text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).replace("\r\n", "\n")


def _left(stack: Stack) -> list[str]:
    async def look() -> list[str]:
        log = SqliteTransport(Path(stack.log_environ["SQLITE_PATH"]), retention_days=14)
        try:
            return [found.log_id for found in (await chosen(log, Choice())).dead_letters]
        finally:
            await log.close()

    return asyncio.run(look())


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_on_a_terminal_of_any_width_ids_and_users_stay_whole(stack: Stack, columns: int) -> None:
    lines = _on_terminal(stack, columns, "list").splitlines()
    for whole in (*IDS, USER):
        assert any(whole in line for line in lines), lines
    assert all(len(line.rstrip()) <= columns or line in IDS for line in lines), lines


def test_a_list_names_user_and_last_outcome_and_how_many_more_there_are(stack: Stack) -> None:
    out = _run(stack, "list", "--limit", "2")
    assert out.splitlines()[1].split()[:3] == [IDS[0], "fp", USER]
    assert "no response" in out.splitlines()[1]
    assert "  400  " in out.splitlines()[2]
    assert out.splitlines()[3:] == ["and 3 more; --limit 5 lists all"]
    assert _run(stack, "list", "--limit", "5").splitlines()[6:] == ["5 dead letters"]


def test_json_has_all_unless_limited_and_keeps_its_former_fields(stack: Stack) -> None:
    found = json.loads(_run(stack, "list", "--json"))
    assert [row["log_id"] for row in found] == IDS
    assert {"log_id", "type", "time", "attempts", "status", "reason", "partition"} < found[0].keys()
    assert (found[1]["user"], found[1]["last_outcome"]) == (USER, "400")
    assert len(json.loads(_run(stack, "list", "--json", "--limit", "3"))) == 3


def test_the_unique_beginning_of_an_id_will_do(stack: Stack) -> None:
    assert json.loads(_run(stack, "show", IDS[3][:18]))["log_id"] == IDS[3]
    assert _run(stack, "purge", IDS[3][:18], "--yes") == "1 of 1 dead letter removed\n"
    assert _left(stack) == [*IDS[:3], IDS[4]]


@pytest.mark.parametrize("typed", [IDS[0][:10], "900", ""])
@pytest.mark.parametrize("command", ["purge", "retry", "show"])
def test_a_beginning_that_means_several_or_is_too_short_changes_nothing(stack: Stack, command: str, typed: str) -> None:
    text = _run(stack, command, typed, *([] if command == "show" else ["--yes"]), code=2)
    assert text.count("\n") == 1
    words = {IDS[0][:10]: f"begins {len(IDS)} log ids", "900": "is no dead letter", "": "must not be empty"}
    assert words[typed] in text
    assert (IDS[0] in text and IDS[4] in text) == (len(typed) == 10)
    assert _left(stack) == IDS


def test_the_question_names_the_whole_id(stack: Stack) -> None:
    assert f"Remove the dead letter {IDS[2]} for good?" in _run(stack, "purge", IDS[2][:18], code=2)


def test_an_event_is_printed_readably(stack: Stack) -> None:
    out = _run(stack, "show", IDS[0], "--event")
    assert json.loads(out) == json.loads(_event(IDS[0]).raw)
    assert '\n    "error": "wrong password"\n' in out


def test_an_empty_result_says_so_and_why(stack: Stack) -> None:
    assert _run(stack, "list", "--type", "s") == "no dead letter matches --type s; there are 5 others\n"
    text = _run(stack, "list", "--until", "2001-01-01", "--reason", "skipped")
    assert "matches --until 2001-01-01T00:00:00+00:00 --reason 'skipped';" in text
    _run(stack, "purge", "--all", "--yes")
    assert _run(stack, "list", "--type", "s") == "there is no dead letter\n"


def test_a_type_is_known_if_the_table_or_a_dead_letter_has_it(stack: Stack) -> None:
    assert [row["log_id"] for row in json.loads(_run(stack, "list", "--json", "--type", NEW_TYPE))] == [IDS[4]]
    text = _run(stack, "retry", "--type", "limit_wx", "--type", "fp", "--yes", code=2)
    assert text == "error: --type 'limit_wx': is no log event type; did you mean limit_wc?\n"
    assert _left(stack) == IDS


def test_the_progress_of_a_retry_is_drawn_on_a_terminal_alone(stack: Stack) -> None:
    assert "100%" in _on_terminal(stack, 80, "retry", IDS[0], IDS[1], "--yes", "--rate", "10")
    assert _run(stack, "retry", "--all", "--yes", "--rate", "100") == "3 of 3 dead letters sent again\n"


def test_what_rules_said_is_marked_in_the_list_and_shown_as_json(stack: Stack) -> None:
    assert "rules" not in _run(stack, "list").splitlines()[0]
    _put(stack, {IDS[1]: RULES, IDS[2]: b'{"cut off'})
    lines = _run(stack, "list").splitlines()
    assert "rules" in lines[0]
    assert [IDS.index(line.split()[0]) for line in lines[1:6] if " ran " in line] == [1, 2]
    assert [row["rules_ran"] for row in json.loads(_run(stack, "list", "--json"))] == [False, True, True, False, False]
    shown = json.loads(_run(stack, "show", IDS[1]))
    assert shown["rules"] == json.loads(RULES)
    assert json.loads(_run(stack, "show", IDS[0]))["rules"] is None
    assert json.loads(_run(stack, "show", IDS[2]))["rules"] == '{"cut off', "damaged: as it is"
    assert json.loads(shown["event"]) == json.loads(_event(IDS[1]).raw)


def test_a_retry_sends_what_rules_said_unless_they_shall_run_again(stack: Stack) -> None:
    _put(stack, {IDS[1]: RULES, IDS[2]: RULES})
    assert _run(stack, "retry", IDS[0], IDS[1], "--yes") == "2 of 2 dead letters sent again\n"
    assert _run(stack, "retry", IDS[2], IDS[3], "--yes", "--rules") == "2 of 2 dead letters sent again\n"
    assert f"Send the dead letter {IDS[4]} again, with rules?" in _run(stack, "retry", "--all", "--rules", code=2)
    records = {dict(record.headers)["log-id"].decode(): record for record in _records(stack)}
    assert {log_id: dict(record.headers).get(HEADER) for log_id, record in records.items()} == {
        **dict.fromkeys((IDS[0], IDS[2], IDS[3], IDS[4]), None),
        IDS[1]: RULES,
    }
    for log_id, record in records.items():
        ours = [(name, value) for name, value in record.headers if name != HEADER]
        assert (record.value, ours) == (_event(log_id).raw, headers_of(_event(log_id)))


def _put(stack: Stack, said: dict[str, bytes]) -> None:
    """Makes dead letters into such whose rules have said this."""

    async def put_all() -> None:
        log = SqliteTransport(Path(stack.log_environ["SQLITE_PATH"]), retention_days=14)
        table = await log.dead_letters()
        for letter in (await chosen(log, Choice())).dead_letters:
            if letter.log_id in said:
                headers = [*letter.record.headers, (HEADER, said[letter.log_id])]
                await put(table, replace(letter, record=letter.record._replace(headers=headers)))
        await table.close()
        await log.close()

    asyncio.run(put_all())


def _records(stack: Stack) -> list[Record]:
    """Those of the log; of an event that was sent again the newest."""

    async def read() -> list[Record]:
        log = SqliteTransport(Path(stack.log_environ["SQLITE_PATH"]), retention_days=14)
        reader = await log.reader()
        try:
            (offsets,) = (await reader.offsets()).values()
            return [record async for stretch in reader.read(0, offsets) for record in stretch]
        finally:
            await reader.close()
            await log.close()

    return asyncio.run(read())
