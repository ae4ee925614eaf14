"""Kafka's connection settings must fit together: half of a login would go out in the clear, or not at all."""

from __future__ import annotations

import pytest

from shared.settings import Role
from tests.unit.settings.cases import loaded, problems

FILE = __file__
SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
LOGIN = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "me", "KAFKA_SASL_PASSWORD": "hush"}
CERTIFICATE = {"KAFKA_SSL_CERTFILE": FILE, "KAFKA_SSL_KEYFILE": FILE, "KAFKA_SSL_PASSWORD": "hush"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        {"KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_SSL_CAFILE": FILE, **CERTIFICATE},
        {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", **LOGIN},
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CAFILE": FILE, **LOGIN, **CERTIFICATE},
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM"},
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "oauthbearer"},
    ],
)
def test_what_fits_together_is_taken(environ: dict[str, str]) -> None:
    assert loaded(Role.LOG, **SERVERS, **environ).transport.bootstrap_servers == ("kafka:9092",)


@pytest.mark.parametrize(
    ("environ", "pairs"),
    [
        (SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, [("KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM")]),
        (
            SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"},
            [("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME"), ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_PASSWORD")],
        ),
        (
            SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"} | LOGIN | {"KAFKA_SASL_PASSWORD": ""},
            [("KAFKA_SASL_MECHANISM", "KAFKA_SASL_PASSWORD")],
        ),
        (SERVERS | {"KAFKA_SASL_PASSWORD": "hush"}, [("KAFKA_SASL_PASSWORD", "KAFKA_SECURITY_PROTOCOL")]),
        (
            SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SASL_USERNAME": "me"},
            [("KAFKA_SASL_USERNAME", "KAFKA_SECURITY_PROTOCOL")],
        ),
        (SERVERS | {"KAFKA_SSL_CAFILE": FILE}, [("KAFKA_SSL_CAFILE", "KAFKA_SECURITY_PROTOCOL")]),
        (
            SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": FILE},
            [("KAFKA_SSL_CERTFILE", "KAFKA_SSL_KEYFILE")],
        ),
        (
            SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEYFILE": FILE},
            [("KAFKA_SSL_KEYFILE", "KAFKA_SSL_CERTFILE")],
        ),
        (
            SERVERS | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_PASSWORD": "hush"},
            [("KAFKA_SSL_PASSWORD", "KAFKA_SSL_KEYFILE")],
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, [("KAFKA_SECURITY_PROTOCOL", "KAFKA_BOOTSTRAP_SERVERS")]),
    ],
)
def test_what_does_not_fit_is_refused_and_both_settings_named(environ: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    lines = problems(Role.LOG, **environ)
    assert len(lines) == len(pairs)
    for line, (first, second) in zip(lines, pairs, strict=True):
        assert line.startswith(first)
        assert f" and {second}" in line
        assert "hush" not in line
