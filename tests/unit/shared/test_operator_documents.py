"""The documents of the control table: read as they were written, and everything else is refused with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents import audit, desired, gap, replica
from shared.documents.audit import AuditEntry
from shared.documents.codec import LONGEST
from shared.documents.desired import DesiredDelivery
from shared.documents.gap import GapDocument
from shared.documents.replica import ReplicaDocument
from shared.errors import RecordInvalid
from shared.words import BreakerState, GapPolicy

DAY = 86400.0
TEXTS = st.text(max_size=30)
MOMENTS = st.floats(0, 253402300799)
COUNTS = st.integers(0, 2**63 - 1)
st.register_type_strategy(str, TEXTS)


def _built(kind: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **fields)


_numbers = st.integers(0, 2**31 - 1)
_events = _built(
    replica.PendingEvent,
    partition=_numbers,
    offset=COUNTS,
    since=MOMENTS,
    attempts=COUNTS,
    next_try=st.none() | MOMENTS,
)
_consumers = _built(
    replica.ConsumerReport,
    **dict.fromkeys(
        ("share", "concurrent_calls", "in_flight", "window_events", "waiting_retry_events", "done_beyond"),
        COUNTS,
    ),
    breaker=_built(replica.BreakerReport, since=st.none() | MOMENTS, probe_at=st.none() | MOMENTS),
    partitions=st.lists(_numbers, max_size=5).map(tuple),
    events=st.lists(_events, max_size=5).map(tuple),
    rules=st.none() | _built(replica.RulesReport, switched_off=st.lists(TEXTS, max_size=5).map(tuple)),
)
_pollers = _built(
    replica.PollerReport,
    checkpoint_moved=st.none() | MOMENTS,
    last_poll=st.none() | MOMENTS,
    failures=COUNTS,
    rate_limit_remaining=st.none() | COUNTS,
)
REPLICAS = _built(
    ReplicaDocument,
    started=MOMENTS,
    seen=MOMENTS,
    counts=st.dictionaries(TEXTS, COUNTS, max_size=4),
    rates=st.dictionaries(TEXTS, st.floats(0, 1e9), max_size=4),
    consumer=st.none() | _consumers,
    poller=st.none() | _pollers,
)
RUBBISH = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.just("v"), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


@given(REPLICAS)
def test_a_replica_is_read_as_it_was_written(document: ReplicaDocument) -> None:
    assert replica.replicas({document.key: document.encode(), "skip/1": b"{}"}) == {document.id: document}


@given(REPLICAS)
def test_a_replica_of_a_release_without_rules_is_read_and_has_none(document: ReplicaDocument) -> None:
    fields = json.loads(document.encode())
    if fields["consumer"]:
        del fields["consumer"]["rules"]
        for event in fields["consumer"]["events"]:
            del event["rule"], event["reason"]
    (read,) = replica.replicas({document.key: json.dumps(fields).encode()}).values()
    assert (read.id, read.consumer is None) == (document.id, document.consumer is None)
    if read.consumer:
        assert read.consumer.rules is None
        assert {(event.rule, event.reason) for event in read.consumer.events} <= {("", "")}


#: What a release of October 2026 read of a consumer: it knew no rules.
_KNOWN_BEFORE: Final = {
    "webhook", "share", "concurrent_calls", "in_flight", "window_events", "waiting_retry_events", "done_beyond", "breaker",
    "paused", "desired", "partitions", "events",
}  # fmt: skip


def test_a_release_without_rules_reads_what_this_one_writes_since_no_field_of_it_changed() -> None:
    (document,) = _replicas(1)
    fields = json.loads(document.encode())
    assert fields["v"] == 1
    assert set(fields["consumer"]) - {"rules", "ordering", "group"} == _KNOWN_BEFORE
    assert [state.value for state in replica.EventState] == ["waiting", "in_flight", "retrying", "held"], "others are refused"


@given(_built(DesiredDelivery, since=MOMENTS))
def test_a_desired_state_is_read_as_it_was_written(document: DesiredDelivery) -> None:
    assert desired.desired({desired.KEY: document.encode()}) == document


@given(st.lists(_built(AuditEntry, time=MOMENTS), max_size=5, unique_by=lambda entry: entry.key))
def test_audit_entries_are_read_as_they_were_written_the_oldest_first(several: list[AuditEntry]) -> None:
    found = audit.entries({entry.key: entry.encode() for entry in several})
    assert sorted(found, key=lambda entry: entry.key) == found
    assert {entry.key: entry for entry in found} == {entry.key: entry for entry in several}


@given(
    st.lists(
        _built(
            GapDocument,
            time=MOMENTS,
            span=st.none() | st.floats(0, 1e9),
            **dict.fromkeys(("partition", "first_offset", "last_offset", "size"), st.none() | COUNTS),
        ),
        max_size=5,
        unique_by=lambda gap: gap.id,
    )
)
def test_gaps_are_read_as_they_were_written_the_oldest_first(several: list[GapDocument]) -> None:
    found = gap.gaps({one.key: one.encode() for one in several})
    assert [one.time for one in found] == sorted(one.time for one in several)
    assert {one.key: one for one in found} == {one.key: one for one in several}


@given(RUBBISH)
def test_rubbish_is_refused_with_a_reason(text: bytes) -> None:
    unreadable: dict[str, str] = {}
    with pytest.raises(RecordInvalid, match=r"is no desired state of ours or is damaged|its version is"):
        desired.desired({desired.KEY: text})
    assert replica.replicas({"replica/a": text}, unreadable) == {}
    assert audit.entries({"audit/a": text}, unreadable) == []
    assert gap.gaps({"gap/a": text}, unreadable) == []
    assert set(unreadable) == {"replica/a", "audit/a", "gap/a"}


@given(_built(DesiredDelivery, since=MOMENTS), st.data())
def test_a_document_with_one_field_changed_or_gone_is_refused_or_another_value(
    document: DesiredDelivery, data: st.DataObject
) -> None:
    fields = json.loads(document.encode())
    name = data.draw(st.sampled_from(sorted(fields)))
    if data.draw(st.booleans()):
        del fields[name]
    else:
        fields[name] = data.draw(st.none() | st.lists(st.integers(), max_size=1) | st.just(1e300))
    with pytest.raises(RecordInvalid):
        desired.desired({desired.KEY: json.dumps(fields).encode()})


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"v":' * 50_000, b"\xff", b"", b"9" * 5000, b'{"v":1e400}', b'{"v":true}'])
def test_what_breaks_a_careless_reader_is_refused(text: bytes) -> None:
    with pytest.raises(RecordInvalid):
        desired.desired({desired.KEY: text})


def test_a_newer_version_is_refused_and_the_remedy_is_named() -> None:
    newer = _paused().encode().replace(b'"v": 1', b'"v": 2')
    with pytest.raises(RecordInvalid, match="its version is 2, this release knows 1: upgrade auth0-webhooks"):
        desired.desired({desired.KEY: newer})


def test_a_field_that_a_later_release_of_the_same_version_adds_is_ignored() -> None:
    document = _paused()
    more = json.dumps({**json.loads(document.encode()), "colour": "red"}).encode()
    assert desired.desired({desired.KEY: more}) == document


def test_a_text_that_is_too_long_or_no_text_is_stored_as_far_as_it_can_be() -> None:
    strange = replace(_paused(), why="x" * 5000, by="\udcff\ud83d")
    stored = desired.desired({desired.KEY: strange.encode()})
    assert stored == replace(strange, why="x" * LONGEST, by="??")


def test_a_replica_under_the_key_of_another_is_not_taken_for_it() -> None:
    unreadable: dict[str, str] = {}
    (document,) = _replicas(1)
    assert replica.replicas({"replica/another": document.encode()}, unreadable) == {}
    assert unreadable == {"replica/another": "its key is not its own"}


def test_a_replica_with_as_much_to_say_as_it_may_stays_small() -> None:
    text = "x" * 10_000
    event = replica.PendingEvent(
        partition=1,
        offset=2**60,
        log_id="9" * 56,
        type="seacft",
        since=1.7e9,
        state=replica.EventState.RETRYING,
        oldest=True,
        attempts=9,
        last_outcome=text,
        next_try=1.7e9,
        rule="x" * 255,
        reason=text,
    )
    (document,) = _replicas(1, events=(event,) * replica.EVENTS)
    assert len(document.encode()) < 200_000, "a topic's default bound is 1 MB"


def test_of_audit_entries_the_newest_thousand_of_ninety_days_are_kept() -> None:
    now = 1.8e9
    old = [AuditEntry.new(by="kim", what="skip", why="", now=now - 91 * DAY + number) for number in range(5)]
    recent = [AuditEntry.new(by="kim", what="skip", why="", now=now - number) for number in range(audit.MOST + 3)]
    documents = {entry.key: b"of any version" for entry in (*recent, *old)} | {"skip/1": b"", "replica/1": b""}
    assert audit.surplus(documents, now) == sorted(entry.key for entry in (*old, *recent[-3:]))
    assert audit.surplus({entry.key: b"" for entry in (*old, *recent[:2])}, now) == sorted(entry.key for entry in old)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_of_gaps_the_newest_thousand_of_ninety_days_are_kept_and_what_cannot_be_read(order: list[int], old: int) -> None:
    now = 1.8e9
    ages = [91 * DAY + place if place < old else float(place) for place in order]
    found = [_gap(f"{place}", now - age) for place, age in zip(order, ages, strict=True)]
    documents = {one.key: one.encode() for one in found} | {"gap/newer": b'{"v": 99}', "skip/1": b""}
    assert set(gap.surplus(documents, now)) == {one.key for one in found if one.time < now - gap.LONGEST_KEPT}
    crowd = [_gap(f"crowd-{number}", now + number) for number in range(gap.MOST - 3)] if order[0] == 0 else []
    documents |= {one.key: one.encode() for one in crowd}
    newest = sorted((*found, *crowd), key=lambda one: (one.time, one.id))[-gap.MOST :]
    assert documents.keys() - set(gap.surplus(documents, now)) == {
        *(one.key for one in newest if one.time >= now - gap.LONGEST_KEPT),
        "gap/newer",
        "skip/1",
    }


def _gap(name: str, time: float) -> GapDocument:
    texts = dict.fromkeys(("by", "why", "before", "before_date", "after", "after_date", "sha256"), "")
    counts = dict.fromkeys(("span", "partition", "first_offset", "last_offset", "size"))
    kinds = {"kind": gap.GapKind.RETENTION, "policy": GapPolicy.CONTINUE, "certain": True}
    return GapDocument(id=name, time=time, **texts, **counts, **kinds)  # type: ignore[arg-type]


def _paused() -> DesiredDelivery:
    return DesiredDelivery.new(paused=True, by="ada@host", why="migration", now=1.7e9)


def _replicas(count: int, events: tuple[replica.PendingEvent, ...] = ()) -> list[ReplicaDocument]:
    breaker = replica.BreakerReport(state=BreakerState.CLOSED, since=None, last_outcome="", probe_at=None)
    consumer = replica.ConsumerReport(
        webhook="https://example.com",
        share=5,
        concurrent_calls=5,
        in_flight=0,
        window_events=0,
        waiting_retry_events=0,
        done_beyond=0,
        breaker=breaker,
        paused=False,
        desired="",
        partitions=(0,),
        events=events,
    )
    return [
        ReplicaDocument(
            id=f"host:{number}:ab",
            role=replica.ReplicaRole.CONSUME,
            version="1",
            started=1.7e9,
            seen=1.7e9,
            counts={},
            rates={},
            consumer=consumer,
            poller=None,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 15, 16, 200, audit.MOST_EVENTS])
def test_an_audit_entry_tells_of_every_event_that_it_was_about_however_many(count: int) -> None:
    log_ids = [f"90020261130{number:045d}" for number in range(count)]
    written = AuditEntry.new(by="kim", what="dead-letters purge", why="", now=1.0, log_ids=log_ids)
    (entry,) = audit.entries({written.key: written.encode()})
    assert all(map(entry.is_about, log_ids))
    assert not any(map(entry.is_about, ("", log_ids[0][:-1], f"90020261130{count:045d}")))
    assert len(written.encode()) < 100_000
