"""From the tenant's log to the webhook, as a user runs it: what passes the filter arrives, byte for byte, once."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.event import slice_page
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, samples, simple
from tests.support.listed_log import ListedLog

TABLE = Path(__file__).parents[2] / "shared" / "log-types.tsv"
StackOf = Callable[[TenantLog], Stack]


def _expected(level: int, types: set[str]) -> dict[str, bytes]:
    """Returns what has to pass, from the table, which is read here independently."""
    with TABLE.open(encoding="utf-8") as file:
        levels = {row["code"]: int(row["level"]) for row in csv.DictReader(file, delimiter="\t")}
    chosen = {}
    for raw in samples():
        (event,) = slice_page(b"[" + raw + b"]")
        by_level = event.type not in levels or levels[event.type] >= level
        by_type = event.type in types if types else event.type not in {"sapi", "fapi", "mgmt_api_read"}
        if by_level and by_type:
            chosen[event.log_id] = raw
    return chosen


#: What passes is decided before the log: on Kafka one filter of both kinds stands for all.
FILTERS = [("", ""), ("3", ""), ("", "s,f"), ("3", "s, f"), ("1", "sapi,fapi,s")]
CASES = [*(("sqlite", *settings) for settings in FILTERS), ("kafka", "3", "s, f")]


@pytest.mark.parametrize(("log", "level", "types"), CASES, indirect=["log"], ids=lambda value: value or "unset")
def test_what_passes_the_filter_arrives_byte_for_byte_and_once(stack_of: StackOf, level: str, types: str) -> None:
    stack = stack_of(ListedLog(samples()))
    expected = _expected(int(level or 0), {code.strip() for code in types.split(",") if code})
    assert 0 < len(expected) < len(samples())
    assert stack.start("run", "--once", LOG_LEVEL=level, LOG_TYPES=types).wait() == 0
    journal = stack.receiver.journal
    assert journal.bodies == expected
    assert len(journal) == len(expected)
    order = sorted(expected)
    assert journal.disorder(order) == []


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_every_call_carries_its_id_and_says_who_calls(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(3))))
    assert stack.start("run", "--once", AUTHORIZATION="Bearer canary-token").wait() == 0
    for delivery in stack.receiver.journal.all:
        headers = dict(delivery.headers)
        assert headers["webhook-id"] == delivery.call.log_id
        assert headers["content-type"] == "application/json"
        assert headers["user-agent"].startswith("auth0-webhooks/")
        assert headers["authorization"] == "Bearer canary-token"
    assert "canary" not in stack.processes[0].text


def test_run_goes_on_with_what_comes_later(stack_of: StackOf) -> None:
    log = ListedLog(simple(range(10)))
    stack = stack_of(log)
    process = stack.start("run")
    stack.wait_delivered(10)
    for raw in simple(range(10, 25)):
        log.append(raw)
    stack.wait_delivered(25)
    assert process.stop() == 0
    assert len(stack.receiver.journal) == 25


def test_a_later_run_goes_on_behind_the_checkpoint(stack_of: StackOf) -> None:
    log = ListedLog(simple(range(150)))
    stack = stack_of(log)
    assert stack.start("run", "--once").wait() == 0
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal) == 150
    for raw in simple(range(150, 160)):
        log.append(raw)
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal) == len(stack.receiver.journal.delivered) == 160


def test_an_empty_log_is_no_trouble(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog())
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal) == 0
