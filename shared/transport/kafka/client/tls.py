"""The one `ssl.SSLContext` of all connections to Kafka, and what can be wrong with the PEM files that go into it.

Built here and handed to the library, because a mistake in these files would otherwise surface as "unable to bootstrap".
"""

from __future__ import annotations

import ssl
from pathlib import Path

from shared.errors import TransportUnusable
from shared.settings import TransportSettings


def tls_context(settings: TransportSettings) -> ssl.SSLContext | None:
    """None for a protocol without TLS. Raises `TransportUnusable`, naming the setting and the file.

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


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _readable("KAFKA_SSL_CAFILE", path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise TransportUnusable(
            f"KAFKA_SSL_CAFILE: {path} holds no certificate in PEM form (or a damaged one): "
            "give the certificate of the authority that signed the brokers' certificates"
        ) from None


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path | None, password: str | None) -> None:
    _readable("KAFKA_SSL_CERTFILE", certificate)
    if key:
        _readable("KAFKA_SSL_KEYFILE", key)
    try:
        # An empty password instead of none: OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password or "")
    except (ssl.SSLError, ValueError) as error:
        raise TransportUnusable(_identity_problem(error, certificate, key or certificate, password)) from None


def _identity_problem(error: Exception, certificate: Path, key: Path, password: str | None) -> str:
    if "KEY_VALUES_MISMATCH" in str(error):
        return f"KAFKA_SSL_KEYFILE: {key} is not the key of the certificate in {certificate}"
    if b"ENCRYPTED" in key.read_bytes():
        problem = "does not open" if password else "is not set, but"
        return f"KAFKA_SSL_PASSWORD {problem} the key in {key}" + ("" if password else " is encrypted")
    return (
        f"KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: {certificate} and {key} are not a certificate and its key in PEM form, "
        "or one of them is damaged"
    )


def _readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise TransportUnusable(f"{name}: {path} cannot be read ({error.strerror})") from None
