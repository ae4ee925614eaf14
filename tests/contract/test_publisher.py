"""What every adapter promises to the producer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from shared.errors import TransportUnusable
from shared.record import headers_of, key_of
from shared.transport.port import Checkpoint
from tests.contract.conftest import any_login
from tests.contract.harness import (
    ContractListener,
    checkpoint_of,
    event,
    events,
    joined,
    log_ids,
    poll_for,
    publish,
    read,
)
from tests.support.transports import Log


async def test_a_new_log_has_no_checkpoint(log: Log) -> None:
    transport = log.transport()
    publisher = await transport.publisher()
    assert await publisher.acquire() is None
    assert await transport.checkpoint() is None
    await publisher.close()
    await transport.close()


async def test_the_checkpoint_is_there_for_the_next_process_and_for_an_operator(log: Log) -> None:
    await publish(log.transport(), events(0, 3), events(3, 6))
    transport = log.transport()
    assert await transport.checkpoint() == checkpoint_of(events(0, 6))
    publisher = await transport.publisher()
    assert await publisher.acquire() == checkpoint_of(events(0, 6))
    await publisher.close()
    await transport.close()


@any_login
async def test_a_page_without_events_moves_the_checkpoint_too(log: Log) -> None:
    publisher = await log.transport().publisher()
    await publisher.acquire()
    await publisher.publish(events(0, 2), checkpoint_of(events(0, 2)))
    filtered = Checkpoint(log_id="9" * 56, date="2026-11-20T10:00:00.000Z")
    assert await publisher.publish([], filtered) == 0
    assert await publisher.acquire() == filtered
    await publisher.close()


async def test_the_checkpoint_keeps_when_auth0_had_nothing_newer(log: Log) -> None:
    publisher = await log.transport().publisher()
    await publisher.acquire()
    caught_up = replace(checkpoint_of(events(0, 2)), caught_up=1.7e9)
    await publisher.publish(events(0, 2), caught_up)
    assert await publisher.acquire() == caught_up
    later = replace(caught_up, caught_up=1.7e9 + 600)
    assert await publisher.publish([], later) == 0
    assert await publisher.acquire() == later
    await publisher.close()
    transport = log.transport()
    assert await transport.checkpoint() == later
    await transport.close()


@any_login
async def test_events_of_usual_size_are_not_too_large(log: Log) -> None:
    publisher = await log.transport().publisher()
    await publisher.acquire()
    assert list(publisher.too_large([*events(0, 3), event(3, extra=f', "long": "{"x" * 400_000}"')])) == []
    await publisher.close()


@any_login
async def test_publish_returns_how_many_were_new(log: Log) -> None:
    publisher = await log.transport().publisher()
    await publisher.acquire()
    assert await publisher.publish(events(0, 5), checkpoint_of(events(0, 5))) == 5
    await publisher.close()


@any_login
async def test_records_carry_key_bytes_and_headers_untouched(log: Log) -> None:
    page = [
        event(1, user="auth0|é🙂\\u0000"),
        event(2, extra=', "half": "\\ud83d" ,"dup":1,"dup":2,  "big": ' + "9" * 400),
        event(3, user="u", extra=', "details": "' + "x" * 200_000 + '"'),
        event(4, extra=', "quote": "\\"\u202eevil\u202c"'),
    ]
    await publish(log.transport(), page)
    async with joined(log, ContractListener()) as member:
        found = {dict(record.headers)["log-id"]: record for _, record in await read(member, len(page))}
    for sent in page:
        record = found[sent.log_id.encode()]
        assert (record.key, record.value, list(record.headers)) == (key_of(sent), sent.raw, headers_of(sent))
        assert record.timestamp > 1.7e9  # the moment of publishing, not the event's date


@any_login
async def test_events_of_one_key_keep_their_order(log: Log) -> None:
    page = [event(number, user=f"auth0|{number % 3}") for number in range(90)]
    await publish(log.transport(), page[:40], page[40:])
    async with joined(log, ContractListener()) as member:
        found = await read(member, 90)
    for user in range(3):
        of_user = [record for record in found if record[1].key == f"auth0|{user}".encode()]
        assert len({partition for partition, _ in of_user}) == 1
        assert log_ids(of_user) == [sent.log_id for sent in page if sent.user_id == f"auth0|{user}"]


async def test_there_is_one_active_poller_at_a_time(log: Log) -> None:
    first, second = await log.transport().publisher(), await log.transport().publisher()
    await first.acquire()
    if log.second_poller_waits:
        waiting = asyncio.create_task(second.acquire())
        for _ in range(4):
            await asyncio.sleep(0.5)
            await first.renew()
        assert not waiting.done()
    else:
        with pytest.raises(TransportUnusable, match="already has a poller"):
            await second.acquire()
        waiting = None
    await first.publish(events(0, 1), checkpoint_of(events(0, 1)))
    await first.close()
    async with asyncio.timeout(20):
        assert await (waiting or second.acquire()) == checkpoint_of(events(0, 1))
    await second.close()


async def test_acquire_can_be_called_again(log: Log) -> None:
    publisher = await log.transport().publisher()
    await publisher.acquire()
    await publisher.publish(events(0, 2), checkpoint_of(events(0, 2)))
    assert await publisher.acquire() == checkpoint_of(events(0, 2))
    assert await publisher.publish(events(2, 4), checkpoint_of(events(2, 4))) == 2
    await publisher.close()
    await publisher.close()
    async with joined(log, ContractListener()) as member:
        assert sorted(log_ids(await read(member, 4))) == [sent.log_id for sent in events(0, 4)]
        assert await poll_for(member, 0.3) == []
