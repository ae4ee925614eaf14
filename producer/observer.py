"""What the producer does, as its loop tells it: to counts and to our own log. Metrics are one more `ProducerObserver`.

An observer is called in the event loop, at most a few times a page; it must neither raise nor wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from producer.cursor import Page
from shared.documents.gap import GapDocument, GapKind
from shared.errors import RateLimited
from shared.event import Event
from shared.logging import get_logger
from shared.start_from import StartFrom
from shared.transport.port import Checkpoint

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPage:
    """What became of a page; its checkpoint is written."""

    fetched: int
    #: The events that passed.
    passed: Sequence[Event]
    #: Events that this poller has put into the transport, also those of a publish of its own that failed in between.
    published: int
    #: Events that did not pass, by reason.
    filtered: Mapping[str, int]
    #: Events whose type is not in our table; no level filters them out.
    unknown_types: int
    checkpoint: Checkpoint


class Auth0Requests:
    """The requests to one tenant, token requests too: counted by the HTTP client, read for metrics and the replica's document."""

    def __init__(self) -> None:
        #: By status; `error` where there was no response.
        self.counts: Counter[str] = Counter()
        #: What Auth0's rate limit has left, by its last response that said so.
        self.remaining: int | None = None


class ProducerObserver:
    """An observer overrides the methods that it needs; the others do nothing. Waits are in seconds."""

    def leading(self, checkpoint: Checkpoint) -> None:
        """This is the active poller from now on; it goes on after `checkpoint`."""

    def started(self, start: StartFrom, checkpoint: Checkpoint) -> None:
        """There was no checkpoint; `start` led to this one."""

    def start_ignored(self, start: StartFrom, checkpoint: Checkpoint) -> None:
        """There is a checkpoint, so `start` plays no part."""

    def standing_by(self) -> None:
        """Another poller is the active one."""

    def renewal_failed(self, error: Exception) -> None:
        """The lease could not be renewed during a wait."""

    def page_fetched(self, page: Page, began: float) -> None:
        """A page arrived, which may be empty; nothing of it is published yet. `began`: its request, since the epoch."""

    def empty_page_leads_on(self, checkpoint: Checkpoint) -> None:
        """A page after `checkpoint` was empty and named another one behind it; it is looked at again."""

    def page_published(self, page: PublishedPage) -> None:
        """Every event of a page was acknowledged, and the checkpoint moved."""

    def publish_abandoned(self) -> None:
        """A stop came, and the transport did not take the page in its time."""

    def went_back(self, before: Checkpoint, now: Checkpoint) -> None:
        """The page that was published ends before the checkpoint that it followed."""

    def rate_limited(self, error: RateLimited) -> None:
        """Auth0 returned 429; the next turn comes after `error.wait`."""

    def checkpoint_expired(self, checkpoint: Checkpoint) -> None:
        """Auth0 does not know it any more, and nothing that came after it is lost."""

    def gap_found(self, gap: GapDocument) -> None:
        """Entries are lost, or may be; the report is stored where that was possible. Nothing went past it yet."""

    def gap_not_recorded(self, gap: GapDocument, error: Exception) -> None:
        """The control table did not take the report of a gap. It is told all the same."""

    def turn_failed(self, error: Exception, failures: int, wait: float) -> None:
        """A turn failed, for the `failures`-th time in a row; the checkpoint stays, the next turn comes after `wait`."""


@dataclass(slots=True)
class ProducerCounts(ProducerObserver):
    """Sums since the start of this process. A page counts when its checkpoint is written."""

    fetched: int = 0
    published: int = 0
    #: Events that did not pass, by reason.
    filtered: Counter[str] = field(default_factory=Counter)
    #: Events whose type is not in our table; no level filters them out.
    unknown_types: int = 0
    #: Responses of 429.
    throttled: int = 0
    #: By kind.
    gaps: Counter[str] = field(default_factory=Counter)

    def page_published(self, page: PublishedPage) -> None:
        self.fetched += page.fetched
        self.published += page.published
        self.filtered.update(page.filtered)
        self.unknown_types += page.unknown_types

    def rate_limited(self, _error: RateLimited) -> None:
        self.throttled += 1

    def gap_found(self, gap: GapDocument) -> None:
        self.gaps[gap.kind.value] += 1


class ProducerLog(ProducerObserver):
    """One line of our own log for each outcome."""

    def leading(self, checkpoint: Checkpoint) -> None:
        log.info("polling Auth0", checkpoint=checkpoint.log_id or "none: from the oldest entry")

    def started(self, start: StartFrom, checkpoint: Checkpoint) -> None:
        after = checkpoint.log_id or "none: the tenant has no older entry, so its oldest comes first"
        log.info("beginning where START_FROM says", start_from=str(start), after=after, date=checkpoint.date)

    def start_ignored(self, start: StartFrom, checkpoint: Checkpoint) -> None:
        log.info(
            "START_FROM is ignored: there is a checkpoint; `auth0-webhooks checkpoint set` moves it",
            start_from=str(start),
            checkpoint=checkpoint.log_id or "the oldest entry",
        )

    def standing_by(self) -> None:
        log.warning("another poller has taken over: standing by")

    def renewal_failed(self, error: Exception) -> None:
        log.error("the lease cannot be renewed", reason=str(error))

    def page_fetched(self, page: Page, _began: float) -> None:
        if not page.ascends:
            first, events = page.events[0].log_id, len(page.events)
            log.warning("a page whose log ids do not ascend; taken in Auth0's order", first=first, events=events)

    def empty_page_leads_on(self, checkpoint: Checkpoint) -> None:
        log.warning("Auth0 gave an empty page that names another one behind it; looking again", checkpoint=checkpoint.log_id)

    def page_published(self, page: PublishedPage) -> None:
        log.debug("page published", events=page.fetched, published=page.published, checkpoint=page.checkpoint.log_id)

    def publish_abandoned(self) -> None:
        log.warning("stopped while the log does not take a page: the checkpoint stays, the page will be fetched again")

    def went_back(self, before: Checkpoint, now: Checkpoint) -> None:
        log.warning("Auth0 went back behind the checkpoint; its order is followed", before=before.log_id, now=now.log_id)

    def rate_limited(self, error: RateLimited) -> None:
        log.warning("Auth0 asks us to wait", reason=str(error), wait=round(error.wait, 1))

    def checkpoint_expired(self, checkpoint: Checkpoint) -> None:
        log.info("Auth0 has removed the entry of the checkpoint, and nothing newer", checkpoint=checkpoint.log_id)

    def gap_found(self, gap: GapDocument) -> None:
        if gap.kind is not GapKind.AUTH0:
            return  # the log that does not take the event has its own line
        hours = None if gap.span is None else round(gap.span / 3600, 2)
        log.error(
            "gap: Auth0 has removed entries that were not read, or may have",
            report=gap.key,
            before=gap.before,
            before_date=gap.before_date,
            after=gap.after,
            after_date=gap.after_date,
            hours=hours,
            policy=gap.policy.value,
            reason=gap.why,
        )

    def gap_not_recorded(self, gap: GapDocument, error: Exception) -> None:
        log.warning("the report of a gap cannot be stored; the work goes on", report=gap.key, reason=str(error))

    def turn_failed(self, error: Exception, failures: int, wait: float) -> None:
        log.error("polling failed, the checkpoint stays", reason=str(error), failures=failures, wait=round(wait, 1))
