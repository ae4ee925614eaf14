"""What every adapter promises to consumers and operators about dead letters and the control table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from shared.documents.gap import GapDocument, GapKind, gaps
from shared.event_rules import HEADER, LARGEST
from shared.record import Record
from shared.transport.port import DeadLetter, Position
from shared.words import GapPolicy
from tests.contract.conftest import any_login
from tests.contract.harness import (
    ContractListener,
    DeadLetters,
    dead_letter_of,
    event,
    events,
    joined,
    log_ids,
    poll_for,
    publish,
    read,
)
from tests.support.transports import Log


def _dead_letter(number: int) -> DeadLetter:
    return dead_letter_of(event(number, user="auth0|7", extra=', "half": "\\ud83d" '), time=1.7e9 + number)


async def _all(log: Log) -> list[DeadLetter]:
    """As another process sees them."""
    async with DeadLetters.opened(log.transport()) as dead_letters:
        return await dead_letters.all()


async def test_dead_letters_are_read_as_they_were_put(log: Log) -> None:
    async with DeadLetters.opened(log.transport()) as dead_letters:
        assert await dead_letters.all() == []
        await dead_letters.put(*map(_dead_letter, (2, 1, 3)))
        assert await _all(log) == [_dead_letter(1), _dead_letter(2), _dead_letter(3)]
        await dead_letters.close()


@any_login
async def test_a_dead_letter_of_the_same_id_takes_the_place_of_the_one_before(log: Log) -> None:
    async with DeadLetters.opened(log.transport()) as dead_letters:
        await dead_letters.put(replace(_dead_letter(1), time=1.6e9), _dead_letter(1))
        assert await _all(log) == [_dead_letter(1)]


@any_login
async def test_a_record_that_is_not_ours_fits_into_a_dead_letter(log: Log) -> None:
    record = Record(offset=9, key=None, value=b"\xff\x00 not JSON", headers=[("x", b"\xfe")], timestamp=1.0)
    foreign = DeadLetter(record=record, log_id="0:9", partition=0, attempts=0, status=None, reason="not ours", time=2.0)
    async with DeadLetters.opened(log.transport()) as dead_letters:
        await dead_letters.put(foreign)
        assert await _all(log) == [foreign]


async def test_removing_is_idempotent_and_seen_by_others(log: Log) -> None:
    async with DeadLetters.opened(log.transport()) as dead_letters:
        await dead_letters.put(_dead_letter(1), _dead_letter(2))
        await dead_letters.remove(_dead_letter(1).log_id)
        await dead_letters.remove(_dead_letter(1).log_id)
        assert await _all(log) == [_dead_letter(2)]


async def test_retry_appends_the_record_again_and_removes_the_dead_letter(log: Log) -> None:
    await publish(log.transport(), events(0, 5))
    async with joined(log, ContractListener()) as member, DeadLetters.opened(log.transport()) as dead_letters:
        found = await read(member, 5)
        positions = {partition: Position(record.offset + 1) for partition, record in found}
        assert await member.commit(positions)
        await dead_letters.put(sent := _dead_letter(3))
        await dead_letters.retry(sent)
        ((_, record),) = await read(member, 1)
        assert (record.key, record.value, list(record.headers)) == (sent.record.key, sent.record.value, list(sent.record.headers))
        assert await _all(log) == []
        assert await poll_for(member, 0.3) == []


@any_login
async def test_what_rules_said_comes_back_with_a_retried_record_however_long_it_is(log: Log) -> None:
    sent = _dead_letter(1)
    said = json.dumps("\ud83d" * (LARGEST // 6 - 1)).encode("ascii")
    record = sent.record._replace(headers=[*sent.record.headers, (HEADER, said)])
    async with joined(log, ContractListener()) as member, DeadLetters.opened(log.transport()) as dead_letters:
        await dead_letters.put(replace(sent, record=record))
        (found,) = await _all(log)
        assert found.record == record
        await dead_letters.retry(found)
        ((_, again),) = await read(member, 1)
        assert (again.value, list(again.headers)) == (record.value, list(record.headers))


@any_login
async def test_a_dead_letter_that_was_purged_meanwhile_is_not_said_to_be_sent_again_where_the_log_can_tell(log: Log) -> None:
    """On SQLite a retry beside a purge said "57 of 57 sent again", and 43 of them were gone."""
    async with DeadLetters.opened(log.transport()) as dead_letters:
        await dead_letters.put(_dead_letter(1), _dead_letter(2))
        await dead_letters.remove(_dead_letter(1).log_id)
        said = [await dead_letters.retry(_dead_letter(number)) for number in (1, 2)]
    async with joined(log, ContractListener()) as member:
        assert len(await read(member, sum(said))) == sum(said)
        assert await poll_for(member, 0.3) == []


@any_login
async def test_a_retried_record_does_not_keep_the_publisher_from_anything(log: Log) -> None:
    await publish(log.transport(), events(0, 2))
    async with DeadLetters.opened(log.transport()) as dead_letters:
        for _ in range(2):
            await dead_letters.put(_dead_letter(1))
            await dead_letters.retry(_dead_letter(1))
    await publish(log.transport(), events(2, 4))
    async with joined(log, ContractListener()) as member:
        seen = sorted(log_ids(await read(member, 6)))
    assert seen == sorted([sent.log_id for sent in events(0, 4)] + [event(1).log_id] * 2)


@any_login
async def test_a_scan_yields_every_document_once_however_large_they_all_are(log: Log) -> None:
    table = await log.transport().dead_letters()
    documents = {f"{number}": bytes([number]) * (1 << 20) for number in range(9)}
    for key, document in [*documents.items(), ("5", b"older"), ("gone", b"x"), ("5", documents["5"])]:
        await table.put(key, document)
    await table.delete("gone")
    found = [(row.key, row.document) async for row in table.scan()]
    assert sorted(found) == sorted(documents.items())
    assert await table.snapshot() == documents
    assert sorted(await table.keys()) == sorted(documents)
    await table.close()


@any_login
async def test_a_scan_goes_on_beside_other_work_on_the_table(log: Log) -> None:
    ours, theirs = await log.transport().dead_letters(), await log.transport().dead_letters()
    keys = {f"{number:02d}" for number in range(20)}
    for key in keys:
        await ours.put(key, key.encode() * 250_000)
    seen = set()
    async for row in ours.scan():
        if row.key in keys:
            await ours.delete(row.key)
            await theirs.put(f"new {row.key}", b"")
        seen.add(row.key)
        assert len(await ours.snapshot()) == len(keys)
    assert keys <= seen
    for table in (ours, theirs):
        await table.close()


async def test_control_documents_are_put_replaced_deleted_and_seen_by_others(log: Log) -> None:
    ours, theirs = await log.transport().control(), await log.transport().control()
    assert await ours.snapshot() == {}
    await ours.put("skip/a", b"1")
    await ours.put("skip/b", b"\x00\xff")
    assert await theirs.snapshot() == {"skip/a": b"1", "skip/b": b"\x00\xff"}
    await theirs.put("skip/a", b"2")
    await theirs.delete("skip/b")
    await theirs.delete("skip/never")
    assert await ours.snapshot() == {"skip/a": b"2"}
    assert await ours.snapshot() == {"skip/a": b"2"}
    for control in (ours, theirs, ours):
        await control.close()


async def test_a_gap_is_on_record_for_other_processes_and_found_again_it_is_the_same_one(log: Log) -> None:
    transport = log.transport()
    table = await transport.control()
    found = replace(GAP, time=1.7e9 + 60, by="another:2:cd")
    for gap in (GAP, found):
        await table.put(gap.key, gap.encode())
    await table.close()
    await transport.close()
    other = log.transport()
    control = await other.control()
    assert gaps(await control.snapshot()) == [found]
    await control.close()
    await other.close()


GAP: Final = GapDocument(
    id=f"after-{'9' * 56}",
    kind=GapKind.AUTH0,
    time=1.7e9,
    by="host:1:ab",
    why="Auth0 does not know it",
    policy=GapPolicy.CONTINUE,
    certain=False,
    before="9" * 56,
    before_date="2026-11-20T10:00:00.000Z",
    after="",
    after_date="",
    span=None,
    partition=None,
    first_offset=None,
    last_offset=None,
    size=None,
    sha256="",
)
