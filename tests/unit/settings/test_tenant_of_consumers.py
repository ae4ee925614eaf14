"""A consumer reads the settings of the tenant where it runs rules, and only there."""

from __future__ import annotations

from itertools import product

import pytest

from shared.settings import Auth0Settings, Role, examine, load

WEBHOOK = {"WEBHOOK_URL": "http://localhost:1/"}
TENANT = {"AUTH0_DOMAIN": "acme.eu.auth0.com", "AUTH0_CLIENT_ID": "client", "AUTH0_CLIENT_SECRET": "secret"}


@pytest.mark.parametrize("rules", [{}, {"RULES_DIR": ""}])
def test_a_consumer_without_rules_needs_no_tenant_and_reads_none(rules: dict[str, str]) -> None:
    for tenant in ({}, TENANT, {"AUTH0_DOMAIN": "not a domain"}):
        assert not load(Role.CONSUME, WEBHOOK | rules | tenant, None).has(Auth0Settings)


def test_with_rules_it_reads_the_tenant_that_is_given() -> None:
    for fetch in ("", "true", "false"):
        settings = load(Role.CONSUME, {**WEBHOOK, **TENANT, "RULES_DIR": "rules", "RULES_FETCH_USER": fetch}, None)
        assert settings.auth0.domain == "acme.eu.auth0.com"
        assert "secret" in settings.secrets()
        assert any(row.name == "AUTH0_DOMAIN" for row in settings.rows())


def test_rules_that_get_no_user_need_no_tenant() -> None:
    environ = {**WEBHOOK, "RULES_DIR": "rules", "RULES_FETCH_USER": "false"}
    assert not load(Role.CONSUME, environ, None).has(Auth0Settings)


def test_what_is_missing_for_rules_is_one_error_that_names_both_ways_on() -> None:
    for given in product((True, False), repeat=len(TENANT)):
        tenant = {name: text for (name, text), is_given in zip(TENANT.items(), given, strict=True) if is_given}
        errors = examine(Role.CONSUME, {**WEBHOOK, **tenant, "RULES_DIR": "rules"}, None).errors
        assert len(errors) == (not all(given))
        for error in errors:
            assert error.startswith("RULES_DIR is set (environment)")
            assert "RULES_FETCH_USER=false" in error
            assert {name for name in TENANT if name in error} == TENANT.keys() - tenant.keys()


def test_a_wrong_value_of_the_tenant_keeps_its_own_error() -> None:
    errors = examine(Role.CONSUME, {**WEBHOOK, "RULES_DIR": "rules", "AUTH0_PROXY": "ftp://x", **TENANT}, None).errors
    assert [error.partition("=")[0] for error in errors] == ["AUTH0_PROXY"]


def test_a_value_of_the_switch_that_cannot_be_read_is_one_error() -> None:
    (error,) = examine(Role.CONSUME, {**WEBHOOK, "RULES_DIR": "rules", "RULES_FETCH_USER": "maybe"}, None).errors
    assert error.startswith("RULES_FETCH_USER='maybe'")
