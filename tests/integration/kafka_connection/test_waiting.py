"""At start we wait for a broker that is not there yet, and not for what waiting cannot heal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.transport.kafka.client.preflight import wait_for_broker
from tests.integration.kafka_connection import ports
from tests.support.kafka.broker import Broker, JarsBroker
from tests.support.kafka.principals import log_settings
from tests.support.kafka.secured import SecuredBroker

log = get_logger(__name__)


@pytest.fixture
def starting() -> Iterator[Broker]:
    """A broker that another thread starts while we wait."""
    broker = JarsBroker()
    thread = threading.Thread(target=broker.start)
    thread.start()
    yield broker
    thread.join()
    broker.close()


def test_a_broker_that_comes_up_while_we_wait_is_used(starting: Broker) -> None:
    with capture_logs() as lines:
        assert wait_for_broker(log_settings(starting.environment), 20, log)
    assert {line["event"] for line in lines} == {"Kafka cannot be reached yet; trying again"}
    assert all("unreachable" in line["problem"] and line["log_level"] == "warning" for line in lines)


def test_after_its_patience_it_says_what_was_wrong_to_the_end() -> None:
    server = ports.dead()
    started = time.monotonic()
    with capture_logs() as lines, pytest.raises(TransportUnusable, match=rf"Kafka at {server}: unreachable.*tried for 1 s"):
        wait_for_broker(log_settings({"KAFKA_BOOTSTRAP_SERVERS": server}), 1, log)
    assert time.monotonic() - started < 10
    assert len(lines) >= 2


def test_wrong_credentials_do_not_wait(secured_kafka: SecuredBroker) -> None:
    environment = secured_kafka.sasl_environment("stranger", "not-the-password")
    started = time.monotonic()
    with pytest.raises(TransportUnusable, match="refuses the login of User:stranger") as raised:
        wait_for_broker(log_settings(environment), 60, log)
    assert time.monotonic() - started < 10
    assert "not-the-password" not in str(raised.value)


def test_one_dead_server_of_two_is_a_warning(kafka: Broker) -> None:
    dead = ports.dead()
    with capture_logs() as lines:
        assert wait_for_broker(log_settings({"KAFKA_BOOTSTRAP_SERVERS": f" {dead} , {kafka.bootstrap}"}), 0, log)
    assert [(line["log_level"], line["server"]) for line in lines] == [("warning", dead)]


def test_waiting_ends_when_the_process_is_stopped() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    assert not wait_for_broker(log_settings({"KAFKA_BOOTSTRAP_SERVERS": ports.dead()}), 60, log, stop)
    assert time.monotonic() - started < 10
