"""What does not go together over the borders of groups."""

from __future__ import annotations

import pytest

from shared.settings import Role, load
from shared.settings.cross_checks import NOTED, REFUSED, Clash
from shared.settings.loading import our_names
from tests.unit.settings.cases import ENOUGH, loaded, problem, problems

BATCH = {"SEND_AS_BATCH": "true"}


def test_a_batch_must_fit_into_the_window() -> None:
    line = problem(**BATCH, WINDOW="99")
    assert line.startswith("BATCH_MAX_EVENTS='100' (default) and WINDOW='99' (environment): a batch can never be full")
    assert not problems(**BATCH, WINDOW="99", BATCH_MAX_EVENTS="99")
    assert not problems(WINDOW="99"), "nothing is sent in batches"


KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}


@pytest.mark.parametrize("role", [Role.RUN, Role.CONSUME])
def test_a_drain_that_outlasts_what_kafka_allows_is_refused_on_kafka(role: Role) -> None:
    line = problem(role, **KAFKA, DRAIN_TIMEOUT="50.5", STOP_GRACE="90")
    assert line.startswith("DRAIN_TIMEOUT='50.5' (environment) and KAFKA_BOOTSTRAP_SERVERS='kafka:9092' (environment): ")
    assert line.endswith("set the first to 50 or less")
    assert not problems(role, **KAFKA, DRAIN_TIMEOUT="50", STOP_GRACE="90")


def test_on_sqlite_a_drain_may_take_as_long_as_stopping_allows() -> None:
    assert not problems(DRAIN_TIMEOUT="300", STOP_GRACE="301")


def test_it_is_asked_of_who_reads_both_only() -> None:
    assert len(problems(Role.CONSUME, **BATCH, WINDOW="99")) == 1
    for role in (Role.PRODUCE, Role.LOG, Role.OURSELVES):
        assert not problems(role, **BATCH, WINDOW="99")


def test_a_value_that_is_wrong_by_itself_clashes_with_nothing() -> None:
    assert problem(**BATCH, WINDOW="99", BATCH_LINGER="x").startswith("BATCH_LINGER='x'")


@pytest.mark.parametrize(
    ("environ", "said"),
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
    ],
)
def test_what_hardly_fits_is_spoken_of(environ: dict[str, str], said: list[str]) -> None:
    notes = loaded(**environ).notes()
    assert len(notes) == len(said)
    for note, start in zip(notes, said, strict=True):
        assert note.startswith(start)
        assert "; " in note


def test_a_call_may_take_longer_than_stopping() -> None:
    """Issue 7 asked to refuse it; docs/decisions.md says why not."""
    settings = load(Role.RUN, ENOUGH, None)
    assert settings.webhook.timeout > settings.loop.stop_grace


@pytest.mark.parametrize("clash", [*REFUSED, *NOTED])
def test_a_clash_names_options_that_there_are(clash: Clash) -> None:
    assert set(clash.names) <= our_names()


def test_a_tenant_without_tls_is_said_aloud() -> None:
    (note,) = loaded(AUTH0_DOMAIN="http://tenant:4010").notes()
    assert note.startswith("AUTH0_DOMAIN='http://tenant:4010' (environment): the client secret and the log travel without TLS")
    assert not loaded(AUTH0_DOMAIN="https://tenant:4010").notes()
    assert not loaded(Role.CONSUME, AUTH0_DOMAIN="http://tenant:4010").notes()
