"""What was pasted from an example and never filled in; and values that only look like it."""

from __future__ import annotations

import pytest

from tests.unit.settings.cases import error, loaded, value

PASTED = [
    ("AUTH0_DOMAIN", "<tenant>.eu.auth0.com"),
    ("AUTH0_DOMAIN", "https://<tenant>/"),
    ("AUTH0_CLIENT_ID", "<client id>"),
    ("AUTH0_CLIENT_SECRET", "…"),
    ("WEBHOOK_URL", "https://…"),
    ("WEBHOOK_URL", "<your webhook>"),
    ("WEBHOOK_URL", "https://<host>:8443/hook"),
    ("WEBHOOK_URL", "http://<host>/hook"),
    ("WEBHOOK_SECRET", "whsec_…"),
    ("AUTHORIZATION", "Bearer …"),
    ("AUTHORIZATION", "Bearer <token>"),
    ("WEBHOOK_HEADERS", '{"X-Api-Key": "<key>"}'),
    ("KAFKA_BOOTSTRAP_SERVERS", "<broker>:9092"),
    ("WINDOW", "<number>"),
    ("LOG_TYPES", "s,…"),
]


@pytest.mark.parametrize(("name", "text"), PASTED)
def test_a_placeholder_is_refused_by_name_with_what_to_do(name: str, text: str) -> None:
    line = error(**{name: text})
    assert line.startswith(f"{name}='")
    assert line.endswith(
        "(environment): has a placeholder (… or a word in < >) where a value belongs; put the real value in its place"
    )


@pytest.mark.parametrize("text", ["aX<9k>2", "<", ">", "a<b", "><", "x<y> <z", "...", "Pass>word<"])
def test_a_password_with_such_characters_is_taken(text: str) -> None:
    assert value(loaded(AUTH0_CLIENT_SECRET=text), "AUTH0_CLIENT_SECRET") == text
