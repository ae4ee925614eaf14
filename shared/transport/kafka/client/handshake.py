"""What the preflight says to one server, and what each way of failing means.

A server that is going down breaks off anywhere, so that means nothing but that: a diagnosis that ends the process needs an answer
that says so, from two conversations that end alike.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from kafka.errors import KafkaError, for_code
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from shared.masking import excerpt
from shared.settings import TransportSettings
from shared.transport.kafka.client.errors import principal
from shared.transport.kafka.client.probe_connection import Line, NotKafka
from shared.transport.kafka.client.sasl import login_advice, mechanism, uses_sasl
from shared.transport.kafka.client.tls_failure import certificate_problem, refusal

#: Seconds for one server; one more where it is asked again to be sure.
BOUND: Final = 3.0
_SECOND_LOOK: Final = 1.0

_UNSUPPORTED_MECHANISM: Final = 33
_NO_SASL_HERE: Final = 34

_Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one server cannot be used."""

    server: str
    what: str
    remedy: str
    #: It may go away by waiting: the server starts, or comes back.
    heals: bool

    def __str__(self) -> str:
        return f"Kafka at {self.server}: {self.what}; {self.remedy}"


class _Stopped(Exception):
    """The conversation cannot go on."""

    def __init__(self, what: str, remedy: str, *, heals: bool = False) -> None:
        super().__init__(what)
        self.what, self.remedy, self.heals = what, remedy, heals


def examine(server: str, settings: TransportSettings, context: ssl.SSLContext | None) -> Fault | None:
    """Talk to `server` ("host:port") as far as a client would to learn of its cluster. None: all is well. At most about 4 s.

    What waiting cannot heal is asked for twice; those conversations are short.
    """
    first = _look(server, settings, context)
    if first is None or first.heals:
        return first
    second = _look(server, settings, context)
    return second if second in (None, first) else replace(second, heals=True)


def _look(server: str, settings: TransportSettings, context: ssl.SSLContext | None) -> Fault | None:
    host, _, port = server.rpartition(":")
    try:
        _converse((host.strip("[]"), int(port)), settings, context)
    except _Stopped as stopped:
        return Fault(server, stopped.what, stopped.remedy, stopped.heals)
    return None


def _converse(address: _Address, settings: TransportSettings, context: ssl.SSLContext | None) -> None:
    deadline = time.monotonic() + BOUND
    with _reach(address) as raw, _secure(raw, address, settings, context) as connection:
        line = Line(connection, deadline)
        versions = _introduce(line, address, settings, context)
        if uses_sasl(settings):
            _log_in(line, address, settings)
        brokers = _brokers(line, versions, address, settings, context)
    _check_advertised(address, brokers, deadline + _SECOND_LOOK)


def _reach(address: _Address) -> socket.socket:
    look = "check KAFKA_BOOTSTRAP_SERVERS, and that the broker runs"
    try:
        return socket.create_connection(address, timeout=BOUND)
    except socket.gaierror:
        raise _Stopped(f"no address is known for the name {address[0]}", look, heals=True) from None
    except TimeoutError:
        raise _Stopped(f"unreachable: no answer within {BOUND:g} s", f"{look}; a firewall may be between", heals=True) from None
    except OSError as error:
        raise _Stopped(f"unreachable: {(error.strerror or str(error)).lower()}", look, heals=True) from None


@contextmanager
def _secure(
    raw: socket.socket, address: _Address, settings: TransportSettings, context: ssl.SSLContext | None
) -> Iterator[socket.socket]:
    """The connection to talk on: with TLS where a context is given."""
    if context is None:
        yield raw
        return
    try:
        connection = context.wrap_socket(raw, server_hostname=address[0])
    except ssl.SSLCertVerificationError as error:
        raise _Stopped(*certificate_problem(error)) from None
    except OSError as error:
        if not isinstance(error, TimeoutError) and _speaks_without_tls(address):
            remedy = "set KAFKA_SECURITY_PROTOCOL to PLAINTEXT or SASL_PLAINTEXT, or use the port of its TLS listener"
            raise _Stopped("this port speaks Kafka without TLS, and we came with TLS", remedy) from None
        raise _broken(error, "during the TLS handshake", settings) from None
    with connection:
        yield connection


def _introduce(line: Line, address: _Address, settings: TransportSettings, context: ssl.SSLContext | None) -> BrokerVersionData:
    try:
        answer = line.ask(ApiVersionsRequest(), version=0)
    except (OSError, NotKafka) as error:
        if context is None and _speaks_tls(error, address):
            remedy = "set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or use the port of its plaintext listener"
            raise _Stopped("this port speaks TLS, and we came without it", remedy) from None
        raise _broken(error, "as soon as we spoke", settings) from None
    return BrokerVersionData(api_versions={key.api_key: (key.min_version, key.max_version) for key in answer.api_keys})


def _log_in(line: Line, address: _Address, settings: TransportSettings) -> None:
    try:
        answer = line.ask(SaslHandshakeRequest(mechanism=settings.sasl_mechanism), version=1)
        _check_mechanism(answer.error_code, answer.mechanisms, settings)
        login = mechanism(settings, address[0])
        while not login.is_done():
            answer = line.ask(SaslAuthenticateRequest(login.auth_bytes()), version=0)
            if answer.error_code:
                raise _Stopped(*_login_problem(answer.error_message or for_code(answer.error_code).__name__, settings))
            login.receive(answer.auth_bytes)
    except (OSError, NotKafka) as error:
        raise _broken(error, "during the login", settings) from None
    except (KafkaError, ValueError) as error:
        raise _Stopped(*_login_problem(str(error), settings)) from None


