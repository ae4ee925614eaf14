"""Frames: cut anywhere they are the same messages; what is no frame is an error of ours to catch, never another one."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.processes.protocol import FrameBroken, FrameReader, encode

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_MESSAGES = st.dictionaries(st.text(), _VALUES, max_size=4).map(lambda fields: {**fields, "is": "result"})


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(messages=st.lists(_MESSAGES, max_size=5), places=st.lists(st.integers(0, 10_000), max_size=10))
def test_messages_arrive_whole_wherever_the_stream_is_cut(messages: list[dict[str, object]], places: list[int]) -> None:
    reader = FrameReader()
    parts = _cut(b"".join(map(encode, messages)), places)
    assert [message for part in parts for message in reader.feed(part)] == messages


@given(data=st.lists(st.binary(max_size=40), max_size=10), cap=st.integers(1, 100))
def test_whatever_arrives_is_messages_or_one_error(data: list[bytes], cap: int) -> None:
    reader = FrameReader(cap)
    try:
        for part in data:
            assert all(isinstance(message["is"], str) for message in reader.feed(part))
    except FrameBroken:
        pass


@given(body=st.binary(max_size=60) | _VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_frame_of_anything_else_is_broken(body: bytes) -> None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("is"), str):
        return
    with pytest.raises(FrameBroken):
        list(FrameReader().feed(len(body).to_bytes(4, "big") + body))


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"is":' * 50_000, b"1" * 5000, b"\xff\xfe{}", b""])
def test_json_that_breaks_parsers_is_a_broken_frame(body: bytes) -> None:
    with pytest.raises(FrameBroken):
        list(FrameReader().feed(len(body).to_bytes(4, "big") + body))


def test_a_frame_that_says_it_is_too_large_is_not_waited_for() -> None:
    with pytest.raises(FrameBroken, match="more than 10"):
        list(FrameReader(10).feed((11).to_bytes(4, "big")))


def test_messages_before_a_broken_frame_count() -> None:
    messages = FrameReader(100).feed(encode({"is": "pong"}) + b"\xff\xff\xff\xff")
    assert next(messages) == {"is": "pong"}
    with pytest.raises(FrameBroken):
        next(messages)


def test_half_an_emoji_crosses() -> None:
    message = {"is": "run", "user": {"name": "\ud83d"}}
    assert list(FrameReader().feed(encode(message))) == [message]
