"""A client without a log, in a process of its own: it keeps as many calls open as it may.

    python -m bench.client own|aiohttp URL CALLS WARM SECONDS      prints `result JSON`

`own` is the consumer's client, `aiohttp` the library that it is compared with, both on uvloop where it is installed, both
signing every call. The numbers are of what happened after WARM seconds, within SECONDS.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count
from typing import Final

import aiohttp

from admin.supervisor import run
from bench.events import body, log_id_of
from consumer.http.client import HttpWebhook
from consumer.signing import Signing
from consumer.webhook import Attempt, Call

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#: The headers that the consumer sends with every call.
HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "auth0-webhooks/bench"}


@dataclass(slots=True)
class Meter:
    """The work of one process between two moments."""

    calls: int = 0
    failures: int = 0
    #: Seconds of CPU, of all threads.
    cpu: float = 0.0
    #: By the monotonic clock, in ns.
    since: int = 0
    until: int = 0

    def begin(self) -> None:
        self.calls = self.failures = 0
        self.cpu = time.process_time()
        self.since = time.monotonic_ns()

    def end(self) -> None:
        self.cpu = time.process_time() - self.cpu
        self.until = time.monotonic_ns()


async def own(url: str, calls: int, meter: Meter, stop: asyncio.Event) -> None:
    webhook = HttpWebhook(url=url, headers=HEADERS, timeout=30, connect_timeout=5, sign=Signing([SECRET]))
    payload, numbers = body(), count()

    def next_call() -> None:
        webhook.send(Call(log_id_of(next(numbers)), payload), on_response)

    def on_response(_: Call, attempt: Attempt) -> None:
        meter.calls += 1
        meter.failures += attempt.status != 200
        if not stop.is_set():
            next_call()

    for _ in range(calls):
        next_call()
    await stop.wait()
    await webhook.close()


async def library(url: str, calls: int, meter: Meter, stop: asyncio.Event) -> None:
    sign, payload, numbers = Signing([SECRET]), body(), count()

    async def worker(session: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            log_id = log_id_of(next(numbers))
            lines = sign(log_id.encode(), payload).decode().splitlines()
            headers = {**HEADERS, "webhook-id": log_id, "webhook-attempt": "1", **dict(line.split(": ", 1) for line in lines)}
            async with session.post(url, data=payload, headers=headers, allow_redirects=False) as response:
                await response.read()
            meter.calls += 1
            meter.failures += response.status != 200

    timeout = aiohttp.ClientTimeout(total=30, sock_connect=5)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        await asyncio.gather(*(worker(session) for _ in range(calls)))


async def _measure(stop: asyncio.Event) -> None:
    kind, url, calls, warm, seconds = sys.argv[1:]
    meter = Meter()
    work = asyncio.ensure_future((own if kind == "own" else library)(url, int(calls), meter, stop))
    await asyncio.sleep(float(warm))
    meter.begin()
    await asyncio.sleep(float(seconds))
    meter.end()
    result = asdict(meter)
    stop.set()
    await work
    print("result", json.dumps(result), flush=True)


if __name__ == "__main__":
    run(_measure, grace=10)
