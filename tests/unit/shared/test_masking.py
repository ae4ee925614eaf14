"""No part of a secret is left in foreign text, in whatever form a server echoes it and wherever the text is cut."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.dead_letters import _letter
from consumer.partitions.partition import Delivery, Partition
from producer.auth0.response import error_text
from shared import masking
from shared.documents.checkpoint import parse
from shared.errors import PageInvalid, RecordInvalid, TransportUnusable
from shared.event import slice_page
from shared.masking import MASK, Mask, excerpt
from shared.record import Record, log_id_of
from shared.transport.kafka.client.errors import reason
from shared.transport.port import Position

SECRET = "s3cr3t/with+signs&more=äöü-0123456789"


@pytest.fixture(autouse=True)
def _process_secret() -> Iterator[None]:
    masking.use([SECRET])
    yield
    masking.use([])


ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL-encoded": lambda secret: quote(secret, safe=""),
    "URL-encoded in small letters": lambda secret: quote(secret, safe="").lower().replace(secret[:6].lower(), secret[:6]),
    "of a form": quote_plus,
    "JSON-escaped": lambda secret: json.dumps({"said": secret}),
    "JSON with slashes escaped": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "JSON as UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "in HTML": html.escape,
}


@pytest.mark.parametrize("echo", ECHOES)
def test_an_echo_is_masked_in_every_spelling(echo: str) -> None:
    assert "0123456789" not in excerpt(f"you sent {ECHOES[echo](SECRET)} here", 1000)


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_next_to_nothing_is_left_of_a_secret_inside_base64(before: bytes, after: bytes) -> None:
    """As in `Basic` user:secret, with users of any length."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + SECRET.encode() + after).decode()
        shown = excerpt(text, 1000)
        assert MASK in shown
        assert len(shown.replace(MASK, "").rstrip("=")) <= (len(before) + len(after)) * 4 / 3 + 4


@pytest.mark.parametrize(
    ("secret", "echoed"),
    [
        ("Bearer tok-0123456789", "tok-0123456789"),
        ("Basic " + base64.b64encode(b"me:hush-hush").decode(), "hush-hush"),
        ("Basic " + base64.b64encode(b"me:hush-hush").decode(), "me:hush-hush"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("p%40ss%2Fword", "p@ss/word"),
    ],
)
def test_the_part_that_matters_is_masked_by_itself(secret: str, echoed: str) -> None:
    assert Mask([secret])(f"not {echoed}!") == f"not {MASK}!"


def test_what_is_short_is_masked_as_it_is_and_in_no_other_form() -> None:
    assert Mask(["a b"])("Bearer a b, b") == f"Bearer {MASK}, b"


@given(st.text(string.printable, min_size=1, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    shown = Mask([secret])(before + secret + after)
    assert secret not in shown or secret in before + MASK + after or set(secret) <= set(MASK)


def _page_error(body: bytes) -> str:
    with pytest.raises(PageInvalid) as failed:
        slice_page(body)
    return str(failed.value)


def _record_error(version: bytes) -> str:
    with pytest.raises(RecordInvalid) as failed:
        log_id_of(Record(0, None, b"{}", [("v", version), ("log-id", b"1")], 0.0))
    return str(failed.value)


def _checkpoint_error(document: bytes) -> str:
    with pytest.raises(TransportUnusable) as failed:
        parse(document, where="here")
    return str(failed.value)


def _dead_letter(why: str) -> str:
    return _letter(Delivery(Partition(0, Position(0)), Record(0, None, b"{}", [], 0.0), "1", 0), why).reason


SECRET_ASCII = "SECRET-" + "abcdefghijklmnop" * 2
CUTS: dict[str, Callable[[str], str]] = {
    "Auth0's words": lambda text: error_text({"error_description": text}),
    "what stands instead of a page": lambda text: _page_error(text.encode()),
    "what stands behind a page": lambda text: _page_error(b"[] " + text.encode()),
    "an entry that is none": lambda text: _page_error(b'["' + text.encode() + b'"]'),
    "an id that is none": lambda text: _page_error(b'[{"log_id": "' + text.encode() + b' "}]'),
    "a record's version": lambda text: _record_error(text.encode()),
    "a damaged checkpoint": lambda text: _checkpoint_error(text.encode()),
    "Kafka's words": lambda text: reason(OSError(text)),
    "a dead letter's reason": _dead_letter,
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_secret_is_masked_before_anything_is_cut(cut: str) -> None:
    """The text of an error was first cut at 200 characters: half a secret at its end was not found."""
    masking.use([SECRET_ASCII])
    for start in range(320):
        shown = CUTS[cut]("x" * start + SECRET_ASCII)
        assert "SECR" not in shown, (start, shown)
