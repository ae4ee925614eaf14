"""The options of all parts but the transport, in the order of the flow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, get_args

from shared.log_types import LEVELS, suggest, table
from shared.logging import LogFormat, Verbosity
from shared.parsers import (
    InvalidValue,
    choice,
    days,
    file_to_be,
    flag,
    fraction,
    line,
    parser,
    per_second,
    readable_file,
    seconds,
    whole,
)
from shared.record import MAX_RECORD
from shared.settings.headers import header_object, header_value, signing_secret, success_statuses
from shared.settings.option import Conflict, Derived, Group, Option, Role
from shared.settings.urls import is_private, proxy_url, tenant_domain, webhook_url
from shared.start_from import BEGINNING, FORMS, StartFrom
from shared.suggestions import nearest
from shared.words import BatchForm, GapPolicy, Ordering, PiiField, PiiMode

#: The fewest characters of a `PII_HASH_KEY`.
LEAST_HASH_KEY: Final = 16
_LEVELS: Final = ", ".join(f"{number} {name}" for number, name in enumerate(LEVELS))


@parser(f"one of {_LEVELS}")
def _level(text: str) -> int:
    """The number of a level. A name is refused: most likely it was meant for our own log."""
    if text.strip() not in map(str, range(len(LEVELS))):
        raise InvalidValue(f"must be the number of a level of Auth0 events: {_LEVELS}", _both_ways_on(text.strip().lower()))
    return int(text.strip())


def _both_ways_on(name: str) -> str:
    """What the name of a level may have been meant for; empty if it is none (`warn` and the like are)."""
    level = next((number for number, own in enumerate(LEVELS) if len(name) >= 3 and own.startswith(name)), None)
    if level is None:
        return ""
    ours = f"; for this program's own log set VERBOSITY={LEVELS[level]}" if LEVELS[level] in get_args(Verbosity) else ""
    return f"for events of this level and above set LOG_LEVEL={level}{ours}"


def _base_url(domain: str) -> str:
    """Scheme and host, without a slash at the end."""
    return domain if "://" in domain else f"https://{domain}"


def _audience(domain: str) -> str:
    return f"{_base_url(domain)}/api/v2/"


@parser("codes of log event types, separated by commas")
def _types(text: str) -> frozenset[str]:
    codes = [code for code in map(str.strip, text.split(",")) if code]
    if unknown := [_unknown(code) for code in codes if code not in table()]:
        raise InvalidValue(", ".join(unknown), "`auth0-webhooks types` lists all types")
    return frozenset(codes)


def _unknown(code: str) -> str:
    meant = suggest(code)
    return f"{code[:60]!r} is no log event type" + (f" (did you mean {meant}?)" if meant else "")


@parser(FORMS)
def _start_from(text: str) -> StartFrom:
    try:
        return StartFrom.parse(text, datetime.now(UTC))
    except ValueError as error:
        raise InvalidValue(str(error)) from None


@parser(f"names of fields, separated by commas: {', '.join(PiiField)}")
def _pii_fields(text: str) -> frozenset[PiiField]:
    names = [name for name in map(str.strip, text.lower().split(",")) if name]
    for name in names:
        if name not in set(PiiField):
            meant = nearest(name, [*PiiField])
            hint = f"did you mean {meant}?" if meant else f"the fields are {', '.join(PiiField)}"
            raise InvalidValue(f"{name[:60]!r} is no field of personal data", hint)
    if not names:
        raise InvalidValue("must name a field at least", f"the fields are {', '.join(PiiField)}; PII_MODE=keep hides none")
    return frozenset(map(PiiField, names))


@parser(f"text of {LEAST_HASH_KEY} characters or more")
def _hash_key(text: str) -> str:
    """With a short key, a list of addresses and a hash are enough to find out whose it is."""
    line.read(text)
    if len(text) < LEAST_HASH_KEY:
        raise InvalidValue(f"is shorter than {LEAST_HASH_KEY} characters", "`openssl rand -base64 32` makes a good one")
    return text


class Auth0Settings(Group):
    """The tenant whose log is read, and the machine-to-machine application that may read it. `consume` reads these too where
    `RULES_DIR` is set: rules get users from Auth0, and write to them."""

    title: ClassVar = "Auth0"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE, Role.RULES_TEST})

    domain: Annotated[str, Option("AUTH0_DOMAIN", tenant_domain, example="acme.eu.auth0.com")]
    """The tenant's domain."""
    client_id: Annotated[
        str, Option("AUTH0_CLIENT_ID", line, example="8Zr1XnKfT5cQyB0mVd3uHgWe", old_name="AUTH0_GLOBAL_CLIENT_ID")
    ]
    """Client ID of the application; it needs the scope `read:logs` of the Auth0 Management API, and for rules `read:users`."""
    client_secret: Annotated[
        str,
        Option(
            "AUTH0_CLIENT_SECRET",
            line,
            secret=True,
            example="kT4vNq7xWz2Rb9mYc5Hd8Lf3Gs6Jp1Ae",
            old_name="AUTH0_GLOBAL_CLIENT_SECRET",
        ),
    ]
    """Client secret of the application."""
    audience_given: Annotated[
        str | None,
        Option(
            "AUTH0_AUDIENCE",
            line,
            example="https://acme.eu.auth0.com/api/v2/",
            unset="https://AUTH0_DOMAIN/api/v2/",
            derived=Derived("AUTH0_DOMAIN", lambda text: _audience(str(tenant_domain.read(text)))),
        ),
    ] = None
    """Identifier of the Management API; required when `AUTH0_DOMAIN` is a custom domain."""
    proxy: Annotated[str | None, Option("AUTH0_PROXY", proxy_url, example="http://proxy.internal:3128")] = None
    """Proxy on the way to Auth0; `HTTPS_PROXY` and its like are ignored."""
    ca_file: Annotated[
        Path | None, Option("AUTH0_CA_FILE", readable_file, example="/etc/ssl/proxy-ca.pem", unset="system trust store")
    ] = None
    """Certificate authorities to trust for Auth0, instead of the system trust store."""

    @property
    def base_url(self) -> str:
        """Scheme and host, without a slash at the end."""
        return _base_url(self.domain)

    @property
    def audience(self) -> str:
        """What a token for the Management API is asked for."""
        return self.audience_given or _audience(self.domain)


