"""Clients are made in one way, within a bound, and one that could not be made leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import kafka as library
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator, arguments, build
from tests.integration.kafka_connection import ports
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names
from tests.support.kafka.principals import log_settings
from tests.support.kafka.secured import SecuredBroker

# The library leaves sockets that were refused, or are in the middle of a handshake, to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*unclosed <(ssl|socket)")

CLIENTS: Final = [KafkaAdminClient, KafkaConsumer, KafkaProducer]


@pytest.fixture(scope="module", autouse=True)
def _only_its_own_garbage() -> None:
    """Each look collects garbage, which takes half a second where thousands of tests have left objects behind."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """pytest keeps every line and with it exceptions, their frames, and the sockets in those."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def _left_behind() -> tuple[int, int]:
    """Threads of clients, open files."""
    gc.collect()
    threads = [thread for thread in threading.enumerate() if "kafka" in thread.name]
    files = Path("/proc/self/fd")
    return len(threads), len(list(files.iterdir())) if files.is_dir() else 0


def _wait_for(before: tuple[int, int]) -> None:
    deadline = time.monotonic() + 5
    while _left_behind() > before and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert _left_behind() <= before


@pytest.mark.parametrize("kind", CLIENTS)
def test_every_client_comes_through_every_door(kind: type, secured_kafka: SecuredBroker) -> None:
    doors = [
        secured_kafka.environment,
        secured_kafka.sasl_environment(*secured_kafka.create_user()),
        secured_kafka.mutual_environment("stranger"),
    ]
    for environment in doors:
        build(kind, log_settings(environment)).close()


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_that_cannot_connect_fails_and_leaves_nothing_behind(kind: type) -> None:
    server = ports.dead()
    before = _left_behind()
    with pytest.raises(TransportUnusable, match=f"connecting to {server}"):
        build(kind, log_settings({"KAFKA_BOOTSTRAP_SERVERS": server}), bootstrap_timeout_ms=300)
    _wait_for(before)


@pytest.mark.parametrize("kind", CLIENTS)
def test_tls_to_a_silent_port_does_not_hang(kind: type) -> None:
    """The library's constructor ignores its own timeout there, and never returns."""
    with ports.silent() as server:
        before = _left_behind()
        settings = log_settings({"KAFKA_BOOTSTRAP_SERVERS": server, "KAFKA_SECURITY_PROTOCOL": "SSL"})
        started = time.monotonic()
        with pytest.raises(TransportUnusable, match=f"Kafka at {server} does not answer"):
            build(kind, settings, bound=0.7, bootstrap_timeout_ms=200)
        assert time.monotonic() - started < 10
        _wait_for(before)


def test_an_administrator_is_closed_at_the_end(kafka: Broker, names: Names) -> None:
    before = _left_behind()
    with administrator(log_settings({**kafka.environment, **names.environment})) as admin:
        assert names.topic not in admin.list_topics()
    _wait_for(before)


def test_arguments_that_only_one_client_takes_are_added_and_win(kafka: Broker, names: Names) -> None:
    consumer = build(KafkaConsumer, log_settings(kafka.environment), group_id=names.group, client_id="mine")
    try:
        assert (consumer.config["group_id"], consumer.config["client_id"]) == (names.group, "mine")
        assert consumer.config["reconnect_backoff_max_ms"] == 1000
    finally:
        consumer.close()


def test_an_older_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "__version__", "3.0.8")
    with pytest.raises(TransportUnusable, match=r"kafka-python 3\.0\.8 .* install 3\.0\.12 or newer"):
        arguments(TransportSettings(bootstrap_servers=("localhost:9092",)))


def test_a_token_must_be_there() -> None:
    settings = TransportSettings(
        bootstrap_servers=("localhost:9092",), security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER"
    )
    with pytest.raises(TransportUnusable, match="needs the token in KAFKA_SASL_PASSWORD"):
        arguments(settings)


def test_iam_names_the_package_that_it_needs() -> None:
    settings = TransportSettings(
        bootstrap_servers=("localhost:9092",), security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM"
    )
    with pytest.raises(TransportUnusable, match="pip install botocore"):
        arguments(settings)
