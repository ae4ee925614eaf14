"""Personal data in entries: hidden wherever it stands or is repeated, and nothing else changed."""

from __future__ import annotations

import hmac
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producer.privacy.entry import Privacy
from producer.privacy.fields import KEYS, UNTOUCHED
from producer.privacy.methods import mask
from shared.event import Event, slice_page
from shared.record import headers_of, key_of
from shared.words import PiiField, PiiMode

SAMPLES = (Path(__file__).parents[2] / "data" / "sample-events.jsonl").read_bytes().splitlines()
KEY = b"a key of the tests, long enough"
MODES = st.sampled_from([PiiMode.MASK, PiiMode.HASH])
FIELDS = st.frozensets(st.sampled_from(PiiField), min_size=1)

names = st.sampled_from(["Zoë", "Ann", "O'Neil", "J", "李小龙", "tab\tbed", 'quo"te', "back\\slash"])
values = st.one_of(names, st.sampled_from(["ann.lee@example.com", "+4915112345678", "35.1.2.3", "2001:db8::1", "Main Street 5"]))
other = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(-math.inf), st.text(max_size=8), st.sampled_from(["1e400", "\ud83d"])
)
held = {key for keys in KEYS.values() for key in keys}
members = st.dictionaries(st.sampled_from([*sorted(held), "x", "Phone-Number", "description"]), values | other, max_size=6)
trees = st.recursive(
    members,
    lambda inner: st.dictionaries(
        st.text(max_size=4) | st.sampled_from(["email", "list"]), inner | st.lists(inner, max_size=2), max_size=3
    ),
)


def event_of(entry: dict[str, Any] | bytes) -> Event:
    raw = entry if isinstance(entry, bytes) else json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass")
    (event,) = slice_page(b"[" + raw + b"]")
    return event


def privacy(mode: PiiMode = PiiMode.HASH, *fields: PiiField) -> Privacy:
    return Privacy(mode=mode, fields=frozenset(fields or PiiField), key=KEY)


def hashed(value: str) -> str:
    return hmac.new(KEY, value.encode(), "sha256").hexdigest()


def hidden(entry: dict[str, Any], mode: PiiMode = PiiMode.HASH, *fields: PiiField) -> Any:
    return json.loads(privacy(mode, *fields).apply(event_of(entry)).raw)


@given(trees, MODES, FIELDS)
def test_only_strings_and_hidden_numbers_change_and_the_form_of_the_entry_stays(tree: Any, mode: PiiMode, fields: Any) -> None:
    before = event_of({"log_id": "9001", "type": "s", **tree, "date": "2026-11-29"})
    after = Privacy(mode=mode, fields=fields, key=KEY).apply(before)
    assert shape(json.loads(after.raw)) == shape(json.loads(before.raw))
    assert [json.loads(after.raw)[name] for name in ("log_id", "type", "date")] == ["9001", "s", "2026-11-29"]
    assert after.log_id == before.log_id


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return value if value is None or isinstance(value, bool) else "text or number"


@given(trees, values, st.sampled_from(PiiField), MODES, st.data())
def test_a_value_under_its_key_stands_nowhere_any_more(tree: Any, value: str, field: PiiField, mode: PiiMode, data: Any) -> None:
    if len(value) < 2 or mask(value) == value:
        return
    key = data.draw(st.sampled_from(sorted(KEYS[field])))
    entry = {
        "log_id": "9001",
        **tree,
        "details": {"deep": [{key: value, "said": f"it was <{value}>, twice: {value}"}]},
        "z": value,
    }
    after = privacy(mode, field).apply(event_of(entry)).raw
    assert value not in strings(json.loads(after)), (key, after)
    assert f"<{value}>" not in after.decode("utf-8", "surrogateescape")


def strings(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(strings, value.values()))
    if isinstance(value, list):
        return set().union(*map(strings, value))
    return {value} if isinstance(value, str) else set()


@given(trees, MODES)
def test_an_entry_without_personal_data_keeps_its_bytes(tree: Any, mode: PiiMode) -> None:
    event = event_of({"log_id": "9001", "type": "f", "one": [1.10, 1e3, True], "two": "caf\u00e9 \\u00e9"})
    assert privacy(mode).apply(event).raw == event.raw
    assert privacy(mode, PiiField.ADDRESS).apply(event).raw == event.raw
    event = event_of({"log_id": "9001", **without_keys(tree)})
    assert privacy(mode, PiiField.PHONE).apply(event).raw == event.raw


