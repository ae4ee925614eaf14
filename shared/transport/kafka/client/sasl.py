"""What a login by SASL needs, for the clients and for the preflight.

PLAIN and SCRAM take user and password. OAUTHBEARER takes KAFKA_SASL_PASSWORD as the token, as it stands: it is read once, so a
process must be started again before the token ends. AWS_MSK_IAM takes its identity from the environment, by way of `botocore`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from kafka.net.sasl import get_sasl_mechanism
from kafka.net.sasl.abc import SaslMechanism
from kafka.net.sasl.oauth import AbstractTokenProvider

from shared.errors import TransportUnusable
from shared.settings import TransportSettings


class _GivenToken(AbstractTokenProvider):  # type: ignore[misc]
    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def token(self) -> str:
        return self._token


def sasl_arguments(settings: TransportSettings) -> dict[str, Any]:
    """Arguments for kafka-python's clients; empty without SASL. Raises `TransportUnusable`."""
    if not uses_sasl(settings):
        return {}
    given: dict[str, Any] = {"sasl_mechanism": settings.sasl_mechanism}
    if settings.sasl_mechanism == "OAUTHBEARER":
        if not settings.sasl_password:
            raise TransportUnusable("KAFKA_SASL_MECHANISM=OAUTHBEARER needs the token in KAFKA_SASL_PASSWORD")
        return {**given, "sasl_oauth_token_provider": _GivenToken(settings.sasl_password)}
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        _check_iam(settings)
        return given
    username = settings.sasl_username or ""
    if settings.sasl_mechanism != "PLAIN":
        # RFC 5802 wants these two escaped; the library sends them as they are, and the broker refuses the login.
        username = username.replace("=", "=3D").replace(",", "=2C")
    return {**given, "sasl_plain_username": username, "sasl_plain_password": settings.sasl_password}


def mechanism(settings: TransportSettings, host: str) -> SaslMechanism:
    """One login: the library's own state machine, so that what passes here passes there."""
    make = get_sasl_mechanism(settings.sasl_mechanism)
    return make(host=host, security_protocol=settings.security_protocol, **sasl_arguments(settings))


def uses_sasl(settings: TransportSettings) -> bool:
    return settings.security_protocol.startswith("SASL")


def login_advice(settings: TransportSettings) -> str:
    """What to do about a login that was refused."""
    if settings.sasl_mechanism == "OAUTHBEARER":
        return "check the token in KAFKA_SASL_PASSWORD, and that it has not ended"
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return "check the AWS identity and the rights of this process"
    return "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"


def _check_iam(settings: TransportSettings) -> None:
    if find_spec("botocore") is None:
        raise TransportUnusable("KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs the package botocore beside us: pip install botocore")
    if settings.security_protocol != "SASL_SSL":
        raise TransportUnusable("KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs KAFKA_SECURITY_PROTOCOL=SASL_SSL")
