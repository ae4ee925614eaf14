"""What `listen` and `simulate` have in common: serve until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import typer

from shared.errors import SurroundingsError
from simulator.http import Server


async def serve(server: Server, host: str, port: int, stop: asyncio.Event, greeting: Callable[[str], Iterable[str]]) -> None:
    """Listen, say so on standard error, and serve until `stop`. Raises `SurroundingsError` when the address cannot be had."""
    try:
        await server.start(host, port)
    except OSError as error:
        raise SurroundingsError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another with --port (0 takes a free one)"
        ) from None
    for line in greeting(server.url):
        typer.echo(line, err=True)
    try:
        await stop.wait()
    finally:
        await server.stop()