def without_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"k{index}": without_keys(inner) for index, inner in enumerate(value.values())}
    return [without_keys(inner) for inner in value] if isinstance(value, list) else value


@given(trees, MODES, FIELDS)
@example({"user_id": 5, "x": "5"}, PiiMode.MASK, frozenset({PiiField.EMAIL}))
@example({"nickname": "ann@example.com", "user_id": "x|ann@example.com"}, PiiMode.MASK, frozenset({PiiField.EMAIL}))
def test_an_entry_without_escapes_is_read_the_short_way_with_the_same_result(tree: Any, mode: PiiMode, fields: Any) -> None:
    """A backslash anywhere makes every string be looked at by itself."""
    privacy = Privacy(mode=mode, fields=fields, key=KEY)
    entry = {**tree, "log_id": "90020261120"}
    short, long = privacy.apply(event_of(entry)), privacy.apply(event_of({**entry, "~": "\\"}))
    assert (short.user_id, short.pii) == (long.user_id, long.pii)
    assert {**json.loads(short.raw), "~": "\\"} == json.loads(long.raw)


def test_the_sample_entries_lose_what_stands_under_their_keys_and_nothing_that_is_never_changed() -> None:
    for raw in SAMPLES:
        before, after = json.loads(raw), json.loads(privacy(PiiMode.MASK).apply(event_of(raw)).raw)
        assert after.keys() == before.keys()
        assert [after.get(name) for name in UNTOUCHED] == [before.get(name) for name in UNTOUCHED]
        for name in ("ip", "client_ip", "user_id", "user_name"):
            assert after.get(name) != before.get(name) or not before.get(name), raw


@given(st.binary(max_size=200))
@example(b'"email":"\xff@x.com"')
@example(b'"email":NaN,"a":"b"')
@example(b'"email":"a","user_id":-Infinity')
@example(b'"email":-1.5e9,"email":[tru')
def test_whatever_a_page_may_hold_can_be_read_again(middle: bytes) -> None:
    try:
        event = event_of(b'{"log_id":"9001",' + middle + b"}")
    except Exception:  # noqa: BLE001  no entry: its page is refused before
        return
    after = privacy().apply(event)
    assert event_of(after.raw).log_id == event.log_id


def test_numbers_spaces_and_doubled_keys_keep_their_bytes() -> None:
    raw = b'{ "log_id" : "9001",\n "n": 1.10, "big": 1e400, "email" :"a.b@c.de", "email": 12, "n": 0.30 , "x":"a\\/b" }'
    after = privacy(PiiMode.MASK).apply(event_of(raw)).raw
    assert after == raw.replace(b"a.b@c.de", b"a***@***.de").replace(b": 12", b': "1***"')


def test_the_documentation_names_every_key() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text()
    for field, keys in KEYS.items():
        assert f"| `{field}` | {', '.join(sorted(keys))} |" in documented


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("john@example.com", "j***@e***.com"),
        ("j@example.com", "***@e***.com"),
        ("john@mail.example.co.uk", "j***@m***.uk"),
        ("35.180.12.9", "35.*.*.*"),
        ("2001:db8::1", "2001:***"),
        ("+49 151 1234 5678", "+***78"),
        ("Zoë O'Neil", "Z*** O***"),
        ("J", "***"),
    ],
)
def test_a_mask_leaves_the_shape(value: str, shown: str) -> None:
    assert mask(value) == shown


def test_a_hash_is_of_the_value_alone_whatever_its_key() -> None:
    entry = hidden(
        {
            "log_id": "9001",
            "user_name": "ann@example.com",
            "details": {"email": "ann@example.com"},
            "description": "ann@example.com!",
        }
    )
    assert entry["user_name"] == entry["details"]["email"] == hashed("ann@example.com")
    assert entry["description"] == hashed("ann@example.com") + "!"


@pytest.mark.parametrize(
    "said", ["ann.lee%40example.com", "ANN.LEE@Example.com", "<ann.lee@example.com>", "u=ann.lee@example.com&x"]
)
def test_a_value_is_found_in_other_spellings(said: str) -> None:
    entry = hidden({"log_id": "9001", "email": "ann.lee@example.com", "description": said})
    assert hashed("ann.lee@example.com") in entry["description"]


