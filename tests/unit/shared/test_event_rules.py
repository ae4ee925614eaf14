"""The member `rules` in the body: everything else of the entry stays, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.event_rules import with_rules

_SPACE = st.text(" \t\r\n", max_size=3)
#: Texts as JSON may write them: half an emoji, escapes that are not needed, braces inside.
_STRINGS = st.one_of(
    st.sampled_from([r'"\ud83d"', r'"\ude00"', '"😀"', '"}"', r'"\"}"', '"rules"', '"{"', r'"\\"', '""', r'"\u007d"']),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()),
)


@st.composite
def _objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    members = draw(st.lists(st.tuples(_SPACE, _STRINGS, _SPACE, _SPACE, values, _SPACE), max_size=4))
    if not members:
        return "{" + draw(_SPACE) + "}"
    return "{" + ",".join(f"{a}{name}{b}:{c}{value}{d}" for a, name, b, c, value, d in members) + "}"


def _arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda items: f"[{','.join(items)}]")


_VALUES = st.recursive(
    st.one_of(_STRINGS, st.sampled_from(["null", "true", "0", "-1.5E+3", "1e999", "12345678901234567890"])),
    lambda inner: st.one_of(_objects(inner), _arrays(inner)),
    max_leaves=6,
)
ENTRIES = st.tuples(_objects(_VALUES), _SPACE).map("".join).map(str.encode)
MEMBERS = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2)


def _pairs(text: bytes) -> Any:
    """Every member, those that stand twice too, and in their order."""
    return json.loads(text, object_pairs_hook=list)


@given(ENTRIES, MEMBERS)
@example(b"{}", {})
@example(b"{ \r\n}", {})
@example(b'{"rules":{}}', {"a": 1})
@example(b'{"a":{}}', {})
@example(b'{"a":{}\n}\n', {})
def test_the_entry_gets_one_more_member_at_its_end_and_stays_byte_for_byte(entry: bytes, said: dict[str, Any]) -> None:
    member = json.dumps(said).encode()
    body = with_rules(entry, member)
    assert _pairs(body) == [*_pairs(entry), ("rules", list(said.items()))]
    end = entry.rindex(b"}")
    assert body.startswith(entry[:end])
    assert body.endswith(entry[end:])
    assert len(body) - len(entry) - len(member) in (len('"rules":'), len(',"rules":'))


@pytest.mark.parametrize(
    ("entry", "body"),
    [
        (b"{}", b'{"rules":{}}'),
        (b'{"a":1}', b'{"a":1,"rules":{}}'),
        (b'{"a": "\xff" } \n', b'{"a": "\xff" ,"rules":{}} \n'),
        (b'{"rules":1}', b'{"rules":1,"rules":{}}'),
    ],
)
def test_the_bytes_around_it_stay(entry: bytes, body: bytes) -> None:
    assert with_rules(entry, b"{}") == body


def test_what_ends_in_no_brace_is_refused() -> None:
    with pytest.raises(ValueError, match="not found"):
        with_rules(b"[1]", b"{}")
