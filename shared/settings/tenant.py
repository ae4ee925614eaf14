"""The options of the tenant whose log is read, and of how it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar

from shared.parsers import (
    InvalidValue,
    choice,
    days,
    fraction,
    line,
    parser,
    readable_file,
    seconds,
    whole,
)
from shared.settings.option import Derived, Group, Option, Role
from shared.settings.urls import proxy_url, tenant_domain
from shared.start_from import BEGINNING, FORMS, StartFrom
from shared.words import GapPolicy


def _base_url(domain: str) -> str:
    """Scheme and host, without a slash at the end."""
    return domain if "://" in domain else f"https://{domain}"


def _audience(domain: str) -> str:
    return f"{_base_url(domain)}/api/v2/"


@parser(FORMS)
def _start_from(text: str) -> StartFrom:
    try:
        return StartFrom.parse(text, datetime.now(UTC))
    except ValueError as error:
        raise InvalidValue(str(error)) from None


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
