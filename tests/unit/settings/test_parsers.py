"""A value survives being written down, and nothing but a value is read."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.log_types import table
from shared.settings import DeliverySettings, FilterSettings, WebhookSettings
from shared.settings.parsers import Refused, seconds, text_of, whole


@given(st.floats(min_value=0, exclude_min=True, max_value=86400))
def test_seconds_survive_being_written_down(value: float) -> None:
    assert seconds().read(text_of(value)) == value


@given(st.integers(-5, 105))
def test_a_whole_number_is_read_within_its_bounds_only(value: int) -> None:
    if 1 <= value <= 100:
        assert whole(1, 100).read(text_of(value)) == value
    else:
        with pytest.raises(Refused):
            whole(1, 100).read(text_of(value))


@given(st.frozensets(st.sampled_from(sorted(table()))))
def test_types_survive_being_written_down(codes: frozenset[str]) -> None:
    assert FilterSettings(types=codes).types == codes


@given(st.frozensets(st.integers(200, 299), min_size=1))
def test_statuses_survive_being_written_down(codes: frozenset[int]) -> None:
    assert WebhookSettings(url="http://localhost/", success_codes=codes).success_codes == codes


@given(st.dictionaries(st.from_regex(r"X-[a-z]{1,5}", fullmatch=True), st.text("aZ0 \"\\'{}%é,:", max_size=9)))
def test_headers_survive_being_written_down(headers: dict[str, str]) -> None:
    pairs = tuple(headers.items())
    assert WebhookSettings(url="http://localhost/", headers=pairs).headers == pairs


def test_yes_and_no_survive_being_written_down() -> None:
    assert not WebhookSettings(url="http://localhost/", allow_private=False).allow_private
    assert DeliverySettings(send_as_batch="true").batched


@given(st.text() | st.from_regex(r"[+-]?[0-9._e]{0,12}", fullmatch=True))
@example("0\x1f")  # white space for strip(), not for float() and int()
def test_whatever_stands_there_no_number_is_out_of_bounds(text: str) -> None:
    with contextlib.suppress(Refused):
        assert whole(0, 55).read(text) in range(56)
    with contextlib.suppress(Refused):
        value = seconds(zero=True, most=55).read(text)
        assert isinstance(value, float)
        assert math.isfinite(value)
        assert 0 <= value <= 55


@pytest.mark.parametrize("text", ["1_0", "٣", "0x10", "1,5", "1 0", "", "+", "1e", "infinity", "--1", "1e9999"])
def test_python_reads_more_numbers_than_people_write(text: str) -> None:
    for kind in (whole(0, 100), seconds()):
        with pytest.raises(Refused):
            kind.read(text)
