"""What every adapter promises about a checkpoint that an operator resets, since Auth0 does not know it any more."""

from __future__ import annotations

import pytest

from shared.errors import TransportUnusable
from shared.transport.port import OLDEST, Repeats, Transport
from tests.contract.conftest import any_login
from tests.contract.harness import (
    ContractListener,
    DeadLetters,
    checkpoint_of,
    dead_letter_of,
    event,
    events,
    joined,
    log_ids,
    publish,
    read,
)
from tests.support.transports import Log


async def _reset(transport: Transport) -> Repeats:
    told: list[Repeats] = []

    def confirmed(repeats: Repeats) -> bool:
        told.append(repeats)
        return True

    assert await transport.set_checkpoint(OLDEST, confirmed)
    return told[0]


async def test_the_next_poller_begins_at_the_oldest_entry_and_an_operator_sees_that(log: Log) -> None:
    transport = log.transport()
    await publish(transport, events(0, 3))
    await _reset(transport)
    assert await transport.checkpoint() == OLDEST
    publisher = await transport.publisher()
    assert await publisher.acquire() == OLDEST
    await publisher.close()
    await transport.close()


@any_login
async def test_what_is_said_to_be_published_again_is_what_is_published_again(log: Log) -> None:
    transport = log.transport()
    await publish(transport, events(0, 30))
    said = await _reset(transport)
    publisher = await transport.publisher()
    await publisher.acquire()
    assert await publisher.publish(events(0, 30), checkpoint_of(events(0, 30))) == said.most == said.held
    assert await publisher.publish(events(30, 40), checkpoint_of(events(30, 40))) == 10
    assert await publisher.acquire() == checkpoint_of(events(30, 40))
    await publisher.close()
    await transport.close()


@any_login
async def test_what_came_into_the_log_after_the_reset_is_recognised(log: Log) -> None:
    """A dead letter, sent once more before the poller comes to its entry."""
    transport = log.transport()
    await publish(transport, events(0, 5))
    said = await _reset(transport)
    async with DeadLetters.opened(log.transport()) as dead_letters:
        await dead_letters.put(dead_letter_of(event(3)))
        await dead_letters.retry(dead_letter_of(event(3)))
    publisher = await transport.publisher()
    await publisher.acquire()
    assert await publisher.publish(events(0, 5), checkpoint_of(events(0, 5))) == max(0, said.most - 1)
    await publisher.close()
    await transport.close()


async def test_it_is_refused_while_a_poller_is_active(log: Log) -> None:
    transport = log.transport()
    publisher = await transport.publisher()
    await publisher.acquire()
    await publisher.publish(events(0, 3), checkpoint_of(events(0, 3)))
    with pytest.raises(TransportUnusable, match="poller"):
        await _reset(transport)
    assert await transport.checkpoint() == checkpoint_of(events(0, 3))
    await publisher.close()
    await _reset(transport)
    await transport.close()


@any_login
async def test_without_a_yes_nothing_changes(log: Log) -> None:
    transport = log.transport()
    await publish(transport, events(0, 3))
    assert not await transport.set_checkpoint(OLDEST, lambda _: False)
    assert await transport.checkpoint() == checkpoint_of(events(0, 3))
    await transport.close()


async def test_a_new_log_can_be_reset_and_nothing_is_said_to_come_again(log: Log) -> None:
    transport = log.transport()
    assert (await _reset(transport)).most == 0
    await publish(transport, events(0, 2))
    async with joined(log, ContractListener()) as member:
        assert sorted(log_ids(await read(member, 2))) == [sent.log_id for sent in events(0, 2)]
    await transport.close()
