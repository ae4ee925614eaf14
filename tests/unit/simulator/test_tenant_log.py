"""What is in the log at which moment."""

from __future__ import annotations

import pytest

from shared.errors import PageInvalid
from shared.event import slice_page
from simulator.entries import Entries
from simulator.tenant_log import GeneratedLog, TenantLog
from tests.support.listed_log import ListedLog

NOW = 1_795_000_000.0


def entry(log_id: str, date: str = "2026-11-20T00:00:00.000Z") -> bytes:
    return f'{{"log_id": "{log_id}", "date": "{date}"}}'.encode()


def ids(log: TenantLog, now: float) -> list[str]:
    return [log.log_id(index) for index in log.span(now)]


def test_listed_entries_are_in_the_order_of_their_ids_and_keep_their_bytes() -> None:
    log = ListedLog([entry("c"), entry("a")])
    assert log.append(entry("b")) == "b"
    assert ids(log, NOW) == ["a", "b", "c"]
    assert log.raw(1) == entry("b")
    assert log.find("b", log.span(NOW)) == 1
    assert log.find("bb", log.span(NOW)) is None


def test_what_is_no_entry_or_is_there_already_is_refused() -> None:
    log = ListedLog([entry("a")])
    with pytest.raises(ValueError, match="has an entry a already"):
        log.append(entry("a"))
    with pytest.raises(PageInvalid):
        log.append(b'{"type": "s"}')


def test_listed_entries_are_forgotten() -> None:
    log = ListedLog([entry("a", "2026-11-20T00:00:00Z"), entry("b", "2026-11-21T00:00:00Z"), entry("c", "x")], retention=60)
    assert log.find("a", log.span(0)) == 0
    assert ids(log, log.date(1) + 60) == ["b", "c"]
    log.forget(1)
    assert ids(log, 0) == ["c"]


def test_the_backlog_is_there_and_the_rest_comes_in_its_time() -> None:
    log = GeneratedLog(origin=NOW, backlog=10, rate=4, limit=12)
    assert log.span(NOW) == range(10)
    assert [len(log.span(NOW + wait)) for wait in (0.2, 0.25, 0.49, 0.5, 9)] == [10, 11, 11, 12, 12]


def test_generated_ids_ascend_over_the_seam_and_are_found() -> None:
    log = GeneratedLog(origin=NOW, backlog=30, rate=50)
    span = log.span(NOW + 1)
    found = ids(log, NOW + 1)
    assert found == sorted(found)
    assert [log.find(log_id, span) for log_id in found] == list(span)
    assert log.find(found[-1], log.span(NOW)) is None
    assert log.find(found[3][:-1] + "x", span) is None
    assert log.find("900" + "9" * 54, span) is None


def test_the_oldest_generated_entries_go() -> None:
    log = GeneratedLog(origin=NOW, backlog=100, backlog_rate=10, rate=10, retention=5)
    assert log.span(NOW) == range(50, 100)
    assert log.span(NOW + 2) == range(70, 120)


def test_a_generated_date_is_what_the_entry_says() -> None:
    log = GeneratedLog(origin=NOW, backlog=300, entries=Entries(edge_cases=0))
    for index in log.span(NOW):
        [event] = slice_page(b"[" + log.raw(index) + b"]")
        listed = ListedLog([event.raw])
        assert listed.date(0) == log.date(index)
        assert event.log_id == log.log_id(index)
