"""Asks the metrics server as a scraper does, without a library of ours."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress

from prometheus_client.parser import text_string_to_metric_families

#: By name and labels, such as `auth0_webhooks_attempts_total{outcome="200"}`.
Samples = Mapping[str, float]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ask(port: int, path: str = "/metrics", *, method: str = "GET") -> tuple[int, str]:
    """Returns status and body, as of now: a page may be a tenth of a second old."""
    await asyncio.sleep(0.11)
    answer = await send(port, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


async def send(port: int, request: bytes) -> bytes:
    """Returns all that comes back; nothing if the server closed at once."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = b""
        with suppress(ConnectionError):
            writer.write(request)
            await writer.drain()
            while chunk := await reader.read(65536):
                answer += chunk
        writer.transport.abort()
        return answer


async def scrape(port: int) -> Samples:
    status, text = await ask(port)
    assert status == 200
    return samples_of(text)


def samples_of(text: str) -> Samples:
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family that stands twice"
    samples = [sample for family in families for sample in family.samples]
    return {sample.name + _labels(sample.labels): sample.value for sample in samples}


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}" if labels else ""
