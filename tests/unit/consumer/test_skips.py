"""What the machines seldom reach, and the documents that other releases may write."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.partitions.partition import SkipState
from consumer.scheduling.batch import Batching
from consumer.skip_protocol import CopyState, SkipParticipant
from consumer.webhook import Attempt
from shared.control import ControlFollower
from shared.documents.skip import REPLIES, REQUESTS, SKEW, VERSION, SkipDocuments, SkipReply, SkipRequest, SkipStatus
from shared.errors import TransportUnusable
from shared.transport.port import Table
from shared.transport.sqlite.transport import SqliteTransport
from shared.words import BatchForm
from tests.unit.consumer.manual import DispatcherSetup, ManualLoop

pytestmark = pytest.mark.usefixtures("without_a_log")

ME = SkipParticipant(id="me", name="host:1")
REQUEST = SkipRequest(id="r", log_id="a", by="kim", why="it", asked=1000.0, until=1100.0)


def test_a_skip_outlives_the_call_that_is_broken_off_for_another_partition(loop: ManualLoop) -> None:
    setup = DispatcherSetup(loop, Batching(form=BatchForm.ARRAY, most=2, most_bytes=1000, linger=0.0))
    skipped, _ = setup.take(0, "a"), setup.take(1, "b")
    loop.settle(setup.dispatcher.launch)
    (batch,) = setup.webhook.open
    assert batch.log_id == "a+2"
    loop.settle(lambda: setup.dispatcher.skip(skipped))
    assert skipped.skip is SkipState.REQUESTED
    leaving = setup.window.retire([1])
    loop.settle(lambda: setup.dispatcher.cancel(leaving))
    loop.settle(setup.dispatcher.drop_leaving)
    assert not setup.webhook.open
    loop.settle(lambda: setup.dispatcher.set_aside(skipped, "skipped by kim: it"))
    assert list(setup.dead_letters.open) == ["a"]


def test_a_withdrawn_skip_gives_the_event_back_to_its_backoff(loop: ManualLoop) -> None:
    setup = DispatcherSetup(loop)
    event = setup.take(0, "a")
    loop.settle(setup.dispatcher.launch)
    loop.settle(lambda: setup.dispatcher.skip(event))
    loop.settle(lambda: setup.webhook.respond(event, Attempt(500)))
    assert event.skip is SkipState.WITHHELD
    loop.now += 5
    loop.settle()
    loop.settle(lambda: setup.dispatcher.keep(event))
    loop.now += 2
    loop.settle()
    assert not setup.webhook.open
    loop.now += 1.1
    loop.settle()
    assert list(setup.webhook.open) == [event]
    loop.settle(lambda: setup.dispatcher.set_aside(event, "skipped by kim: it"))
    assert not setup.dead_letters.open


def test_a_withdrawn_skip_leaves_a_batch_under_way_whole(loop: ManualLoop) -> None:
    setup = DispatcherSetup(loop, Batching(form=BatchForm.ARRAY, most=2, most_bytes=1000, linger=0.0))
    event, _ = setup.take(0, "a"), setup.take(0, "b")
    loop.settle(setup.dispatcher.launch)
    (batch,) = setup.webhook.open
    loop.settle(lambda: setup.dispatcher.skip(event))
    loop.settle(lambda: setup.dispatcher.keep(event))
    loop.settle(lambda: setup.webhook.respond(batch, Attempt(500)))
    loop.now += 8.1
    loop.settle()
    assert list(setup.webhook.open) == [batch]


def test_the_last_attempt_of_an_event_whose_partition_goes_begins_no_dead_letter(loop: ManualLoop) -> None:
    """It would be abandoned half written: the event is the next owner's, and was then both dead and delivered."""
    setup = DispatcherSetup(loop, max_attempts=1)
    event = setup.take(0, "a")
    loop.settle(setup.dispatcher.launch)
    setup.window.retire([0])
    loop.settle(lambda: setup.webhook.respond(event, Attempt(500)))
    assert not setup.dead_letters.open


def test_a_process_that_is_frozen_between_two_calls_makes_no_second_one(loop: ManualLoop) -> None:
    """It asked once for all of them, and as it woke made the rest, of events that another member had done by then."""
    setup = DispatcherSetup(loop, calls=3)
    setup.blocks = True
    for number in range(3):
        setup.take(0, f"{number}")
    loop.settle(setup.dispatcher.launch)
    assert len(setup.webhook.open) == 1


def test_a_control_table_that_cannot_be_opened_is_tried_again(loop: ManualLoop) -> None:
    """The first failure was the last word for the life of the process."""
    tries = []

    class Reachable(SqliteTransport):
        async def control(self) -> Table:
            tries.append(loop.time())
            if len(tries) < 3:
                raise TransportUnusable("the coordinator moves")
            raise asyncio.CancelledError  # it is there: what follows is not this test's

    log = Reachable(Path("unused"), retention_days=1)
    following = loop.create_task(ControlFollower([], asyncio.Event()).follow(log))
    for _ in range(4):
        loop.settle()
        loop.now += 60.1
    loop.settle()
    assert following.done()
    assert len(tries) == 3


