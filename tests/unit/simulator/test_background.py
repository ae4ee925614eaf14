"""Servers in a thread of their own."""

from __future__ import annotations

import threading

import httpx
import pytest

from simulator.receiver import Receiver
from simulator.tenant import Tenant
from tests.support import faults
from tests.support.background import in_background, run_on
from tests.support.listed_log import ListedLog


def test_servers_run_while_the_test_blocks() -> None:
    log = ListedLog()
    with in_background(Tenant(log), Receiver()) as (tenant, receiver):
        log.append(b'{"log_id":"1"}')
        receiver.script.in_order(faults.status(503))
        assert httpx.get(f"{tenant.url}/api/v2/logs").status_code == 401
        responses = [httpx.post(receiver.url, content=b'{"log_id":"1"}') for _ in range(2)]
        run_on(receiver, receiver.journal.wait_for(1, timeout=20))
        assert [response.status_code for response in responses] == [503, 200]
        assert tenant.count("/api/v2/logs") == 1
    assert all(thread.name != "simulator" for thread in threading.enumerate())


def test_a_receiver_stops_and_starts_again_on_the_same_port() -> None:
    with in_background(Receiver()) as (receiver,):
        run_on(receiver, receiver.stop())
        with pytest.raises(httpx.ConnectError):
            httpx.post(receiver.url)
        run_on(receiver, receiver.start(port=receiver.port))
        assert httpx.post(receiver.url).status_code == 200


def test_an_error_in_the_thread_is_raised_in_the_test() -> None:
    with in_background(Receiver()) as (receiver,), pytest.raises(TimeoutError, match="0 ids"):
        run_on(receiver, receiver.journal.wait_for(1, timeout=0.01))
