"""The page slicer: any JSON that Auth0 could send comes out byte for byte."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PageInvalid
from shared.event import log_id_time, slice_page

SAMPLES = (Path(__file__).parents[2] / "data" / "sample-events.jsonl").read_bytes().splitlines()

log_ids = st.from_regex(r"[!-~]{1,60}", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=6
)
spaces = st.text(" \t\r\n", max_size=3)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """An entry in whatever spelling: key order, odd spacing, escapes or raw characters, big numbers, NaN, duplicate keys."""
    fields: dict[str, Any] = draw(st.dictionaries(st.text(max_size=8), values, max_size=4))
    fields[draw(st.sampled_from(["log_id", "_id"]))] = draw(log_ids)
    members = draw(st.permutations(list(fields.items())))
    ascii_only = draw(st.booleans())
    gap = draw(spaces)
    text = "{" + ",".join(
        f"{gap}{json.dumps(name, ensure_ascii=ascii_only)}{gap}:{json.dumps(value, ensure_ascii=ascii_only)}"
        for name, value in [*members, *members[:1]]
    )
    # Half an emoji cannot be written in UTF-8: Auth0 can only send it as an escape.
    return f"{text}{gap}}}".encode(errors="replace") if not ascii_only else f"{text}{gap}}}".encode()


@given(st.lists(entries(), max_size=5), spaces, spaces)
def test_every_entry_comes_out_byte_for_byte(raw: list[bytes], before: str, after: str) -> None:
    separator = f"{before},{after}".encode()
    page = before.encode() + b"[" + after.encode() + separator.join(raw) + before.encode() + b"]" + after.encode()
    assert [event.raw for event in slice_page(page)] == raw


@given(st.binary(max_size=60))
def test_bytes_that_are_no_utf8_survive_inside_a_string(junk: bytes) -> None:
    clean = junk.replace(b'"', b"").replace(b"\\", b"")
    raw = b'{"_id":"1","x":"' + clean + b'"}'
    assert slice_page(b"[" + raw + b"]")[0].raw == raw


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_but_page_invalid(junk: bytes) -> None:
    for body in (junk, b"[" + junk, b'[{"_id":"1"' + junk):
        with suppress(PageInvalid):
            slice_page(body)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$date", "a"]), inner, max_size=2)
)
fields = st.sampled_from(["log_id", "_id", "type", "date", "user_id", "tenant_name", "user_name"])


@given(st.lists(st.dictionaries(fields, anything) | anything, max_size=3) | anything, st.integers(0, 3000))
def test_no_entries_at_all_raise_anything_but_page_invalid(page: Any, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for body in (json.dumps(page).encode(), b'[{"log_id":%b}]' % deep, b'[{"_id":"1","date":%b}]' % deep, b"[%b]" % deep):
        with suppress(PageInvalid):
            for event in slice_page(body):
                assert event.log_id.isascii()


@given(st.integers(0, 10**6))
def test_a_page_cut_anywhere_is_invalid(where: int) -> None:
    page = b"[" + b",".join(SAMPLES[:3]) + b"]"
    with pytest.raises(PageInvalid):
        slice_page(page[: where % (len(page) - 1)])


def test_the_samples_come_out_byte_for_byte() -> None:
    assert [event.raw for event in slice_page(b"[" + b", ".join(SAMPLES) + b"]")] == SAMPLES


@pytest.mark.parametrize("depth", [100, 900, 1_200, 50_000])
def test_an_entry_may_be_nested_deeper_than_python_recurses(depth: int) -> None:
    raw = b'{"type":"f","details":' + b'{"a":[' * depth + b'"]}"' + b"]}" * depth + b',"user_id":"auth0|1","log_id":"9"}'
    (deep, after) = slice_page(b"[" + raw + b',{"_id":"x"}]')
    assert (deep.raw, deep.log_id, deep.type, deep.user_id, after.log_id) == (raw, "9", "f", "auth0|1", "x")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty body"),
        (b"\xef\xbb\xbf[]", "byte order mark"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b'{"statusCode":200}', "JSON object"),
        (b"[] []", "something follows"),
        (b"[1]", "not an object"),
        (b"[{}]", "no usable log_id"),
        (b'[{"_id": 7}]', "no usable log_id"),
        (b'[{"_id": "a b"}]', "no usable log_id"),
        (b'[{"_id": "' + b"9" * 1025 + b'"}]', "no usable log_id"),
        (b'[{"_id": "1"} {"_id": "2"}]', "damaged after 1 entries"),
        (b'[{"_id": "1"},]', "damaged"),
        (b'[{"a":' + b"[" * 5_000 + b"]" * 5_000 + b',"log_id":"\\u12"}]', "damaged"),
        (b'[{"_id": "1"', "breaks off"),
    ],
)
def test_what_is_no_page_is_refused_with_a_reason(body: bytes, words: str) -> None:
    with pytest.raises(PageInvalid, match=words):
        slice_page(body)


def test_the_key_is_the_user_and_without_one_the_event_itself() -> None:
    user, without, null = slice_page(
        b'[{"_id":"1","user_id":"auth0|7","user_name":"n"},{"_id":"2","user_id":"","user_name":"App"},{"_id":"3","user_id":null}]'
    )
    assert [event.key for event in (user, without, null)] == ["auth0|7", "2", "3"]


@pytest.mark.parametrize("around", [b"", b"[" * 50_000 + b"]" * 50_000])
def test_a_user_id_that_is_a_number_is_a_key_too(around: bytes) -> None:
    (event,) = slice_page(b'[{"log_id":"9001","user_id":12345,"x":[' + around + b"]}]")
    assert (event.key, event.user_id) == ("12345", "12345")


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_name":"ann@example.com"}',
        b'{"ann@example.com":1}',
        b'["ann@example.com"]',
        b'[["ann@example.com"]]',
        b'"ann@example.com"',
        b'[{"log_id":"1"}] {"x":"ann@example.com"}',
        b'[{"log_id":"1"} "ann@example.com"',
    ],
)
def test_what_is_said_of_a_page_that_is_none_quotes_no_personal_data(body: bytes) -> None:
    with pytest.raises(PageInvalid) as refused:
        slice_page(body)
    assert "ann" not in str(refused.value)


def test_log_id_comes_before_the_older_id() -> None:
    assert slice_page(b'[{"_id":"old","log_id":"new"}]')[0].log_id == "new"


def test_a_wrapped_date_is_unwrapped() -> None:
    assert slice_page(b'[{"_id":"1","date":{"$date":"2016-02-25T13:42:08.791Z"}}]')[0].date == "2016-02-25T13:42:08.791Z"


moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
sequences = st.integers(0, 10**39 - 1)


def _log_id(moment: datetime, sequence: int) -> str:
    return f"900{moment:%Y%m%d%H%M%S}{sequence:039d}"


@given(moments, sequences, moments, sequences)
def test_log_ids_order_as_strings_the_way_they_came(a: datetime, m: int, b: datetime, n: int) -> None:
    a, b = a.replace(microsecond=0), b.replace(microsecond=0)
    assert (_log_id(a, m) < _log_id(b, n)) == ((a, m) < (b, n))


@given(moments, sequences)
def test_a_log_id_tells_its_time(moment: datetime, sequence: int) -> None:
    assert log_id_time(_log_id(moment, sequence)) == moment.replace(microsecond=0)


@pytest.mark.parametrize("other", ["49556539073893675610923042044589174982043486779166687234", "900", "90020269999999999", "abc"])
def test_an_id_of_another_form_tells_no_time(other: str) -> None:
    assert log_id_time(other) is None
