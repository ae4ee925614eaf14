"""The one place that wires every part from the settings. Call it in the event loop that will own the parts."""

from __future__ import annotations

import ssl
from importlib.metadata import version
from pathlib import Path

from consumer.aiohttp_webhook import AiohttpWebhook
from consumer.backoff import Backoff
from consumer.courier import Courier
from producer.auth0 import Auth0Logs
from producer.poller import Poller
from producer.selection import Selection
from shared import log
from shared.log_types import table
from shared.settings import Settings
from shared.transport.port import Transport


def configure_log(settings: Settings) -> None:
    """Our own log as the settings want it, with every secret masked."""
    log.configure(verbosity=settings.ourselves.verbosity, log_format=settings.ourselves.log_format, secrets=settings.secrets())
    for note in settings.notes():
        log.get_logger(__name__).warning(note)


def transport(settings: Settings, *, concurrent_calls: int) -> Transport:
    """Kafka where `KAFKA_BOOTSTRAP_SERVERS` is set, else the embedded log."""
    if settings.log.bootstrap_servers:
        # Importing the client library takes 0.3 to 0.9 s, which only those who use it should wait for.
        from shared.transport.kafka.transport import KafkaTransport

        return KafkaTransport(settings.log, concurrent_calls=concurrent_calls)
    from shared.transport.sqlite import SqliteTransport

    return SqliteTransport(
        settings.log.sqlite_path,
        retention_days=settings.log.sqlite_retention_days,
        concurrent_calls=concurrent_calls,
    )


def selection(settings: Settings) -> Selection:
    levels = {code: known.level for code, known in table().items()}
    return Selection(levels=levels, level=settings.filter.level, types=settings.filter.types)


def poller(settings: Settings) -> Poller:
    auth0 = settings.auth0
    return Poller(
        logs=Auth0Logs(
            base_url=auth0.base_url,
            client_id=auth0.client_id,
            client_secret=auth0.client_secret,
            audience=auth0.audience,
            batch_size=auth0.batch_size,
            proxy=auth0.proxy,
            tls=_trust(auth0.ca_file),
        ),
        selection=selection(settings),
        poll_interval=auth0.poll_interval,
    )


def courier(settings: Settings) -> Courier:
    webhook, loop = settings.webhook, settings.loop
    headers = {"Content-Type": "application/json", "User-Agent": f"auth0-webhooks/{version('auth0-webhooks')}"}
    if webhook.authorization:
        headers["Authorization"] = webhook.authorization
    return Courier(
        webhook=AiohttpWebhook(
            url=webhook.url,
            headers=headers,
            timeout=webhook.timeout,
            connect_timeout=webhook.connect_timeout,
            tls=_trust(webhook.ca_file),
        ),
        backoff=Backoff(base=webhook.backoff_base, cap=webhook.backoff_cap),
        window=loop.window,
        commit_interval=loop.commit_interval,
        drain_timeout=loop.drain_timeout,
    )


def _trust(ca_file: Path | None) -> ssl.SSLContext | None:
    """The certificates in `ca_file` instead of the system's; None: the library's own default."""
    return ssl.create_default_context(cafile=ca_file) if ca_file else None
