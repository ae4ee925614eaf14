"""Events as they pass, read beside consumers."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest
from jsonschema import validate

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, ends, simple
from tests.support.listed_log import ListedLog
from tests.support.schemas import TAILED
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]


def _id(number: int) -> str:
    return f"900{number:053d}"


def test_the_newest_events_are_shown_and_chosen_and_as_json_they_are_whole(stack_of: StackOf) -> None:
    others = [f'{{"log_id":"{_id(n)}","type":"limit_wc","user_id":"auth0|x"}}'.encode() for n in range(90, 93)]
    stack = stack_of(ListedLog([*simple(range(90)), *others]))
    assert stack.start("run", "--once").wait(40) == 0
    quiet = {"VERBOSITY": "error"}
    assert len(ends(stack.start("tail", **quiet)).splitlines()) == 10
    blocked = ends(stack.start("tail", "--level", "critical", "--number", "2", **quiet)).splitlines()
    assert [line.split()[-1] for line in blocked] == [_id(91), _id(92)]
    lines = ends(stack.start("tail", "--user", "auth0|3", "--type", "s", "--number", "500", "--json", **quiet)).splitlines()
    found = [json.loads(line) for line in lines]
    for one in found:
        validate(one, TAILED)
    assert [one["log_id"] for one in found] == [_id(number) for number in range(3, 90, 9)]
    assert [one["event"].encode() for one in found] == simple(range(3, 90, 9))
    assert "no event in the log matches" in ends(stack.start("tail", "--user", "auth0|none"))
    assert "did you mean" in ends(stack.start("tail", "--type", "limit_wcc"), 2)
    assert len(stack.receiver.journal) == 93


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_follows_what_is_published_until_it_is_stopped(stack_of: StackOf, stop: signal.Signals) -> None:
    stack = stack_of(tenant := ListedLog(simple(range(20))))
    runs = stack.start("run")
    stack.wait_delivered(20)
    follows = stack.start("tail", "--follow", "--number", "1", VERBOSITY="error")
    follows.wait_for_log("900")
    for raw in simple(range(20, 30)):
        tenant.append(raw)
    follows.wait_for_log(_id(29))
    stack.until(lambda: len(follows.text.splitlines()) == 11)
    assert follows.stop(stop) == 0
    assert {line.split()[-1] for line in follows.text.splitlines()[1:]} == {_id(number) for number in range(20, 30)}
    assert runs.stop() == 0
    assert len(stack.receiver.journal) == 30


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_it_needs_no_group_and_shows_none(stack_of: StackOf, log: Log) -> None:
    stack = stack_of(ListedLog(simple(range(9))))
    assert stack.start("run", "--once").wait(40) == 0
    assert len(ends(stack.start("tail", VERBOSITY="error")).splitlines()) == 9
    assert "no member" in ends(stack.start("status"))
