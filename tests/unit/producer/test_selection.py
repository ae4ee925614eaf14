from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.selection import MANAGEMENT_API, Dropped, Selection

LEVELS = {"cs": 0, "s": 1, "w": 2, "f": 3, "limit_wc": 4, "sapi": 1, "fapi": 3, "mgmt_api_read": 1}
codes = st.sampled_from([*LEVELS, "brand_new", ""])
levels = st.integers(0, 4)
types = st.frozensets(st.sampled_from([*LEVELS]))


@given(codes, levels, types)
def test_both_level_and_types_must_match(code: str, level: int, chosen: frozenset[str]) -> None:
    passes = Selection(levels=LEVELS, level=level, types=chosen).judge(code) is None
    by_level = code not in LEVELS or LEVELS[code] >= level
    by_type = code in chosen if chosen else code not in MANAGEMENT_API
    assert passes == (by_level and by_type)


@given(levels)
def test_an_unknown_type_passes_every_level(level: int) -> None:
    selection = Selection(levels=LEVELS, level=level)
    assert selection.judge("brand_new") is None
    assert not selection.knows("brand_new")


def test_management_api_events_pass_only_by_name() -> None:
    assert Selection(levels=LEVELS).judge("sapi") is Dropped.MANAGEMENT_API
    assert Selection(levels=LEVELS, types={"sapi"}).judge("sapi") is None
    assert Selection(levels=LEVELS, types={"s"}).judge("sapi") is Dropped.TYPE


@given(codes, levels, types)
def test_the_reason_names_the_setting(code: str, level: int, chosen: frozenset[str]) -> None:
    match Selection(levels=LEVELS, level=level, types=chosen).judge(code):
        case Dropped.TYPE:
            assert code not in chosen
        case Dropped.LEVEL:
            assert LEVELS[code] < level
        case Dropped.MANAGEMENT_API:
            assert code in MANAGEMENT_API
            assert not chosen
