"""Near misses of our names, and names that are nobody's business."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Role
from shared.settings.loading import our_names
from shared.settings.names import LATER, distance, nearest
from tests.unit.settings.cases import problem, problems

OURS = our_names() | LATER
FOREIGN = """
    PATH HOME HOST PORT TZ LANG LC_ALL TERM COLUMNS PWD USER SHELL WINDOWID WINDIR DISPLAY EDITOR PAGER CI HOSTNAME
    HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE REQUESTS_CA_BUNDLE PYTHONPATH VIRTUAL_ENV DEBUG
    KAFKA_HOST KAFKA_PORT KAFKA_HOME KAFKA_OPTS KAFKA_HEAP_OPTS KAFKA_URL KAFKA_BROKERS KAFKA_SERVICE_HOST KAFKA_SERVICE_PORT
    KAFKA_PORT_9092_TCP KAFKA_PORT_9092_TCP_ADDR KAFKA_NODE_ID KAFKA_LISTENERS KAFKA_PROCESS_ROLES KAFKA_LOG_DIRS
    WEBHOOK_SERVICE_HOST WEBHOOK_SERVICE_PORT WEBHOOK_PORT AUTH0_SERVICE_HOST AUTH0_SECRET AUTH0_BASE_URL AUTH0_ISSUER_BASE_URL
    LOG_FILE LOG_DIR LOG_PATH LOG_OUTPUT SQLITE_TMPDIR DATABASE_URL REDIS_URL SLACK_WEBHOOK_URL COMPOSE_PROJECT_NAME
"""
_names = st.sampled_from(sorted(OURS))
_letters = st.sampled_from(string.ascii_uppercase + "_")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WEBHOK_URL", "WEBHOOK_URL"),
        ("WEBHOOK_URI", "WEBHOOK_URL"),
        ("webhook_url", "WEBHOOK_URL"),
        ("AUTH0_DOMIAN", "AUTH0_DOMAIN"),
        ("AUTH_DOMAIN", "AUTH0_DOMAIN"),
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_SSL_CA_FILE", "KAFKA_SSL_CAFILE"),
        ("AUTHORISATION", "AUTHORIZATION"),
        ("AUTHORIZATION_FIEL", "AUTHORIZATION_FILE"),
        ("WEBHOOK_CONCURENT_CALL", "WEBHOOK_CONCURRENT_CALLS"),
        ("WEBHOOK_SECRETS", "WEBHOOK_SECRET"),
        ("LOG_TYPE", "LOG_TYPES"),
        ("WINDOWS", "WINDOW"),
    ],
)
def test_a_near_miss_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    assert problem(**{name: "1"}) == f"{name} is not a setting; did you mean {meant}? (set in environment)"


def test_a_near_miss_of_another_role_is_refused_too() -> None:
    assert "did you mean WEBHOOK_URL?" in problem(Role.OURSELVES, WEBHOK_URL="x")


@pytest.mark.parametrize(
    "name",
    FOREIGN.split(),
)
def test_a_foreign_name_is_left_alone(name: str) -> None:
    assert problems(**{name: "anything"}) == ()


def test_what_kubernetes_says_of_a_service_called_metrics_is_left_alone() -> None:
    assert problems(METRICS_PORT="tcp://10.96.0.10:80") == ()


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_name_of_a_later_release_is_refused_rather_than_ignored(name: str) -> None:
    assert problem(**{name: "1"}).startswith(f"{name} is not supported by this release yet; remove it")


def test_no_name_of_ours_is_a_later_one() -> None:
    assert not our_names() & LATER


@given(name=_names, letter=_letters, place=st.integers(0, 40), kind=st.sampled_from(["insert", "remove", "replace"]))
def test_one_slip_of_the_keyboard_is_always_noticed(name: str, letter: str, place: int, kind: str) -> None:
    place %= len(name)
    typed = name[:place] + ("" if kind == "remove" else letter) + name[place + (kind != "insert") :]
    assert typed in OURS or nearest(typed, OURS)


@given(one=st.text(string.ascii_uppercase[:4], max_size=8), other=st.text(string.ascii_uppercase[:4], max_size=8))
def test_the_distance_is_a_metric(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance(one, other) <= max(len(one), len(other))


@given(name=_names, others=st.tuples(_letters, _letters), places=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_the_short_cut_never_hides_what_the_distance_would_find(
    name: str, others: tuple[str, str], places: tuple[int, int]
) -> None:
    letters = list(name)
    for letter, place in zip(others, places, strict=True):
        letters[place % len(letters)] = letter
    typed = "".join(letters)
    near = [own for own in OURS if distance(typed, own) <= (2 if len(own) >= 8 else 1)]
    assert (nearest(typed, OURS) is None) == (not near)
