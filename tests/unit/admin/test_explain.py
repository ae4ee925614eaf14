"""What `explain` reads, and that what it says is what the filter does."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.actions.looking.explain import entries_in, explain
from producer.selection import Selection
from shared.errors import PageInvalid
from shared.log_types import table

LEVELS = {code: known.level for code, known in table().items()}
codes = st.sampled_from([*LEVELS, "brand_new", ""])
selections = st.builds(
    Selection, levels=st.just(LEVELS), level=st.integers(0, 4), types=st.frozensets(st.sampled_from([*LEVELS]), max_size=5)
)


def _entry(number: int, code: str) -> bytes:
    return json.dumps({"log_id": f"900{number}", "type": code}, indent=1 if number % 2 else None).encode()


@given(st.lists(codes, min_size=1, max_size=5), selections)
def test_it_says_what_the_filter_does_and_names_a_setting_that_is_set(found: list[str], selection: Selection) -> None:
    events = entries_in(b"[" + b",".join(_entry(number, code) for number, code in enumerate(found)) + b"]")
    for event, one in zip(events, explain(events, selection), strict=True):
        assert one.passes == (selection.reason_to_drop(event.type) is None)
        assert (one.log_id, one.type, one.level) == (event.log_id, event.type, LEVELS.get(event.type))
        assert one.why
        if one.passes:
            assert one.setting in {"LOG_TYPES" if selection.types else "", "LOG_LEVEL" if selection.level else ""}
        else:
            assert one.setting in {"LOG_TYPES", "LOG_LEVEL"}
            assert one.setting in one.why


@given(st.lists(codes, min_size=1, max_size=5))
def test_an_object_an_array_and_lines_hold_the_same_entries(found: list[str]) -> None:
    lines = [_entry(2 * number, code) for number, code in enumerate(found)]
    array = b"[" + b",".join(lines) + b"]"
    assert [event.raw for event in entries_in(b"\n\n".join(lines) + b"\r\n")] == [event.raw for event in entries_in(array)]
    assert entries_in(b"\xef\xbb\xbf " + _entry(1, "s"))[0].type == "s"


@given(st.one_of(st.binary(max_size=60), st.text('[]{}",:\n ae1', max_size=60).map(str.encode)))
def test_anything_else_is_refused_as_no_log_entry(text: bytes) -> None:
    with suppress(PageInvalid):
        assert entries_in(text)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"type":"s"}', b'{"log_id":"9001"}\nx', b"\x00" * 9])
def test_what_holds_no_entry_is_refused(text: bytes) -> None:
    with pytest.raises(PageInvalid):
        entries_in(text)
