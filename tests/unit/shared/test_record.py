from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RecordInvalid
from shared.event import Event
from shared.record import FEWEST_HEADERS, Headers, Record, headers_of, key_of, log_id_of

texts = st.text(st.characters(codec=None), max_size=300)


def _record(headers: Headers, value: bytes | None = b"{}") -> Record:
    return Record(offset=0, key=b"k", value=value, headers=headers, timestamp=0.0)


@given(st.from_regex(r"[!-~]{1,60}", fullmatch=True), texts, texts, texts, texts)
def test_the_identity_survives_and_headers_are_short_ascii(log_id: str, code: str, date: str, user: str, tenant: str) -> None:
    event = Event(raw=b"{}", log_id=log_id, type=code, date=date, user_id=user, tenant=tenant)
    headers = headers_of(event)
    assert log_id_of(_record(headers)) == log_id
    assert all(value.isascii() and len(value) <= 256 for _, value in headers)
    assert len(headers) == FEWEST_HEADERS
    assert key_of(event)


@pytest.mark.parametrize(
    ("headers", "value", "words"),
    [
        ([], b"{}", "another program"),
        ([("v", b"1")], b"{}", "another program"),
        ([("log-id", b"9")], b"{}", "another program"),
        ([("v", b"2"), ("log-id", b"9")], b"{}", "upgrade"),
        ([("v", b"1"), ("log-id", b"9")], b"", "no value"),
        ([("v", b"1"), ("log-id", b"9")], None, "no value"),
        ([("v", b"1"), ("log-id", b"9")], b"not JSON", "no JSON object"),
        ([("v", b"1"), ("log-id", b"9")], b'{"cut": ', "no JSON object"),
    ],
)
def test_a_record_that_is_not_ours_says_why(headers: Headers, value: bytes | None, words: str) -> None:
    with pytest.raises(RecordInvalid, match=words):
        log_id_of(_record(headers, value))
