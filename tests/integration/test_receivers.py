"""The example receivers of the documentation, each as a process, called by our own client with our own signatures."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from consumer.http.client import HttpWebhook
from consumer.http.request import Sign
from consumer.signing import Signing
from consumer.webhook import Attempt, Call
from tests.support.process_guard import guarded

DOCS: Final = Path(__file__).parents[2] / "docs"
EXAMPLES: Final = {
    "receiver.py": [sys.executable],
    "receiver_stdlib.py": [sys.executable],
    "receiver.mjs": ["node"],
}
NOW: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BEFORE: Final = "whsec_eHg1d3pEZTJrUW1ScG9hVWtTN0J1bVQ0cFh6Q2xGZ2g="
FOREIGN: Final = "whsec_bm90IG9uZSBvZiBvdXJzIGF0IGFsbCwgc29ycnkuLi4="


@dataclass(slots=True)
class Program:
    """One receiver; its output goes to a file, and it may be started again with what it stored."""

    command: list[str]
    folder: Path
    _popen: subprocess.Popen[bytes] | None = None

    def start(self, **environ: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._output.write_bytes(b"")
        with self._output.open("wb") as output:
            environment = {**kept, "PORT": "0", "WEBHOOK_SECRET": NOW, **environ}
            self._popen = subprocess.Popen(self.command, cwd=self.folder, env=guarded(environment), stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while "listening on" not in self.text:
            assert time.monotonic() < deadline, self.text
            assert self._popen.poll() is None, self.text
            time.sleep(0.02)

    def stop(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait(60)

    @property
    def url(self) -> str:
        return self.text.split("listening on ")[1].split()[0]

    @property
    def handled(self) -> list[str]:
        """The log ids, in the order of the work. Complete as soon as the call has its response."""
        return [line.split()[1] for line in self.text.splitlines() if line.startswith("handled ")]

    @property
    def text(self) -> str:
        return self._output.read_text()

    @property
    def _output(self) -> Path:
        return self.folder / "output.log"


@pytest.fixture(params=EXAMPLES)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    interpreter = EXAMPLES[request.param]
    if shutil.which(interpreter[0]) is None:
        pytest.skip(f"{interpreter[0]} is not installed: docs/examples/{request.param} is not tested")
    program = Program([*interpreter, str(DOCS / "examples" / request.param)], tmp_path)
    yield program
    program.stop()


@pytest.fixture
def running(program: Program) -> Program:
    program.start()
    return program


class Sender:
    """Calls the receiver that runs at the moment."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._clients: list[HttpWebhook] = []

    async def send(self, *ids: str, sign: Sign | None, body: bytes = b"") -> int | None:
        """Send one event, or a batch of them. Returns the status of the response."""
        webhook = HttpWebhook(url=self._program.url, headers={}, timeout=10, connect_timeout=5, sign=sign)
        self._clients.append(webhook)
        call = Call(ids[0], _entry(ids[0])) if len(ids) == 1 else Call(f"{ids[0]}+{len(ids)}", _array(ids))
        call.body = body or call.body
        result: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
        webhook.send(call, lambda _, attempt: result.set_result(attempt))
        return (await asyncio.wait_for(result, 20)).status

    async def close(self) -> None:
        for webhook in self._clients:
            await webhook.close()


@pytest.fixture
async def sender(program: Program) -> AsyncIterator[Sender]:
    sender = Sender(program)
    yield sender
    await sender.close()


def _entry(log_id: str) -> bytes:
    return f'{{"log_id":"{log_id}","type":"fp","user_name":"Zo\\u00eb \\ud83d","description":"é"}}'.encode()


def _array(ids: tuple[str, ...]) -> bytes:
    return b"[" + b",\n".join(map(_entry, ids)) + b"]"


def _tampering(log_id: bytes, body: bytes) -> bytes:
    """The signature of another body."""
    return Signing([NOW])(log_id, body + b" ")


def _borrowed(_log_id: bytes, body: bytes) -> bytes:
    """The signature of another event's call."""
    return Signing([NOW])(b"another", body)


def _garbage(_log_id: bytes, _body: bytes) -> bytes:
    return b"webhook-timestamp: %d\r\nwebhook-signature: v1 v1, v2,aaaa ,\r\n" % int(time.time())


async def test_a_signed_event_is_handled_once_however_often_it_comes(running: Program, sender: Sender) -> None:
    assert [await sender.send("900", sign=Signing([NOW])) for _ in range(3)] == [200, 200, 200]
    assert running.handled == ["900"]


async def test_the_same_event_twice_at_once_is_handled_once(running: Program, sender: Sender) -> None:
    calls = [sender.send("900", sign=Signing([NOW])) for _ in range(8)]
    assert await asyncio.gather(*calls) == [200] * 8
    assert running.handled == ["900"]


async def test_a_duplicate_is_known_after_a_restart_of_the_receiver(running: Program, sender: Sender) -> None:
    assert await sender.send("900", sign=Signing([NOW])) == 200
    running.stop()
    running.start()
    assert await sender.send("900", sign=Signing([NOW])) == 200
    assert await sender.send("901", sign=Signing([NOW])) == 200
    assert running.handled == ["901"]


async def test_events_are_known_again_in_another_batch(running: Program, sender: Sender) -> None:
    assert await sender.send("900", "901", "902", sign=Signing([NOW])) == 200
    assert await sender.send("901", "902", "903", sign=Signing([NOW])) == 200
    assert await sender.send("903", sign=Signing([NOW])) == 200
    assert running.handled == ["900", "901", "902", "903"]


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(Signing([FOREIGN]), id="wrong secret"),
        pytest.param(Signing([NOW], clock=lambda: time.time() - 600), id="old timestamp"),
        pytest.param(Signing([NOW], clock=lambda: time.time() + 600), id="timestamp of the future"),
        pytest.param(_tampering, id="tampered body"),
        pytest.param(_borrowed, id="another event's signature"),
        pytest.param(_garbage, id="no signature at all in the header"),
        pytest.param(None, id="unsigned"),
    ],
)
async def test_what_is_not_genuine_is_refused(running: Program, sender: Sender, sign: Sign | None) -> None:
    assert await sender.send("900", sign=sign) == 401
    assert running.handled == []
    assert await sender.send("900", sign=Signing([NOW])) == 200
    assert running.handled == ["900"]


async def test_a_receiver_that_knows_only_the_old_secret_goes_on_during_our_rotation(program: Program, sender: Sender) -> None:
    program.start(WEBHOOK_SECRET=BEFORE)
    assert await sender.send("900", sign=Signing([NOW, BEFORE])) == 200
    assert await sender.send("901", sign=Signing([NOW])) == 401
    assert program.handled == ["900"]


async def test_a_receiver_may_know_two_secrets_itself(program: Program, sender: Sender) -> None:
    program.start(WEBHOOK_SECRET_PREVIOUS=BEFORE)
    assert await sender.send("900", sign=Signing([BEFORE])) == 200
    assert await sender.send("901", sign=Signing([NOW])) == 200
    assert program.handled == ["900", "901"]


async def test_what_cannot_be_handled_comes_again(running: Program, sender: Sender) -> None:
    assert await sender.send("900", sign=Signing([NOW]), body=b'{"log_id": "900"') == 500
    assert await sender.send("900", sign=Signing([NOW])) == 200
    assert running.handled == ["900"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_document_contains_the_programs_as_they_are(name: str) -> None:
    assert f"\n{(DOCS / 'examples' / name).read_text()}```\n" in (DOCS / "receivers.md").read_text()
