"""What a receiver finds out about the signature of a call (https://www.standardwebhooks.com, specification 1.0.0). Pure."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

#: Seconds between the sender's clock and ours that the reference implementations allow.
TOLERANCE: Final = 300

_NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class Verifier:
    """Verifies by several secrets, one of which has to fit: base64, with or without `whsec_` in front.

    Raises `ValueError` for a secret that is not base64.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [base64.b64decode(secret.removeprefix("whsec_"), validate=True) for secret in secrets]

    def objection(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """Returns what is wrong with the signature; empty if it is valid.

        `headers` by lower-case name; `now` in seconds since 1970.
        """
        if missing := [name for name in _NAMES if not headers.get(name)]:
            return f"missing: {', '.join(missing)}"
        log_id, timestamp, signatures = (headers[name] for name in _NAMES)
        if not _SECONDS.fullmatch(timestamp):
            return "webhook-timestamp is no number of seconds"
        if not self._fits(f"{log_id}.{timestamp}.".encode("latin-1", "replace") + body, signatures):
            return "wrong secret, or the body was changed on the way"
        age = now - int(timestamp)
        if abs(age) <= TOLERANCE:
            return ""
        return f"too old: made {age:.0f} s ago" if age > 0 else f"made {-age:.0f} s in the future: look at the clocks"

    def _fits(self, signed: bytes, signatures: str) -> bool:
        given = [one.encode("latin-1", "replace") for one in signatures.split()]
        expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in self._keys]
        return any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given)
