from __future__ import annotations

import random

import pytest

from shared.event import Event
from shared.record import MAX_RECORD
from shared.transport.kafka.publish.page_producer import OversizeFilter, fits


def _event(raw: bytes, log_id: str = "1") -> Event:
    return Event(raw=raw, log_id=log_id, type="s", date="", user_id="", tenant="")


def _noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


@pytest.mark.parametrize(
    ("raw", "bound", "expected"),
    [
        (_noise(1_000), 10_000, True),
        (_noise(9_900), 10_000, False),
        (_noise(20_000), 10_000, False),
        (b"x" * 20_000, 10_000, True),
        (b"x" * (MAX_RECORD + 1), 10_000, False),
    ],
)
def test_an_event_fits_by_what_it_is_compressed(raw: bytes, bound: int, expected: bool) -> None:
    assert fits(_event(raw), bound) is expected


def test_what_the_brokers_refused_does_not_fit_any_more() -> None:
    oversize, small, large = OversizeFilter(10_000), _event(b"x", "small"), _event(b"x", "large")
    assert oversize.without([small, large]) == [small, large]
    oversize.rejected(large)
    assert oversize.without([small, large]) == [small]