# -- documents

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_names = ("id", "log_id", "by", "why", "asked", "until", "request", "member", "name", "word")
_almost = st.fixed_dictionaries(
    {"v": st.sampled_from([VERSION, VERSION, 1, "2"])}, optional=dict.fromkeys(_names, _json | st.sampled_from(list(SkipStatus)))
)
_texts = st.binary() | _json.map(lambda value: json.dumps(value).encode()) | _almost.map(lambda value: json.dumps(value).encode())
_keys = st.sampled_from([REQUESTS, REPLIES, ""]).flatmap(lambda prefix: st.text(max_size=5).map(lambda rest: prefix + rest))


@given(st.dictionaries(_keys, _texts, max_size=4), st.floats(0, 1e10))
def test_documents_of_others_are_named_and_left_alone(documents: dict[str, bytes], now: float) -> None:
    parsed = SkipDocuments.parse(documents)
    known = {one.key for one in parsed.requests.values()} | set(parsed.replies)
    ours = {key for key in documents if key.startswith((REQUESTS, REPLIES))}
    assert known | parsed.unknown == ours
    plan = ME.plan(parsed, {}, now)
    assert set(plan.writes) <= known
    assert not plan.permits


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"v":2,"until":1e999}', b'{"v":2,"asked":1' + b"0" * 400 + b"}"])
def test_a_document_that_cannot_be_read_is_ignored(text: bytes) -> None:
    assert SkipDocuments.parse({"skip/r": text}).unknown == {"skip/r"}


texts = st.text(max_size=10)


@given(st.builds(SkipRequest, id=texts, log_id=texts, by=texts, why=texts, asked=st.floats(0, 1e10), until=st.floats(0, 1e10)))
def test_a_request_is_read_as_it_was_written(request: SkipRequest) -> None:
    assert SkipDocuments.parse({request.key: request.encode()}).requests == {request.id: request}


def test_documents_of_earlier_releases_are_read_as_they_were_written() -> None:
    request = b'{"v": 2, "id": "r", "log_id": "a", "by": "kim", "why": "it", "asked": 1000.0, "until": 1100.0}'
    reply = b'{"v": 2, "request": "r", "member": "me", "name": "host:1", "log_id": "a", "word": "setting-aside", "until": 1100.0}'
    parsed = SkipDocuments.parse({"skip/r": request, "skip-answer/r/me": reply})
    assert [one.encode() for one in parsed.requests.values()] == [request] == [REQUEST.encode()]
    assert [one.encode() for one in parsed.replies.values()] == [reply]


# -- who acts


def _documents(*replies: SkipReply, request: SkipRequest = REQUEST) -> SkipDocuments:
    return SkipDocuments.parse({request.key: request.encode(), **{reply.key: reply.encode() for reply in replies}})


def _reply(status: SkipStatus, member: str = "me") -> SkipReply:
    return SkipReply(request="r", member=member, name="host:1", log_id="a", status=status, until=REQUEST.until)


@pytest.mark.parametrize(
    ("now", "acts"),
    [(1000, True), (1100, True), (1000 - SKEW, True), (1101, False), (999 - SKEW, False)],
)
def test_a_request_is_acted_on_between_its_times_whatever_the_clocks_say_within_a_minute(now: float, *, acts: bool) -> None:
    plan = ME.plan(_documents(_reply(SkipStatus.SETTING_ASIDE)), {"a": {CopyState.WITHHELD}}, now)
    assert bool(plan.permits) == acts


@pytest.mark.parametrize("status", [SkipStatus.SET_ASIDE, SkipStatus.DELIVERED])
def test_a_request_that_has_ended_at_one_consumer_is_acted_on_by_no_other(status: SkipStatus) -> None:
    plan = ME.plan(_documents(_reply(SkipStatus.SETTING_ASIDE), _reply(status, "other")), {"a": {CopyState.WITHHELD}}, 1001.0)
    assert not plan.permits
    assert json.loads(plan.writes["skip-answer/r/me"] or b"")["word"] == SkipStatus.LEFT


def test_of_two_requests_for_an_event_the_older_one_is_acted_on_and_both_are_answered() -> None:
    other = SkipRequest(id="s", log_id="a", by="ann", why="it", asked=1001.0, until=1100.0)
    documents = {one.key: one.encode() for one in (REQUEST, other)}
    first = ME.plan(SkipDocuments.parse(documents), {"a": {CopyState.WITHHELD}}, 1002.0)
    assert not first.permits, "without a look at the table that shows its own word"
    documents |= {key: text for key, text in first.writes.items() if text}
    assert {json.loads(text)["word"] for text in first.writes.values() if text} == {SkipStatus.SETTING_ASIDE, SkipStatus.TAKEN}
    assert ME.plan(SkipDocuments.parse(documents), {"a": {CopyState.WITHHELD}}, 1002.0).permits == {"a": "skipped by kim: it"}
    last = ME.plan(SkipDocuments.parse(documents), {"a": {CopyState.DEAD}}, 1002.0)
    assert {json.loads(text)["word"] for text in last.writes.values() if text} == {SkipStatus.SET_ASIDE}
