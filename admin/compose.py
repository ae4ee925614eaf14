"""Wires every part from the settings; nothing else does. Call it in the event loop that will own the parts."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from admin.actions.past_logins import PastStart
from admin.actions.reports import shown_webhook
from admin.compose_auth0 import auth0_logs, trust
from admin.replica import ReplicaReporter
from consumer.http.client import HttpWebhook
from consumer.http.response import Response
from consumer.metrics import ConsumerMetrics
from consumer.observer import ConsumerObserver
from consumer.policy import Policy
from consumer.scheduling.batch import Batching
from consumer.scheduling.circuit_breaker import Breaker
from consumer.signing import Signing
from consumer.worker import Worker
from producer.metrics import ProducerMetrics
from producer.observer import Auth0Requests, ProducerObserver
from producer.poller import Poller
from producer.privacy.entry import Privacy
from producer.selection import Selection
from shared import descriptors, logging
from shared.backoff import Backoff
from shared.documents.replica import ReplicaRole
from shared.errors import ConfigurationError, EnvironmentUnusable
from shared.event import Event
from shared.event_rules import EventRules
from shared.log_types import table
from shared.settings import Auth0Settings, DeliverySettings, Role, Settings, WebhookSettings
from shared.words import BatchForm, PiiMode

if TYPE_CHECKING:
    from admin.monitoring import Monitoring
    from rules.observer import RulesObserver

_LONGEST_PROBE_INTERVAL: Final = 60.0  # seconds

our_log = logging.get_logger(__name__)


def configure_log(settings: Settings, *, otherwise: logging.LogFormat | None = None) -> None:
    """Set up our own log, with every secret masked. `otherwise`: the format if `LOG_FORMAT` is not set."""
    log_format = settings.observability.log_format or otherwise
    logging.configure(verbosity=settings.observability.verbosity, log_format=log_format, secrets=settings.secrets())
    for note in settings.notes():
        our_log.warning(note)


def require_descriptors(settings: Settings) -> None:
    """Raise the limit on open files as far as it goes. Raises `EnvironmentUnusable` if this process needs more."""
    calls = settings.delivery.concurrent_calls if settings.role in (Role.RUN, Role.CONSUME) else 0
    needed = descriptors.RESERVE + calls
    limit = descriptors.raised_limit(needed)
    if limit >= needed:
        return
    if calls and limit > descriptors.RESERVE:
        most = limit - descriptors.RESERVE
        what = f"WEBHOOK_CONCURRENT_CALLS={calls} is more than {most}, the most that fit into the limit of {limit} open files"
        raise EnvironmentUnusable(
            f"{what} beside the {descriptors.RESERVE} of the rest of the process: lower it, or {descriptors.REMEDY}"
        )
    what = f"the limit of {limit} open files is below the {needed} that this process needs"
    raise EnvironmentUnusable(f"{what} ({descriptors.RESERVE}, and one for each of {calls} calls): {descriptors.REMEDY}")


def selection(settings: Settings) -> Selection:
    levels = {code: known.level for code, known in table().items()}
    return Selection(levels=levels, level=settings.filter.level, types=settings.filter.types)


def hide(settings: Settings) -> Callable[[Event], Event]:
    """Returns what takes personal data out of an event, as the settings of privacy have it."""
    privacy = settings.privacy
    if privacy.mode is PiiMode.KEEP or privacy.hash_key is None:
        return lambda event: event
    return Privacy(mode=privacy.mode, fields=privacy.fields, key=privacy.hash_key.encode()).apply


def poller(settings: Settings, observers: Sequence[ProducerObserver] = ()) -> Poller:
    requests = Auth0Requests()
    return Poller(
        source=auth0_logs(settings, requests),
        requests=requests,
        selection=selection(settings),
        poll_interval=settings.polling.poll_interval,
        start=settings.polling.start_from,
        on_gap=settings.polling.on_gap,
        retention=settings.polling.log_retention,
        hide=hide(settings),
        observers=observers,
    )


def reporter(settings: Settings, loops: Sequence[Poller | Worker]) -> ReplicaReporter:
    """Returns what writes this process's own document; the loops get to know its name."""
    reporter = ReplicaReporter(
        loops,
        role=ReplicaRole(settings.role.value),
        version=version("auth0-webhooks"),
        tenant=settings.auth0.domain if Auth0Settings in settings.groups else "",
        webhook=shown_webhook(settings.webhook.url) if WebhookSettings in settings.groups else "",
        group=settings.transport.group if settings.transport.bootstrap_servers else "",
    )
    for loop in loops:
        loop.gaps.replica = reporter.id
    return reporter


