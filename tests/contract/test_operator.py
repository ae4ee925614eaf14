"""What every adapter promises to consumers and operators about dead letters and the control table."""

from __future__ import annotations

from shared.record import Record
from shared.transport.port import DeadLetter, DeadLetters, Position
from tests.contract.harness import RecordingHandler, event, events, joined, letter_of, log_ids, poll_for, publish, read
from tests.support.logs import Log


def _letter(number: int, *, time: float = 1.7e9) -> DeadLetter:
    return letter_of(event(number, user="auth0|7", extra=', "half": "\\ud83d" '), time=time + number)


async def _all(log: Log) -> list[DeadLetter]:
    """As another process sees them."""
    letters = await log.transport().dead_letters()
    try:
        return list(await letters.all())
    finally:
        await letters.close()


async def _put(letters: DeadLetters, *numbers: int) -> None:
    for number in numbers:
        await letters.put(_letter(number))


async def test_letters_come_out_as_they_were_put_the_oldest_first(log: Log) -> None:
    letters = await log.transport().dead_letters()
    assert list(await letters.all()) == []
    await _put(letters, 2, 1, 3)
    assert await _all(log) == [_letter(1), _letter(2), _letter(3)]
    await letters.close()
    await letters.close()


async def test_a_letter_of_the_same_id_takes_the_place_of_the_one_before(log: Log) -> None:
    letters = await log.transport().dead_letters()
    await letters.put(_letter(1, time=1.6e9))
    await letters.put(_letter(1))
    assert await _all(log) == [_letter(1)]
    await letters.close()


async def test_a_record_that_is_not_ours_fits_into_a_letter(log: Log) -> None:
    record = Record(offset=9, key=None, value=b"\xff\x00 not JSON", headers=[("x", b"\xfe")], timestamp=1.0)
    letter = DeadLetter(record=record, log_id="0:9", partition=0, attempts=0, status=None, reason="not ours", time=2.0)
    letters = await log.transport().dead_letters()
    await letters.put(letter)
    assert await _all(log) == [letter]
    await letters.close()


async def test_removing_is_idempotent_and_seen_by_others(log: Log) -> None:
    letters = await log.transport().dead_letters()
    await _put(letters, 1, 2)
    await letters.remove(_letter(1).log_id)
    await letters.remove(_letter(1).log_id)
    assert await _all(log) == [_letter(2)]
    await letters.close()


async def test_retry_appends_the_record_again_and_removes_the_letter(log: Log) -> None:
    await publish(log.transport(), events(0, 5))
    async with joined(log, RecordingHandler()) as member:
        found = await read(member, 5)
        positions = {partition: Position(record.offset + 1) for partition, record in found}
        assert await member.commit(positions)
        letters = await log.transport().dead_letters()
        await _put(letters, 3)
        await letters.retry(_letter(3))
        ((_, record),) = await read(member, 1)
        assert (record.key, record.value, list(record.headers)) == (
            _letter(3).record.key,
            _letter(3).record.value,
            list(_letter(3).record.headers),
        )
        assert await _all(log) == []
        assert await poll_for(member, 0.3) == []
        await letters.close()


async def test_a_letter_that_was_purged_meanwhile_is_not_said_to_be_sent_again_where_the_log_can_tell(log: Log) -> None:
    """On SQLite a retry beside a purge said "57 of 57 sent again", and 43 of them were gone."""
    letters = await log.transport().dead_letters()
    await _put(letters, 1, 2)
    await letters.remove(_letter(1).log_id)
    said = [await letters.retry(_letter(number)) for number in (1, 2)]
    await letters.close()
    async with joined(log, RecordingHandler()) as member:
        assert len(await read(member, sum(said))) == sum(said)
        assert await poll_for(member, 0.3) == []


async def test_a_retried_record_does_not_keep_the_publisher_from_anything(log: Log) -> None:
    await publish(log.transport(), events(0, 2))
    letters = await log.transport().dead_letters()
    for _ in range(2):
        await letters.put(_letter(1))
        await letters.retry(_letter(1))
    await letters.close()
    await publish(log.transport(), events(2, 4))
    async with joined(log, RecordingHandler()) as member:
        seen = sorted(log_ids(await read(member, 6)))
    assert seen == sorted([sent.log_id for sent in events(0, 4)] + [event(1).log_id] * 2)


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
