"""The broker of the tests keeps the promises that other tests lean on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from tests.support.kafka.broker import Broker, ExternalBroker, JarsBroker, free_port
from tests.support.kafka.docker import DockerBroker
from tests.support.kafka.fixtures import Names, _lent
from tests.support.kafka.jars import Unavailable, install
from tests.support.kafka.readiness import BrokerEnded
from tests.support.kafka.secured import SecuredBroker
from tests.support.kafka.sharing import shared
from tests.support.process_guard import guarded


def _topics(bootstrap: str) -> set[str]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=1500, request_timeout_ms=1500)
    try:
        return set(admin.list_topics())
    finally:
        admin.close()


def _create(bootstrap: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])
        admin.wait_for_topics([topic])
    finally:
        admin.close()


def test_the_shared_broker_serves(kafka: Broker, names: Names) -> None:
    _create(kafka.bootstrap, names.topic)
    assert names.topic in _topics(kafka.bootstrap)


@pytest.mark.outages
def test_a_broker_that_has_no_time_to_write_its_class_archive_starts_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine its ten seconds were over, and each Kafka test of a new home failed."""
    monkeypatch.setattr("tests.support.kafka.broker.ARCHIVE_BOUND", 0.0)
    try:
        jars = replace(install(), jvm=f"unknown-{uuid.uuid4().hex}")
    except Unavailable as reason:
        pytest.skip(str(reason))
    monkeypatch.setattr("tests.support.kafka.broker.install", lambda: jars)
    with JarsBroker() as broker:
        assert _topics(broker.bootstrap) is not None
    assert not jars.archive.exists()


@pytest.mark.outages
def test_a_killed_broker_comes_back_on_the_same_port_with_its_data(own_kafka: Broker, names: Names) -> None:
    _create(own_kafka.bootstrap, names.topic)
    own_kafka.kill()
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", int(own_kafka.bootstrap.split(":")[1])), timeout=1),
    ):
        pass
    own_kafka.start()
    assert names.topic in _topics(own_kafka.bootstrap)


@pytest.mark.outages
def test_a_frozen_broker_is_silent_until_it_is_thawed(own_kafka: Broker) -> None:
    own_kafka.freeze()
    started = time.monotonic()
    with pytest.raises(KafkaError):
        _topics(own_kafka.bootstrap)
    assert time.monotonic() - started > 1
    own_kafka.thaw()
    assert _topics(own_kafka.bootstrap) is not None


def test_the_secured_broker_lets_a_known_user_in(secured_kafka: SecuredBroker) -> None:
    name, password = secured_kafka.create_user()
    admin = KafkaAdminClient(
        bootstrap_servers=secured_kafka.sasl,
        bootstrap_timeout_ms=5000,
        security_protocol="SASL_SSL",
        ssl_cafile=str(secured_kafka.authority.cafile),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=name,
        sasl_plain_password=password,
    )
    try:
        assert admin.list_topics() == []
    finally:
        admin.close()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_any_way_to_a_broker_tests_skip_at_home_and_fail_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(outcome, match="no Kafka for tests: no Docker engine answers"):
        next(_lent(DockerBroker))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server.getsockname()[1]


@pytest.mark.outages
def test_a_broker_that_cannot_start_says_why_in_one_line(taken_port: int) -> None:
    """It said "exit code 1" and no more: the broker wrote no log, and 21 tests were skipped for a reason that was never found."""
    broker = JarsBroker(port=taken_port)
    with pytest.raises(BrokerEnded, match=r"\(exit code 1\): .*Address already in use") as caught:
        broker.start()
    broker.close()
    assert "\n" not in str(caught.value)


@pytest.mark.outages
def test_a_broker_that_cannot_start_is_tried_again_with_other_ports(taken_port: int) -> None:
    other = free_port()
    ports = iter((taken_port, other))
    lent = _lent(lambda: JarsBroker(port=next(ports)))
    assert next(lent).bootstrap == f"127.0.0.1:{other}"
    assert list(lent) == []


def test_two_test_runs_never_take_the_same_port() -> None:
    code = "from tests.support.kafka.broker import free_port; print(*(free_port() for _ in range(100)), flush=True); input()"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], env=guarded(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first, second = ({*run.stdout.readline().split()} for run in runs if run.stdout)
    for run in runs:
        run.communicate("\n")
    assert first
    assert second
    assert not first & second


def test_a_broker_ends_with_the_tests_that_started_it_however_they_end() -> None:
    code = (
        "from tests.support.kafka.broker import JarsBroker; b = JarsBroker(); b.start(); print(b.bootstrap, flush=True); input()"
    )
    tests = subprocess.Popen(
        [sys.executable, "-c", code], env=guarded(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert tests.stdout
    assert tests.stdin
    host, _, port = tests.stdout.readline().strip().rpartition(":")
    os.kill(tests.pid, signal.SIGKILL)
    tests.communicate()
    _eventually(lambda: not _accepts(host, int(port)))


class _Closing(ExternalBroker):
    def __init__(self, closed: list[str]) -> None:
        super().__init__("127.0.0.1:9092")
        self._closed = closed

    def close(self) -> None:
        self._closed.append(self.bootstrap)


def test_workers_share_one_broker_which_the_first_ends_after_the_others(tmp_path: Path) -> None:
    closed: list[str] = []
    releases: list[Callable[[], None]] = []
    first: Broker = shared(tmp_path, "one", lambda: _Closing(closed), releases.append)
    second: Broker = shared(tmp_path, "one", lambda: pytest.fail("a second one was started"), releases.append)
    assert second.bootstrap == first.bootstrap
    ending = threading.Thread(target=releases[0])
    ending.start()
    ending.join(0.1)
    assert closed == []
    releases[1]()
    ending.join(10)
    assert closed == [first.bootstrap]


def test_after_an_owner_was_killed_the_next_worker_starts_a_broker(tmp_path: Path) -> None:
    killed = f"""
import os, pathlib
from tests.support.kafka.broker import ExternalBroker
from tests.support.kafka.sharing import shared
shared(pathlib.Path({str(tmp_path)!r}), "one", lambda: ExternalBroker("127.0.0.1:1"), lambda _: None)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", killed], check=True, cwd=Path(__file__).parents[2], env=guarded(os.environ))
    closed: list[str] = []
    releases: list[Callable[[], None]] = []
    broker: Broker = shared(tmp_path, "one", lambda: _Closing(closed), releases.append)
    releases[0]()
    assert closed == [broker.bootstrap] == ["127.0.0.1:9092"]


def _accepts(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
