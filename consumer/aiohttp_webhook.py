"""The webhook call on aiohttp, the one file that knows this library. One task an open call; the share bounds them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import aiohttp

from consumer.webhook import Attempt, Call, Landed, Webhook

BODY_CAP: Final = 64 * 1024  # of the answer; what is longer is not worth a connection


class AiohttpWebhook(Webhook):
    """POSTs the event's bytes to `url`. `timeout` bounds the whole attempt, `connect_timeout` its connection, in seconds."""

    def __init__(
        self,
        *,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        connect_timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._timeout = timeout
        # The courier bounds the open calls: a limit here would make calls wait inside their deadline.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls or True),
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        self._tasks: dict[Call, asyncio.Task[None]] = {}

    def send(self, call: Call, landed: Landed) -> None:
        self._tasks[call] = asyncio.get_running_loop().create_task(self._deliver(call, landed))

    def cancel(self, call: Call) -> None:
        self._tasks.pop(call).cancel()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        await self._session.close()

    async def _deliver(self, call: Call, landed: Landed) -> None:
        attempt = await self._attempt(call)
        del self._tasks[call]
        landed(call, attempt)

    async def _attempt(self, call: Call) -> Attempt:
        headers = {**self._headers, "webhook-id": call.log_id}
        status: int | None = None
        try:
            async with self._session.post(self._url, data=call.body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                await _drain(answer)
        except TimeoutError:
            return Attempt(status, "" if status else f"no answer within {self._timeout:g} s")
        except aiohttp.ClientError as error:
            return Attempt(status, "" if status else _words(error))
        return Attempt(status)


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read the rest of a short answer, so that its connection can serve again; close it after a long or damaged one.

    The status line is the verdict: a receiver that said 200 has the event, whatever becomes of the body.
    """
    with suppress(aiohttp.ClientError):
        read = 0
        async for chunk in answer.content.iter_any():
            read += len(chunk)
            if read > BODY_CAP:
                break
        else:
            return
    answer.close()


def _words(error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not accepted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer"
        case aiohttp.ClientOSError():
            return f"the connection broke: {error.strerror or error}"
        case _:
            return f"no valid answer: {type(error).__name__}"
