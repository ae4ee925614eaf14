"""What `status` makes of positions, members and what replicas say: a state, and a sentence that is true."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from admin.actions.looking.status import DeliveryState, OldestEvent, Overview, PartitionStatus
from admin.actions.looking.status_json import document
from admin.actions.operator_state import Arrivals, OperatorState, parse
from shared.documents import desired
from shared.documents.desired import DesiredDelivery
from shared.documents.replica import (
    STALE,
    BreakerReport,
    ConsumerReport,
    PollerReport,
    ReplicaDocument,
    ReplicaRole,
    RulesReport,
)
from shared.transport.port import Checkpoint, Consumers
from shared.words import BreakerState
from tests.support.schemas import STATUS

NOW: Final = 1.8e9
SQLITE: Final = {"transport": "SQLite", "file": "log.db"}
times = st.floats(NOW - 1e6, NOW)
words = st.text("abc é\n", max_size=5)


def consumer_report(
    breaker: BreakerReport, *, desired: str = "", paused: bool = False, in_flight: int = 0, rules: RulesReport | None = None
) -> ConsumerReport:
    return ConsumerReport(
        webhook="https://example.com",
        share=5,
        concurrent_calls=5,
        in_flight=in_flight,
        window_events=9,
        waiting_retry_events=0,
        done_beyond=0,
        breaker=breaker,
        paused=paused,
        desired=desired,
        partitions=(0,),
        events=(),
        rules=rules,
    )


def poller_report(*, leading: bool) -> PollerReport:
    return PollerReport(
        tenant="acme.eu.auth0.com",
        leading=leading,
        checkpoint="9001",
        checkpoint_date="",
        checkpoint_moved=NOW - 9,
        last_poll=NOW - 1,
        caught_up=True,
        failures=0,
        last_error="",
        rate_limit_remaining=None,
    )


breakers = st.builds(
    BreakerReport,
    state=st.sampled_from(BreakerState),
    since=st.none() | times,
    last_outcome=st.sampled_from(["", "answered 503"]),
    probe_at=st.none() | times,
)
rules_reports = st.builds(
    RulesReport,
    hash=st.sampled_from(["aa", "bb"]),
    switched_off=st.lists(st.sampled_from(["slack", "é\n"]), max_size=2).map(tuple),
)
replica_documents = st.builds(
    ReplicaDocument,
    id=st.sampled_from(["a:1:x", "b:2:y"]),
    role=st.sampled_from(ReplicaRole),
    version=st.just("1"),
    started=times,
    seen=st.floats(NOW - 2 * STALE, NOW + 2),
    counts=st.just({}),
    rates=st.dictionaries(st.sampled_from(["delivered", "published"]), st.floats(0, 9)),
    consumer=st.none() | st.builds(consumer_report, breakers, rules=st.none() | rules_reports),
    poller=st.none() | st.builds(poller_report, leading=st.booleans()),
)
states = st.builds(
    OperatorState,
    desired=st.none() | st.builds(DesiredDelivery, id=words, paused=st.booleans(), by=words, why=words, since=times),
    replicas=st.lists(replica_documents, max_size=2, unique_by=lambda one: one.id).map(tuple),
    audit=st.just(()),
    gaps=st.lists(words, max_size=2).map(tuple),
    unknown=st.just(()),
) | st.just(OperatorState(desired=None, replicas=(), audit=(), gaps=(), unknown=("why",), readable=False))
oldest_events = st.builds(
    OldestEvent, log_id=words, type=words, since=times, attempts=st.none() | st.integers(0, 9), last_outcome=words, reason=words
)


@st.composite
def partition_rows(draw: st.DrawFn) -> PartitionStatus:
    begin, lag = draw(st.integers(0, 99)), draw(st.integers(0, 9_999))
    done = draw(st.integers(0, lag))
    return PartitionStatus(
        partition=draw(st.integers(0, 9)),
        begin=begin,
        end=begin + lag,
        committed=draw(st.none() | st.just(begin)),
        lag=lag,
        done_beyond=done,
        owner=draw(st.none() | words),
        oldest=draw(st.none() | oldest_events) if lag > done else None,
    )


overviews = st.builds(
    Overview,
    now=st.just(NOW),
    log=st.just(SQLITE),
    partitions=st.lists(partition_rows(), min_size=1, max_size=3).map(tuple),
    consumers=st.none() | st.builds(Consumers, group=st.sampled_from(["", "g"]), members=st.none() | st.integers(0, 3)),
    checkpoint=st.none() | st.builds(Checkpoint, log_id=words, date=words, caught_up=st.none() | times),
    operator=states,
    dead_letters=st.none() | st.integers(0, 9),
    unknown=st.just(()),
)


@given(overviews)
def test_the_state_is_the_first_one_that_fits(seen: Overview) -> None:
    fits = {
        DeliveryState.PAUSED: seen.operator.desired is not None and seen.operator.desired.paused,
        DeliveryState.NO_CONSUMER: seen.members == 0,
        DeliveryState.NO_POLLER: seen.operator.readable
        and not any(one.poller and one.poller.leading for one in seen.operator.replicas if not one.is_stale(NOW)),
        DeliveryState.WEBHOOK_DOWN: seen.down is not None,
        DeliveryState.DELIVERING: seen.undelivered > 0,
        DeliveryState.IDLE: True,
    }
    assert seen.state is next(state for state, holds in fits.items() if holds)


@given(overviews)
def test_the_sentence_says_the_state_and_what_waits(seen: Overview) -> None:
    begins = {
        DeliveryState.PAUSED: "Paused",
        DeliveryState.NO_CONSUMER: "No consumer ",
        DeliveryState.NO_POLLER: "Nothing new is read from Auth0: ",
        DeliveryState.WEBHOOK_DOWN: "Down: the webhook ",
        DeliveryState.DELIVERING: "Delivering",
        DeliveryState.IDLE: "Idle",
    }
    assert seen.sentence.startswith(begins[seen.state])
    assert seen.sentence.endswith(".")
    assert (f"{seen.undelivered:,} waiting" in seen.sentence) == (seen.undelivered > 0)
    assert ("everything is delivered" in seen.sentence) == (seen.undelivered == 0 and seen.used)


@given(overviews)
def test_a_replica_that_is_stale_decides_nothing(seen: Overview) -> None:
    fresh = tuple(one for one in seen.operator.replicas if not one.is_stale(NOW))
    without = replace(seen, operator=replace(seen.operator, replicas=fresh))
    assert (without.state, without.sentence, without.rates) == (seen.state, seen.sentence, seen.rates)


#: Made once: to check the schema itself takes 50 ms.
FORM: Final = Draft202012Validator(STATUS)


@given(overviews)
def test_its_json_has_the_documented_form_whatever_is_seen(seen: Overview) -> None:
    printed: Any = json.loads(json.dumps(document(seen), allow_nan=False))
    FORM.validate(printed)
    assert printed["undelivered"] == sum(row["undelivered"] for row in printed["partitions"])


@given(overviews)
def test_of_two_pollers_that_say_that_they_lead_none_stands_by(seen: Overview) -> None:
    """One that was frozen says so until it wakes."""
    poller = document(seen)["poller"]
    standing_by = {name for name, one in seen.poller_reports.items() if not one.leading}
    assert poller is None or set(poller["standby"]) == standing_by


@given(overviews)
def test_consumers_that_run_other_rules_are_named_and_a_rule_that_runs_no_more(seen: Overview) -> None:
    reports = [one.rules for one in seen.consumer_reports]
    hashes = {rules.hash if rules else None for rules in reports}
    printed = document(seen)["rules"]
    assert (printed is None) == (not hashes - {None})
    assert ("consumers differ in their rules" in seen.sentence) == (len(hashes) > 1)
    off = {rule for rules in reports if rules for rule in rules.switched_off}
    assert set(printed["switched_off"] if printed else ()) == off
    assert all(f"the rule {rule} is switched off on " in seen.sentence for rule in off)


def test_a_group_in_which_only_one_consumer_has_rules_differs_and_one_without_any_does_not() -> None:
    (one,) = _seen().operator.replicas
    rules = RulesReport(hash="aa", switched_off=())
    other = replace(one, id="host:2:y", consumer=consumer_report(CLOSED, rules=rules))
    seen = replace(_seen(), operator=replace(_seen().operator, replicas=(one, other)))
    assert seen.rules.by_hash == {"": ("host:1:x",), "aa": ("host:2:y",)}
    assert seen.sentence == "Idle; everything is delivered; consumers differ in their rules."
    assert document(_seen())["rules"] is None


def test_consumers_of_two_groups_on_one_topic_may_have_rules_of_their_own() -> None:
    (one,) = _seen().operator.replicas
    found = consumer_report(CLOSED, rules=RulesReport(hash="aa", switched_off=()))
    of_groups = [replace(one, id=f"host:{group}", consumer=replace(found, group=group)) for group in ("a", "b")]
    seen = replace(_seen(), operator=replace(_seen().operator, replicas=(replace(one, consumer=found), *of_groups)))
    other = replace(of_groups[1], consumer=replace(found, group="b", rules=None))
    assert not seen.rules.differ
    alone = replace(seen, operator=replace(seen.operator, replicas=(of_groups[0], other)))
    assert (alone.rules.differ, alone.sentence) == (False, "Idle; everything is delivered.")
    assert document(alone)["rules"] == {"differ": False, "switched_off": {}}
    together = replace(seen, operator=replace(seen.operator, replicas=(*of_groups, other)))
    assert together.rules.differ


CLOSED: Final = BreakerReport(state=BreakerState.CLOSED, since=None, last_outcome="", probe_at=None)
OPEN: Final = BreakerReport(state=BreakerState.OPEN, since=NOW - 3600, last_outcome="answered 503", probe_at=NOW + 5)
HELD: Final = "Paused: consumers hold to a pause that is gone from the control table"
OTHER: Final = "where consumers run, they use another group"
PAUSED: Final = DesiredDelivery(id="1", paused=True, by="ada", why="migration", since=NOW - 90_000)


def _seen(
    undelivered: int = 0,
    *,
    members: int | None = 1,
    committed: int | None = 5,
    breaker: BreakerReport | None = CLOSED,
    leading: bool = True,
    desired: DesiredDelivery | None = None,
    dead_letters: int = 0,
    held: bool = False,
) -> Overview:
    oldest = OldestEvent(log_id="9001", type="s", since=NOW - 3, attempts=None, last_outcome="") if undelivered else None
    row = PartitionStatus(
        partition=0, begin=0, end=9, committed=committed, lag=undelivered, done_beyond=0, owner=None, oldest=oldest
    )
    replica = ReplicaDocument(
        id="host:1:x",
        role=ReplicaRole.RUN,
        version="1",
        started=NOW - 99,
        seen=NOW - 1,
        counts={},
        rates={},
        consumer=consumer_report(breaker, paused=held) if breaker else None,
        poller=poller_report(leading=leading),
    )
    return Overview(
        now=NOW,
        log=SQLITE,
        partitions=(row,),
        consumers=Consumers(group="g" if members is not None else "", members=members),
        checkpoint=None,
        operator=OperatorState(desired=desired, replicas=(replica,), audit=(), gaps=(), unknown=()),
        dead_letters=dead_letters,
    )


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (_seen(), "Idle; everything is delivered."),
        (_seen(12), "Delivering; 12 waiting, the oldest 3 s."),
        (_seen(dead_letters=1), "Idle; everything is delivered; 1 dead letter."),
        (_seen(12, desired=PAUSED), "Paused by ada since 2027-01-14 07:00 UTC: migration; 12 waiting, the oldest 3 s."),
        (_seen(4120, breaker=OPEN), "Down: the webhook answered 503 since 07:00 UTC; 4,120 waiting, the oldest 3 s."),
        (_seen(1, members=0), "No consumer is running: the group g has no member; 1 waiting, the oldest 3 s."),
        (
            _seen(1, members=0, committed=None),
            f"No consumer has joined the group g (KAFKA_GROUP) yet; 1 waiting, the oldest 3 s; {OTHER}.",
        ),
        (_seen(members=None, breaker=None), "No consumer is running; everything is delivered."),
        (_seen(3, held=True), f"{HELD}; 3 waiting, the oldest 3 s."),
        (_seen(leading=False), "Nothing new is read from Auth0: 1 poller on standby; everything is delivered."),
    ],
)
def test_what_is_said_is_what_can_be_known(seen: Overview, sentence: str) -> None:
    assert seen.sentence == sentence


@pytest.mark.parametrize(
    ("leading", "stored", "age"), [(True, NOW - 400, 1), (True, None, 1), (False, NOW - 400, 400), (False, None, None)]
)
def test_the_age_of_the_checkpoint_is_the_time_since_the_log_was_read_to_its_end(
    leading: bool, stored: float | None, age: float | None
) -> None:
    """As in the metric. It was that of its entry's date, which grows in every quiet night; a stopped poller's is in the log."""
    seen = replace(_seen(leading=leading), checkpoint=Checkpoint(log_id="9001", date="2027-01-15T05:00:00Z", caught_up=stored))
    assert document(seen)["checkpoint"]["age"] == age


def test_a_control_table_full_of_rubbish_takes_a_few_lines() -> None:
    """A status of 3,000 lines, each naming one document, hid what could be known."""
    unknown = parse({desired.KEY: b"x", **{f"replica/{number}": b"x" for number in range(3000)}}).unknown
    assert unknown[0].startswith("desired/delivery in the control table is left alone: ")
    assert unknown[-1] == "2,991 more documents in the control table that are left alone"
    assert len(unknown) == 11


def test_members_of_whom_all_is_old_hint_at_a_clock() -> None:
    """With a clock that was 40 s ahead, status said that no poller runs, and nothing of clocks."""
    seen = _seen(members=1)
    assert not seen.clocks_differ
    assert replace(seen, now=NOW + 40).clocks_differ
    assert not replace(_seen(members=0), now=NOW + 40).clocks_differ


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=20), st.floats(-1e5, 1e5))
def test_by_what_arrives_a_replica_lives_while_it_writes_whatever_its_clock_says(
    looks: list[tuple[float, bool]], off: float
) -> None:
    arrivals, now = Arrivals(), 500.0
    (one,) = _seen().operator.replicas
    one = replace(one, seen=NOW + off)
    assert arrivals.writes([one], now) == {}, "its clock is all there is"
    wrote, changed = now, False
    for seconds, writes in looks:
        now += seconds
        if writes:
            one, wrote, changed = replace(one, seen=one.seen + 5), now, True
        found = arrivals.writes([one], now)
        stale = now - wrote > STALE
        assert found == ({one.id: not stale} if changed or stale else {})
        operator = replace(_seen().operator, replicas=(one,), writes=found)
        assert bool(operator.live(NOW)) == (not stale if found else not one.is_stale(NOW))
    assert arrivals.writes([], now) == {}


def test_it_is_doubtful_who_runs_where_members_or_the_active_poller_are_missing() -> None:
    assert not _seen(members=1).doubtful
    assert replace(_seen(members=1), now=NOW + 40).doubtful
    assert not replace(_seen(members=0), now=NOW + 40).doubtful, "none runs"
    assert not replace(_seen(members=None), now=NOW + 40).doubtful, "one machine has one clock"
    two = replace(_seen(members=2), now=NOW)
    assert not two.doubtful, "one that says nothing cannot be waited for"
    (one,) = two.operator.replicas
    produces = replace(one, id="b", consumer=None, seen=NOW - 40)
    alone = replace(one, poller=None)
    seen = replace(_seen(members=1), operator=replace(two.operator, replicas=(alone, produces)))
    assert seen.doubtful, "the active poller's clock may be behind"
    assert not replace(seen, operator=replace(seen.operator, replicas=(alone, replace(produces, seen=NOW - 700)))).doubtful
    assert not replace(seen, operator=replace(seen.operator, writes={"b": True})).doubtful


def test_what_consumers_of_another_group_say_is_not_said_of_this_one() -> None:
    """They deliver the same log to another webhook."""
    seen = _seen(undelivered=3, breaker=replace(CLOSED, state=BreakerState.OPEN, last_outcome="answered 503"))
    (one,) = seen.operator.replicas
    assert (seen.state, one.consumer is not None) == (DeliveryState.WEBHOOK_DOWN, True)
    for group, state in (("g", DeliveryState.WEBHOOK_DOWN), ("other", DeliveryState.DELIVERING)):
        assert one.consumer is not None
        moved = replace(one, consumer=replace(one.consumer, group=group))
        assert replace(seen, operator=replace(seen.operator, replicas=(moved,))).state is state
