from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.commit_metadata import MARGIN, OpenOffsets, cost, decode, distances, encode

LIMIT = 4096
offsets = st.integers(0, 2**40)


@st.composite
def knowledge(draw: st.DrawFn, most: int = 60) -> OpenOffsets:
    start = draw(offsets)
    distances = draw(st.lists(st.integers(1, 100_000) | st.just(1), min_size=1, max_size=most))
    bounds = [start]
    for distance in distances:
        bounds.append(bounds[-1] + distance)
    return OpenOffsets(bounds[:-1], bounds[-1])


@given(knowledge())
def test_what_is_written_is_read(known: OpenOffsets) -> None:
    text = encode(known)
    assert text.isascii()
    read = decode(known.open[0], text)
    nothing_beyond = known.until - known.open[0] == len(known.open)
    assert (text == "") == nothing_beyond
    assert read == (None if nothing_beyond else known)


@settings(max_examples=settings().max_examples // 4)  # drawing a thousand numbers is what takes long
@given(st.lists(st.integers(2, 2**30), min_size=500, max_size=2_000))
def test_what_does_not_fit_is_cut_off_and_never_claimed_as_done(distances: list[int]) -> None:
    bounds = [7]
    for distance in distances:
        bounds.append(bounds[-1] + distance)
    known = OpenOffsets(bounds[:-1], bounds[-1])
    text = encode(known, LIMIT)
    assert len(text) <= LIMIT
    read = decode(7, text)
    assert read is not None
    assert read.until <= known.until
    assert list(read.open) == [offset for offset in known.open if offset < read.until]


@given(knowledge(), st.sets(st.integers(0, 60)))
def test_whichever_are_done_the_text_is_no_longer_than_the_distances_between_all(known: OpenOffsets, done: set[int]) -> None:
    longest = MARGIN + sum(map(cost, distances([*known.open, known.until])))
    left = [offset for place, offset in enumerate(known.open) if place not in done]
    assert len(encode(OpenOffsets(left, known.until))) <= longest


def test_one_poison_event_with_50_000_done_after_it_costs_a_few_characters() -> None:
    text = encode(OpenOffsets([1_000_000], 1_050_001))
    assert len(text) < 20
    assert decode(1_000_000, text) == OpenOffsets([1_000_000], 1_050_001)


def test_a_full_window_of_waiting_events_is_short_too() -> None:
    assert len(encode(OpenOffsets([*range(1), *range(50, 10_050)], 20_000))) < 40


@given(offsets, st.text(max_size=40))
def test_foreign_text_is_no_knowledge(position: int, text: str) -> None:
    assert decode(position, text) is None


@given(knowledge(), st.integers(0, 10**6), st.characters(codec="ascii"))
def test_a_damaged_character_is_noticed(known: OpenOffsets, where: int, other: str) -> None:
    text = encode(known)
    if not text or text[where % len(text)] == other:
        return
    damaged = text[: where % len(text)] + other + text[where % len(text) + 1 :]
    assert decode(known.open[0], damaged) is None


@given(knowledge(), st.integers(-5, 5).filter(bool))
def test_knowledge_of_another_position_is_none(known: OpenOffsets, shift: int) -> None:
    assert decode(known.open[0] + shift, encode(known)) is None


@pytest.mark.parametrize("text", ["1;", "1;;", ";;", "1;ffffffffffffffffff;00000000", "1;1*ffffffffff;00", "2;1,2;00000000"])
def test_odd_texts_are_no_knowledge(text: str) -> None:
    assert decode(0, text) is None
