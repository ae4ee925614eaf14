"""Ports of 127.0.0.1 that are no Kafka: nobody listens, or somebody who is silent, hangs up or says something else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.kafka.broker import free_port

HTTP: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def dead() -> str:
    return f"127.0.0.1:{free_port()}"


@contextmanager
def silent() -> Iterator[str]:
    """Accepts, as the system does for a frozen process, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def saying(words: bytes) -> Iterator[str]:
    """Answers whatever comes with `words`, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer, args=(server, words), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _answer(server: socket.socket, words: bytes) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(1)
            connection.recv(4096)
            connection.sendall(words)
