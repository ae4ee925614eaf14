"""What does not go together: within a group and over the borders of groups; and what is logged at the start."""

from __future__ import annotations

import pytest

from shared.settings import Role, load
from tests.unit.settings.cases import ENOUGH, error, errors, loaded
from tests.unit.settings.test_values import SECRET

FILE = __file__
BATCH = {"SEND_AS_BATCH": "true"}
KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
TLS = {**KAFKA, "KAFKA_SECURITY_PROTOCOL": "SSL"}
SASL = {**KAFKA, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
LOGIN = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "me", "KAFKA_SASL_PASSWORD": "hush"}
CERTIFICATE = {"KAFKA_SSL_CERTFILE": FILE, "KAFKA_SSL_KEYFILE": FILE, "KAFKA_SSL_PASSWORD": "hush"}
#: What is set, and how the one line begins.
CONFLICTS: list[tuple[dict[str, str], str]] = [
    # The order of retries and of stopping.
    (
        {"WEBHOOK_BACKOFF_BASE": "2", "WEBHOOK_BACKOFF_CAP": "1"},
        "WEBHOOK_BACKOFF_BASE='2' (environment) and WEBHOOK_BACKOFF_CAP='1' (environment): the first wait is longer",
    ),
    ({"WEBHOOK_BACKOFF_CAP": "0.5"}, "WEBHOOK_BACKOFF_BASE='1' (default) and WEBHOOK_BACKOFF_CAP='0.5' (environment): "),
    ({"STOP_GRACE": "10"}, "DRAIN_TIMEOUT='10' (default) and STOP_GRACE='10' (environment): "),
    # The webhook.
    (
        {"WEBHOOK_URL": "http://10.1.2.3/hook", "WEBHOOK_ALLOW_PRIVATE": "false"},
        "WEBHOOK_URL='http://10.1.2.3/hook' (environment) and WEBHOOK_ALLOW_PRIVATE='false' (environment): the address is not a ",
    ),
    ({"WEBHOOK_SECRET_PREVIOUS": SECRET}, "WEBHOOK_SECRET_PREVIOUS='***' (environment) and WEBHOOK_SECRET (not set): "),
    ({"WEBHOOK_CLIENT_KEY": FILE}, f"WEBHOOK_CLIENT_KEY='{FILE}' (environment) and WEBHOOK_CLIENT_CERT (not set): "),
    (
        {"WEBHOOK_URL": "http://example.com/", "WEBHOOK_CLIENT_CERT": FILE},
        f"WEBHOOK_CLIENT_CERT='{FILE}' (environment) and WEBHOOK_URL='http://example.com/' (environment): ",
    ),
    (
        {"WEBHOOK_CONNECT_TIMEOUT": "3", "WEBHOOK_TIMEOUT": "2"},
        "WEBHOOK_CONNECT_TIMEOUT='3' (environment) and WEBHOOK_TIMEOUT='2' (environment): ",
    ),
    ({"WEBHOOK_CONNECT_TIMEOUT": "31"}, "WEBHOOK_CONNECT_TIMEOUT='31' (environment) and WEBHOOK_TIMEOUT='30' (default): "),
    # Kafka: half of a login would go out in the clear, or not at all.
    (SASL, "KAFKA_SECURITY_PROTOCOL='SASL_SSL' (environment) and KAFKA_SASL_MECHANISM (not set): "),
    (
        {**SASL, **LOGIN, "KAFKA_SASL_PASSWORD": ""},
        "KAFKA_SASL_MECHANISM='SCRAM-SHA-512' (environment) and KAFKA_SASL_PASSWORD (not set): ",
    ),
    (
        {**KAFKA, "KAFKA_SASL_PASSWORD": "hush"},
        "KAFKA_SASL_PASSWORD='***' (environment) and KAFKA_SECURITY_PROTOCOL='PLAINTEXT' (default): ",
    ),
    ({**TLS, "KAFKA_SASL_USERNAME": "me"}, "KAFKA_SASL_USERNAME='me' (environment) and KAFKA_SECURITY_PROTOCOL='SSL' "),
    ({**KAFKA, "KAFKA_SSL_CAFILE": FILE}, f"KAFKA_SSL_CAFILE='{FILE}' (environment) and KAFKA_SECURITY_PROTOCOL="),
    ({**TLS, "KAFKA_SSL_CERTFILE": FILE}, f"KAFKA_SSL_CERTFILE='{FILE}' (environment) and KAFKA_SSL_KEYFILE (not set)"),
    ({**TLS, "KAFKA_SSL_KEYFILE": FILE}, f"KAFKA_SSL_KEYFILE='{FILE}' (environment) and KAFKA_SSL_CERTFILE (not set)"),
    ({**TLS, "KAFKA_SSL_PASSWORD": "hush"}, "KAFKA_SSL_PASSWORD='***' (environment) and KAFKA_SSL_KEYFILE (not set)"),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        "KAFKA_SECURITY_PROTOCOL='SSL' (environment) and KAFKA_BOOTSTRAP_SERVERS (not set): ",
    ),
    # Over the borders of groups.
    (
        {**BATCH, "WINDOW": "99"},
        "BATCH_MAX_EVENTS='100' (default) and WINDOW='99' (environment): a batch can never be full",
    ),
    (
        {**KAFKA, "DRAIN_TIMEOUT": "50.5", "STOP_GRACE": "90"},
        "DRAIN_TIMEOUT='50.5' (environment) and KAFKA_BOOTSTRAP_SERVERS='kafka:9092' (environment): ",
    ),
    # A value that is invalid by itself is in no conflict.
    ({**BATCH, "WINDOW": "99", "BATCH_LINGER": "x"}, "BATCH_LINGER='x'"),
    ({"WEBHOOK_SECRET_FILE": "/no/such", "WEBHOOK_SECRET_PREVIOUS": SECRET}, "WEBHOOK_SECRET_FILE='/no/such' (environment): "),
]


