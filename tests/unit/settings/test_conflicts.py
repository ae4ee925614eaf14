"""What does not go together: within a group and over the borders of groups; and what is logged at the start."""

from __future__ import annotations

import pytest

from shared.masking import MASK
from shared.parsers import text_of
from shared.settings import Role, load
from tests.unit.settings.cases import ENOUGH, OPTIONS, error, errors, loaded
from tests.unit.settings.test_values import SECRET

BATCH = "SEND_AS_BATCH=true"
KAFKA = "KAFKA_BOOTSTRAP_SERVERS=kafka:9092"
TLS = f"{KAFKA} KAFKA_SECURITY_PROTOCOL=SSL"
SASL = f"{KAFKA} KAFKA_SECURITY_PROTOCOL=SASL_SSL"
LOGIN = "KAFKA_SASL_MECHANISM=SCRAM-SHA-512 KAFKA_SASL_USERNAME=me KAFKA_SASL_PASSWORD=hush"
CERTIFICATE = f"KAFKA_SSL_CERTFILE={__file__} KAFKA_SSL_KEYFILE={__file__} KAFKA_SSL_PASSWORD=hush"
#: What is set, the settings that the one line names, and how it goes on.
CONFLICTS = [
    # Retries and stopping.
    ("WEBHOOK_BACKOFF_BASE=2 WEBHOOK_BACKOFF_CAP=1", "WEBHOOK_BACKOFF_BASE WEBHOOK_BACKOFF_CAP", "the first wait is longer"),
    ("WEBHOOK_BACKOFF_CAP=0.5", "WEBHOOK_BACKOFF_BASE WEBHOOK_BACKOFF_CAP", "the first wait is longer"),
    ("STOP_GRACE=10", "DRAIN_TIMEOUT STOP_GRACE", "the process would end before open calls are drained"),
    ("PII_MODE=mask", "PII_MODE PII_HASH_KEY", "the first needs the second: user ids become hashes in both modes"),
    # The webhook.
    ("WEBHOOK_URL=http://10.1.2.3/ WEBHOOK_ALLOW_PRIVATE=false", "WEBHOOK_URL WEBHOOK_ALLOW_PRIVATE", "the address is not a"),
    (f"WEBHOOK_SECRET_PREVIOUS={SECRET}", "WEBHOOK_SECRET_PREVIOUS WEBHOOK_SECRET", ""),
    (f"WEBHOOK_CLIENT_KEY={__file__}", "WEBHOOK_CLIENT_KEY WEBHOOK_CLIENT_CERT", "the first is the key"),
    (f"WEBHOOK_URL=http://example.com/ WEBHOOK_CLIENT_CERT={__file__}", "WEBHOOK_CLIENT_CERT WEBHOOK_URL", "a certificate is"),
    ("WEBHOOK_CONNECT_TIMEOUT=3 WEBHOOK_TIMEOUT=2", "WEBHOOK_CONNECT_TIMEOUT WEBHOOK_TIMEOUT", "connecting may take"),
    ("WEBHOOK_CONNECT_TIMEOUT=31", "WEBHOOK_CONNECT_TIMEOUT WEBHOOK_TIMEOUT", "connecting may take longer than"),
    # Kafka: half of a login would go out in the clear, or not at all.
    (SASL, "KAFKA_SECURITY_PROTOCOL KAFKA_SASL_MECHANISM", "the first needs the second"),
    (f"{SASL} {LOGIN} KAFKA_SASL_PASSWORD=", "KAFKA_SASL_MECHANISM KAFKA_SASL_PASSWORD", "the first needs the second"),
    (f"{KAFKA} KAFKA_SASL_PASSWORD=hush", "KAFKA_SASL_PASSWORD KAFKA_SECURITY_PROTOCOL", "the first has no meaning"),
    (f"{TLS} KAFKA_SASL_USERNAME=me", "KAFKA_SASL_USERNAME KAFKA_SECURITY_PROTOCOL", "the first has no meaning without SASL"),
    (f"{KAFKA} KAFKA_SSL_CAFILE={__file__}", "KAFKA_SSL_CAFILE KAFKA_SECURITY_PROTOCOL", "the first has no meaning without SSL"),
    (f"{TLS} KAFKA_SSL_CERTFILE={__file__}", "KAFKA_SSL_CERTFILE KAFKA_SSL_KEYFILE", "the first needs the second"),
    (f"{TLS} KAFKA_SSL_KEYFILE={__file__}", "KAFKA_SSL_KEYFILE KAFKA_SSL_CERTFILE", "the first needs the second"),
    (f"{TLS} KAFKA_SSL_PASSWORD=hush", "KAFKA_SSL_PASSWORD KAFKA_SSL_KEYFILE", "the first needs the second"),
    ("KAFKA_SECURITY_PROTOCOL=SSL", "KAFKA_SECURITY_PROTOCOL KAFKA_BOOTSTRAP_SERVERS", "a secured Kafka is described"),
    # Over the borders of groups.
    (f"{BATCH} WINDOW=99", "BATCH_MAX_EVENTS WINDOW", "a batch can never be full"),
    (f"{KAFKA} DRAIN_TIMEOUT=50.5 STOP_GRACE=90", "DRAIN_TIMEOUT KAFKA_BOOTSTRAP_SERVERS", "a partition that Kafka does not get"),
    # A value that is invalid by itself is in no conflict.
    (f"{BATCH} WINDOW=99 BATCH_LINGER=x", "BATCH_LINGER", "must be a number of seconds"),
    (f"WEBHOOK_SECRET_FILE=/no WEBHOOK_SECRET_PREVIOUS={SECRET}", "WEBHOOK_SECRET_FILE", "there is no such file"),
]
TAKEN = [
    "STOP_GRACE=10 DRAIN_TIMEOUT=0",
    "DRAIN_TIMEOUT=300 STOP_GRACE=301",  # on SQLite a drain may take as long as stopping allows
    f"{KAFKA} DRAIN_TIMEOUT=50 STOP_GRACE=90",
    f"{BATCH} WINDOW=99 BATCH_MAX_EVENTS=99",
    "WINDOW=99",  # nothing is sent in batches
    f"WEBHOOK_CLIENT_CERT={__file__}",  # a file may hold the certificate and its key
    f"WEBHOOK_CLIENT_CERT={__file__} WEBHOOK_CLIENT_KEY={__file__} WEBHOOK_URL=HTTPS://example.com/",
    "WEBHOOK_TIMEOUT=2",  # the total bounds the default of connecting
    "WEBHOOK_TIMEOUT=2 WEBHOOK_CONNECT_TIMEOUT=2",
    f"WEBHOOK_SECRET={SECRET} WEBHOOK_SECRET_PREVIOUS={SECRET}",
    "PII_MODE=hash PII_HASH_KEY=0123456789abcdef",
    KAFKA,
    TLS,
    f"{KAFKA} KAFKA_SECURITY_PROTOCOL=ssl KAFKA_SSL_CAFILE={__file__} {CERTIFICATE}",
    f"{KAFKA} KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT {LOGIN}",
    f"{SASL} KAFKA_SSL_CAFILE={__file__} {LOGIN} {CERTIFICATE}",
    f"{SASL} KAFKA_SASL_MECHANISM=AWS_MSK_IAM",
    f"{SASL} KAFKA_SASL_MECHANISM=oauthbearer",
]
#: What is set, and of each note the settings that it names and how it goes on.
NOTES: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("WINDOW=5 WEBHOOK_CONCURRENT_CALLS=50", {}),
    (BATCH, {}),
    (f"{BATCH} WINDOW=499", {"BATCH_MAX_EVENTS WINDOW WEBHOOK_CONCURRENT_CALLS": "the events taken at a time do not fill"}),
    ("WEBHOOK_BREAKER_FAILURES=20 WINDOW=10", {}),
    ("WEBHOOK_MAX_ATTEMPTS=3 WINDOW=10", {}),
    ("WEBHOOK_MAX_ATTEMPTS=3 WINDOW=9", {"WEBHOOK_BREAKER_FAILURES WINDOW WEBHOOK_MAX_ATTEMPTS": "the breaker can hardly open"}),
    (
        "BATCH_LINGER=1 BATCH_MAX_EVENTS=5",
        dict.fromkeys(["BATCH_MAX_EVENTS SEND_AS_BATCH", "BATCH_LINGER SEND_AS_BATCH"], "the first has no effect"),
    ),
    (f"{BATCH} BATCH_LINGER=1", {}),
    ("AUTH0_DOMAIN=http://tenant:4010", {"AUTH0_DOMAIN": "the client secret and the log travel without TLS"}),
    ("AUTH0_DOMAIN=https://tenant:4010", {}),
]


