"""Connections of our own client between calls, and the second try."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest

from consumer.http import client, connect, connection
from consumer.http.connection import Connection
from consumer.webhook import Call, OnResponse
from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller, delivery
from tests.support import faults


async def test_a_connection_that_died_while_idle_costs_no_attempt(
    caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    await caller.call("warm")
    await asyncio.sleep(0.06)
    receiver.script.in_order(faults.close())
    assert (await caller.call("901", attempt=3)).status == 200
    assert [(call.call.webhook_id, call.call.attempt, call.verdict) for call in receiver.journal.all[1:]] == [
        ("901", "3", "close"),
        ("901", "3", "ok"),
    ]


async def test_there_is_one_second_try(caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    await caller.call("warm")
    await asyncio.sleep(0.06)
    receiver.script.add(faults.reset_before_headers())
    assert (await caller.call("901")).problem.startswith("the connection ")
    assert len(receiver.journal) == 3


async def test_where_each_call_is_one_request_a_connection_that_was_idle_is_not_used_again(
    plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At one call a second a receiver that reset old connections got two requests in the same second."""
    monkeypatch.setattr(connection, "STALE", 0.05)
    async with Caller(plain_receiver.url, one_request=True) as caller:
        await caller.calls(3)
        await asyncio.sleep(0.06)
        plain_receiver.script.in_order(faults.close())
        assert (await caller.call("901")).problem == "the connection was closed before a response"
        assert len(plain_receiver.journal) == 4
        await caller.no_connections_left(plain_receiver)


async def test_a_second_try_has_the_deadline_of_the_first(plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    deadlines: list[float] = []

    class Recorded(Connection):
        def begin(self, call: Call, on_response: OnResponse, request: bytes, now: float, deadline: float) -> None:
            deadlines.append(deadline)
            super().begin(call, on_response, request, now, deadline)

    monkeypatch.setattr(client, "Connection", Recorded)
    async with Caller(plain_receiver.url, timeout=1) as caller:
        await caller.call("warm")
        await asyncio.sleep(0.06)
        plain_receiver.script.in_order(faults.hang_before_headers(0.1), faults.hang_before_headers())
        assert (await caller.call("901")).problem == "no response within 1 s"
    assert len(plain_receiver.journal) == 3
    _, first, second = deadlines
    assert first == second


async def test_a_second_try_can_be_broken_off(
    plain_caller: Caller, plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALE", 0.05)
    await plain_caller.call("warm")
    await asyncio.sleep(0.06)
    plain_receiver.script.in_order(faults.close(), faults.hang_before_headers())
    one = delivery("901")
    result = plain_caller.start(one)
    await plain_receiver.journal.wait_until(lambda journal: len(journal) == 3, timeout=20)
    plain_caller.webhook.cancel(one)
    await plain_caller.no_connections_left(plain_receiver)
    assert not result.done()


@pytest.mark.parametrize("warm", [False, True])
async def test_a_receiver_that_dies_over_a_request_gets_no_second_one_at_once(
    plain_caller: Caller, plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch, warm: bool
) -> None:
    """Only a connection that has been idle for a second (here a minute) was probably broken before."""
    monkeypatch.setattr(connection, "STALE", 60.0)
    if warm:
        await plain_caller.call("warm")
    plain_receiver.script.in_order(faults.close())
    assert (await plain_caller.call("901")).problem == "the connection was closed before a response"
    assert len(plain_receiver.journal) == 1 + warm


async def test_idle_connections_close_after_a_while(caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_LIMIT", 0.5)
    await caller.calls(5)
    assert len(receiver.connections) == 5
    for _ in range(5):
        await asyncio.sleep(0.2)
        await caller.call()
    assert len(receiver.connections) == 1
    await caller.no_connections_left(receiver)


async def test_a_receiver_that_restarts_is_found_again(caller: Caller, receiver: Receiver) -> None:
    await caller.calls(5)
    await receiver.stop()
    assert not any(attempt.status == 200 for attempt in await caller.calls(5))
    assert (await caller.call()).problem == "no connection: Connection refused"
    await receiver.start(port=receiver.port)
    assert all(attempt.status == 200 for attempt in await caller.calls(5))


async def test_whatever_opening_a_connection_raises_is_a_failed_attempt(
    plain_caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended the task that opens a connection, and the call stayed open."""

    async def raising(*_: object) -> None:
        raise AttributeError("deep inside a library")

    with monkeypatch.context() as patched:
        patched.setattr(connect, "_connect", raising)
        assert (await plain_caller.call()).problem == "no connection: AttributeError"
        broken_off = delivery("901")
        result = plain_caller.start(broken_off)
        plain_caller.webhook.cancel(broken_off)
    assert (await plain_caller.call()).status == 200
    assert not result.done()


async def test_a_response_that_arrived_while_the_process_was_frozen_is_read_after_the_deadline() -> None:
    """Frozen for longer than the timeout, a process made every open call again: uvloop runs its timers before it reads."""
    loop, frozen = asyncio.get_running_loop(), threading.Event()
    ours, theirs = socket.socketpair()

    def freeze() -> None:
        loop.remove_reader(ours)
        frozen.set()
        time.sleep(2.1)

    def respond(server: socket.socket) -> None:
        with server.accept()[0] as accepted:
            accepted.recv(65536)
            theirs.send(b"!")
            frozen.wait(60)
            accepted.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as server:
        loop.add_reader(ours, freeze)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        async with Caller(url, timeout=2) as caller:
            attempt, _ = await asyncio.gather(caller.call(), asyncio.to_thread(respond, server))
        assert attempt.status == 200


async def test_a_connection_that_opened_while_the_process_was_frozen_is_too_late(
    plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the process wakes, another member may own the event."""
    opened = connect.DirectRoute.open

    async def open_and_freeze(self: connect.DirectRoute, make: Callable[[], Connection], deadline: float) -> Connection:
        made = await opened(self, make, deadline)
        time.sleep(0.5)  # noqa: ASYNC251  the whole loop is frozen
        return made

    async with Caller(plain_receiver.url, timeout=0.3) as caller:
        with monkeypatch.context() as patch:
            patch.setattr(connect.DirectRoute, "open", open_and_freeze)
            attempt = await caller.call("901")
        assert (attempt.problem, attempt.timed_out) == ("no connection within 0.3 s", True)
        await caller.no_connections_left(plain_receiver)
        assert len(plain_receiver.journal) == 0