@pytest.mark.parametrize(("environ", "begin"), CONFLICTS)
def test_a_conflict_is_one_line_that_names_the_settings_with_their_sources(environ: dict[str, str], begin: str) -> None:
    line = error(**environ)
    assert line.startswith(begin)
    assert "; " in line
    assert "hush" not in line


@pytest.mark.parametrize(
    "environ",
    [
        {"STOP_GRACE": "10", "DRAIN_TIMEOUT": "0"},
        {"DRAIN_TIMEOUT": "300", "STOP_GRACE": "301"},  # on SQLite a drain may take as long as stopping allows
        {**KAFKA, "DRAIN_TIMEOUT": "50", "STOP_GRACE": "90"},
        {**BATCH, "WINDOW": "99", "BATCH_MAX_EVENTS": "99"},
        {"WINDOW": "99"},  # nothing is sent in batches
        {"WEBHOOK_CLIENT_CERT": FILE},  # a file may hold the certificate and its key
        {"WEBHOOK_CLIENT_CERT": FILE, "WEBHOOK_CLIENT_KEY": FILE, "WEBHOOK_URL": "HTTPS://example.com/"},
        {"WEBHOOK_TIMEOUT": "2"},  # the total bounds the default of connecting
        {"WEBHOOK_TIMEOUT": "2", "WEBHOOK_CONNECT_TIMEOUT": "2"},
        {"WEBHOOK_SECRET": SECRET, "WEBHOOK_SECRET_PREVIOUS": SECRET},
        KAFKA,
        TLS,
        {**TLS, "KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_SSL_CAFILE": FILE, **CERTIFICATE},
        {**KAFKA, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", **LOGIN},
        {**SASL, "KAFKA_SSL_CAFILE": FILE, **LOGIN, **CERTIFICATE},
        {**SASL, "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM"},
        {**SASL, "KAFKA_SASL_MECHANISM": "oauthbearer"},
    ],
)
def test_what_goes_together_is_taken(environ: dict[str, str]) -> None:
    assert not errors(**environ)
    assert not errors(Role.CONSUME, **environ)


def test_all_conflicts_of_a_group_are_named() -> None:
    lines = errors(Role.LOG, **SASL, KAFKA_SASL_MECHANISM="PLAIN")
    assert [line.split(" and ")[1].split(" ")[0] for line in lines] == ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"]


def test_a_conflict_is_one_of_a_role_that_reads_all_its_settings() -> None:
    assert error(Role.CONSUME, **KAFKA, DRAIN_TIMEOUT="50.5", STOP_GRACE="90").endswith("set the first to 50 or less")
    assert len(errors(Role.CONSUME, **BATCH, WINDOW="99")) == 1
    for role in (Role.PRODUCE, Role.LOG, Role.OBSERVABILITY):
        assert not errors(role, **BATCH, WINDOW="99")


@pytest.mark.parametrize(
    ("environ", "begins"),
    [
        ({}, []),
        ({"WINDOW": "5", "WEBHOOK_CONCURRENT_CALLS": "50"}, []),
        (BATCH, []),
        (
            {**BATCH, "WINDOW": "499"},
            ["BATCH_MAX_EVENTS='100' (default) and WINDOW='499' (environment) and WEBHOOK_CONCURRENT_CALLS='5' (default): "],
        ),
        ({"WEBHOOK_BREAKER_FAILURES": "20", "WINDOW": "10"}, []),
        ({"WEBHOOK_MAX_ATTEMPTS": "3", "WINDOW": "10"}, []),
        (
            {"WEBHOOK_MAX_ATTEMPTS": "3", "WINDOW": "9"},
            ["WEBHOOK_BREAKER_FAILURES='10' (default) and WINDOW='9' (environment) and WEBHOOK_MAX_ATTEMPTS='3' (environment): "],
        ),
        (
            {"BATCH_LINGER": "1", "BATCH_MAX_EVENTS": "5"},
            [
                "BATCH_MAX_EVENTS='5' (environment) and SEND_AS_BATCH='false' (default): the first has no effect",
                "BATCH_LINGER='1' (environment) and SEND_AS_BATCH='false' (default): the first has no effect",
            ],
        ),
        ({**BATCH, "BATCH_LINGER": "1"}, []),
        (
            {"AUTH0_DOMAIN": "http://tenant:4010"},
            ["AUTH0_DOMAIN='http://tenant:4010' (environment): the client secret and the log travel without TLS"],
        ),
        ({"AUTH0_DOMAIN": "https://tenant:4010"}, []),
    ],
)
def test_what_hardly_fits_is_noted(environ: dict[str, str], begins: list[str]) -> None:
    notes = loaded(**environ).notes()
    assert len(notes) == len(begins)
    for note, begin in zip(notes, begins, strict=True):
        assert note.startswith(begin)
        assert "; " in note


def test_a_role_notes_nothing_of_what_it_does_not_read() -> None:
    assert not loaded(Role.CONSUME, AUTH0_DOMAIN="http://tenant:4010").notes()


def test_a_call_may_take_longer_than_stopping() -> None:
    """Issue 7 asked to refuse it; docs/decisions.md says why not."""
    settings = load(Role.RUN, ENOUGH, None)
    assert settings.webhook.timeout > settings.loop.stop_grace
