"""The receiver: it records before it responds, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from simulator.faults import HttpFault
from simulator.journal import JournalEntry
from simulator.receiver import Receiver
from tests.support import faults, faults_floods
from tests.support.journal import read_journal


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20) as client:
        yield client


def body(log_id: str, user_id: str = "auth0|1") -> bytes:
    return f'{{ "log_id" : "{log_id}", "user_id": "{user_id}", "type": "fp" }}'.encode()


async def test_a_delivery_is_recorded_with_all_that_identifies_it(receiver: Receiver, client: httpx.AsyncClient) -> None:
    headers = {"webhook-id": "900", "webhook-attempt": "3"}
    response = await client.post(f"{receiver.url}/hook?x=1", content=body("900"), headers=headers)
    assert (response.status_code, response.content) == (200, b"ok\n")
    [entry] = receiver.journal.all
    call = entry.call
    assert (call.method, call.path, call.webhook_id, call.attempt) == ("POST", "/hook", "900", "3")
    assert (call.log_id, call.user_id, call.type) == ("900", "auth0|1", "fp")
    assert (call.sha256, call.length) == (sha256(body("900")).hexdigest(), len(body("900")))
    assert (entry.verdict, entry.status, entry.whole, entry.duplicate) == ("ok", 200, True, False)
    assert entry.body == body("900")
    assert dict(entry.headers)["webhook-id"] == "900"
    assert call.arrived_ns <= entry.answered_ns <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("content", "log_id", "user_id"),
    [
        (b'{"_id":"7","user_id":null}', "7", ""),
        (b"not json", "", ""),
        (b"", "", ""),
        (b'{"log_id":7}', "", ""),
        (b"[1]", "", ""),
        (b"1,2", "", ""),
    ],
)
async def test_without_the_header_the_id_is_looked_for_in_the_body(
    receiver: Receiver, client: httpx.AsyncClient, content: bytes, log_id: str, user_id: str
) -> None:
    assert (await client.post(receiver.url, content=content)).status_code == 200
    assert [(one.call.webhook_id, one.call.log_id, one.call.user_id) for one in receiver.journal.all] == [(None, log_id, user_id)]


async def test_what_is_delivered_twice_is_a_duplicate(receiver: Receiver, client: httpx.AsyncClient) -> None:
    receiver.script.in_order(faults.status(500))
    for log_id in ("1", "1", "2", "1"):
        await client.post(receiver.url, content=body(log_id))
    assert [one.duplicate for one in receiver.journal.all] == [False, False, False, True]
    assert [one.call.log_id for one in receiver.journal.duplicates] == ["1"]
    assert receiver.journal.delivered == ("1", "2")
    assert receiver.journal.bodies == {"1": body("1"), "2": body("2")}


async def test_the_journal_is_written_before_the_response(tmp_path: Path, client: httpx.AsyncClient) -> None:
    file = tmp_path / "journal.jsonl"
    recorded: list[JournalEntry] = []
    receiver = Receiver(journal_file=file, on_entry=recorded.append)
    receiver.script.add(faults.hang_after_headers())
    await receiver.start()
    async with client.stream("POST", receiver.url, content=body("1")) as response:
        assert response.status_code == 200
        [line] = read_journal(file)
    await receiver.stop()
    receiver.journal.close()
    assert recorded == list(receiver.journal.all)
    assert line == recorded[0]._replace(body=b"", headers=())


async def test_anything_but_a_post_is_refused_and_recorded(receiver: Receiver, client: httpx.AsyncClient) -> None:
    assert (await client.get(receiver.url)).status_code == 405
    assert [(one.call.method, one.status, one.delivered) for one in receiver.journal.all] == [("GET", 405, False)]


async def test_faults_by_user_by_path_and_by_time(receiver: Receiver, client: httpx.AsyncClient) -> None:
    receiver.script.add(faults.status(422), when=lambda call: call.user_id == "poison")
    receiver.script.add(faults.status(404), when=lambda call: call.path == "/gone")
    receiver.script.add(faults.status(503, headers=(("Retry-After", "2"),)), seconds=60)
    calls = [("/", "poison"), ("/gone", "a"), ("/", "a")]
    responses = [await client.post(receiver.url + path, content=body("1", user)) for path, user in calls]
    assert [response.status_code for response in responses] == [422, 404, 503]
    assert responses[-1].headers["retry-after"] == "2"
    receiver.script.clear()
    assert (await client.post(receiver.url, content=body("1", "poison"))).status_code == 200


BROKEN = [
    (faults.hang_before_headers(), httpx.ReadTimeout),
    (faults.hang_after_headers(), httpx.ReadTimeout),
    (faults.hang_before_headers(0.01), httpx.RemoteProtocolError),
    (faults.close(), httpx.RemoteProtocolError),
    (faults.cut_headers(), httpx.RemoteProtocolError),
    (faults.short_body(), httpx.RemoteProtocolError),
    (faults.reset_before_headers(), httpx.ReadError),
    (faults.reset_after_headers(), httpx.ReadError),
]


@pytest.mark.parametrize(("fault", "error"), BROKEN, ids=[fault.name for fault, _ in BROKEN])
async def test_a_broken_response_is_no_delivery(
    receiver: Receiver, client: httpx.AsyncClient, fault: HttpFault, error: type[httpx.TransportError]
) -> None:
    receiver.script.in_order(fault)
    with pytest.raises(error):
        await client.post(receiver.url, content=body("1"), timeout=0.3 if error is httpx.ReadTimeout else 20)
    [entry] = receiver.journal.all
    assert (entry.verdict, entry.whole) == (fault.name, False)
    assert receiver.journal.delivered == ()
    assert receiver.journal.maybe_delivered == ({"1"} if fault.head else set())
    assert (await client.post(receiver.url, content=body("1"))).status_code == 200
    assert not receiver.journal.duplicates


async def test_a_response_that_drips_outlives_a_total_deadline(receiver: Receiver, client: httpx.AsyncClient) -> None:
    receiver.script.in_order(faults.drip(0.01))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):  # each byte arrives within the read timeout
            await client.post(receiver.url, content=body("1"))
    assert receiver.journal.delivered == ()


@pytest.mark.parametrize(
    "fault",
    [faults.hang_before_headers(), faults.cut_headers(), faults.drip(0.0), faults_floods.drip_headers(0.0)],
    ids=lambda fault: fault.name,
)
async def test_what_counts_as_no_head_gets_none_to_a_client_that_reads_late_either(receiver: Receiver, fault: HttpFault) -> None:
    receiver.script.in_order(fault)
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    received = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):  # a whole head would arrive at once: the rest is held back
            while data := await reader.read(1000):
                received += data
    writer.transport.abort()
    assert [one.status for one in receiver.journal.all] == [None]
    assert b"\r\n\r\n" not in received


async def test_a_connection_that_dies_after_its_response(receiver: Receiver, client: httpx.AsyncClient) -> None:
    receiver.script.in_order(faults.respond_and_close())
    for log_id in ("1", "2"):
        assert (await client.post(receiver.url, content=body(log_id))).status_code == 200
    assert receiver.journal.delivered == ("1", "2")


async def test_a_client_that_does_not_wait_for_the_response_is_gone(receiver: Receiver, client: httpx.AsyncClient) -> None:
    receiver.latency = 20
    with pytest.raises(httpx.ReadTimeout):
        await client.post(receiver.url, content=body("1"), timeout=0.3)
    await receiver.journal.wait_until(lambda journal: len(journal) == 1, timeout=20)
    assert [(one.verdict, one.status) for one in receiver.journal.all] == [("gone", None)]


async def test_open_calls_are_counted(receiver: Receiver, client: httpx.AsyncClient) -> None:
    receiver.latency = 0.5  # all six must have arrived before the first response
    calls = [asyncio.create_task(client.post(receiver.url, content=body(str(n), str(n)))) for n in range(6)]
    await asyncio.gather(*calls)
    await client.post(receiver.url, content=body("7"))
    assert (receiver.open_calls.now, receiver.open_calls.peak()) == (0, 6)


async def test_a_test_can_wait_for_a_number_of_ids(receiver: Receiver, client: httpx.AsyncClient) -> None:
    waiting = asyncio.create_task(receiver.journal.wait_for(2, timeout=20))
    for log_id in ("1", "1", "2"):
        assert not waiting.done()
        await client.post(receiver.url, content=body(log_id))
    await waiting
    with pytest.raises(TimeoutError, match="2 ids answered 200 in 3 calls"):
        await receiver.journal.wait_for(3, timeout=0.01)


async def test_a_benchmark_can_do_without_parsing(client: httpx.AsyncClient) -> None:
    receiver = Receiver(parse=False, keep_bodies=False)
    await receiver.start()
    await client.post(receiver.url, content=body("1"), headers={"webhook-id": "1"})
    await receiver.stop()
    [entry] = receiver.journal.all
    assert (entry.call.log_id, entry.call.user_id, entry.body, entry.headers) == ("1", "", b"", ())
