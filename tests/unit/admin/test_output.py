from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.cli import output
from admin.cli.output import escaped, format_event, parsed, show_table, widths
from shared.log_types import table

ANY = st.text(st.characters(codec=None))


@given(st.dictionaries(ANY, ANY), st.booleans(), st.sampled_from([None, 2]))
def test_escaped_json_is_printable_and_means_the_same(value: dict[str, str], ascii_only: bool, indent: int | None) -> None:
    document = escaped(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert document.replace("\n", "").isprintable()
    # json.loads takes two halves of an emoji for the whole, whichever way they were written.
    assert json.loads(document) == json.loads(json.dumps(value))


@pytest.mark.parametrize("character", ["\x7f", "\x9b", "\u202e", "\u2028", "\ufeff", "\U000e0001", "\udc80"])
def test_what_json_itself_lets_stand_is_escaped(character: str) -> None:
    document = escaped(json.dumps([character], ensure_ascii=False))
    assert document.isascii()
    assert json.loads(document) == [character]


@given(st.binary() | ANY.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.just(b"[" * 100_000))
def test_whatever_a_document_is_its_value_can_be_printed_as_json(document: bytes) -> None:
    value = parsed(document)
    assert json.loads(escaped(json.dumps(value, allow_nan=False))) == value


@pytest.mark.parametrize("document", [b"NaN", b"[1e999]", b"9" * 5000, b'{"cut": ', b"\xff"])
def test_what_is_no_json_is_shown_as_the_text_that_it_is(document: bytes) -> None:
    assert parsed(document) == document.decode("utf-8", "backslashreplace")


def test_a_log_entry_is_one_line_with_time_level_type_and_user() -> None:
    body = b'{"_id":"1","type":"limit_wc","date":"2026-11-25T10:11:12.131Z","user_id":"auth0|7"}'
    assert format_event(body).split() == ["10:11:12", "critical", "limit_wc", "Blocked", "Account", "auth0|7"]


def test_what_is_no_log_entry_is_said_to_be_none() -> None:
    assert format_event(b"<html>") == "(not a log entry: 6 bytes)"
    assert format_event(b'{"_id":"1"},{"_id":"2"}') == "(not a log entry: 23 bytes)"


@given(st.text(st.characters(codec=None)), st.text(), st.text())
def test_nothing_an_entry_holds_can_move_the_cursor(user: str, code: str, date: str) -> None:
    line = format_event(json.dumps({"_id": "1", "type": code, "date": date, "user_id": user}).encode())
    assert line.isprintable()


@given(st.sampled_from(list(table())), st.integers(20, 300))
def test_in_a_narrow_terminal_the_name_gives_way_and_code_and_user_stay_whole(code: str, room: int) -> None:
    user = "google-oauth2|22fa72a7721a2cd204e76233"
    line = format_event(json.dumps({"_id": "1", "type": code, "user_id": user}).encode(), room)
    assert f" {code} " in line
    assert line.endswith(f" {user}")
    assert len(line) <= max(room, 75 + max(0, len(code) - 16))


def test_a_code_of_a_log_type_is_never_cut() -> None:
    assert all(f" {code} " in format_event(json.dumps({"_id": "1", "type": code}).encode()) for code in table())


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=9), st.integers(0, 300))
def test_columns_fit_and_none_is_narrower_than_its_least_or_wider_than_its_cells(
    columns: list[tuple[int, int]], spare: int
) -> None:
    wide, least = [max(column) for column in columns], [min(column) for column in columns]
    room = sum(least) + spare
    found = widths(wide, least, room)
    assert sum(found) == min(sum(wide), room)
    assert all(at_least <= width <= at_most for at_least, width, at_most in zip(least, found, wide, strict=True))


@pytest.mark.parametrize("columns", [20, 40, 79, 80, 81, 100, 120])
@pytest.mark.parametrize(("end", "oldest", "owner"), [(207, "-", "-"), (41, "9" * 56, "host:1:abcdef01"), (12_345_690, "-", "-")])
def test_the_heads_of_a_table_are_broken_at_words_and_never_cut(
    columns: int, end: int, oldest: str, owner: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns two heads of `status` were both "undeliver…"."""
    monkeypatch.setattr(output, "columns_of", lambda _descriptor: columns)
    heads = ("partition", "begin", "end", "committed", "lag", "done beyond", "undelivered", "oldest undelivered", "owner")
    show_table(heads, [(0, 1, end, end, 0, 0, 0, oldest, owner)])
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert set(" ".join(heads[1:]).split()) <= set(printed.split())