class PollingSettings(Group):
    """How the tenant's log is read."""

    title: ClassVar = "Polling"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE})

    batch_size: Annotated[int, Option("BATCH_SIZE", whole(1, 100, "entries"))] = 100
    """How many log entries to ask for at once."""
    rate_share: Annotated[float, Option("AUTH0_RATE_SHARE", fraction(0.01, 1))] = 0.5
    """The part of Auth0's rate limit that polling may spend; while it catches up, it goes up to 0.8."""
    start_from: Annotated[StartFrom, Option("START_FROM", _start_from)] = BEGINNING
    """Where to begin if nothing was fetched yet: at the oldest entry, with what comes now, after an entry, or at a date."""
    on_gap: Annotated[GapPolicy, Option("ON_GAP", choice(*GapPolicy))] = GapPolicy.CONTINUE
    """Where Auth0 has removed entries that were not read: go on at the oldest that it has, or stop with exit code 3."""
    log_retention_days: Annotated[float, Option("AUTH0_LOG_RETENTION_DAYS", days(0.001, 3650))] = 1.0
    """For how long the tenant's plan keeps log entries: Free 1, Essentials 5, Professional 10, Enterprise 30."""
    poll_interval: Annotated[float, Option("POLL_INTERVAL", seconds())] = 5.0
    """How long to wait after everything was read, before asking again."""

    @property
    def log_retention(self) -> float:
        """Seconds."""
        return self.log_retention_days * 86_400


class FilterSettings(Group):
    """Which events are delivered. An event must pass both; `auth0-webhooks types` lists types and levels."""

    title: ClassVar = "Filter"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE, Role.EXPLAIN})

    level: Annotated[int, Option("LOG_LEVEL", _level)] = 0
    """The lowest level of events to deliver."""
    types: Annotated[
        frozenset[str], Option("LOG_TYPES", _types, example="s,f,limit_wc", unset="all but sapi, fapi and mgmt_api_read")
    ] = frozenset()
    """The types of events to deliver."""


