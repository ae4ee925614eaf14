"""Servers in an event loop in a thread, for tests and benchmarks that start processes and wait for them.

    with in_background(Tenant(log), Receiver()) as (tenant, receiver):
        subprocess.run([...])
        run_on(receiver, receiver.journal.wait_for(500, timeout=10))

Scripts, journals, logs and the list of requests are safe from any thread. Use `run_on` for coroutines:
`run_on(receiver, receiver.stop())`, `run_on(receiver, receiver.start(port=receiver.port))`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar, overload

from simulator.http import Server

Result = TypeVar("Result")
A = TypeVar("A", bound=Server)
B = TypeVar("B", bound=Server)
C = TypeVar("C", bound=Server)


def run_on(server: Server, work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a coroutine in the server's event loop and waits for it, from another thread. Raises what it raises."""
    return asyncio.run_coroutine_threadsafe(work, server.loop).result()


@overload
def in_background(first: A, /) -> AbstractContextManager[tuple[A]]: ...
@overload
def in_background(first: A, second: B, /) -> AbstractContextManager[tuple[A, B]]: ...
@overload
def in_background(first: A, second: B, third: C, /) -> AbstractContextManager[tuple[A, B, C]]: ...


def in_background(*servers: Server) -> AbstractContextManager[tuple[Server, ...]]:
    """Starts the servers on free ports, yields them, stops them at the end. Raises what their `start` raises."""
    return _in_background(servers)


@contextmanager
def _in_background(servers: tuple[Server, ...]) -> Iterator[tuple[Server, ...]]:
    ready: Future[asyncio.Event] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(servers, ready)), name="simulator", daemon=True)
    thread.start()
    stop = ready.result()
    try:
        yield servers
    finally:
        servers[0].loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(servers: tuple[Server, ...], ready: Future[asyncio.Event]) -> None:
    stop = asyncio.Event()
    try:
        for server in servers:
            await server.start()
    except OSError as error:
        ready.set_exception(error)
    else:
        ready.set_result(stop)
        await stop.wait()
    for server in servers:
        await server.stop()