def test_a_value_inside_a_longer_word_is_not_meant() -> None:
    assert hidden({"log_id": "9001", "given_name": "Ann", "description": "planned"})["description"] == "planned"


def test_an_address_in_a_text_is_hidden_though_no_key_says_so() -> None:
    assert hidden({"log_id": "9001", "description": "no such user: a.b@c.de"}, PiiMode.MASK, PiiField.EMAIL)["description"] == (
        "no such user: a***@***.de"
    )


def test_a_user_name_is_an_address_for_the_field_email_only_where_it_is_one() -> None:
    assert hidden({"log_id": "1", "user_name": "ann"}, PiiMode.HASH, PiiField.EMAIL)["user_name"] == "ann"
    assert hidden({"log_id": "1", "user_name": "a@b.c"}, PiiMode.HASH, PiiField.EMAIL)["user_name"] == hashed("a@b.c")


def test_a_key_that_holds_an_address_changes_and_one_of_auth0_does_not() -> None:
    entry = hidden({"log_id": "1", "user_name": "details", "details": {"a@b.c": {"details": 1}}}, PiiMode.MASK)
    assert entry["details"] == {"***@***.c": {"details": 1}}


@pytest.mark.parametrize("mode", [PiiMode.MASK, PiiMode.HASH])
@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        ({"user_id": "sms|+4915112345678"}, [PiiField.PHONE]),
        ({"user_id": "email|ann@example.com"}, [PiiField.EMAIL]),
        ({"user_id": "auth0|ann", "user_name": "ann"}, [PiiField.USERNAME]),
        ({"user_id": "auth0|5f7c8ec7c33c6c004bbafe82"}, [PiiField.USER_ID]),
    ],
)
def test_a_user_id_that_tells_something_is_hashed_whole_in_both_modes(mode: PiiMode, entry: Any, fields: list[PiiField]) -> None:
    after = privacy(mode, *fields).apply(event_of({"log_id": "9001", **entry}))
    assert json.loads(after.raw)["user_id"] == after.user_id == hashed(entry["user_id"])
    assert key_of(after) == hashed(entry["user_id"]).encode()
    assert dict(headers_of(after))["pii"] == f"{mode}; user_id=hashed".encode()


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ([PiiField.USER_ID], hashed("4915112345678")),
        ([PiiField.PHONE], hashed("4915112345678")),
        ([PiiField.EMAIL], "4915112345678"),
    ],
)
def test_a_user_id_that_is_a_number_is_the_key_as_it_then_stands_in_the_entry(fields: list[PiiField], key: str) -> None:
    after = privacy(PiiMode.MASK, *fields).apply(event_of({"log_id": "1", "user_id": 4915112345678, "phone": "4915112345678"}))
    assert str(json.loads(after.raw)["user_id"]) == key_of(after).decode() == key


def test_a_user_id_that_tells_nothing_stays_and_the_header_says_so() -> None:
    after = privacy(PiiMode.MASK, PiiField.EMAIL).apply(event_of({"log_id": "1", "user_id": "auth0|5f7c", "email": "a@b.c"}))
    assert (after.user_id, dict(headers_of(after))["pii"]) == ("auth0|5f7c", b"mask")


def test_a_number_of_a_passwordless_user_is_hidden_where_it_is_repeated() -> None:
    entry = hidden({"log_id": "1", "user_id": "sms|+4915112345678", "user_name": "+4915112345678"}, PiiMode.MASK, PiiField.PHONE)
    assert entry["user_name"] == "+***78"


@pytest.mark.parametrize("text", ["a" * 50_000 + "@", "@" * 20_000, "a@" * 20_000, "a." * 25_000 + "@x", '\\"' * 20_000])
def test_a_hostile_text_takes_no_minutes(text: str) -> None:
    hidden({"log_id": "1", "email": text[:2000], "description": text})


def test_an_entry_of_any_depth_is_read() -> None:
    raw = b'{"log_id":"1","a":' + b'{"b":[' * 50_000 + b'{"email":"a@b.c"}' + b"]}" * 50_000 + b"}"
    assert b"a@b.c" not in privacy().apply(event_of(raw)).raw
