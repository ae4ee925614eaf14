"""Made-up entries: always the same, valid to the byte, and like a real tenant's."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from shared.event import log_id_time, slice_page
from simulator.catalogue import KINDS
from simulator.edge_cases import EDGE_CASES, EdgeCase
from simulator.entries import Entries

START = datetime(2026, 11, 20, tzinfo=UTC)


def make(count: int, entries: Entries) -> list[bytes]:
    return [entries.raw(index, START + timedelta(seconds=index / 7)) for index in range(count)]


def deep(entry: dict[str, object], _random: Random) -> bytes:
    """An edge case for readers alone: nested deeper than Python's decoder follows, which most clients reject."""
    shallow = json.dumps({key: value for key, value in entry.items() if key != "details"})
    return (shallow[:-1] + ',"details":' + '{"a":[' * 600 + "]}" * 600 + "}").encode()


def test_an_entry_depends_on_seed_and_index_alone() -> None:
    everything = make(50, Entries(seed=7))
    assert Entries(seed=7).raw(31, START + timedelta(seconds=31 / 7)) == everything[31]
    assert everything != make(50, Entries(seed=8))


def test_a_page_is_split_into_the_same_bytes() -> None:
    raws = make(600, Entries(seed=1, edge_cases=0.8))
    raws[::25] = [deep(json.loads(raw), Random(0)) for raw in make(24, Entries(seed=2, edge_cases=0))]
    assert [event.raw for event in slice_page(b"[" + b" ,\n".join(raws) + b"]")] == raws


def test_ids_ascend_and_carry_their_time() -> None:
    events = slice_page(b"[" + b",".join(make(300, Entries())) + b"]")
    ids = [event.log_id for event in events]
    assert ids == sorted(set(ids))
    assert {len(log_id) for log_id in ids} == {57}
    assert log_id_time(ids[70]) == START + timedelta(seconds=10)


def test_a_few_were_indexed_late_so_that_dates_go_backwards() -> None:
    entries = Entries()
    late = [entries.late(index) for index in range(1000)]
    assert 5 <= sum(one > 0 for one in late) <= 20
    assert max(late) <= 90_000


def test_logins_are_on_top_of_some_thirty_types() -> None:
    counts = Counter(event.type for event in slice_page(b"[" + b",".join(make(3000, Entries(edge_cases=0))) + b"]"))
    assert [code for code, _ in counts.most_common(2)] == ["s", "seacft"]
    assert len(counts) >= 30
    assert {"fp", "limit_wc", "sapi", "fapi", "mgmt_api_read"} <= set(counts) <= {kind.type for kind in KINDS}


def test_an_entry_looks_like_a_real_one() -> None:
    entry = next(found for raw in make(50, Entries(edge_cases=0)) if (found := json.loads(raw))["type"] == "s")
    assert entry["log_id"] == entry["_id"]
    assert entry["user_id"].count("|") == 1
    assert entry["user_name"].endswith("@example.com")
    assert set(entry["location_info"]) >= {"country_code", "city_name", "latitude", "time_zone"}
    assert entry["connection_id"].startswith("con_")
    assert isinstance(entry["isMobile"], bool)


def test_users_occur_more_than_once() -> None:
    users = Counter(event.user_id for event in slice_page(b"[" + b",".join(make(1000, Entries(edge_cases=0))) + b"]"))
    assert 100 < len(users) <= 401


@pytest.mark.parametrize("kind", [*EDGE_CASES, deep], ids=lambda kind: kind.__name__)
def test_every_edge_case_keeps_its_identity(kind: EdgeCase) -> None:
    entries = Entries(edge_cases=0)
    entry = json.loads(entries.raw(0, START))
    [event] = slice_page(b"[" + kind(entry, Random(0)) + b"]")
    assert event.log_id == entries.log_id(0, START)
    assert event.date == entry["date"]


def test_edge_cases_are_what_their_names_say() -> None:
    raws = make(2500, Entries(seed=4, edge_cases=1.0))
    text = b"".join(raws)
    marks = (b"\\ud83d", "🎉".encode(), "\u202e".encode(), b"zz_future_type", b"1e400", b'"$date"', b'user\\u005fid"', b"\r\n")
    assert all(mark in text for mark in marks)
    assert max(map(len, raws)) > 200_000
    assert any(raw.count(b'"description"') == 3 for raw in raws)


def test_who_logs_in_is_a_user_of_the_tenant_by_id_address_and_name() -> None:
    entries = Entries(seed=3)
    users = {user["user_id"]: user for user in entries.profiles()}
    logins = [json.loads(entries.of_type("s", number, START)) for number in range(50)]
    for login in logins:
        user = users[login["user_id"]]
        assert (user["email"], user["identities"][0]["connection"]) == (login["user_name"], login["connection"])
