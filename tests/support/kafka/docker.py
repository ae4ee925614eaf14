"""A broker in a container of the official image, through testcontainers; it never waits for an image to be pulled.

The same settings as the jars get, as `KAFKA_*` variables. 3 s to start, so tests that have the choice take the jars.
"""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

# Before testcontainers is imported: its clean-up container would have to be pulled.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

from tests.support.kafka.broker import BASICS, START_BOUND, Broker, free_port
from tests.support.kafka.jars import VERSION, Unavailable
from tests.support.kafka.readiness import wait_until_ready

IMAGE: Final = f"apache/kafka:{VERSION}"
_SOCKET: Final = "/var/run/docker.sock"
_PING_BOUND: Final = 1.0


class DockerBroker(Broker):
    def __init__(self, properties: Mapping[str, str] | None = None) -> None:
        _check_engine()
        self._properties = {**BASICS, **(properties or {})}
        self._port = free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._container: Any = None

    def start(self) -> None:
        if self._container is None:
            self._container = _container(self._port, self._properties)
            self._container.start()
        else:
            self._wrapped.start()
        wait_until_ready(self.bootstrap, bound=START_BOUND)

    def stop(self) -> None:
        if self._container is not None:
            self._wrapped.stop(timeout=10)

    def kill(self) -> None:
        self._wrapped.kill()

    def freeze(self) -> None:
        self._wrapped.pause()

    def thaw(self) -> None:
        self._wrapped.unpause()

    def close(self) -> None:
        if self._container is not None:
            self._container.stop(force=True)
            self._container.get_docker_client().client.close()
            self._container = None

    @property
    def _wrapped(self) -> Any:
        return self._container.get_wrapped_container()


def _container(port: int, properties: Mapping[str, str]) -> Any:
    from testcontainers.core.container import DockerContainer

    settings = {
        **properties,
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
    }
    variables = {"KAFKA_" + name.replace(".", "_").upper(): value for name, value in settings.items()}
    container: Any = DockerContainer(IMAGE, env=variables)
    container.ports[9092] = ("127.0.0.1", port)  # with_bind_ports would open it on every interface
    return container


def _check_engine() -> None:
    """An engine that answers within a second and has the image. Raises `Unavailable`."""
    if _get("/_ping") != 200:
        raise Unavailable("no Docker engine answers")
    if _get(f"/images/{IMAGE}/json") != 200:
        raise Unavailable(f"Docker has no image {IMAGE}")


def _get(path: str) -> int:
    connection = _Connection("localhost", timeout=_PING_BOUND)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket; docker-py leaks a socket where no engine answers."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_PING_BOUND)
        self.sock.connect(os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or _SOCKET)
