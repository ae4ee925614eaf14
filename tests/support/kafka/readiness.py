"""When a broker that was just started can be used."""

from __future__ import annotations

import socket
import subprocess
import time

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.support.kafka.jars import Unavailable


class BrokerEnded(Unavailable):
    """The broker's process ended while it started; another try, with other ports, may work."""


def wait_until_ready(bootstrap: str, *, bound: float, process: subprocess.Popen[bytes] | None = None) -> None:
    """Returns when the group coordinator responds, which is the last thing to come. Raises `Unavailable` after `bound` seconds.

    Raises `BrokerEnded` as soon as `process` has ended.
    """
    deadline = time.monotonic() + bound
    while not _ready(bootstrap):
        if process is not None and process.poll() is not None:
            raise BrokerEnded(f"the broker ended while it started (exit code {process.returncode})")
        if time.monotonic() > deadline:
            raise Unavailable(f"no broker answers at {bootstrap} within {bound:g} s")
        time.sleep(0.03)


def _ready(bootstrap: str) -> bool:
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=2000, request_timeout_ms=2000)
    except (OSError, KafkaError):
        return False
    try:
        admin.describe_groups(["unknown"])
    except KafkaError:
        return False
    finally:
        admin.close()
    return True
