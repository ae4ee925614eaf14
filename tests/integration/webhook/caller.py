"""A small stand-in for the worker: sends deliveries and waits for their results."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from consumer.http.client import HttpWebhook
from consumer.partitions.partition import Delivery, Partition
from consumer.webhook import Attempt
from shared.record import Record
from shared.transport.port import Position
from simulator.http import Server

_ASSIGNMENT: Final = Partition(0, Position(0))


def delivery(log_id: str = "900", body: bytes = b"{}", attempt: int = 1) -> Delivery:
    made = Delivery(_ASSIGNMENT, Record(0, b"key", body, [], 0.0), log_id, b"key")
    made.attempt = attempt
    return made


class Caller:
    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 15.0,
        connect_timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        allow_private: bool = True,
        one_request: bool = False,
    ) -> None:
        self.webhook = HttpWebhook(
            url=url,
            headers=headers or {},
            timeout=timeout,
            connect_timeout=connect_timeout,
            tls=tls,
            proxy=proxy,
            allow_private=allow_private,
            one_request=one_request,
        )
        #: How many results there were so far.
        self.results = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.webhook.close()

    def start(self, one: Delivery) -> asyncio.Future[Attempt]:
        """Send it. A second result of the same call raises in the loop, which fails the test."""
        result: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()

        def on_response(sent: Delivery, attempt: Attempt) -> None:
            assert sent is one
            self.results += 1
            result.set_result(attempt)

        self.webhook.send(one, on_response)
        assert not result.done()  # later, never within `send`
        return result

    async def call(self, log_id: str = "900", body: bytes = b"{}", attempt: int = 1) -> Attempt:
        return await asyncio.wait_for(self.start(delivery(log_id, body, attempt)), 20)

    async def calls(self, count: int) -> list[Attempt]:
        """Send `count` calls at once."""
        return await asyncio.gather(*(self.call(str(number)) for number in range(count)))

    async def no_connections_left(self, server: Server, most: int = 0) -> None:
        async with asyncio.timeout(20):
            while len(server.connections) > most:  # noqa: ASYNC110  the server has no event for it
                await asyncio.sleep(0.005)
