"""Every way to be connected wrongly gets its own sentence, in seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shared.transport.kafka.client.handshake import ServerFault
from shared.transport.kafka.client.preflight import check
from tests.integration.kafka_connection import ports
from tests.support.kafka.broker import Broker
from tests.support.kafka.certificates import Authority
from tests.support.kafka.principals import log_settings
from tests.support.kafka.secured import PLAIN_USER, SecuredBroker, unsigned_token

Environment = dict[str, str]

# Python's own `SSLContext.wrap_socket` leaves its socket to the garbage collector where a reset comes before it begins.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


def _fault(environment: Environment) -> ServerFault:
    started = time.monotonic()
    (fault,) = check(log_settings(environment))
    assert time.monotonic() - started < 10
    assert fault.server == environment["KAFKA_BOOTSTRAP_SERVERS"]
    secret = environment.get("KAFKA_SASL_PASSWORD")
    assert not secret or secret not in str(fault)
    return fault


def _bare(server: str, protocol: str = "PLAINTEXT", **more: object) -> Environment:
    return {"KAFKA_BOOTSTRAP_SERVERS": server, "KAFKA_SECURITY_PROTOCOL": protocol, **{k: str(v) for k, v in more.items()}}


@pytest.fixture(scope="module")
def sasl(secured_kafka: SecuredBroker) -> Environment:
    return secured_kafka.sasl_environment(*secured_kafka.create_user())


def test_a_known_user_comes_through_each_listener(secured_kafka: SecuredBroker, sasl: Environment) -> None:
    by_plain = secured_kafka.sasl_environment(*PLAIN_USER, mechanism="PLAIN")
    for environment in (secured_kafka.environment, sasl, by_plain, secured_kafka.mutual_environment("stranger")):
        assert check(log_settings(environment)) == []


def test_a_user_with_a_comma_and_an_equals_sign_comes_through_too(secured_kafka: SecuredBroker) -> None:
    """kafka-python does not escape them, as SCRAM wants."""
    assert check(log_settings(secured_kafka.sasl_environment(*secured_kafka.create_user("first=one,second=2")))) == []


def test_a_token_comes_through_too(secured_kafka: SecuredBroker) -> None:
    environment = secured_kafka.sasl_environment("", unsigned_token("stranger"), mechanism="OAUTHBEARER")
    assert check(log_settings(environment)) == []


def test_a_token_that_is_none(secured_kafka: SecuredBroker) -> None:
    fault = _fault(secured_kafka.sasl_environment("", "no-token", mechanism="OAUTHBEARER"))
    assert "refuses the login of the token's subject" in fault.what
    assert "the token in KAFKA_SASL_PASSWORD" in fault.action
    assert not fault.heals


@pytest.mark.parametrize("change", [{"KAFKA_SASL_PASSWORD": "not-the-password"}, {"KAFKA_SASL_USERNAME": "stranger"}])
def test_wrong_credentials_name_the_user_and_never_the_password(sasl: Environment, change: Environment) -> None:
    fault = _fault({**sasl, **change})
    assert f"refuses the login of User:{ {**sasl, **change}['KAFKA_SASL_USERNAME'] }" in str(fault)
    assert "invalid credentials" in str(fault)
    assert not fault.heals


def test_a_wrong_password_by_plain(secured_kafka: SecuredBroker) -> None:
    fault = _fault(secured_kafka.sasl_environment(PLAIN_USER[0], "wrong", mechanism="PLAIN"))
    assert "refuses the login of User:plain-user" in str(fault)


def test_a_mechanism_that_is_off_names_those_that_are_on(sasl: Environment) -> None:
    fault = _fault({**sasl, "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"})
    assert "SCRAM-SHA-256" in fault.what
    assert "SCRAM-SHA-512, PLAIN, OAUTHBEARER" in fault.action
    assert not fault.heals


def test_tls_to_a_plaintext_port(secured_kafka: SecuredBroker, sasl: Environment) -> None:
    fault = _fault({**sasl, "KAFKA_BOOTSTRAP_SERVERS": secured_kafka.bootstrap})
    assert "speaks Kafka without TLS" in fault.what
    assert "PLAINTEXT" in fault.action
    assert not fault.heals


def test_plaintext_to_a_tls_port(secured_kafka: SecuredBroker) -> None:
    for server in (secured_kafka.sasl, secured_kafka.mutual):
        fault = _fault(_bare(server))
        assert "speaks TLS, and we came without it" in fault.what
        assert "SASL_SSL" in fault.action
        assert not fault.heals


def test_a_login_where_there_is_none(secured_kafka: SecuredBroker, sasl: Environment) -> None:
    login = {name: value for name, value in sasl.items() if "SASL" in name}
    fault = _fault({**login, **_bare(secured_kafka.bootstrap, "SASL_PLAINTEXT")})
    assert "no login by SASL" in fault.what
    assert "set KAFKA_SECURITY_PROTOCOL to PLAINTEXT" in fault.action


def test_no_login_where_one_is_wanted(secured_kafka: SecuredBroker) -> None:
    fault = _fault(_bare(secured_kafka.sasl, "SSL", KAFKA_SSL_CAFILE=secured_kafka.authority.cafile))
    assert "wants a login" in fault.what
    assert "SASL_SSL" in fault.action


def test_an_authority_that_we_do_not_know(secured_kafka: SecuredBroker, sasl: Environment, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").cafile
    for environment in (_bare(secured_kafka.mutual, "SSL"), {**sasl, "KAFKA_SSL_CAFILE": str(other)}):
        fault = _fault(environment)
        assert "we do not trust its certificate (unable to get local issuer certificate)" in fault.what
        assert "KAFKA_SSL_CAFILE" in fault.action
        assert not fault.heals


def test_a_host_name_that_is_not_in_the_certificate(secured_kafka: SecuredBroker, sasl: Environment) -> None:
    fault = _fault({**sasl, "KAFKA_BOOTSTRAP_SERVERS": secured_kafka.sasl.replace("localhost", "127.0.0.1")})
    assert "not valid for '127.0.0.1'" in fault.what
    assert "a name that stands in the broker's certificate" in fault.action


def test_a_broker_whose_certificate_has_expired(secured_kafka: SecuredBroker) -> None:
    fault = _fault(_bare(secured_kafka.expired, "SSL", KAFKA_SSL_CAFILE=secured_kafka.authority.cafile))
    assert "certificate has expired" in fault.what


def test_no_client_certificate_where_one_is_wanted(secured_kafka: SecuredBroker) -> None:
    fault = _fault(_bare(secured_kafka.mutual, "SSL", KAFKA_SSL_CAFILE=secured_kafka.authority.cafile))
    assert "wants a client certificate" in fault.what
    assert "KAFKA_SSL_CERTFILE" in fault.action
    assert not fault.heals


def test_a_client_certificate_of_a_foreign_authority(secured_kafka: SecuredBroker, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "foreign").client("stranger")
    own = {"KAFKA_SSL_CERTFILE": certificate, "KAFKA_SSL_KEYFILE": key}
    fault = _fault(_bare(secured_kafka.mutual, "SSL", KAFKA_SSL_CAFILE=secured_kafka.authority.cafile, **own))
    assert "refuses our client certificate" in fault.what


def test_a_port_that_nobody_listens_on() -> None:
    fault = _fault(_bare(ports.dead()))
    assert "unreachable: connection refused" in fault.what
    assert fault.heals


def test_a_name_that_does_not_exist() -> None:
    fault = _fault(_bare("kafka.invalid:9092"))
    assert "no address is known for the name kafka.invalid" in fault.what
    assert fault.heals


def test_a_port_that_accepts_and_is_silent() -> None:
    with ports.silent() as server:
        fault = _fault(_bare(server, "SSL"))
    assert "accepts connections and is silent" in fault.what
    assert fault.heals


@pytest.mark.outages
def test_a_frozen_broker_is_silent(own_kafka: Broker) -> None:
    own_kafka.freeze()
    assert "silent" in _fault(_bare(own_kafka.bootstrap)).what


@pytest.mark.parametrize(("protocol", "expected"), [("PLAINTEXT", "is not Kafka"), ("SSL", "TLS cannot be understood")])
def test_a_port_that_speaks_something_else(protocol: str, expected: str) -> None:
    with ports.saying(ports.HTTP) as server:
        fault = _fault(_bare(server, protocol))
    assert expected in fault.what
    assert not fault.heals


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_port_that_hangs_up_may_belong_to_a_broker_that_starts(protocol: str) -> None:
    """A container engine accepts for a container whose program does not listen yet."""
    with ports.saying(b"") as server:
        fault = _fault(_bare(server, protocol))
    assert "closed the connection" in fault.what
    assert fault.heals


def test_what_a_port_says_only_once_is_no_diagnosis() -> None:
    with ports.saying(ports.HTTP, b"") as server:
        fault = _fault(_bare(server))
    assert "closed the connection" in fault.what
    assert fault.heals


@pytest.mark.parametrize("mistake", ["none", "password", "no login", "no certificate"])
def test_a_server_that_breaks_off_anywhere_has_no_other_fault_than_that(
    secured_kafka: SecuredBroker, sasl: Environment, mistake: str
) -> None:
    """Through TLS, login and all: what is right is never refused, and what is wrong is not taken for another mistake."""
    cafile = secured_kafka.authority.cafile
    environment = {
        "none": sasl,
        "password": {**sasl, "KAFKA_SASL_PASSWORD": "not-the-password"},
        "no login": _bare(secured_kafka.sasl, "SSL", KAFKA_SSL_CAFILE=cafile),
        "no certificate": _bare(secured_kafka.mutual, "SSL", KAFKA_SSL_CAFILE=cafile),
    }[mistake]
    real = [(fault.what, fault.heals) for fault in check(log_settings(environment))]
    assert len(real) == (mistake != "none")
    for count in range(0, 6_000, 211):
        with ports.breaking_off(environment["KAFKA_BOOTSTRAP_SERVERS"], count) as server:
            faults = check(log_settings({**environment, "KAFKA_BOOTSTRAP_SERVERS": server}))
        assert [(fault.what, fault.heals) for fault in faults if not fault.heals] in ([], real), f"after {count} bytes"


def test_brokers_that_are_announced_under_an_address_that_does_not_work(secured_kafka: SecuredBroker) -> None:
    fault = _fault(_bare(secured_kafka.astray))
    assert "it sends its clients to kafka.invalid:9092, which cannot be reached from here" in fault.what
    assert "advertised.listeners" in fault.action


def test_all_servers_are_asked_at_once(kafka: Broker) -> None:
    started = time.monotonic()
    with ports.silent() as one, ports.silent() as two:
        faults = check(log_settings(_bare(f"{one},{kafka.bootstrap},{two}")))
    assert [fault.server for fault in faults] == [one, two]
    assert time.monotonic() - started < 10
