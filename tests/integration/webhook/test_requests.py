"""The request that our own client writes."""

from __future__ import annotations

import asyncio

import pytest

from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller, delivery


async def test_every_call_says_which_event_and_which_attempt(caller: Caller, receiver: Receiver) -> None:
    await caller.call("900", attempt=1)
    await caller.call("901", attempt=12)
    assert [(call.call.webhook_id, call.call.attempt) for call in receiver.journal.all] == [("900", "1"), ("901", "12")]


async def test_headers_are_latin_1(plain_receiver: Receiver) -> None:
    headers = {"Authorization": "Bearer \xe4%s", "Accept": "application/json"}
    async with Caller(plain_receiver.url, headers=headers) as caller:
        assert (await caller.call()).status == 200
    sent = dict(plain_receiver.journal.all[0].headers)
    assert (sent["authorization"], sent["accept"]) == ("Bearer \xe4%s", "application/json")


@pytest.mark.parametrize("log_id", ["900\r\nX: y", "900\n", "\x00", "900\x7f", "é"])
async def test_a_log_id_cannot_smuggle_a_header(plain_caller: Caller, plain_receiver: Receiver, log_id: str) -> None:
    assert (await plain_caller.call(log_id)).problem == "its log id cannot stand in a header"
    cancelled = delivery(log_id)
    result = plain_caller.start(cancelled)
    plain_caller.webhook.cancel(cancelled)
    assert (await plain_caller.call()).status == 200
    assert not result.done()
    assert len(plain_receiver.journal) == 1


@pytest.mark.parametrize("headers", [{"X": "a\r\nb"}, {"X\n": "a"}, {"X": "\x00"}])
async def test_a_header_is_one_line(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="control character"):
        Caller("http://localhost", headers=headers)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Webhook-Id"])
async def test_some_headers_are_not_free_to_choose(name: str) -> None:
    with pytest.raises(ValueError, match="not free to choose"):
        Caller("http://localhost", headers={name: "1"})


async def test_closing_ends_a_call_that_was_never_sent(plain_receiver: Receiver) -> None:
    async with Caller(plain_receiver.url) as caller:
        result = caller.start(delivery("\n"))
    await asyncio.sleep(0)
    assert not result.done()
