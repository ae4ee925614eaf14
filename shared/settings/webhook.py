"""The options of the endpoint, and of when it is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from shared.parsers import (
    choice,
    flag,
    per_second,
    readable_file,
    seconds,
    whole,
)
from shared.record import MAX_RECORD
from shared.settings.headers import header_object, header_value, signing_secret, success_statuses
from shared.settings.option import Conflict, Derived, Group, Option, Role
from shared.settings.urls import is_private, proxy_url, webhook_url
from shared.words import BatchForm, Ordering


class WebhookSettings(Group):
    """Your endpoint, and what a call to it looks like."""

    title: ClassVar = "Webhook"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME, Role.TRIGGER})

    url: Annotated[str, Option("WEBHOOK_URL", webhook_url, example="https://example.com/auth0-events")]
    """Where each event is POSTed to."""
    success_codes: Annotated[frozenset[int], Option("WEBHOOK_SUCCESS_CODES", success_statuses)] = frozenset({200})
    """The responses that mean delivered; after any other the event is tried again."""
    timeout: Annotated[float, Option("WEBHOOK_TIMEOUT", seconds())] = 30.0
    """How long one call may take in all."""
    connect_timeout: Annotated[float, Option("WEBHOOK_CONNECT_TIMEOUT", seconds())] = 5.0
    """How long connecting may take, TLS included, within `WEBHOOK_TIMEOUT`."""
    secret: Annotated[
        str | None,
        Option(
            "WEBHOOK_SECRET",
            signing_secret,
            secret=True,
            example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            unset="none: not signed",
        ),
    ] = None
    """Signs every call as Standard Webhooks describes."""
    secret_previous: Annotated[
        str | None,
        Option("WEBHOOK_SECRET_PREVIOUS", signing_secret, secret=True, example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ] = None
    """Signs every call too, while receivers move to a new `WEBHOOK_SECRET`."""
    authorization: Annotated[str | None, Option("AUTHORIZATION", header_value, secret=True, example="Bearer s3cr3t")] = None
    """The `Authorization` header of every call."""
    headers: Annotated[
        tuple[tuple[str, str], ...], Option("WEBHOOK_HEADERS", header_object, secret=True, example='{"X-Api-Key": "s3cr3t"}')
    ] = ()
    """More headers of every call, such as `{"X-Api-Key": "s3cr3t"}`."""
    ca_file: Annotated[
        Path | None, Option("WEBHOOK_CA_FILE", readable_file, example="/etc/ssl/internal-ca.pem", unset="system trust store")
    ] = None
    """Certificate authorities to trust for the webhook, instead of the system trust store."""
    client_cert: Annotated[Path | None, Option("WEBHOOK_CLIENT_CERT", readable_file, example="/etc/ssl/client.pem")] = None
    """Our certificate, for a webhook that requires one."""
    client_key: Annotated[
        Path | None,
        Option(
            "WEBHOOK_CLIENT_KEY",
            readable_file,
            example="/etc/ssl/client.key",
            unset="in `WEBHOOK_CLIENT_CERT`",
            derived=Derived("WEBHOOK_CLIENT_CERT", lambda text: f"in {text}"),
        ),
    ] = None
    """The key of it, without a password."""
    proxy: Annotated[str | None, Option("WEBHOOK_PROXY", proxy_url, example="http://proxy.internal:3128")] = None
    """Proxy on the way to the webhook; `HTTPS_PROXY` and its like are ignored."""
    allow_private: Annotated[bool, Option("WEBHOOK_ALLOW_PRIVATE", flag)] = True
    """Whether the webhook may have a private or loopback address. Link-local and cloud-metadata ones are always refused."""

    def conflicts(self) -> Iterator[Conflict]:
        # A shorter total alone is no contradiction: it bounds the default of the part.
        if self.connect_timeout > self.timeout and "connect_timeout" in self.model_fields_set:
            what = "connecting may take longer than the whole call"
            yield Conflict(("WEBHOOK_CONNECT_TIMEOUT", "WEBHOOK_TIMEOUT"), what, "lower the first or raise the second")
        if self.secret_previous is not None and self.secret is None:
            what = "the previous secret signs only beside a current one"
            yield Conflict(("WEBHOOK_SECRET_PREVIOUS", "WEBHOOK_SECRET"), what, "set the second, or rename the first")
        if self.client_key is not None and self.client_cert is None:
            what = "the first is the key of the second"
            yield Conflict(("WEBHOOK_CLIENT_KEY", "WEBHOOK_CLIENT_CERT"), what, "set the second as well")
        if self.client_cert is not None and not self.url.lower().startswith("https:"):
            what = "a certificate is shown to an https webhook only"
            yield Conflict(("WEBHOOK_CLIENT_CERT", "WEBHOOK_URL"), what, "use https in the second, or remove the first")
        if not self.allow_private and is_private(self.url):
            what = "the address is not a public one"
            yield Conflict(("WEBHOOK_URL", "WEBHOOK_ALLOW_PRIVATE"), what, "use a public address, or remove the second")


class DeliverySettings(Group):
    """When your endpoint is called: how fast, in which order, again after a failure, and with how many events."""

    title: ClassVar = "Delivery"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME, Role.TRIGGER})

    concurrent_calls: Annotated[int, Option("WEBHOOK_CONCURRENT_CALLS", whole(1, 10000, "calls"))] = 5
    """The most calls open at any time, over all replicas together."""
    rate_limit: Annotated[
        float | None, Option("WEBHOOK_RATE_LIMIT", per_second("calls", 0.001, 100_000), example="50", unset="unlimited")
    ] = None
    """The most calls begun in any one second, over all replicas together."""
    ordering: Annotated[Ordering, Option("WEBHOOK_ORDERING", choice(*Ordering))] = Ordering.KEY
    """Which events are delivered one after another: those of the same user (`key`), of the same partition, or none (events are
    delivered out of order then)."""
    backoff_base: Annotated[float, Option("WEBHOOK_BACKOFF_BASE", seconds())] = 1.0
    """The longest wait before the second try; it doubles with each try."""
    backoff_cap: Annotated[float, Option("WEBHOOK_BACKOFF_CAP", seconds())] = 300.0
    """The longest wait before any try."""
    max_attempts: Annotated[
        int | None, Option("WEBHOOK_MAX_ATTEMPTS", whole(1, 1_000_000, "attempts"), example="20", unset="unlimited")
    ] = None
    """How many attempts an event has before it becomes a dead letter."""
    breaker_failures: Annotated[int, Option("WEBHOOK_BREAKER_FAILURES", whole(1, 1_000_000, "events"))] = 10
    """How many different events must fail in a row until only probes are sent."""
    probe_interval: Annotated[float, Option("WEBHOOK_PROBE_INTERVAL", seconds())] = 5.0
    """The wait before the first probe; it doubles up to a minute."""
    send_as_batch: Annotated[BatchForm | Literal["false"], Option("SEND_AS_BATCH", choice("false", *BatchForm))] = "false"
    """Several events in one call: as a JSON array (`true`), or a line each (`lines`)."""
    batch_max_events: Annotated[int, Option("BATCH_MAX_EVENTS", whole(1, 10_000, "events"))] = 100
    """The most events in one call."""
    batch_max_bytes: Annotated[int, Option("BATCH_MAX_BYTES", whole(1, MAX_RECORD, "bytes"))] = 1_000_000
    """The largest body of a call with several events; an event that is larger goes alone."""
    batch_linger: Annotated[float, Option("BATCH_LINGER", seconds(zero=True))] = 0.1
    """How long an event may wait for others to go with it."""

    @property
    def batched(self) -> bool:
        """Whether a call may carry several events."""
        return self.send_as_batch != "false"

    def conflicts(self) -> Iterator[Conflict]:
        if self.backoff_base > self.backoff_cap:
            what = "the first wait is longer than the longest"
            yield Conflict(("WEBHOOK_BACKOFF_BASE", "WEBHOOK_BACKOFF_CAP"), what, "lower the first or raise the second")
