"""A dead letter as a document: every record is read as it was, and a damaged document is refused."""

from __future__ import annotations

import pytest

from shared.documents.dead_letter import dump, parse
from shared.errors import RecordInvalid
from shared.record import Record
from shared.transport.port import DeadLetter


def _dead_letter(record: Record) -> DeadLetter:
    return DeadLetter(record=record, log_id="0:7", partition=0, attempts=2, status=None, reason='of "us"\n', time=1.5)


@pytest.mark.parametrize(
    "record",
    [
        Record(offset=7, key=None, value=None, headers=[], timestamp=0.5),
        Record(offset=7, key=b"", value=b"", headers=[("x", b""), ("x", b"\xff\x00")], timestamp=0.5),
    ],
)
def test_any_record_is_read_as_it_was(record: Record) -> None:
    assert parse(dump(_dead_letter(record))) == _dead_letter(record)


def test_a_header_without_a_value_is_read_with_an_empty_one() -> None:
    """Kafka allows it, and other programs write such records; our type does not know it."""
    record = Record(offset=7, key=b"k", value=b"v", headers=[("x", None)], timestamp=0.5)  # type: ignore[list-item]
    assert parse(dump(_dead_letter(record))).record.headers == [("x", b"")]


@pytest.mark.parametrize(
    "damage",
    [
        (b'"v": 1', b'"v": 2'),
        (b'"v": 1,', b""),
        (b'"offset": 7', b'"offset": 1e999'),
        (b'"key": null', b'"key": "\\u00ff"'),
        *((b'"time": 1.5', b'"time": ' + time) for time in (b"NaN", b"Infinity", b"1e17", b"1e300", b"-1e17")),
    ],
)
def test_a_damaged_one_is_refused(damage: tuple[bytes, bytes]) -> None:
    document = dump(_dead_letter(Record(offset=7, key=None, value=b"v", headers=[], timestamp=0.5)))
    assert damage[0] in document
    with pytest.raises(RecordInvalid):
        parse(document.replace(*damage))


@pytest.mark.parametrize("document", [b"", b"[]", b"7", b"\xff", b'{"v": 1}', b'"v"', b"[" * 100_000])
def test_what_is_no_dead_letter_is_refused(document: bytes) -> None:
    with pytest.raises(RecordInvalid):
        parse(document)
