"""What a process gets, and what a person reads who has set something wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.settings import GROUPS, LoopSettings, Role, WebhookSettings, load
from shared.settings.option import Declaration
from shared.settings.parsers import text_of
from tests.unit.settings.cases import ENOUGH, loaded, problem, problems


def test_what_is_not_set_has_its_default() -> None:
    settings = loaded()
    assert settings.auth0.batch_size == 100
    assert settings.auth0.poll_interval == 5.0
    assert settings.filter.types == frozenset()
    assert settings.transport.bootstrap_servers == ()
    assert settings.transport.sqlite_path == Path("auth0-webhooks.db")
    assert settings.webhook.success_codes == {200}
    assert settings.webhook.headers == ()
    assert settings.webhook.allow_private
    assert settings.delivery.concurrent_calls == 5
    assert settings.delivery.rate_limit is None
    assert settings.delivery.max_attempts is None
    assert not settings.delivery.batched
    assert settings.loop.stop_grace == 25.0
    assert settings.observability.log_format is None


def test_what_is_set_arrives_with_its_type() -> None:
    settings = loaded(
        BATCH_SIZE="7", POLL_INTERVAL=".5", LOG_TYPES="s, f ,", KAFKA_BOOTSTRAP_SERVERS="b:1 , a:2,b:1", VERBOSITY="DEBUG",
        WEBHOOK_RATE_LIMIT="2.5", WEBHOOK_ORDERING="None", WEBHOOK_MAX_ATTEMPTS="3", SEND_AS_BATCH="Lines", BATCH_LINGER="0",
        WEBHOOK_ALLOW_PRIVATE="FALSE",
    )  # fmt: skip
    assert settings.auth0.batch_size == 7
    assert settings.auth0.poll_interval == 0.5
    assert settings.filter.types == {"s", "f"}
    assert settings.transport.bootstrap_servers == ("b:1", "a:2")
    assert settings.observability.verbosity == "debug"
    delivery = settings.delivery
    assert (delivery.rate_limit, delivery.ordering, delivery.max_attempts) == (2.5, "none", 3)
    assert (delivery.send_as_batch, delivery.batched, delivery.batch_linger) == ("lines", True, 0.0)
    assert settings.webhook.allow_private is False


@pytest.mark.parametrize("declared", [declared for group in GROUPS for declared in group.declarations()])
def test_every_default_and_every_example_could_have_been_written_down(declared: Declaration) -> None:
    read = declared.option.kind.read
    if text_of(declared.default):
        assert read(text_of(declared.default)) == declared.default
    if not declared.example.startswith("/"):
        assert read(declared.example) is not None


def test_every_option_stands_once() -> None:
    names = [name for group in GROUPS for declared in group.declarations() for name in declared.option.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ENOUGH)
def test_what_is_missing_is_named_with_an_example(name: str) -> None:
    assert problem(**{name: ""}).startswith(name)
    assert f"For example {name}=" in problem(**{name: ""})


def test_all_problems_come_at_once_and_each_has_a_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(Role.RUN, {"WINDOW": "0", "WEBHOK_URL": "x"}, None)
    assert [line.split("=")[0].split(" ")[0] for line in caught.value.problems] == [
        "WEBHOK_URL", "AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "WEBHOOK_URL", "WINDOW",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("WEBHOOK_CONCURRENT_CALLS", "0", "a whole number of calls from 1 to 10000"),
        ("WEBHOOK_CONCURRENT_CALLS", "five", "a whole number of calls from 1 to 10000"),
        ("WEBHOOK_CONCURRENT_CALLS", "2.5", "a whole number"),
        ("WEBHOOK_RATE_LIMIT", "0", "a number of calls a second from 0.001 to 100000, without a unit"),
        ("WEBHOOK_RATE_LIMIT", "-1", "a number of calls a second"),
        ("WEBHOOK_RATE_LIMIT", "nan", "a number of calls a second"),
        ("WEBHOOK_RATE_LIMIT", "1e-300", "a number of calls a second"),
        ("WEBHOOK_RATE_LIMIT", "10/s", "a number of calls a second"),
        ("WEBHOOK_ORDERING", "user", "one of key, partition, none"),
        ("WEBHOOK_MAX_ATTEMPTS", "0", "a whole number of attempts from 1"),
        ("WEBHOOK_MAX_ATTEMPTS", "none", "a whole number of attempts from 1"),
        ("WEBHOOK_BREAKER_FAILURES", "0", "a whole number of events from 1"),
        ("WEBHOOK_PROBE_INTERVAL", "0", "a number of seconds above 0"),
        ("SEND_AS_BATCH", "yes", "one of false, true, lines"),
        ("BATCH_MAX_EVENTS", "0", "a whole number of events from 1 to 10000"),
        ("BATCH_MAX_BYTES", "0", "a whole number of bytes from 1 to 8388608"),
        ("BATCH_MAX_BYTES", "8388609", "a whole number of bytes from 1 to 8388608"),
        ("BATCH_MAX_BYTES", "1MB", "a whole number of bytes"),
        ("BATCH_LINGER", "-0.1", "a number of seconds from 0"),
        ("WEBHOOK_ALLOW_PRIVATE", "no", "one of true, false"),
        ("WEBHOOK_CLIENT_CERT", "/no/such.pem", "there is no such file"),
        ("WEBHOOK_CLIENT_KEY", "/", "cannot be read"),
        ("WEBHOOK_PROXY", "proxy:3128", "has no scheme"),
        ("WEBHOOK_PROXY", "socks5://proxy:1", "has the scheme 'socks5'"),
        ("WEBHOOK_PROXY", "http://proxy:1/x", "scheme, host and port alone"),
        ("BATCH_SIZE", "101", "a whole number of entries from 1 to 100"),
        ("WINDOW", "0", "a whole number of events from 1"),
        ("WINDOW", "9" * 5000, "a whole number"),
        ("SQLITE_RETENTION_DAYS", "-1", "a whole number of days"),
        ("POLL_INTERVAL", "5s", "a number of seconds above 0, up to 86400, without a unit"),
        ("POLL_INTERVAL", "0", "a number of seconds above 0"),
        ("POLL_INTERVAL", "-1", "a number of seconds above 0"),
        ("POLL_INTERVAL", "nan", "a number of seconds"),
        ("WEBHOOK_TIMEOUT", "inf", "a number of seconds"),
        ("WEBHOOK_TIMEOUT", "1e400", "a number of seconds"),
        ("DRAIN_TIMEOUT", "-1", "a number of seconds from 0 to 86400"),
        ("KAFKA_SESSION_TIMEOUT", "0.5", "a number of seconds from 1 to 1800"),
        ("LOG_LEVEL", "5", "0 debug, 1 info, 2 warning, 3 error, 4 critical"),
        ("LOG_LEVEL", "info", "set VERBOSITY=info"),
        ("VERBOSITY", "3", "one of debug, info, warning, error; for which Auth0 events are delivered, see LOG_LEVEL"),
        ("LOG_FORMAT", "xml", "one of console, json"),
        ("LOG_TYPES", "s,limit_w", "'limit_w' is no log event type (did you mean limit_wc?)"),
        ("LOG_TYPES", "Failed Login", "did you mean f?"),
        ("LOG_TYPES", "qqqqq", "`auth0-webhooks types` lists all types"),
        ("KAFKA_TOPIC", "auth0 logs", "letters, digits, dots"),
        ("KAFKA_TOPIC", "..", "letters, digits, dots"),
        ("KAFKA_TOPIC", "t" * 239, "1 to 238"),
        ("KAFKA_TOPIC", "auth0.logs.dead", "without .checkpoint, .dead or .control at the end"),
        ("KAFKA_TOPIC", "auth0.logs.control", "without .checkpoint, .dead or .control at the end"),
        ("KAFKA_GROUP", "a/b", "letters, digits, dots"),
        ("KAFKA_GROUP", "auth0-webhooks.poller", "without .poller at the end"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI", "one of PLAIN, SCRAM-SHA-256"),
        ("SQLITE_PATH", "/", "is a directory"),
        ("WEBHOOK_CA_FILE", "/no/such.pem", "there is no such file"),
        ("AUTH0_CA_FILE", "/", "cannot be read"),
        ("KAFKA_SSL_CAFILE", "-----BEGIN CERTIFICATE-----" * 200, "cannot be read"),
        ("AUTH0_CLIENT_ID", "a\tb", "cannot be seen"),
        ("AUTHORIZATION", "Bearer a\r\nX-Evil: 1", "a line break"),
        ("AUTHORIZATION", "Bearer 😀", "an HTTP header cannot carry"),
        ("AUTHORIZATION", "Bearer\xa0a", "cannot be seen"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_its_source_and_a_fix(name: str, text: str, said: str) -> None:
    line = problem(**{name: text})
    assert line.startswith(f"{name}=")
    assert "(environment): " in line
    assert said in line
    assert "; " in line
    assert "\n" not in line
    assert "Input" not in line


def test_a_long_value_is_shortened() -> None:
    assert "(5000 characters)" in problem(WINDOW="9" * 5000)
    assert len(problem(WINDOW="9" * 5000)) < 300


@pytest.mark.parametrize(("base", "cap"), [("2", "1"), ("1", "0.5")])
def test_a_conflict_names_both_settings_with_their_sources(base: str, cap: str) -> None:
    assert problem(WEBHOOK_BACKOFF_BASE=base, WEBHOOK_BACKOFF_CAP=cap).startswith(
        f"WEBHOOK_BACKOFF_BASE='{base}' (environment) and WEBHOOK_BACKOFF_CAP='{cap}' (environment): "
    )


def test_a_conflict_with_what_cannot_be_read_is_no_second_problem() -> None:
    lines = problems(WEBHOOK_SECRET_FILE="/no/such", WEBHOOK_SECRET_PREVIOUS="whsec_" + "A" * 32)
    assert [line.split("=")[0] for line in lines] == ["WEBHOOK_SECRET_FILE"]


def test_a_drain_must_end_within_the_grace() -> None:
    assert problem(STOP_GRACE="10").startswith("DRAIN_TIMEOUT='10' (default) and STOP_GRACE='10' (environment): ")
    assert not problems(STOP_GRACE="10", DRAIN_TIMEOUT="0")


def test_a_role_reads_its_own_settings_only() -> None:
    settings = load(Role.CONSUME, {"WEBHOOK_URL": "http://localhost:1/", "BATCH_SIZE": "wrong"}, None)
    assert settings.webhook.url == "http://localhost:1/"
    with pytest.raises(AttributeError, match="the role 'consume' has no settings of the group 'Auth0'"):
        _ = settings.auth0
    assert load(Role.LOG, {}, None).transport.topic == "auth0.logs"
    assert load(Role.OURSELVES, {"KAFKA_TOPIC": "!"}, None).observability.verbosity == "info"


def test_the_old_names_are_read_and_spoken_of(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file")
    environ = {"AUTH0_DOMAIN": "a.b", "AUTH0_GLOBAL_CLIENT_ID": "old", "AUTH0_GLOBAL_CLIENT_SECRET_FILE": str(secret)}
    settings = load(Role.PRODUCE, environ, None)
    assert (settings.auth0.client_id, settings.auth0.client_secret) == ("old", "from a file")
    assert settings.notes() == (
        "AUTH0_GLOBAL_CLIENT_ID is an old name: rename it to AUTH0_CLIENT_ID",
        "AUTH0_GLOBAL_CLIENT_SECRET_FILE is an old name: rename it to AUTH0_CLIENT_SECRET_FILE",
    )
    assert load(Role.PRODUCE, {**environ, "AUTH0_CLIENT_ID": "new"}, None).auth0.client_id == "new"
    assert loaded().notes() == ()


def test_the_names_of_topics_and_groups_derive() -> None:
    log = loaded(KAFKA_TOPIC="t", KAFKA_GROUP="g").transport
    assert (log.checkpoint_topic, log.dead_topic, log.control_topic) == ("t.checkpoint", "t.dead", "t.control")
    assert log.poller_group == "g.poller"


def test_secrets_are_nowhere_to_be_seen() -> None:
    environ = {"AUTHORIZATION": "Bearer hush", "AUTH0_PROXY": "http://me:hush@proxy:1", "WEBHOOK_URL": "https://x.y/?code=hush"}
    settings = loaded(AUTH0_CLIENT_SECRET="hush", **environ)
    assert set(settings.secrets()) == {"hush", "Bearer hush", "code=hush"}
    assert "hush" not in repr(settings.rows()) + repr(settings) + repr(settings.auth0) + repr(settings.webhook)
    shown = {row.name: row.value for row in settings.rows()}
    assert shown["AUTH0_PROXY"] == "http://me:***@proxy:1"
    assert shown["WEBHOOK_URL"] == "https://x.y/?***"


def test_a_secret_is_nowhere_to_be_seen_when_it_is_wrong_either() -> None:
    lines = problems(
        AUTHORIZATION="hush\n", AUTH0_CLIENT_SECRET="hu\0sh", WEBHOOK_URL="https://u:hush@x", AUTH0_PROXY="http://u:hu/sh@x/"
    )
    assert len(lines) == 4
    assert not [line for line in lines if "hu" in line]


def test_groups_can_be_made_in_code_under_the_same_rules() -> None:
    assert WebhookSettings(url="http://localhost:1/", timeout=0.25).timeout == 0.25
    with pytest.raises(ValidationError, match="must be a whole number"):
        LoopSettings(window=0)
    with pytest.raises(ValidationError, match="make the first shorter"):
        LoopSettings(drain_timeout=2.0, stop_grace=1.0)
    with pytest.raises(ValidationError, match="frozen"):
        LoopSettings().window = 5
