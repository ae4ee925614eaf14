"""What a chain changed, for a person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.difference import Absent, Change, changes, joined, patch_between, patched

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3)


def _apply(target: dict[str, Any], found: list[Change]) -> dict[str, Any]:
    """The changes of objects whose names hold no dot, made one by one."""
    result: dict[str, Any] = json.loads(json.dumps(target))
    for change in found:
        *parents, name = change.path.split(".")
        place = result
        for parent in parents:
            place = place[parent]
        if change.after is Absent.ABSENT:
            del place[name]
        else:
            place[name] = change.after
    return result


@given(OBJECTS, OBJECTS)
def test_the_changes_lead_from_the_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = changes(before, after)
    assert json.dumps(_apply(before, found), sort_keys=True) == json.dumps(after, sort_keys=True)
    assert len(found) == len({change.path for change in found})


@given(OBJECTS)
def test_what_is_the_same_has_no_change(value: dict[str, Any]) -> None:
    assert changes(value, json.loads(json.dumps(value))) == []


def test_one_is_not_true_and_null_is_not_nothing() -> None:
    assert changes({"a": 1, "b": None}, {"a": True}) == [
        Change(path="a", before=1, after=True),
        Change(path="b", before=None, after=Absent.ABSENT),
    ]


@pytest.mark.parametrize(
    ("path", "name", "shown"),
    [("", "a", "a"), ("a", "b_1", "a.b_1"), ("idToken", "https://x/y", 'idToken["https://x/y"]'), ("", 'a"b', '["a\\"b"]')],
)
def test_a_path_is_written_as_javascript_has_it(path: str, name: str, shown: str) -> None:
    assert joined(path, name) == shown


def test_deep_changes_are_found() -> None:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {"x": 1}
    for _ in range(900):
        before, after = {"a": before}, {"a": after}
    (change,) = changes(before, after)
    assert change.path == "a." * 900 + "x"


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # of RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged_as_rfc_7396_has_it(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps(target)
    assert patched(target, patch) == result
    assert json.dumps(target) == before


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """Null in an object is what a merge patch cannot say; in an array it can."""
    kept = {name: one for name, one in value.items() if one is not None}
    return {name: _without_nulls(one) if isinstance(one, dict) else one for name, one in kept.items()}


@given(OBJECTS, OBJECTS)
def test_the_patch_leads_from_the_one_to_the_other_where_a_patch_can(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = patch_between(before, after)
    assert changes(_without_nulls(patched(before, patch)), _without_nulls(after)) == []
    one, other = _without_nulls(before), _without_nulls(after)
    assert changes(patched(one, patch_between(one, other)), other) == []


@given(OBJECTS, OBJECTS)
def test_a_patch_says_nothing_that_is_no_change(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Without any one of its members it leads elsewhere."""
    patch = patch_between(before, after)
    for name in patch:
        less = {key: value for key, value in patch.items() if key != name}
        assert changes(_without_nulls(patched(before, less)), _without_nulls(after)) != []


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 12345678901234567890}, {"a": 12345678901234567000}, {}),
        ({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]}, {}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": 10**400}, {"a": 1}, {"a": 1}),
        ({"a": "\ud83d"}, {"a": "\ud83d"}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({"a": {}}, {"a": []}, {"a": []}),
        ({"a": None}, {}, {}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({}, {"a": {"b": None}, "c": [None]}, {"a": {}, "c": [None]}),
    ],
)
def test_what_went_through_javascript_unchanged_is_in_no_patch(before: Any, after: Any, patch: Any) -> None:
    found = patch_between(before, after)
    assert json.dumps(found) == json.dumps(patch)