def _check_mechanism(code: int, enabled: Iterable[str], settings: TransportSettings) -> None:
    if code == _NO_SASL_HERE:
        without = settings.security_protocol.removeprefix("SASL_")
        raise _Stopped("this listener knows no login by SASL", f"set KAFKA_SECURITY_PROTOCOL to {without}, or use another port")
    if code == _UNSUPPORTED_MECHANISM:
        what = f"it does not know KAFKA_SASL_MECHANISM={settings.sasl_mechanism}"
        raise _Stopped(what, f"set it to one of those it knows: {', '.join(enabled)}")
    if code:
        raise _Stopped(f"it refuses to begin a login ({for_code(code).__name__})", "see the broker's log")


def _login_problem(message: str, settings: TransportSettings) -> tuple[str, str]:
    return f"it refuses the login of {principal(settings)} ({excerpt(message.strip(), 300)})", login_advice(settings)


def _brokers(
    line: Line, versions: BrokerVersionData, address: _Address, settings: TransportSettings, context: ssl.SSLContext | None
) -> list[_Address]:
    """The addresses that the cluster gives its clients, who connect to those and not to the one they were told."""
    try:
        request = MetadataRequest(topics=[])
        answer = line.ask(request, version=versions.api_version(request))
    except (OSError, NotKafka) as error:
        if isinstance(error, ConnectionError) and not uses_sasl(settings) and _wants_login(address, settings, context):
            protocol = "SASL_SSL" if settings.security_protocol == "SSL" else "SASL_PLAINTEXT"
            raise _Stopped("this listener wants a login by SASL", f"set KAFKA_SECURITY_PROTOCOL to {protocol}") from None
        raise _broken(error, "after the login" if uses_sasl(settings) else "when asked for its cluster", settings) from None
    except KafkaError as error:
        raise _Stopped(f"its version cannot be used ({error})", "Apache Kafka 2.4 or newer is needed") from None
    return [(broker.host, broker.port) for broker in answer.brokers]


def _check_advertised(address: _Address, brokers: list[_Address], deadline: float) -> None:
    if not brokers:
        raise _Stopped("its cluster has no broker yet", "wait until it has started", heals=True)
    for broker in brokers:
        if broker == address:
            return
        try:
            socket.create_connection(broker, timeout=max(0.1, deadline - time.monotonic())).close()
        except OSError:
            continue
        return
    named = ", ".join(f"{host}:{port}" for host, port in brokers)
    what = f"it sends its clients to {named}, which cannot be reached from here"
    raise _Stopped(what, "correct advertised.listeners of the brokers", heals=True)


def _broken(error: OSError | NotKafka, moment: str, settings: TransportSettings) -> _Stopped:
    """What a failed exchange means whenever it happens."""
    if isinstance(error, TimeoutError):
        return _Stopped(f"it accepts connections and is silent for {BOUND:g} s", "see whether the broker hangs", heals=True)
    if isinstance(error, NotKafka):
        return _Stopped("what answers there is not Kafka", "check host and port in KAFKA_BOOTSTRAP_SERVERS")
    refused = refusal(error, with_certificate=settings.ssl_certfile is not None)
    if refused:
        return _Stopped(*refused)
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        what = f"its TLS cannot be understood ({(error.reason or str(error)).lower().replace('_', ' ')})"
        return _Stopped(what, "check that KAFKA_BOOTSTRAP_SERVERS names a TLS listener of Kafka")
    return _Stopped(f"it closed the connection {moment}", "see the broker's log, and check the port", heals=True)


def _wants_login(address: _Address, settings: TransportSettings, context: ssl.SSLContext | None) -> bool:
    """A listener with SASL hangs up at once when it is asked for anything else; but it talks about mechanisms."""
    try:
        with _reach(address) as raw, _secure(raw, address, settings, context) as connection:
            line = Line(connection, time.monotonic() + _SECOND_LOOK)
            answer = line.ask(SaslHandshakeRequest(mechanism="PLAIN"), version=1)
    except (OSError, NotKafka, _Stopped):
        return False
    return answer.error_code in (0, _UNSUPPORTED_MECHANISM)


def _speaks_without_tls(address: _Address) -> bool:
    """Ask again, to tell a plaintext port from a server that is just going down."""
    try:
        with socket.create_connection(address, timeout=_SECOND_LOOK) as connection:
            Line(connection, time.monotonic() + _SECOND_LOOK).ask(ApiVersionsRequest(), version=0)
    except (OSError, NotKafka):
        return False
    return True


def _speaks_tls(error: Exception, address: _Address) -> bool:
    """Most TLS ports complain in TLS; some just hang up and have to be asked."""
    if isinstance(error, NotKafka | TimeoutError):
        return isinstance(error, NotKafka) and error.tls
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(address, timeout=_SECOND_LOOK) as raw, anybody.wrap_socket(raw):
            return True
    except OSError as refused:
        return refusal(refused, with_certificate=False) is not None
