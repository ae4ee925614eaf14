"""What `listen` and `simulate` have in common: serve until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from admin.cli.output import say
from shared.errors import EnvironmentUnusable
from simulator.http import Server


def live(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `work(stop)` until it ends or is told to stop. Of our log only what is wrong is shown, on standard error."""
    from admin.supervisor import run
    from shared import logging
    from shared.settings import log_format

    logging.configure(verbosity="warning", log_format=log_format() or "console")
    run(work, grace=5)


async def serve(server: Server, host: str, port: int, stop: asyncio.Event, greeting: Callable[[str], Iterable[str]]) -> None:
    """Listen, say so on standard error, and serve until `stop`. Raises `EnvironmentUnusable` when the address cannot be had."""
    try:
        await server.start(host, port)
    except OSError as error:
        raise EnvironmentUnusable(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another with --port (0 takes a free one)"
        ) from None
    for line in greeting(server.url):
        say(line, to_person=True)
    try:
        await stop.wait()
    finally:
        await server.stop()
