"""What a process gets: defaults, the settings of its role, all errors at once, and no secret anywhere in sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.settings import GROUPS, Auth0Settings, LoopSettings, Role, WebhookSettings, is_given, load
from tests.unit.settings.cases import ENOUGH, OPTIONS, error, errors, loaded, role_of, value
from tests.unit.settings.test_values import SECRET


def test_what_is_not_set_has_its_default() -> None:
    """docs/configuration.md, which is generated and compared, holds the values."""
    settings = {role: loaded(role) for role in Role}
    for name, option in OPTIONS.items():
        assert option.required or value(settings[role_of(name)], name) == option.default
    assert not settings[Role.RUN].delivery.batched


def test_every_option_stands_once() -> None:
    names = [name for group in GROUPS for option in group.options.values() for name in option.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ENOUGH)
def test_what_is_missing_is_named_with_an_example(name: str) -> None:
    assert error(**{name: ""}).startswith(name)
    assert f"For example {name}=" in error(**{name: ""})


def test_all_errors_come_at_once_and_each_has_a_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(Role.RUN, {"WINDOW": "0", "WEBHOK_URL": "x"}, None)
    assert [line.split("=")[0].split(" ")[0] for line in caught.value.problems] == [
        "WEBHOK_URL", "AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "WEBHOOK_URL", "WINDOW",
    ]  # fmt: skip


def test_a_role_reads_its_own_settings_only() -> None:
    settings = load(Role.CONSUME, {"WEBHOOK_URL": "http://localhost:1/", "BATCH_SIZE": "wrong"}, None)
    assert settings.webhook.url == "http://localhost:1/"
    with pytest.raises(AttributeError, match="the role 'consume' has no settings of the group 'Auth0'"):
        _ = settings.auth0
    assert load(Role.LOG, {}, None).transport.topic == "auth0.logs"
    assert load(Role.OBSERVABILITY, {"KAFKA_TOPIC": "!"}, None).observability.verbosity == "info"


def test_the_deprecated_names_are_read_and_noted(tmp_path: Path) -> None:
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
    urls = {"AUTH0_PROXY": "http://me:hush@proxy:1", "WEBHOOK_URL": "https://x.y/?code=hush"}
    headers = '{"X-Api-Key": "hush\\u00e9-hush", "X-Stage": "prod"}'
    settings = loaded(
        AUTH0_CLIENT_SECRET="hush", AUTHORIZATION="Bearer hush", WEBHOOK_HEADERS=headers, WEBHOOK_SECRET=SECRET, **urls
    )
    # `prod` is too short for a secret: it may stand in many a line of the log.
    assert set(settings.secrets()) == {"hush", "Bearer hush", "code=hush", headers, "hushé-hush", SECRET}
    shown = repr(settings.rows()) + repr(settings) + repr(settings.auth0) + repr(settings.webhook)
    assert not [secret for secret in settings.secrets() if secret in shown]
    values = {row.name: row.value for row in settings.rows()}
    assert values["AUTH0_PROXY"] == "http://me:***@proxy:1"
    assert values["WEBHOOK_URL"] == "https://x.y/?***"


def test_an_invalid_secret_is_nowhere_to_be_seen_either() -> None:
    lines = errors(
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


def test_a_group_made_in_code_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydantic-settings would take `WINDOW`, and also `timeout` or `URL`, as the names of the fields."""
    for name in ("WINDOW", "window", "TIMEOUT", "timeout"):
        monkeypatch.setenv(name, "7")
    assert LoopSettings().window == 1000
    assert WebhookSettings(url="http://localhost:1/").timeout == 30


def test_the_tenants_settings_count_as_given_once_one_that_is_required_is_set() -> None:
    assert not is_given(Auth0Settings, {"AUTH0_PROXY": "http://proxy:1", "AUTH0_DOMAIN": ""}, None)
    assert is_given(Auth0Settings, {"AUTH0_DOMAIN": "acme.eu.auth0.com"}, None)
    assert is_given(Auth0Settings, {"AUTH0_GLOBAL_CLIENT_SECRET_FILE": "/run/secret"}, None)
