"""Pause and resume, as operators type them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping

import pytest

from shared.documents import audit, desired
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, ends, simple
from tests.support.listed_log import ListedLog
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]
PAUSE = ("pause", "--reason", "migration", "--by", "ada", "--yes")


@pytest.fixture
def stack(stack_of: StackOf) -> Stack:
    """Thirty events are in the log, delivered."""
    stack = stack_of(ListedLog(simple(range(30))))
    assert stack.start("run", "--once").wait(40) == 0
    return stack


async def _control(log: Log, documents: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Puts these, and returns the whole table."""
    transport = log.transport()
    control = await transport.control()
    try:
        for key, document in documents.items():
            await control.put(key, document)
        return await control.snapshot()
    finally:
        await control.close()
        await transport.close()


def control(log: Log, **documents: bytes) -> Mapping[str, bytes]:
    return asyncio.run(_control(log, {key.replace("__", "/"): document for key, document in documents.items()}))


def test_without_consumers_the_wish_is_stored_and_said_and_written_down(stack: Stack, log: Log) -> None:
    assert "No consumer runs at the moment; those that start will follow" in ends(stack.start(*PAUSE))
    again = ends(stack.start("pause", "--reason", "another", "--by", "kim", "--yes"))
    assert "Delivery is already paused, by ada since " in again
    assert ": migration." in again
    assert "Paused by ada since " in ends(stack.start("status"))
    assert "Delivery is not paused, by kim since" in ends(stack.start("resume", "--by", "kim", "--yes"))
    assert "already not paused, by kim" in ends(stack.start("resume", "--yes"))
    entries = audit.entries(control(log))
    assert [(one.by, one.what, one.why, one.result) for one in entries] == [
        ("ada", "pause", "migration", "0 follow, 0 do not"),
        ("kim", "resume", "", "0 follow, 0 do not"),
    ]


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_a_question_is_not_asked_where_there_is_no_log(stack: Stack) -> None:
    assert "there is no log at " in ends(stack.start(*PAUSE[:-1], SQLITE_PATH="nothing.db"), 3)


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_what_it_cannot_do_it_refuses_in_one_line_and_does_nothing(stack: Stack, log: Log) -> None:
    assert "Nothing was done: without a terminal to ask on, confirm with --yes" in ends(stack.start(*PAUSE[:-1]), 2)
    assert "--reason must say why" in ends(stack.start("pause", "--reason", " ", "--yes"), 2)
    assert "--reason" in ends(stack.start("pause", "--yes"), 2)
    assert "Delivery is not paused; nothing was changed" in ends(stack.start("resume", "--yes"))
    assert not [key for key in control(log) if key.startswith(("desired/", "audit/"))]
    control(log, desired__delivery=b'{"v": 99}')
    assert "its version is 99, this release knows 1: upgrade auth0-webhooks. Nothing was done" in ends(stack.start(*PAUSE), 3)
    assert "desired/delivery in the control table is left alone: its version is 99" in ends(stack.start("status"))


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_a_damaged_wish_is_written_anew(stack: Stack, log: Log) -> None:
    control(log, desired__delivery=b"\x00rubbish")
    assert "Delivery is paused, by ada" in ends(stack.start(*PAUSE))
    found = desired.desired(control(log))
    assert found is not None
    assert (found.paused, found.by, found.why) == (True, "ada", "migration")


def test_of_two_operators_at_once_one_state_holds_and_both_are_told_the_truth(stack: Stack, log: Log) -> None:
    both = [stack.start("pause", "--reason", name, "--by", name, "--yes") for name in ("ada", "kim")]
    said = [ends(process) for process in both]
    found = desired.desired(control(log))
    assert found is not None
    assert found.paused
    assert all("Delivery is paused, by " in text or "Delivery is already paused, by " in text for text in said)
    assert f"by {found.by} since" in "".join(said)
    assert {one.by for one in audit.entries(control(log))} <= {"ada", "kim"}


def test_a_consumer_that_does_not_follow_in_time_is_named_and_follows_later(stack: Stack, log: Log) -> None:
    runs = stack.start("run")
    runs.wait_for_log("partition assigned")
    stack.until_shown(lambda: "1 consumer begins no call any more" in ends(stack.start(*PAUSE)))
    ends(stack.start("resume", "--yes"))
    runs.send(signal.SIGSTOP)
    text = ends(stack.start(*PAUSE), 3)
    assert "0 consumers reported it, and within 5 s not: " in text
    assert f":{runs.pid}:" in text
    assert "It is stored: each follows as soon as it reads it" in text
    runs.send(signal.SIGCONT)
    assert "1 consumer begins no call any more" in ends(stack.start(*PAUSE))
    assert runs.stop() == 0
