"""TLS and SASL: from settings to what a connection to Kafka needs, for the clients and for the preflight.

The one `ssl.SSLContext` is built here and handed to the library, because a mistake in the PEM files would otherwise surface as
"unable to bootstrap". PLAIN and SCRAM take user and password. OAUTHBEARER takes KAFKA_SASL_PASSWORD as the token itself; it is
read once, so restart the process before the token expires. AWS_MSK_IAM takes its identity from the environment through
`botocore`.
"""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kafka.net.sasl import get_sasl_mechanism
from kafka.net.sasl.abc import SaslMechanism
from kafka.net.sasl.oauth import AbstractTokenProvider

from shared.errors import TransportUnusable
from shared.settings import TransportSettings


def tls_context(settings: TransportSettings) -> ssl.SSLContext | None:
    """Returns None for a protocol without TLS. Raises `TransportUnusable`, naming the setting and the file.

    Not `ssl.create_default_context`: from Python 3.13 on it refuses private authorities that lack a key usage, which are common.
    """
    if "SSL" not in settings.security_protocol:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ssl_cafile:
        _load_authorities(context, settings.ssl_cafile)
    else:
        context.load_default_certs()
    if settings.ssl_certfile:
        _load_identity(context, settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_password)
    return context


def sasl_arguments(settings: TransportSettings) -> dict[str, Any]:
    """Returns arguments for kafka-python's clients; empty without SASL. Raises `TransportUnusable`."""
    if not uses_sasl(settings):
        return {}
    given: dict[str, Any] = {"sasl_mechanism": settings.sasl_mechanism}
    if settings.sasl_mechanism == "OAUTHBEARER":
        if not settings.sasl_password:
            raise TransportUnusable("KAFKA_SASL_MECHANISM=OAUTHBEARER needs the token in KAFKA_SASL_PASSWORD")
        return {**given, "sasl_oauth_token_provider": _FixedToken(settings.sasl_password)}
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        _check_iam(settings)
        return given
    username = settings.sasl_username or ""
    if settings.sasl_mechanism != "PLAIN":
        # RFC 5802 wants these two escaped; the library sends them as they are, and the broker refuses the login.
        username = username.replace("=", "=3D").replace(",", "=2C")
    return {**given, "sasl_plain_username": username, "sasl_plain_password": settings.sasl_password}


def sasl_login(settings: TransportSettings, host: str) -> SaslMechanism:
    """Returns the library's own state machine for one login, so that the preflight accepts what the clients accept."""
    make = get_sasl_mechanism(settings.sasl_mechanism)
    return make(host=host, security_protocol=settings.security_protocol, **sasl_arguments(settings))


def uses_sasl(settings: TransportSettings) -> bool:
    return settings.security_protocol.startswith("SASL")


def login_advice(settings: TransportSettings) -> str:
    """Returns what to do about a refused login."""
    if settings.sasl_mechanism == "OAUTHBEARER":
        return "check the token in KAFKA_SASL_PASSWORD, and that it has not expired"
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return "check the AWS identity and the rights of this process"
    return "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"


class _FixedToken(AbstractTokenProvider):  # type: ignore[misc]
    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def token(self) -> str:
        return self._token


def _check_iam(settings: TransportSettings) -> None:
    if find_spec("botocore") is None:
        raise TransportUnusable("KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs the package botocore beside us: pip install botocore")
    if settings.security_protocol != "SASL_SSL":
        raise TransportUnusable("KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs KAFKA_SECURITY_PROTOCOL=SASL_SSL")


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _require_readable("KAFKA_SSL_CAFILE", path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise TransportUnusable(
            f"KAFKA_SSL_CAFILE: {path} holds no certificate in PEM form (or a damaged one): "
            "give the certificate of the authority that signed the brokers' certificates"
        ) from None


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path | None, password: str | None) -> None:
    _require_readable("KAFKA_SSL_CERTFILE", certificate)
    if key:
        _require_readable("KAFKA_SSL_KEYFILE", key)
    try:
        # An empty password instead of none: OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password or "")
    except (ssl.SSLError, ValueError) as error:
        raise TransportUnusable(_identity_error(error, certificate, key or certificate, password)) from None


def _identity_error(error: Exception, certificate: Path, key: Path, password: str | None) -> str:
    if "KEY_VALUES_MISMATCH" in str(error):
        return f"KAFKA_SSL_KEYFILE: {key} is not the key of the certificate in {certificate}"
    if b"ENCRYPTED" in key.read_bytes():
        problem = "does not open" if password else "is not set, but"
        return f"KAFKA_SSL_PASSWORD {problem} the key in {key}" + ("" if password else " is encrypted")
    return (
        f"KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: {certificate} and {key} are not a certificate and its key in PEM form, "
        "or one of them is damaged"
    )


def _require_readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise TransportUnusable(f"{name}: {path} cannot be read ({error.strerror})") from None