class PrivacySettings(Group):
    """What personal data leaves the producer. [Privacy](privacy.md) says what the receiver of an event then gets."""

    title: ClassVar = "Privacy"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE})

    mode: Annotated[PiiMode, Option("PII_MODE", choice(*PiiMode))] = PiiMode.KEEP
    """What becomes of personal data: it is kept, masked (`j***@e***.com`), or replaced by a hash that is always the same."""
    fields: Annotated[frozenset[PiiField], Option("PII_FIELDS", _pii_fields, example="email,phone,ip")] = frozenset(PiiField) - {
        PiiField.IP,
        PiiField.USER_ID,
    }
    """What counts as personal data, in the words of Auth0's Log Streams; `ip` and `user_id` can be added."""
    hash_key: Annotated[
        str | None, Option("PII_HASH_KEY", _hash_key, secret=True, example="q7Jt0c9sVwXhB2nR5uKf8yLd", unset="none")
    ] = None
    """The key of the hashes (HMAC-SHA-256). `mask` needs it too: user ids are never masked, or users would look alike."""

    def conflicts(self) -> Iterator[Conflict]:
        if self.mode is not PiiMode.KEEP and self.hash_key is None:
            what = "the first needs the second: user ids become hashes in both modes"
            yield Conflict(("PII_MODE", "PII_HASH_KEY"), what, "set PII_HASH_KEY to a long random text, and never change it")


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


class LoopSettings(Group):
    """How the consumer takes events from the log and gives them back when it stops."""

    title: ClassVar = "Loop"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME})

    window: Annotated[int, Option("WINDOW", whole(1, 1_000_000, "events"))] = 1000
    """Maximum events in memory, those that wait for a retry included; on Kafka about 2,000 of a partition."""
    window_bytes: Annotated[int, Option("WINDOW_BYTES", whole(1_000_000, 100_000_000_000, "bytes"))] = 64_000_000
    """Maximum bytes of those events, with what rules made of them; what one poll brings may come on top."""
    commit_interval: Annotated[float, Option("COMMIT_INTERVAL", seconds())] = 1.0
    """The longest wait between two commits of what is done; 50 events are committed at once."""
    drain_timeout: Annotated[float, Option("DRAIN_TIMEOUT", seconds(zero=True))] = 10.0
    """How long open calls may go on when partitions are released or the process stops; then they are cancelled. On Kafka 50 at
    most."""
    stop_grace: Annotated[float, Option("STOP_GRACE", seconds())] = 25.0
    """How long stopping may take in all; then the process ends as it is."""

    def conflicts(self) -> Iterator[Conflict]:
        if self.drain_timeout >= self.stop_grace:
            what = "the process would end before open calls are drained and committed"
            yield Conflict(("DRAIN_TIMEOUT", "STOP_GRACE"), what, "make the first shorter than the second")


class ObservabilitySettings(Group):
    """What this program tells about itself: lines on standard error, and a heartbeat."""

    title: ClassVar = "Observability"
    roles: ClassVar = frozenset(Role)

    verbosity: Annotated[
        Verbosity, Option("VERBOSITY", choice(*get_args(Verbosity), hint="for which Auth0 events are delivered, see LOG_LEVEL"))
    ] = "info"
    """The least important lines that are written."""
    log_format: Annotated[
        LogFormat | None,
        Option("LOG_FORMAT", choice(*get_args(LogFormat)), example="json", unset="console on a terminal, else json"),
    ] = None
    """Lines for a person's eyes or for a program."""
    metrics_port: Annotated[int | None, Option("METRICS_PORT", whole(1, 65535), example="9464", unset="off: nothing listens")] = (
        None
    )
    """The port on which `run`, `produce` and `consume` serve `/metrics` (Prometheus), `/healthz` and `/readyz`."""
    metrics_host: Annotated[str, Option("METRICS_HOST", line)] = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for every one. There is no login: numbers only, no event and no secret."""
    health_file: Annotated[
        Path | None,
        Option("HEALTH_FILE", file_to_be, example="/tmp/auth0-webhooks.alive"),  # noqa: S108  an example
    ] = None
    """Deprecated, use `METRICS_PORT` and `/healthz`: a file that is touched every few seconds while all loops make progress."""
