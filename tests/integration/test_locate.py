"""Events are found by the time in their ids, on every transport, however they were published."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from admin.actions.looking import locate as locating
from admin.actions.looking.locate import Search, locate
from admin.actions.looking.show import FilterAtHand, show
from admin.actions.looking.status_view import StatusView
from admin.actions.looking.tail import Wanted, newest
from admin.actions.looking.where import WhereState
from admin.replica import ReplicaReporter
from producer.selection import Selection
from shared.documents.replica import EventState, PendingEvent, ReplicaRole
from shared.errors import ConfigurationError
from shared.event import Event, slice_page
from shared.words import Ordering
from simulator.receiver import Receiver
from tests.contract.harness import publish
from tests.integration.workers import worker
from tests.support.transports import Log

NOW = datetime.now(UTC)


def _event(number: int, ago: timedelta, user: str = "") -> Event:
    log_id = f"900{NOW - ago:%Y%m%d%H%M%S}{number:040d}"
    return slice_page(f'[{{"log_id":"{log_id}","type":"s","user_id":"{user or number}"}}]'.encode())[0]


async def _locate(log: Log, log_id: str, since: float | None = None) -> Search | None:
    transport = log.transport()
    reader = await transport.reader()
    try:
        return await locate(reader, log_id, since)
    finally:
        await reader.close()
        await transport.close()


async def test_each_event_is_found_whatever_its_age_at_publishing(log: Log) -> None:
    """Also in a catch-up: hours of events were published within a second."""
    sent = [_event(number, timedelta(hours=5) - timedelta(minutes=number)) for number in range(290)]
    await publish(log.transport(), sent[:200], sent[200:])
    for event in sent[::29]:
        search = await _locate(log, event.log_id)
        assert search is not None
        assert search.found is not None
        assert search.found.record.value == event.raw


async def test_reading_ends_where_ids_lie_well_beyond(log: Log) -> None:
    await publish(log.transport(), [_event(number, timedelta(hours=4), "a") for number in range(50)])
    await publish(log.transport(), [_event(number, timedelta(minutes=1), "a") for number in range(50, 1000)])
    search = await _locate(log, _event(7000, timedelta(hours=4)).log_id)
    assert search is not None
    assert (search.found, search.complete) == (None, True)
    assert search.looked_at == 51


async def test_the_bound_is_said(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locating, "MOST", 30)
    await publish(log.transport(), [_event(number, timedelta(minutes=1), "a") for number in range(50)])
    search = await _locate(log, _event(7000, timedelta(minutes=1)).log_id)
    assert search is not None
    assert (search.found, search.complete, search.looked_at) == (None, False, 30)


async def test_an_unknown_form_of_id_is_not_looked_for_and_a_beginning_must_be_unique(log: Log) -> None:
    await publish(log.transport(), [_event(number, timedelta(minutes=1)) for number in range(20)])
    assert await _locate(log, "49556539073893675610923042044589174982043486779166687234") is None
    one = _event(7, timedelta(minutes=1)).log_id
    with pytest.raises(ConfigurationError, match="begins 20 log ids"):
        await _locate(log, one[:30])
    search = await _locate(log, f"{(await _newest_place(log))}")
    assert search is not None
    assert search.found is not None


async def _newest_place(log: Log) -> str:
    transport = log.transport()
    reader = await transport.reader()
    try:
        (passing,) = (await newest(reader, Wanted(), 1)).events
        return f"{passing.partition}:{passing.record.offset}"
    finally:
        await reader.close()
        await transport.close()


async def test_the_newest_events_of_all_partitions_are_found_by_growing_steps(log: Log) -> None:
    for start in range(0, 300, 100):
        await publish(log.transport(), [_event(number, timedelta(0), f"u{number % 7}") for number in range(start, start + 100)])
        await asyncio.sleep(0.005)
    transport = log.transport()
    reader = await transport.reader()
    try:
        for number in (0, 1, 5, 250, 1000):
            found = await newest(reader, Wanted(), number)
            assert len(found.events) == min(number, 300)
            assert [one.record.timestamp for one in found.events] == sorted(one.record.timestamp for one in found.events)
            assert found.complete
        rare = await newest(reader, Wanted(user="u3"), 9)
        assert {one.record.key for one in rare.events} == {b"u3"}
        assert len(rare.events) == 9
    finally:
        await reader.close()
        await transport.close()


@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
@pytest.mark.parametrize("ordering", ["", *Ordering, "of a later release"])
async def test_what_an_event_waits_behind_is_told_by_the_order_that_its_consumer_keeps(
    log: Log, receiver: Receiver, ordering: str
) -> None:
    first, second, third = (_event(number, timedelta(minutes=1), user) for number, user in enumerate("abb"))
    transport = log.transport()
    await publish(log.transport(), [first, second, third])
    reporter = ReplicaReporter([worker(receiver.url)], role=ReplicaRole.CONSUME, version="1", tenant="", webhook="")
    document = reporter.document()
    assert document.consumer is not None
    assert document.consumer.ordering == Ordering.KEY, "as the worker was told"
    control = await transport.control()
    consumer = replace(document.consumer, partitions=(0,), ordering=ordering)
    await control.put(document.key, replace(document, consumer=consumer).encode())
    where = await show(transport, third.log_id, "not at hand")
    await control.close()
    await transport.close()
    behind = {Ordering.PARTITION: first.log_id, Ordering.NONE: None}.get(ordering, second.log_id)  # type: ignore[call-overload]
    assert (where.state, where.behind) == (WhereState.WAITING, behind)
    assert ("WEBHOOK_ORDERING=none" in where.why) == (ordering not in (Ordering.KEY, Ordering.PARTITION))


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
@pytest.mark.parametrize("ours", [True, False])
async def test_only_consumers_of_the_group_are_asked_about_an_event_and_its_partition(
    log: Log, receiver: Receiver, ours: bool
) -> None:
    event = _event(1, timedelta(minutes=1))
    transport = log.transport()
    await publish(log.transport(), [event])
    at = await _locate(log, event.log_id)
    assert at is not None
    assert at.found is not None
    group = log.environ["KAFKA_GROUP"] if ours else "another"
    document = ReplicaReporter([worker(receiver.url)], role=ReplicaRole.CONSUME, version="1", tenant="", webhook="").document()
    assert document.consumer is not None
    pending = PendingEvent(
        partition=at.found.partition,
        offset=at.found.record.offset,
        log_id=event.log_id,
        type="s",
        since=0,
        state=EventState.RETRYING,
        oldest=True,
        attempts=3,
        last_outcome="answered 503",
        next_try=None,
    )
    consumer = replace(document.consumer, group=group, partitions=(at.found.partition,), events=(pending,))
    control = await transport.control()
    await control.put(document.key, replace(document, consumer=consumer).encode())
    where = await show(transport, event.log_id, "not at hand")
    view = StatusView(transport, {"transport": "Kafka"})
    row = (await view.look()).partitions[at.found.partition]
    for opened in (view, control, transport):
        await opened.close()
    assert (where.state is WhereState.RETRYING, "No consumer says" in where.why) == (ours, not ours)
    assert row.oldest is not None
    assert (row.owner, row.oldest.attempts) == ((document.id, 3) if ours else (None, None))


async def test_a_place_without_a_record_is_unknown_and_auth0_is_not_asked_for_it(log: Log) -> None:
    """It said that "Auth0 knows no entry of this id", having asked for one whose id was 0:99999."""
    await publish(log.transport(), [_event(1, timedelta(minutes=1))])
    asked: list[str] = []

    async def ask(log_id: str) -> None:
        asked.append(log_id)

    transport = log.transport()
    where = await show(transport, "0:99999", FilterAtHand(Selection(levels={}), ask))
    await transport.close()
    assert where.state is WhereState.UNKNOWN
    assert where.why.startswith("the log has no record at this partition and offset")
    assert not asked
