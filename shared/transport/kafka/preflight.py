"""One blocking conversation with each server before any client is made: TCP, TLS, ApiVersions, login, Metadata.

kafka-python hides every mistake behind "Unable to bootstrap" after its timeout. Here each one gets its own sentence within 3 s:
what is wrong, where, and what to do. `wait_for_broker` is for the start of a process; run it in a thread.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from shared.errors import TransportUnusable
from shared.log import Logger
from shared.settings import Log
from shared.transport.kafka.conversation import Fault, examine
from shared.transport.kafka.tls import tls_context

#: Seconds between two tries: doubling up to the second.
_PAUSES: Final = (0.5, 5.0)


def wait_for_broker(settings: Log, patience: float, log: Logger, stop: threading.Event | None = None) -> bool:
    """Return as soon as one server is as it must be; the others are warnings. False: `stop` was set while waiting.

    While none can be reached it tries again, a line each time, for `patience` seconds. Raises `TransportUnusable` then, and at
    once for what waiting cannot heal: certificates, credentials, a wrong protocol, files.
    """
    stop = stop or threading.Event()
    deadline = time.monotonic() + patience
    pause, longest = _PAUSES
    while True:
        faults = check(settings)
        left = deadline - time.monotonic()
        if len(faults) < len(settings.bootstrap_servers):
            for fault in faults:
                log.warning("a Kafka server cannot be used; others can", server=fault.server, problem=fault.what)
            return True
        if left <= 0 or not all(fault.heals for fault in faults):
            raise TransportUnusable(_message(faults, patience))
        log.warning("Kafka cannot be reached yet; trying again", problem=str(faults[0]), give_up_in=round(left, 1))
        if stop.wait(min(pause, left)):
            return False
        pause = min(pause * 2, longest)


def check(settings: Log) -> list[Fault]:
    """What is wrong with each server, all asked at once; servers without a fault are left out. At most about 4 s.

    Raises `TransportUnusable` for PEM files that cannot be used.
    """
    context = tls_context(settings)
    with ThreadPoolExecutor(max_workers=max(1, len(settings.bootstrap_servers))) as pool:
        found = pool.map(lambda server: examine(server, settings, context), settings.bootstrap_servers)
    return [fault for fault in found if fault]


def _message(faults: list[Fault], patience: float) -> str:
    waited = f" (tried for {patience:g} s)" if patience and all(fault.heals for fault in faults) else ""
    return "\n".join(map(str, faults)) + waited
