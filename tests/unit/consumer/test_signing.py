"""The signature, against the reference implementation of Standard Webhooks."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from consumer.signing import Signing

OLD, NEW = (base64.b64encode(bytes([byte]) * 24).decode() for byte in (1, 2))
BODY = b'{"log_id":"900"}'


def headers(lines: bytes, log_id: str = "900") -> dict[str, str]:
    pairs = (line.partition(": ") for line in lines.decode().split("\r\n") if line)
    return {"webhook-id": log_id, **{name: value for name, _, value in pairs}}


@given(key=st.binary(min_size=1, max_size=200), body=st.text(max_size=300), log_id=st.from_regex(r"\A[!-~]{1,80}\Z"))
def test_the_reference_accepts_it_for_any_key_and_body(key: bytes, body: str, log_id: str) -> None:
    secret = base64.b64encode(key).decode()
    lines = Signing([secret])(log_id.encode(), body.encode())
    assert lines.endswith(b"\r\n")
    expected = Webhook(secret).sign(log_id, _second(lines), body)
    assert headers(lines)["webhook-signature"] == expected


def test_while_secrets_rotate_the_old_and_the_new_one_both_verify() -> None:
    signed = headers(Signing([f"whsec_{NEW}", OLD])(b"900", BODY))
    assert Webhook(OLD).verify(BODY, signed) == Webhook(f"whsec_{NEW}").verify(BODY, signed) == {"log_id": "900"}
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(b"another").decode()).verify(BODY, signed)


def test_the_timestamp_is_in_whole_seconds_and_signed() -> None:
    signed = headers(Signing([NEW], clock=lambda: time.time() + 1.9)(b"900", BODY))
    assert signed["webhook-timestamp"].isdigit()
    Webhook(NEW).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, {**signed, "webhook-timestamp": str(int(signed["webhook-timestamp"]) + 1)})


@pytest.mark.parametrize("secret", ["not base64!", "whsec_abcde", "é", "-_-_"])
def test_a_secret_that_is_not_base64_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="must be base64") as refused:
        Signing([secret])
    assert secret not in str(refused.value)


def test_a_secret_that_lost_its_padding_is_the_same_secret() -> None:
    secret = base64.b64encode(b"25 bytes, so that it pads").decode()
    assert secret.endswith("==")
    Webhook(secret).verify(BODY, headers(Signing([secret.rstrip("=")])(b"900", BODY)))


def test_no_secret_is_no_secret() -> None:
    with pytest.raises(ValueError, match="must be base64"):
        Signing(["whsec_"])


def _second(lines: bytes) -> datetime:
    return datetime.fromtimestamp(int(headers(lines)["webhook-timestamp"]), UTC)
