"""What the preflight exchanges with one server, and what each way of failing means.

A server that shuts down breaks off anywhere, so a broken connection proves no other cause. A diagnosis that ends the process
needs a response that says so, from two handshakes that end alike.
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
from shared.transport.kafka.client.probe import NotKafka, ProbeConnection
from shared.transport.kafka.client.security import login_advice, sasl_login, uses_sasl

#: Seconds for one server; one more where it is asked again to be sure.
BOUND: Final = 3.0
_SECOND_LOOK: Final = 1.0

_UNSUPPORTED_MECHANISM: Final = 33
_NO_SASL_HERE: Final = 34
# OpenSSL's X509_V_ERR_…
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_WRONG_NAME: Final = (62, 64)
_UNKNOWN_AUTHORITY: Final = (18, 19, 20, 21)

_Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ServerFault:
    """Why one server cannot be used."""

    server: str
    what: str
    #: What to do about it.
    action: str
    #: It may go away by waiting: the server starts, or comes back.
    heals: bool

    def __str__(self) -> str:
        return f"Kafka at {self.server}: {self.what}; {self.action}"


class _HandshakeFailed(Exception):
    def __init__(self, what: str, action: str, *, heals: bool = False) -> None:
        super().__init__(what)
        self.what, self.action, self.heals = what, action, heals


def examine(server: str, settings: TransportSettings, context: ssl.SSLContext | None) -> ServerFault | None:
    """Talks to `server` ("host:port") as far as a client would to learn of its cluster. Waits about 4 s at most.

    Returns None when all is well. What waiting cannot heal is confirmed by a second handshake; those are short.
    """
    first = _look(server, settings, context)
    if first is None or first.heals:
        return first
    second = _look(server, settings, context)
    return second if second in (None, first) else replace(second, heals=True)


def _look(server: str, settings: TransportSettings, context: ssl.SSLContext | None) -> ServerFault | None:
    host, _, port = server.rpartition(":")
    try:
        _Handshake((host.strip("[]"), int(port)), settings, context).run()
    except _HandshakeFailed as failed:
        return ServerFault(server, failed.what, failed.action, failed.heals)
    return None


@dataclass(frozen=True, slots=True)
class _Handshake:
    """With one server. Every step raises `_HandshakeFailed`."""

    address: _Address
    settings: TransportSettings
    #: None: without TLS.
    context: ssl.SSLContext | None

    def run(self) -> None:
        deadline = time.monotonic() + BOUND
        with self._connect() as raw, self._secure(raw) as connection:
            probe = ProbeConnection(connection, deadline)
            versions = self._ask_versions(probe)
            if uses_sasl(self.settings):
                self._log_in(probe)
            brokers = self._ask_brokers(probe, versions)
        self._check_advertised(brokers, deadline + _SECOND_LOOK)

    def _connect(self) -> socket.socket:
        check = "check KAFKA_BOOTSTRAP_SERVERS, and that the broker runs"
        try:
            return socket.create_connection(self.address, timeout=BOUND)
        except socket.gaierror:
            raise _HandshakeFailed(f"no address is known for the name {self.address[0]}", check, heals=True) from None
        except TimeoutError:
            what = f"unreachable: no response within {BOUND:g} s"
            raise _HandshakeFailed(what, f"{check}; a firewall may be between", heals=True) from None
        except OSError as error:
            what = f"unreachable: {(error.strerror or str(error)).lower()}"
            raise _HandshakeFailed(what, check, heals=True) from None

    @contextmanager
    def _secure(self, raw: socket.socket) -> Iterator[socket.socket]:
        """The connection to talk on: with TLS where a context is given."""
        if self.context is None:
            yield raw
            return
        try:
            connection = self.context.wrap_socket(raw, server_hostname=self.address[0])
        except ssl.SSLCertVerificationError as error:
            raise _HandshakeFailed(*_untrusted(error)) from None
        except OSError as error:
            if not isinstance(error, TimeoutError) and self._speaks_without_tls():
                action = "set KAFKA_SECURITY_PROTOCOL to PLAINTEXT or SASL_PLAINTEXT, or use the port of its TLS listener"
                raise _HandshakeFailed("this port speaks Kafka without TLS, and we came with TLS", action) from None
            raise self._broken(error, "during the TLS handshake") from None
        with connection:
            yield connection

    def _ask_versions(self, probe: ProbeConnection) -> BrokerVersionData:
        try:
            response = probe.request(ApiVersionsRequest(), version=0)
        except (OSError, NotKafka) as error:
            if self.context is None and self._speaks_tls(error):
                action = "set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or use the port of its plaintext listener"
                raise _HandshakeFailed("this port speaks TLS, and we came without it", action) from None
            raise self._broken(error, "at the first request") from None
        return BrokerVersionData(api_versions={key.api_key: (key.min_version, key.max_version) for key in response.api_keys})

    def _log_in(self, probe: ProbeConnection) -> None:
        try:
            response = probe.request(SaslHandshakeRequest(mechanism=self.settings.sasl_mechanism), version=1)
            self._check_mechanism(response.error_code, response.mechanisms)
            login = sasl_login(self.settings, self.address[0])
            while not login.is_done():
                response = probe.request(SaslAuthenticateRequest(login.auth_bytes()), version=0)
                if response.error_code:
                    raise self._login_refused(response.error_message or for_code(response.error_code).__name__)
                login.receive(response.auth_bytes)
        except (OSError, NotKafka) as error:
            raise self._broken(error, "during the login") from None
        except (KafkaError, ValueError) as error:
            raise self._login_refused(str(error)) from None

    def _check_mechanism(self, code: int, enabled: Iterable[str]) -> None:
        if code == _NO_SASL_HERE:
            without = self.settings.security_protocol.removeprefix("SASL_")
            action = f"set KAFKA_SECURITY_PROTOCOL to {without}, or use another port"
            raise _HandshakeFailed("this listener knows no login by SASL", action)
        if code == _UNSUPPORTED_MECHANISM:
            what = f"it does not know KAFKA_SASL_MECHANISM={self.settings.sasl_mechanism}"
            raise _HandshakeFailed(what, f"set it to one of those it knows: {', '.join(enabled)}")
        if code:
            raise _HandshakeFailed(f"it refuses to begin a login ({for_code(code).__name__})", "see the broker's log")

    def _login_refused(self, message: str) -> _HandshakeFailed:
        what = f"it refuses the login of {principal(self.settings)} ({excerpt(message.strip(), 300)})"
        return _HandshakeFailed(what, login_advice(self.settings))

    def _ask_brokers(self, probe: ProbeConnection, versions: BrokerVersionData) -> list[_Address]:
        """Returns the addresses that the cluster gives its clients, who connect to those and not to the bootstrap servers."""
        try:
            request = MetadataRequest(topics=[])
            response = probe.request(request, version=versions.api_version(request))
        except (OSError, NotKafka) as error:
            sasl = uses_sasl(self.settings)
            if isinstance(error, ConnectionError) and not sasl and self._wants_login():
                protocol = "SASL_SSL" if self.settings.security_protocol == "SSL" else "SASL_PLAINTEXT"
                action = f"set KAFKA_SECURITY_PROTOCOL to {protocol}"
                raise _HandshakeFailed("this listener wants a login by SASL", action) from None
            raise self._broken(error, "after the login" if sasl else "when asked for its cluster") from None
        except KafkaError as error:
            raise _HandshakeFailed(f"its version cannot be used ({error})", "Apache Kafka 2.4 or newer is needed") from None
        return [(broker.host, broker.port) for broker in response.brokers]

    def _check_advertised(self, brokers: list[_Address], deadline: float) -> None:
        if not brokers:
            raise _HandshakeFailed("its cluster has no broker yet", "wait until it has started", heals=True)
        for broker in brokers:
            if broker == self.address:
                return
            try:
                socket.create_connection(broker, timeout=max(0.1, deadline - time.monotonic())).close()
            except OSError:
                continue
            return
        named = ", ".join(f"{host}:{port}" for host, port in brokers)
        what = f"it sends its clients to {named}, which cannot be reached from here"
        raise _HandshakeFailed(what, "correct advertised.listeners of the brokers", heals=True)

    def _broken(self, error: OSError | NotKafka, moment: str) -> _HandshakeFailed:
        """What a failed exchange means whenever it happens."""
        if isinstance(error, TimeoutError):
            what = f"it accepts connections and is silent for {BOUND:g} s"
            return _HandshakeFailed(what, "see whether the broker hangs", heals=True)
        if isinstance(error, NotKafka):
            return _HandshakeFailed("what responds there is not Kafka", "check host and port in KAFKA_BOOTSTRAP_SERVERS")
        refusal = _refusal(error, with_certificate=self.settings.ssl_certfile is not None)
        if refusal:
            return _HandshakeFailed(*refusal)
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            what = f"its TLS cannot be understood ({(error.reason or str(error)).lower().replace('_', ' ')})"
            return _HandshakeFailed(what, "check that KAFKA_BOOTSTRAP_SERVERS names a TLS listener of Kafka")
        return _HandshakeFailed(f"it closed the connection {moment}", "see the broker's log, and check the port", heals=True)

    def _wants_login(self) -> bool:
        """A listener with SASL closes the connection at any other request; but it responds about mechanisms."""
        try:
            with self._connect() as raw, self._secure(raw) as connection:
                probe = ProbeConnection(connection, time.monotonic() + _SECOND_LOOK)
                response = probe.request(SaslHandshakeRequest(mechanism="PLAIN"), version=1)
        except (OSError, NotKafka, _HandshakeFailed):
            return False
        return response.error_code in (0, _UNSUPPORTED_MECHANISM)

    def _speaks_without_tls(self) -> bool:
        """Asks again, to tell a plaintext port from a server that is just going down."""
        try:
            with socket.create_connection(self.address, timeout=_SECOND_LOOK) as connection:
                ProbeConnection(connection, time.monotonic() + _SECOND_LOOK).request(ApiVersionsRequest(), version=0)
        except (OSError, NotKafka):
            return False
        return True

    def _speaks_tls(self, error: Exception) -> bool:
        """Most TLS ports complain in TLS; some just close the connection and have to be asked."""
        if isinstance(error, NotKafka | TimeoutError):
            return isinstance(error, NotKafka) and error.tls
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection(self.address, timeout=_SECOND_LOOK) as raw, unverified.wrap_socket(raw):
                return True
        except OSError as refused:
            return _refusal(refused, with_certificate=False) is not None


def _untrusted(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Why we do not trust the broker's certificate, and what to do."""
    what = f"we do not trust its certificate ({error.verify_message.rstrip('.')})"
    if error.verify_code in _WRONG_NAME:
        return what, "in KAFKA_BOOTSTRAP_SERVERS use a name that stands in the broker's certificate"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return what, "KAFKA_SSL_CAFILE must hold the authority that signed it"
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return what, "renew the broker's certificate, or set this machine's clock right"
    return what, "the broker needs another certificate, or KAFKA_SSL_CAFILE another authority"


def _refusal(error: OSError, *, with_certificate: bool) -> tuple[str, str] | None:
    """Why the broker does not trust us, and what to do; None when it is no refusal.

    With TLS 1.3 it comes with the first response only.
    """
    alert = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if "ALERT" not in alert:
        return None
    words = alert.partition("ALERT_")[2].lower().replace("_", " ")
    if "CERTIFICATE" not in alert and "UNKNOWN_CA" not in alert:
        return f"it refuses the TLS handshake ({words})", "compare its TLS versions and ciphers with this machine's"
    if with_certificate:
        action = "KAFKA_SSL_CERTFILE must be valid and signed by an authority that the broker trusts"
        return f"it refuses our client certificate ({words})", action
    return f"it wants a client certificate ({words})", "set KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
