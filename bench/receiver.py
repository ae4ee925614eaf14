"""The webhook of the benchmarks: `simulator.receiver` in a process of its own, with a second port for questions.

    python -m bench.receiver LATENCY      prints `webhook URL` and `control URL`

GET /count     calls so far, and the receiver's monotonic clock in ns
GET /summary?since=NS&until=NS      between the two: calls, duplicates, in seconds the mean time from request to response, and the
                                    median and 99th percentile from one request to the next
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from typing import Any

from admin.supervisor import run
from bench.processes import module, running
from simulator.http import Exchange, Server
from simulator.receiver import Receiver
from simulator.wire import HttpRequest, HttpResponse


class ReceiverProcess:
    """The receiver, as the benchmarks see it."""

    def __init__(self, webhook: str, control: str) -> None:
        self.url = webhook
        self._control = control

    def count(self) -> tuple[int, int]:
        """Returns the calls so far and the time, in ns of the monotonic clock, which all processes of a machine share."""
        counted = self._get("count")
        return counted["calls"], counted["now"]

    def summary(self, since: int, until: int) -> Mapping[str, Any]:
        return self._get(f"summary?since={since}&until={until}")

    def _get(self, path: str) -> Mapping[str, Any]:
        with urllib.request.urlopen(f"{self._control}/{path}", timeout=30) as response:
            found: Mapping[str, Any] = json.load(response)
            return found


@contextmanager
def receiver_process(latency: float, folder: Path) -> Iterator[ReceiverProcess]:
    """`latency` in seconds."""
    with running(module("bench.receiver", latency), folder, {}, name="receiver") as process:
        webhook, control = (process.line(f"{name} ").split()[1] for name in ("webhook", "control"))
        yield ReceiverProcess(webhook, control)


def _control_server(receiver: Receiver) -> Server:
    def control(request: HttpRequest, exchange: Exchange) -> None:
        if request.path == "/count":
            found: Mapping[str, Any] = {"calls": len(receiver.journal), "now": time.monotonic_ns()}
        else:
            found = _summary(receiver, int(request.parameters["since"]), int(request.parameters["until"]))
        exchange.respond(HttpResponse.json(200, found))

    return Server(control)


def _summary(receiver: Receiver, since: int, until: int) -> Mapping[str, Any]:
    calls = [one for one in receiver.journal.all if since <= one.answered_ns < until]
    between = [after.call.arrived_ns - before.call.arrived_ns for before, after in pairwise(calls)]
    took = sum(one.answered_ns - one.call.arrived_ns for one in calls)
    return {
        "calls": len(calls),
        "latency": took / len(calls) / 1e9 if calls else 0.0,
        "between": [cut / 1e9 for cut in quantiles(between, n=100)[49::49]] if len(between) > 1 else [0.0, 0.0],
        "duplicates": sum(one.duplicate for one in receiver.journal.all),
        "refused": sum(one.status != 200 for one in receiver.journal.all),
        "most_open": receiver.open_calls.peak(),
    }


async def _serve(stop: asyncio.Event) -> None:
    receiver = Receiver(latency=float(sys.argv[1]), keep_bodies=False, parse=False)
    control = _control_server(receiver)
    for server in (receiver, control):
        await server.start()
    print(f"webhook {receiver.url}/hook\ncontrol {control.url}", flush=True)
    await stop.wait()
    for server in (receiver, control):
        await server.stop()


if __name__ == "__main__":
    run(_serve, grace=5)
