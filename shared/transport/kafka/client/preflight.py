"""One blocking handshake with each server before any client is made: TCP, TLS, ApiVersions, login, Metadata.

kafka-python hides every mistake behind "Unable to bootstrap" after its timeout. Here each one gets its own sentence within 3 s:
what is wrong, where, and what to do. `wait_for_broker` is for the start of a process, `retry_start` for its steps after that; run
them in a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from shared.backoff import Doubling
from shared.errors import TransportUnreachable, TransportUnusable
from shared.logging import Logger
from shared.settings import TransportSettings
from shared.transport.kafka.client.handshake import ServerFault, examine
from shared.transport.kafka.client.security import tls_context

_PAUSES: Final = Doubling(0.5, 5.0)  # seconds between two tries


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one start waits for Kafka in all its steps together: `seconds` from now on."""

    seconds: float
    _since: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return max(0.0, self._since + self.seconds - time.monotonic())

    def __str__(self) -> str:
        """For the end of a message."""
        return f" (tried for {self.seconds:g} s)" if self.seconds else ""


def wait_for_broker(settings: TransportSettings, patience: float, log: Logger, stop: threading.Event | None = None) -> bool:
    """Waits until one server is usable; faults of the others are logged. Returns False when `stop` was set while waiting.

    Tries again for `patience` seconds, and logs each try. Raises `TransportUnusable` after that, and at once for what waiting
    cannot heal: certificates, credentials, a wrong protocol, files.
    """
    return _wait(settings, Patience(patience), log, stop or threading.Event())


def retry_start(
    begin: Callable[[], None], settings: TransportSettings, patience: Patience, log: Logger, stop: threading.Event
) -> None:
    """Calls `begin`, and again while Kafka merely breaks off; between two calls it waits until a server is usable. Blocks.

    Raises `TransportUnusable` for what `begin` raises twice and for what the preflight finds, `TransportUnreachable` when the
    patience is over or `stop` is set.
    """
    before = ""
    pauses = iter(_PAUSES)
    while True:
        try:
            return begin()
        except TransportUnreachable as error:
            left = patience.left
            if left:
                log.warning("Kafka broke off during the start; trying again", problem=str(error), give_up_in=round(left, 1))
            # Where the preflight fails, its message is the better one.
            stopped = stop.wait(min(next(pauses), left)) or not _wait(settings, patience, log, stop)
            if stopped or not left:
                raise TransportUnreachable(f"{error}{patience}") from error
        except TransportUnusable as error:
            if str(error) == before:
                raise
            before = str(error)


def _wait(settings: TransportSettings, patience: Patience, log: Logger, stop: threading.Event) -> bool:
    pauses = iter(_PAUSES)
    while True:
        faults = check(settings)
        if len(faults) < len(settings.bootstrap_servers):
            for fault in faults:
                log.warning("a Kafka server cannot be used; others can", server=fault.server, problem=fault.what)
            return True
        left, passing = patience.left, all(fault.heals for fault in faults)
        if not left or not passing:
            kind = TransportUnreachable if passing else TransportUnusable
            raise kind("\n".join(map(str, faults)) + (str(patience) if passing else ""))
        log.warning("Kafka cannot be reached yet; trying again", problem=str(faults[0]), give_up_in=round(left, 1))
        if stop.wait(min(next(pauses), left)):
            return False


def check(settings: TransportSettings) -> list[ServerFault]:
    """Returns what is wrong with each server, all asked at once; servers without a fault are left out. Waits about 4 s at most.

    Raises `TransportUnusable` for PEM files that cannot be used.
    """
    context = tls_context(settings)
    with ThreadPoolExecutor(max_workers=max(1, len(settings.bootstrap_servers))) as pool:
        found = pool.map(lambda server: examine(server, settings, context), settings.bootstrap_servers)
    return [fault for fault in found if fault]