def _environ(text: str) -> dict[str, str]:
    return dict(assignment.split("=", 1) for assignment in text.split())


def _shown(name: str, environ: dict[str, str]) -> str:
    """A setting as a line begins with it: masked, and with its source."""
    option = OPTIONS.get(name)
    if environ.get(name):
        return f"{name}={(MASK if option and option.secret else environ[name])!r} (environment)"
    default = text_of(option.default) if option else ""
    return f"{name}={default!r} (default)" if default else f"{name} (not set)"


def _begin(names: str, said: str, environ: dict[str, str]) -> str:
    return f"{' and '.join(_shown(name, environ) for name in names.split())}: {said}"


@pytest.mark.parametrize(("text", "names", "said"), CONFLICTS)
def test_a_conflict_is_one_line_that_names_the_settings_with_their_sources(text: str, names: str, said: str) -> None:
    environ = _environ(text)
    line = error(**environ)
    assert line.startswith(_begin(names, said, environ))
    assert "; " in line
    assert "hush" not in line


@pytest.mark.parametrize("text", TAKEN)
def test_what_goes_together_is_taken(text: str) -> None:
    assert not errors(**_environ(text))
    assert not errors(Role.CONSUME, **_environ(text))


def test_all_conflicts_of_a_group_are_named() -> None:
    lines = errors(Role.LOG, **_environ(SASL), KAFKA_SASL_MECHANISM="PLAIN")
    assert [line.split(" and ")[1].split(" ")[0] for line in lines] == ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"]


def test_a_conflict_is_one_of_a_role_that_reads_all_its_settings() -> None:
    assert error(Role.CONSUME, **_environ(KAFKA), DRAIN_TIMEOUT="50.5", STOP_GRACE="90").endswith("set the first to 50 or less")
    batch = _environ(f"{BATCH} WINDOW=99")
    assert [role for role in Role if errors(role, **batch)] == [Role.RUN, Role.CONSUME]


@pytest.mark.parametrize(("text", "expected"), NOTES)
def test_what_hardly_fits_is_noted(text: str, expected: dict[str, str]) -> None:
    environ = _environ(text)
    for note, (names, said) in zip(loaded(**environ).notes(), expected.items(), strict=True):
        assert note.startswith(_begin(names, said, environ))
        assert "; " in note


def test_a_role_notes_nothing_of_what_it_does_not_read() -> None:
    assert not loaded(Role.CONSUME, AUTH0_DOMAIN="http://tenant:4010").notes()


def test_a_call_may_take_longer_than_stopping() -> None:
    """Issue 7 asked to refuse it; docs/decisions.md says why not."""
    settings = load(Role.RUN, ENOUGH, None)
    assert settings.webhook.timeout > settings.loop.stop_grace
