"""Ports of 127.0.0.1 that are no Kafka: dead ones, and ones that are silent, hang up, break off or say something else."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.support.kafka.broker import free_port

#: For SO_LINGER: closing resets.
_RESET: Final = struct.pack("ii", 1, 0)
HTTP: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def dead() -> str:
    return f"127.0.0.1:{free_port()}"


@contextmanager
def silent() -> Iterator[str]:
    """Accepts, as the system does for a frozen process, and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def saying(*words: bytes) -> Iterator[str]:
    """Sends the first of `words` to the first connection, the next one to the next, and closes it; the last one repeats."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_respond, args=(server, [*words]), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _respond(server: socket.socket, words: list[bytes]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(1)
            connection.recv(4096)
            connection.sendall(words.pop(0) if len(words) > 1 else words[0])


@contextmanager
def breaking_off(server: str, count: int) -> Iterator[str]:
    """In front of `server`: every connection is reset once `count` bytes have come back on it."""
    _, _, behind = server.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_pass_on, args=(listening, int(behind), count), daemon=True)
        thread.start()
        yield f"localhost:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _pass_on(listening: socket.socket, behind: int, count: int) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", behind), timeout=5) as server:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                _relay(client, server, count)


def _relay(client: socket.socket, server: socket.socket, count: int) -> None:
    while count:
        ready, _, _ = select.select([client, server], [], [], 5)
        for one in ready:
            data = one.recv(count if one is server else 65536)
            if not data:
                return
            (client if one is server else server).sendall(data)
            count -= len(data) if one is server else 0
