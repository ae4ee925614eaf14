"""No exception of the library gets past the adapter."""

from __future__ import annotations

import inspect
import ssl

import pytest
from kafka import errors as foreign

from shared.errors import PublishFailed, TransportUnusable, WebhooksError
from shared.settings import TransportSettings
from shared.transport.kafka.client.errors import Access, principal, translated

PLAIN = TransportSettings(bootstrap_servers=("localhost:9092",))
ALICE = TransportSettings(
    bootstrap_servers=("localhost:9092",),
    security_protocol="SASL_SSL",
    sasl_mechanism="SCRAM-SHA-512",
    sasl_username="alice",
    sasl_password="the-password",
)
ACCESS = Access("READ", "topic auth0.logs")


def _all_foreign() -> list[type[foreign.KafkaError]]:
    kinds = [kind for _, kind in inspect.getmembers(foreign, inspect.isclass) if issubclass(kind, foreign.KafkaError)]
    return list(dict.fromkeys(kinds))


def _instance(kind: type[foreign.KafkaError]) -> foreign.KafkaError:
    return kind({}) if kind is foreign.LogTruncationError else kind("some words")


def _translation(error: Exception, settings: TransportSettings = ALICE) -> WebhooksError:
    with pytest.raises(WebhooksError) as raised, translated(settings, "reading", ACCESS, otherwise=PublishFailed):
        raise error
    assert raised.value.__cause__ is error
    return raised.value


def test_there_are_many() -> None:
    assert len(_all_foreign()) > 100


@pytest.mark.parametrize("kind", _all_foreign(), ids=lambda kind: kind.__name__)
def test_each_comes_out_as_ours(kind: type[foreign.KafkaError]) -> None:
    error = _translation(_instance(kind))
    if issubclass(kind, foreign.AuthorizationError):
        assert type(error) is TransportUnusable
        assert "User:alice has no right to READ on topic auth0.logs" in str(error)
    elif kind is foreign.SaslAuthenticationFailedError:
        assert type(error) is TransportUnusable
    else:
        assert type(error) is PublishFailed
        assert str(error).startswith("Kafka failed while reading: ")


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), TimeoutError(), ssl.SSLError(1, "broken")])
def test_what_the_sockets_below_raise_comes_out_as_ours_too(error: OSError) -> None:
    assert type(_translation(error)) is PublishFailed


def test_a_missing_right_that_an_idempotent_producer_wraps_is_recognised() -> None:
    error = _translation(foreign.KafkaError("Exception: [Error 31] ClusterAuthorizationFailedError"))
    assert "has no right to" in str(error)


def test_a_bug_goes_through() -> None:
    with pytest.raises(ZeroDivisionError), translated(PLAIN, "reading", ACCESS):
        raise ZeroDivisionError


def test_who_we_are_is_told_as_an_acl_would() -> None:
    certificate = PLAIN.model_copy(update={"security_protocol": "SSL", "ssl_certfile": "client.pem"})
    assert principal(PLAIN) == "User:ANONYMOUS"
    assert principal(ALICE) == "User:alice"
    assert principal(certificate) == "the certificate's subject"
    assert principal(ALICE.model_copy(update={"sasl_mechanism": "OAUTHBEARER"})) == "the token's subject"
