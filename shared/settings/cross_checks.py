"""What does not go together over the borders of groups. Inside one group, `Group.conflicts` says it.

Each is asked once every value is right by itself, and only of a role that reads all the options it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.settings.loop import KAFKA_DRAIN_BOUND

if TYPE_CHECKING:
    from shared.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Values that do not go together."""

    #: The options that the message names; `there` may look at others of their groups too.
    names: tuple[str, ...]
    there: Callable[[Settings], bool]
    what: str
    fix: str


def _too_many_for_the_window(settings: Settings) -> bool:
    delivery = settings.delivery
    return delivery.batched and delivery.batch_max_events > settings.loop.window


def _too_many_at_once_for_the_window(settings: Settings) -> bool:
    delivery, window = settings.delivery, settings.loop.window
    return delivery.batched and delivery.batch_max_events <= window < delivery.batch_max_events * delivery.concurrent_calls


def _drains_too_long_for_kafka(settings: Settings) -> bool:
    return bool(settings.transport.bootstrap_servers) and settings.loop.drain_timeout > KAFKA_DRAIN_BOUND


def _never_opens(settings: Settings) -> bool:
    delivery = settings.delivery
    return delivery.max_attempts is not None and delivery.breaker_failures > settings.loop.window


def _idle(name: str) -> Clash:
    return Clash(
        names=(name, "SEND_AS_BATCH"),
        there=lambda settings: settings.is_set(name) and not settings.delivery.batched,
        what="the first has no effect while each event is sent by itself",
        fix="set SEND_AS_BATCH to true or lines, or remove the first",
    )


#: A process with one of these does not start.
REFUSED: Final = (
    Clash(
        names=("BATCH_MAX_EVENTS", "WINDOW"),
        there=_too_many_for_the_window,
        what="a batch can never be full, because fewer events than that are taken at a time",
        fix="lower the first or raise the second",
    ),
    Clash(
        names=("DRAIN_TIMEOUT", "KAFKA_BOOTSTRAP_SERVERS"),
        there=_drains_too_long_for_kafka,
        what=f"a partition that Kafka does not get back within {KAFKA_DRAIN_BOUND:g} s is lost, and its events come again",
        fix=f"set the first to {KAFKA_DRAIN_BOUND:g} or less",
    ),
)

#: A process with one of these says so and goes on.
NOTED: Final = (
    Clash(
        names=("BATCH_MAX_EVENTS", "WINDOW", "WEBHOOK_CONCURRENT_CALLS"),
        there=_too_many_at_once_for_the_window,
        what="the events taken at a time do not fill that many calls, so batches will be smaller or calls fewer",
        fix="raise WINDOW to the product of the other two, or let it be",
    ),
    Clash(
        names=("WEBHOOK_BREAKER_FAILURES", "WINDOW", "WEBHOOK_MAX_ATTEMPTS"),
        there=_never_opens,
        what="the breaker can hardly open, because fewer events than that are under way, and an outage of the webhook would turn "
        "events into dead letters",
        fix="lower the first or raise the second",
    ),
    Clash(
        names=("AUTH0_DOMAIN",),
        there=lambda settings: settings.auth0.domain.startswith("http://"),
        what="the client secret and the log travel without TLS",
        fix="let it be for a simulator, else use https://",
    ),
    *map(_idle, ("BATCH_MAX_EVENTS", "BATCH_MAX_BYTES", "BATCH_LINGER")),
)
