"""The log lines of the consumer's outcomes, and what to look at when a failure shows its cause.

Most do not: a 500 or a broken connection says nothing of it. The advice is given once for each cause, not for each attempt; after
a delivery it counts as new.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Set
from typing import Final

from consumer.observer import ConsumerObserver, Fate
from consumer.partitions.partition import Delivery
from consumer.policy import Outcome
from consumer.scheduling.batch import Batch, parts_of
from consumer.webhook import Attempt, Cause
from shared.descriptors import REMEDY
from shared.log_throttle import LogThrottle
from shared.logging import get_logger

_FATES: Final = {
    Fate.RETRIED: "not delivered, will be tried again",
    Fate.TAKEN_APART: "not delivered, its events go one by one",
    Fate.DEAD: "not delivered, and no attempt is left",
    Fate.WITHHELD: "not delivered, and held: a skip is asked for",
}
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


log = get_logger(__name__)


class ConsumerLog(ConsumerObserver):
    """`success`: the statuses that mean delivered. Make it after our own log is configured; `clock` in seconds."""

    def __init__(self, success: Set[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._advice = Advice(success)
        self._clock = clock
        # Asked once: a call of a level that is off costs more than all other observers of an event together.
        self._debug = log.is_enabled_for(logging.DEBUG)
        self._throttle = LogThrottle()

    def record_held(self, delivery: Delivery, reason: str) -> None:
        log.error(
            "a record cannot be delivered and is held: the position stays before it",
            partition=delivery.partition.number,
            offset=delivery.record.offset,
            reason=reason,
            remedy=f"auth0-webhooks skip {delivery.log_id}",
        )

    def call_delivered(self, call: Delivery | Batch, _attempt: Attempt) -> None:
        if self._advice.given:
            self._advice.given.clear()
        if self._debug:
            log.debug("delivered", log_id=call.log_id, attempt=call.attempt)

    def call_failed(self, call: Delivery | Batch, attempt: Attempt, outcome: Outcome, fate: Fate, retry_in: float) -> None:
        write = log.error if outcome in (Outcome.DENIED, Outcome.GONE) else log.warning
        first = parts_of(call)[0]
        write(
            _FATES[fate],
            outcome=attempt.summary,
            **_contents(call),
            log_id=call.log_id,
            attempt=call.attempt,
            **({"retry_in": round(retry_in, 3)} if fate is Fate.RETRIED else {}),
            partition=first.partition.number,
            offset=first.record.offset,
        )
        if advice := self._advice.on(attempt):
            location = {"location": attempt.location} if attempt.location else {}
            write(advice, outcome=attempt.summary, **location)

    def call_not_sent(self, _call: Delivery | Batch, attempt: Attempt, open_calls: int) -> None:
        sentence = "no call can start beside those that are open; no attempt is spent, tried again every second"
        if not self._throttle.allows(sentence, self._clock()):
            return
        log.error(
            sentence,
            reason=attempt.problem,
            open_calls=open_calls,
            remedy=f"lower WEBHOOK_CONCURRENT_CALLS, or {REMEDY}",
        )

    def rules_failed(self, delivery: Delivery, reason: str, retry_in: float) -> None:
        log.warning(
            "held: its rules failed and will run again",
            reason=reason,
            **_contents(delivery),
            log_id=delivery.log_id,
            retry_in=round(retry_in, 3),
            partition=delivery.partition.number,
            offset=delivery.record.offset,
        )

    def breaker_opened(self, attempt: Attempt, probe_in: float) -> None:
        log.error("the webhook is down: breaker open, probing", outcome=attempt.summary, probe_in=probe_in)

    def breaker_closed(self, call: Delivery | Batch) -> None:
        log.warning("the webhook is back: breaker closed", log_id=call.log_id)

    def dead_letter_written(self, delivery: Delivery, reason: str) -> None:
        log.error("set aside as a dead letter", log_id=delivery.log_id, reason=reason, attempts=delivery.spent)

    def dead_letter_failed(self, delivery: Delivery, error: Exception) -> None:
        log.error("a dead letter could not be written; the position stays", log_id=delivery.log_id, reason=str(error))


class Advice:
    """What to look at. `success`: the statuses that mean delivered."""

    def __init__(self, success: Set[int]) -> None:
        self._success = success
        #: Clear it after a delivery.
        self.given: set[Cause] = set()

    def on(self, attempt: Attempt) -> str:
        """Returns what to look at; empty where the failure does not show it, or where it was returned before."""
        cause = cause_of(attempt)
        if cause is None or cause in self.given:
            return ""
        self.given.add(cause)
        codes = ",".join(map(str, sorted({*self._success, attempt.status or 200})))
        return _SENTENCES[cause].format(status=attempt.status, codes=codes)


def cause_of(attempt: Attempt) -> Cause | None:
    """The cause of a failed attempt."""
    if attempt.cause is not None or attempt.status is None:
        return attempt.cause
    if 200 <= attempt.status <= 299:
        return Cause.NOT_COUNTED
    return _OF_STATUS.get(attempt.status)


def _contents(call: Delivery | Batch) -> dict[str, str | int]:
    """The event's type as its record has it, or how many events there are."""
    if isinstance(call, Batch):
        return {"events": len(call.parts)}
    return {"type": dict(call.record.headers).get("type", b"").decode("ascii", "backslashreplace")}
