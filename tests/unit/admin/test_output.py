from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.cli.output import escaped

ANY = st.text(st.characters(codec=None))


@given(st.dictionaries(ANY, ANY), st.booleans(), st.sampled_from([None, 2]))
def test_escaped_json_is_printable_and_means_the_same(value: dict[str, str], ascii_only: bool, indent: int | None) -> None:
    document = escaped(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert document.replace("\n", "").isprintable()
    # json.loads takes two halves of an emoji for the whole, whichever way they were written.
    assert json.loads(document) == json.loads(json.dumps(value))


@pytest.mark.parametrize("character", ["\x7f", "\x9b", "\u202e", "\u2028", "\ufeff", "\U000e0001", "\udc80"])
def test_what_json_itself_lets_stand_is_escaped(character: str) -> None:
    document = escaped(json.dumps([character], ensure_ascii=False))
    assert document.isascii()
    assert json.loads(document) == [character]
