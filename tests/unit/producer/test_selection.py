from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.selection import MANAGEMENT_API, DropReason, Selection

LEVELS = {"cs": 0, "s": 1, "w": 2, "f": 3, "limit_wc": 4, "sapi": 1, "fapi": 3, "mgmt_api_read": 1}
codes = st.sampled_from([*LEVELS, "brand_new", ""])
levels = st.integers(0, 4)
types = st.frozensets(st.sampled_from([*LEVELS]))


@given(codes, levels, types)
def test_both_level_and_types_must_match(code: str, level: int, chosen: frozenset[str]) -> None:
    passes = Selection(levels=LEVELS, level=level, types=chosen).reason_to_drop(code) is None
    by_level = code not in LEVELS or LEVELS[code] >= level
    by_type = code in chosen if chosen else code not in MANAGEMENT_API
    assert passes == (by_level and by_type)


@given(levels)
def test_an_unknown_type_passes_every_level(level: int) -> None:
    selection = Selection(levels=LEVELS, level=level)
    assert selection.reason_to_drop("brand_new") is None
    assert not selection.knows("brand_new")


def test_management_api_events_pass_only_by_name() -> None:
    assert Selection(levels=LEVELS).reason_to_drop("sapi") is DropReason.MANAGEMENT_API
    assert Selection(levels=LEVELS, types={"sapi"}).reason_to_drop("sapi") is None
    assert Selection(levels=LEVELS, types={"s"}).reason_to_drop("sapi") is DropReason.TYPE


@given(codes, levels, types)
def test_the_reason_names_the_setting(code: str, level: int, chosen: frozenset[str]) -> None:
    match Selection(levels=LEVELS, level=level, types=chosen).reason_to_drop(code):
        case DropReason.TYPE:
            assert code not in chosen
        case DropReason.LEVEL:
            assert LEVELS[code] < level
        case DropReason.MANAGEMENT_API:
            assert code in MANAGEMENT_API
            assert not chosen
