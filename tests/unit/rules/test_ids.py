"""Ids of events as parts of a path, and those that are hashes."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.privacy.methods import hashing
from rules.tenant.ids import is_hashed, path_part


@given(st.text() | st.integers() | st.none() | st.lists(st.text()) | st.text(alphabet="./\\%|\ud83d", max_size=6))
def test_an_id_is_one_part_of_a_path_that_says_it_exactly_or_none(identifier: object) -> None:
    part = path_part(identifier)
    if part is not None:
        assert unquote(part) == identifier
        assert not set(part) & set("/\\?# ")
        assert part.strip(".")
        assert part.isascii()


@given(st.binary(min_size=1), st.text())
def test_what_the_producer_puts_in_the_place_of_an_id_is_seen_as_a_hash(key: bytes, value: str) -> None:
    assert is_hashed(hashing(key)(value))


@pytest.mark.parametrize("user_id", ["auth0|" + "a" * 64, "sms|+4915112345678", "oidc|x|" + "0" * 64, "A" * 64, "a" * 63, ""])
def test_an_id_of_auth0_is_no_hash(user_id: str) -> None:
    assert not is_hashed(user_id)
