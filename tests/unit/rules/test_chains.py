"""Which rules run on an event, by the headers of its record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.pipeline.chains import Chains
from rules.rule import Rule
from shared.event import Event
from shared.record import Record, headers_of, key_of

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
LOGIN = Event(raw=b"{}", log_id="1", type="s", date="2026-11-29T12:00:00.000Z", user_id="auth0|1", tenant="acme")


def _rule(name: str, *events: str, enabled: bool = True) -> Rule:
    path = Path(f"{name}.js")
    return Rule(name=name, path=path, source="", enabled=enabled, events=frozenset(events) if events else None)


def _record(event: Event) -> Record:
    """Published at noon."""
    return Record(0, key_of(event), event.raw, headers_of(event), NOON.timestamp())


def _names(chains: Chains, event: Event) -> list[str]:
    return [rule.name for rule in chains.of(_record(event))]


def test_a_rule_runs_on_its_own_events_or_on_logins_in_the_order_of_the_rules() -> None:
    chains = Chains([_rule("z"), _rule("b", "ss", "s"), _rule("a"), _rule("off", enabled=False)])
    found = {kind: _names(chains, replace(LOGIN, type=kind)) for kind in ("s", "sertft", "ss", "seacft", "sapi", "")}
    assert found == {"s": ["z", "b", "a"], "sertft": ["z", "a"], "ss": ["b"], "seacft": [], "sapi": [], "": []}


def test_an_event_without_a_user_has_no_rules() -> None:
    assert _names(Chains([_rule("a", "seccft")]), replace(LOGIN, type="seccft", user_id="")) == []


@pytest.mark.parametrize(
    ("date", "log_id", "runs"),
    [
        ("2026-11-29T12:00:00.000Z", "90020200101000000000000000000000000001", True),
        ("2026-11-29T11:59:59.999Z", "90020990101000000000000000000000000001", False),
        ("2026-11-29T12:59:59+01:00", "1", False),
        ("Sunday", "90020261129115959000000000000000000001", False),
        ("Sunday", "90020261129120000000000000000000000001", True),
        ("", "1", True),
    ],
)
def test_events_from_before_since_have_no_rules(date: str, log_id: str, runs: bool) -> None:
    """By their date, else their id, else the moment at which they were published."""
    event = replace(LOGIN, date=date, log_id=log_id)
    assert _names(Chains([_rule("a")], NOON), event) == (["a"] if runs else [])
    assert _names(Chains([_rule("a")]), event) == ["a"]


@given(
    st.lists(st.tuples(st.sampled_from(["v", "log-id", "type", "date", "pii"]), st.binary(max_size=30)), max_size=6),
    st.none() | st.binary(max_size=5),
    st.datetimes(timezones=st.just(UTC)),
)
def test_whatever_a_record_has_for_headers_it_is_looked_at(
    headers: list[tuple[str, bytes]], key: bytes | None, since: datetime
) -> None:
    chains = Chains([_rule("a")], since)
    for kind in (b"s", b"x"):
        found = chains.of(Record(0, key, b"{}", [*headers, ("type", kind)], 0.0))
        assert kind == b"s" or not found
