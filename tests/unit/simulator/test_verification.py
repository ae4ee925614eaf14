"""What a receiver says of a signature: the product's own are valid, and of others the reason is named."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.signing import Signing
from simulator.verification import TOLERANCE, Verifier

NOW = 1.8e9
SECRET, OTHER = (base64.b64encode(bytes([byte]) * 24).decode() for byte in (1, 2))
BODY = b'{"log_id":"900"}'
_HEADER_TEXT = st.text(st.characters(max_codepoint=255), max_size=60)


def headers(*secrets: str, at: float = NOW, log_id: str = "900", body: bytes = BODY) -> dict[str, str]:
    lines = Signing(secrets, clock=lambda: at)(log_id.encode(), body).decode().split("\r\n")
    return {"webhook-id": log_id, **dict(line.split(": ", 1) for line in lines if line)}


def objection(given_: dict[str, str], *secrets: str, body: bytes = BODY, now: float = NOW) -> str:
    return Verifier(secrets or (SECRET,)).objection(given_, body, now)


@given(st.binary(min_size=1, max_size=80), st.binary(max_size=200), st.from_regex(r"[!-~]{1,80}", fullmatch=True), st.booleans())
def test_what_the_product_signs_is_valid_and_nothing_else(key: bytes, body: bytes, log_id: str, prefix: bool) -> None:
    secret = ("whsec_" if prefix else "") + base64.b64encode(key).decode()
    signed = headers(secret, log_id=log_id, body=body)
    assert objection(signed, secret, body=body) == ""
    wrong = "wrong secret, or the body was changed on the way"
    assert objection(signed, secret, body=body + b" ") == wrong
    assert objection({**signed, "webhook-id": log_id + "x"}, secret, body=body) == wrong
    assert objection(signed, base64.b64encode(key + b"x").decode(), body=body) == wrong


def test_while_secrets_rotate_one_of_several_has_to_fit() -> None:
    assert objection(headers(SECRET, OTHER), OTHER) == ""
    assert objection(headers(OTHER), SECRET, OTHER) == ""


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_is_missing_is_named(name: str) -> None:
    assert objection({**headers(SECRET), name: ""}) == f"missing: {name}"
    assert objection({}) == "missing: webhook-id, webhook-timestamp, webhook-signature"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (TOLERANCE, ""),
        (-TOLERANCE, ""),
        (TOLERANCE + 1, "too old: made 301 s ago"),
        (-TOLERANCE - 1, "made 301 s in the future: look at the clocks"),
    ],
)
def test_an_old_call_is_not_accepted(age: int, said: str) -> None:
    assert objection(headers(SECRET, at=NOW - age)) == said


@pytest.mark.parametrize("text", ["now", "1e9", "-5", "٣", "1" * 13, "1.5"])
def test_a_timestamp_is_a_number_of_seconds(text: str) -> None:
    assert objection({**headers(SECRET), "webhook-timestamp": text}) == "webhook-timestamp is no number of seconds"


@given(_HEADER_TEXT, _HEADER_TEXT, _HEADER_TEXT | st.just("v1,"), st.binary(max_size=40))
def test_of_anything_else_it_is_said_that_it_is_wrong(log_id: str, timestamp: str, signature: str, body: bytes) -> None:
    given_ = {"webhook-id": log_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    assert objection(given_, body=body) != ""


def test_a_secret_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        Verifier(["not base64"])
