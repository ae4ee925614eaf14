"""A PEM file that cannot be used is named, with its setting; nothing is asked at the terminal."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.preflight import check
from shared.transport.kafka.client.security import tls_context
from tests.support.kafka.certificates import KEY_PASSWORD, Authority
from tests.support.kafka.principals import log_settings
from tests.support.kafka.secured import SecuredBroker


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _settings(authority: Authority, **files: Path | str | None) -> TransportSettings:
    given = {"bootstrap_servers": ("localhost:9092",), "security_protocol": "SSL", "ssl_cafile": authority.cafile, **files}
    return TransportSettings.model_validate(given)


def _problem(settings: TransportSettings) -> str:
    with pytest.raises(TransportUnusable) as raised:
        tls_context(settings)
    return str(raised.value)


def test_no_context_without_tls() -> None:
    assert tls_context(TransportSettings(bootstrap_servers=("localhost:9092",))) is None


def test_without_a_file_the_usual_authorities_are_trusted_and_names_are_checked() -> None:
    context = tls_context(TransportSettings(bootstrap_servers=("localhost:9092",), security_protocol="SSL"))
    assert context
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("damage", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_authority(authority: Authority, damage: bytes) -> None:
    settings = _settings(authority)
    authority.cafile.write_bytes(damage)
    assert _problem(settings).startswith(f"KAFKA_SSL_CAFILE: {authority.cafile} holds no certificate")


def test_a_file_that_went_away_after_the_settings_were_read(authority: Authority) -> None:
    settings = _settings(authority)
    authority.cafile.unlink()
    assert _problem(settings) == f"KAFKA_SSL_CAFILE: {authority.cafile} cannot be read (No such file or directory)"


def test_a_key_that_belongs_to_another_certificate(authority: Authority) -> None:
    certificate, _ = authority.client("one")
    _, key = authority.client("two")
    problem = _problem(_settings(authority, ssl_certfile=certificate, ssl_keyfile=key))
    assert problem == f"KAFKA_SSL_KEYFILE: {key} is not the key of the certificate in {certificate}"


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_damaged_identity(authority: Authority, damaged: int) -> None:
    files = authority.client("one")
    settings = _settings(authority, ssl_certfile=files[0], ssl_keyfile=files[1])
    files[damaged].write_bytes(files[damaged].read_bytes()[:200])
    assert re.match(r"KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: .* damaged", _problem(settings))


@pytest.mark.parametrize(("password", "expected"), [(None, "is not set"), ("wrong", "does not open")])
def test_an_encrypted_key_without_the_right_password(authority: Authority, password: str | None, expected: str) -> None:
    certificate, key = authority.client("one", password=KEY_PASSWORD)
    problem = _problem(_settings(authority, ssl_certfile=certificate, ssl_keyfile=key, ssl_password=password))
    assert problem.startswith(f"KAFKA_SSL_PASSWORD {expected}")
    assert "wrong" not in problem


def test_an_encrypted_key_opens_the_door(secured_kafka: SecuredBroker) -> None:
    certificate, key = secured_kafka.authority.client("locked", password=KEY_PASSWORD)
    files = {"KAFKA_SSL_CERTFILE": str(certificate), "KAFKA_SSL_KEYFILE": str(key), "KAFKA_SSL_PASSWORD": KEY_PASSWORD}
    assert check(log_settings({**secured_kafka.mutual_environment("locked"), **files})) == []
