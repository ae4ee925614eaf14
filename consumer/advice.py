"""What to look at when a failure speaks for itself. Most do not: a 500 or a broken connection says nothing of its cause. Pure.

Said once for each cause, not for each attempt; after a delivery it counts as new.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from consumer.webhook import Attempt, Cause

_OF_STATUS: Final = {
    **dict.fromkeys((301, 302, 303, 307, 308), Cause.REDIRECT),
    401: Cause.DENIED,
    403: Cause.DENIED,
    404: Cause.NO_SUCH_PATH,
    405: Cause.NO_POST,
    410: Cause.GONE,
    413: Cause.TOO_LARGE,
}
_SENTENCES: Final = {
    Cause.NOT_COUNTED: "{status} does not count as delivered: if it should, set WEBHOOK_SUCCESS_CODES={codes}",
    Cause.REDIRECT: "redirects are not followed: set WEBHOOK_URL to where the receiver really is",
    Cause.DENIED: "the webhook refuses our credentials: look at AUTHORIZATION and WEBHOOK_SECRET",
    Cause.NO_SUCH_PATH: "the webhook does not know this path: look at the path of WEBHOOK_URL",
    Cause.NO_POST: "the webhook takes no POST at this path: look at the path of WEBHOOK_URL",
    Cause.GONE: "the webhook says that it is gone for good: look at WEBHOOK_URL",
    Cause.TOO_LARGE: "the webhook takes no body of this size: raise its limit or lower BATCH_MAX_BYTES",
    Cause.NO_ADDRESS: "look at the host of WEBHOOK_URL, and at this machine's name server",
    Cause.NOT_LISTENING: "nothing listens there: look at host and port of WEBHOOK_URL, and at the receiver",
    Cause.WANTS_TLS: "the webhook's port speaks TLS: write https:// in WEBHOOK_URL",
    Cause.MAY_WANT_TLS: "if the webhook's port speaks TLS, write https:// in WEBHOOK_URL",
    Cause.NO_TLS: "the port does not speak TLS: write http:// in WEBHOOK_URL, or another port",
    Cause.CERTIFICATE: "look at the host of WEBHOOK_URL; WEBHOOK_CA_FILE names the authority to trust",
    Cause.PROXY: "the proxy on the way does not help: look at WEBHOOK_PROXY",
}


class Advice:
    """`success`: the statuses that mean delivered."""

    def __init__(self, success: Set[int]) -> None:
        self._success = success
        #: Clear it after a delivery.
        self.given: set[Cause] = set()

    def on(self, attempt: Attempt) -> str:
        """What to look at; empty where nobody can tell, or where it was said before."""
        cause = cause_of(attempt)
        if cause is None or cause in self.given:
            return ""
        self.given.add(cause)
        codes = ",".join(map(str, sorted({*self._success, attempt.status or 200})))
        return _SENTENCES[cause].format(status=attempt.status, codes=codes)


def cause_of(attempt: Attempt) -> Cause | None:
    """Of a failed attempt."""
    if attempt.cause is not None or attempt.status is None:
        return attempt.cause
    if 200 <= attempt.status <= 299:
        return Cause.NOT_COUNTED
    return _OF_STATUS.get(attempt.status)
