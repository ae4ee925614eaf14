"""Entries of every type that Auth0 documents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.event import slice_page
from shared.log_types import table
from simulator.catalogue import KINDS
from simulator.entries import Entries
from simulator.kinds import kind_of

START = datetime(2026, 11, 20, tzinfo=UTC)


def test_every_known_type_has_an_entry_that_is_one() -> None:
    entries = Entries(seed=3)
    for code in table():
        (event,) = slice_page(b"[" + entries.of_type(code, 7, START) + b"]")
        assert (event.type, event.log_id, event.date[:10]) == (code, entries.log_id(7, START), "2026-11-20")
        (of_user,) = slice_page(b"[" + entries.of_type(code, 7, START, user_id="auth0|me") + b"]")
        assert of_user.user_id == "auth0|me"


def test_what_the_catalogue_has_is_taken_from_it() -> None:
    assert all(kind_of(kind.type) is kind for kind in KINDS)


@pytest.mark.parametrize(
    ("code", "shape"),
    [
        ("fcoa", "refused"),
        ("scoa", "login"),
        ("feoobft", "exchange"),
        ("limit_ui", "block"),
        ("gd_recovery_failed", "factor"),
        ("sys_update_end", "notice"),
        ("sce", "account"),
    ],
)
def test_others_have_the_shape_of_their_like(code: str, shape: str) -> None:
    assert kind_of(code).shape == shape


def test_an_unknown_code_has_none() -> None:
    with pytest.raises(KeyError):
        kind_of("nonsense")
