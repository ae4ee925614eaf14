"""What `listen` finds in a body, and where it says that it can be called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.cli.commands.listen import events_in
from admin.cli.serving import reachable
from consumer.scheduling.batch import batched
from shared.words import BatchForm
from simulator.entries import Entries
from tests.unit.simulator.test_entries import START

_ENTRIES = Entries(edge_cases=0.3)
_EVENTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=6).map(
    lambda indexes: [_ENTRIES.raw(index, START) for index in indexes]
)


@given(_EVENTS, st.sampled_from(BatchForm))
def test_the_events_of_a_batch_are_found_again(events: list[bytes], form: BatchForm) -> None:
    _, body = batched("900", events, form)
    sent = events if form is BatchForm.ARRAY else [event.replace(b"\r", b" ").replace(b"\n", b" ") for event in events]
    assert events_in(body) == sent


@given(_EVENTS)
def test_one_event_is_itself(events: list[bytes]) -> None:
    assert events_in(events[0]) == [events[0]]


@given(st.binary(max_size=60) | st.text('[]{}",:\n01e ', max_size=30).map(str.encode))
def test_any_other_body_is_shown_as_it_is(body: bytes) -> None:
    assert events_in(body) == [body]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://[::]:8080", "http://[::1]:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://10.1.2.3:8080", "http://10.1.2.3:8080"),
    ],
)
def test_an_address_that_stands_for_all_is_replaced_by_one_that_can_be_called(url: str, shown: str) -> None:
    assert reachable(url) == shown
