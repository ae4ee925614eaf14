"""One made-up event, posted to the webhook as a delivery would: the same client, signature, headers and settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import randbelow

from admin import compose
from consumer.delivery_log import Advice
from consumer.http.recorded import RecordedResponse
from consumer.policy import Outcome, classify
from consumer.scheduling.batch import batched
from consumer.webhook import Attempt, Call
from shared.event import slice_page
from shared.settings import Settings
from shared.words import BatchForm
from simulator.entries import Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """What came of one call."""

    attempt: Attempt
    #: The response is one that means delivered.
    delivered: bool
    #: From the call to the end of the response.
    seconds: float
    headers: Sequence[tuple[str, str]]
    body: bytes
    #: The body was received to its end.
    whole: bool
    #: What to look at; empty where the outcome does not show it.
    advice: str


def made_up_event(code: str, *, user_id: str = "") -> bytes:
    """Returns a new event of this type, as bytes of JSON; its log id is one of this moment. Raises `KeyError`."""
    # Edge cases are for tests; a person wants an event as they will see it.
    entries = Entries(seed=time.time_ns(), edge_cases=0.0)
    return entries.of_type(code, randbelow(10**20), datetime.now(UTC), user_id=user_id)


def call_of(event: bytes, settings: Settings) -> Call:
    """Returns the call that delivers this event; where events go in batches, a batch of one."""
    (entry,) = slice_page(b"[" + event + b"]")
    if settings.delivery.batched:
        return Call(*batched(entry.log_id, [event], BatchForm(settings.delivery.send_as_batch)))
    return Call(entry.log_id, event)


async def trigger(call: Call, settings: Settings) -> Triggered:
    """Makes one attempt, at most `WEBHOOK_TIMEOUT` long."""
    response = RecordedResponse()
    webhook = compose.webhook(settings.webhook, one_request=True, new_response=lambda: response)
    done: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
    began = time.monotonic()
    try:
        webhook.send(call, lambda _call, attempt: done.set_result(attempt))
        attempt = await done
        seconds = time.monotonic() - began
    finally:
        await webhook.close()
    success = settings.webhook.success_codes
    delivered = classify(attempt, success) is Outcome.DELIVERED
    return Triggered(
        attempt=attempt,
        delivered=delivered,
        seconds=seconds,
        headers=tuple(response.headers),
        body=response.body,
        whole=response.whole,
        advice="" if delivered else Advice(success).on(attempt),
    )
