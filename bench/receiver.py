"""The webhook of the benchmarks: `simulator.receiver` in a process of its own, with a second port to ask it from.

    python -m bench.receiver LATENCY      prints `webhook URL` and `control URL`

GET /count     calls answered so far, and the receiver's monotonic clock in ns
GET /summary?since=NS&until=NS      what lies between the two: calls, duplicates, the mean time from request to answer in seconds
GET /landed?id=LOG_ID     when it was first answered, in ns; 0: not yet
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from admin.supervisor import run
from bench.processes import module, running
from simulator.http import Exchange, Server
from simulator.receiver import Receiver
from simulator.wire import HttpRequest, HttpResponse


class FarEnd:
    """It, as the bench sees it."""

    def __init__(self, webhook: str, control: str) -> None:
        self.url = webhook
        self._control = control

    def count(self) -> tuple[int, int]:
        """Calls answered so far, and when that was, in ns of the monotonic clock, which all processes of a machine share."""
        answer = self._ask("count")
        return answer["calls"], answer["now"]

    def summary(self, since: int, until: int) -> Mapping[str, Any]:
        return self._ask(f"summary?since={since}&until={until}")

    def landed(self, log_id: str) -> int:
        """When the event was first answered, in ns; 0: not yet."""
        answered: int = self._ask(f"landed?id={log_id}")["answered"]
        return answered

    def _ask(self, what: str) -> Mapping[str, Any]:
        with urllib.request.urlopen(f"{self._control}/{what}", timeout=30) as answer:
            found: Mapping[str, Any] = json.load(answer)
            return found


@contextmanager
def far_end(latency: float, folder: Path) -> Iterator[FarEnd]:
    """`latency` in seconds."""
    with running(module("bench.receiver", latency), folder, {}, name="far-end") as process:
        webhook, control = (process.line(f"{name} ").split()[1] for name in ("webhook", "control"))
        yield FarEnd(webhook, control)


def _answers(receiver: Receiver) -> Server:
    def control(request: HttpRequest, exchange: Exchange) -> None:
        since, until = (int(request.parameters.get(name, "0")) for name in ("since", "until"))
        match request.path:
            case "/count":
                found: Mapping[str, Any] = {"calls": len(receiver.journal), "now": time.monotonic_ns()}
            case "/landed":
                wanted = request.parameters["id"]
                times = [one.answered_ns for one in receiver.journal.all if one.call.log_id == wanted]
                found = {"answered": times[0] if times else 0}
            case _:
                found = _summary(receiver, since, until)
        exchange.respond(HttpResponse.json(200, found))

    return Server(control)


def _summary(receiver: Receiver, since: int, until: int) -> Mapping[str, Any]:
    calls = [one for one in receiver.journal.all if since <= one.answered_ns < until]
    took = sum(one.answered_ns - one.call.arrived_ns for one in calls)
    return {
        "calls": len(calls),
        "latency": took / len(calls) / 1e9 if calls else 0.0,
        "duplicates": sum(one.duplicate for one in receiver.journal.all),
        "refused": sum(one.status != 200 for one in receiver.journal.all),
        "most_open": receiver.open_calls.peak(),
    }


async def _serve(stop: asyncio.Event) -> None:
    receiver = Receiver(latency=float(sys.argv[1]), keep_bodies=False, parse=False)
    control = _answers(receiver)
    for server in (receiver, control):
        await server.start()
    print(f"webhook {receiver.url}/hook\ncontrol {control.url}", flush=True)
    await stop.wait()
    for server in (receiver, control):
        await server.stop()


if __name__ == "__main__":
    run(_serve, grace=5)