def monitored(settings: Settings) -> tuple[Monitoring, tuple[Poller | Worker, ...]]:
    """Returns what a process of this role runs, and what serves its metrics."""
    from admin.monitoring import Monitoring  # importing prometheus_client takes a moment
    from rules.metrics import RulesMetrics

    consumer = None if settings.role is Role.PRODUCE else ConsumerMetrics()
    producer = None if settings.role is Role.CONSUME else ProducerMetrics(settings.polling.batch_size)
    rules = RulesMetrics() if consumer and settings.rules.folder else None
    observed = loops(
        settings,
        consumers=[consumer] if consumer else (),
        producers=[producer] if producer else (),
        rules=[rules] if rules else (),
    )
    return Monitoring(observed, consumer=consumer, producer=producer, rules=rules), observed


def loops(
    settings: Settings,
    *,
    consumers: Sequence[ConsumerObserver] = (),
    producers: Sequence[ProducerObserver] = (),
    rules: Sequence[RulesObserver] = (),
) -> tuple[Poller | Worker, ...]:
    """Returns what a process of this role runs; those observe it."""
    match settings.role:
        case Role.PRODUCE:
            return (poller(settings, producers),)
        case Role.CONSUME:
            return (worker(settings, consumers, rules),)
        case _:
            return poller_and_worker(settings, consumers=consumers, producers=producers, rules=rules)


def poller_and_worker(
    settings: Settings,
    *,
    consumers: Sequence[ConsumerObserver] = (),
    producers: Sequence[ProducerObserver] = (),
    rules: Sequence[RulesObserver] = (),
) -> tuple[Poller, Worker]:
    """Returns what `run` runs."""
    delivers = worker(settings, consumers, rules)
    if delivers.rules and delivers.rules.since is None:
        producers = (*producers, PastStart())
    return poller(settings, producers), delivers


def worker(
    settings: Settings, observers: Sequence[ConsumerObserver] = (), rules_observers: Sequence[RulesObserver] = ()
) -> Worker:
    """Raises `ConfigurationError` for rules or a client certificate that cannot be used, and with rules `EnvironmentUnusable`."""
    delivery, loop = settings.delivery, settings.loop
    return Worker(
        webhook=webhook(settings.webhook, one_request=delivery.rate_limit is not None),
        policy=Policy(
            backoff=Backoff(base=delivery.backoff_base, cap=delivery.backoff_cap),
            success=settings.webhook.success_codes,
            ordering=delivery.ordering,
            max_attempts=delivery.max_attempts,
            batching=_batching(delivery) if delivery.batched else None,
            rate=delivery.rate_limit,
            concurrent_calls=delivery.concurrent_calls,
        ),
        breaker=Breaker(
            failures=delivery.breaker_failures, probe_interval=delivery.probe_interval, longest=_LONGEST_PROBE_INTERVAL
        ),
        window=loop.window,
        window_bytes=loop.window_bytes,
        commit_interval=loop.commit_interval,
        drain_timeout=loop.drain_timeout,
        rules=_event_rules(settings, rules_observers),
        observers=observers,
    )


def _event_rules(settings: Settings, observers: Sequence[RulesObserver]) -> EventRules | None:
    if settings.rules.folder is None:
        return None
    from admin.compose_rules import event_rules  # what reads rules takes a tenth of a second to import

    return event_rules(settings, observers)


def webhook(webhook: WebhookSettings, *, one_request: bool, new_response: Callable[[], Response] = Response) -> HttpWebhook:
    """Raises `ConfigurationError` for a client certificate that cannot be used."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"auth0-webhooks/{version('auth0-webhooks')}",
        **dict(webhook.headers),
    }
    if webhook.authorization:
        headers["Authorization"] = webhook.authorization
    secrets = [secret for secret in (webhook.secret, webhook.secret_previous) if secret]
    return HttpWebhook(
        url=webhook.url,
        headers=headers,
        timeout=webhook.timeout,
        connect_timeout=webhook.connect_timeout,
        tls=_client_tls(webhook),
        proxy=webhook.proxy,
        allow_private=webhook.allow_private,
        sign=Signing(secrets) if secrets else None,
        one_request=one_request,
        new_response=new_response,
    )


def _batching(delivery: DeliverySettings) -> Batching:
    return Batching(
        form=BatchForm(delivery.send_as_batch),
        most=delivery.batch_max_events,
        most_bytes=delivery.batch_max_bytes,
        linger=delivery.batch_linger,
    )


def _client_tls(webhook: WebhookSettings) -> ssl.SSLContext | None:
    """Raises `ConfigurationError` for a client certificate that cannot be used."""
    if webhook.client_cert is None:
        return trust(webhook.ca_file)
    context = trust(webhook.ca_file) or ssl.create_default_context()
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(webhook.client_cert, webhook.client_key, "")
    except (OSError, ssl.SSLError) as error:
        names = "WEBHOOK_CLIENT_CERT and WEBHOOK_CLIENT_KEY"
        raise ConfigurationError([f"{names}: the certificate and its key cannot be used together ({error})"]) from None
    return context
