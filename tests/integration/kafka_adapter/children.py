"""Publishers as processes of their own, on the log that the environment names.

die FIRST LAST SENT   publish the page FIRST..LAST-1 and be killed after SENT of its records, before its checkpoint
lead                  lead and renew; print a line for each step; for each number on standard input publish so many events
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from shared.errors import LeaseLost
from shared.event import Event
from shared.settings import Role, TransportSettings, load
from shared.transport.kafka.publish import publisher as publishers
from shared.transport.kafka.publish.page_producer import PageProducer
from tests.contract.harness import checkpoint_of, events
from tests.integration.kafka_adapter.pages import leading


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


class ShortLived(PageProducer):
    """Is killed after it has sent the first `sent` records of a page."""

    sent = 0

    def send(self, topic: str, events: Sequence[Event]) -> list[tuple[int, int]]:
        super().send(topic, events[: self.sent])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


async def die(settings: TransportSettings, first: int, last: int, sent: int) -> None:
    ShortLived.sent = sent
    setattr(publishers, "PageProducer", ShortLived)  # noqa: B010 - it is not exported, and no test double either
    publisher = await leading(settings)
    page = events(first, last)
    await publisher.publish(page, checkpoint_of(page))


async def lead(settings: TransportSettings) -> None:
    publisher = await leading(settings)
    _say("leading")
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    first = 0
    try:
        while True:
            try:
                line = await asyncio.wait_for(stdin.readline(), 0.2)
            except TimeoutError:
                await publisher.renew()
                continue
            page = events(first, first := first + int(line))
            _say("published", await publisher.publish(page, checkpoint_of(page)))
    except LeaseLost:
        _say("lost")
    await publisher.close()


def main() -> None:
    match sys.argv[1:]:
        case ["die", first, last, sent]:
            asyncio.run(die(load(Role.LOG).transport, int(first), int(last), int(sent)))
        case ["lead"]:
            asyncio.run(lead(load(Role.LOG).transport))
