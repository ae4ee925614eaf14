from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from admin.actions.lines import readable


def test_a_log_entry_is_one_line_with_time_level_type_and_user() -> None:
    body = b'{"_id":"1","type":"limit_wc","date":"2026-11-25T10:11:12.131Z","user_id":"auth0|7"}'
    assert readable(body).split() == ["10:11:12", "critical", "limit_wc", "Blocked", "Account", "auth0|7"]


def test_what_is_no_log_entry_is_said_to_be_none() -> None:
    assert readable(b"<html>") == "(not a log entry: 6 bytes)"
    assert readable(b'{"_id":"1"},{"_id":"2"}') == "(not a log entry: 23 bytes)"


@given(st.text(st.characters(codec=None)), st.text(), st.text())
def test_nothing_an_entry_holds_can_move_the_cursor(user: str, code: str, date: str) -> None:
    line = readable(json.dumps({"_id": "1", "type": code, "date": date, "user_id": user}).encode())
    assert line.isprintable()
