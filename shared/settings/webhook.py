"""The settings of the webhook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from shared.settings.address import webhook_url
from shared.settings.kind import Kind, Refused, readable_file, seconds, whole
from shared.settings.option import Conflict, Group, Option, Role


def _header_value() -> Kind:
    """What may stand in an HTTP header: one line of Latin-1."""

    def read(text: str) -> str:
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise Refused("contains a line break or another control character", "remove it; a header is one line")
        if any(ord(character) > 255 for character in text):
            raise Refused("contains a character that an HTTP header cannot carry", "use Latin-1 only")
        return text

    return Kind("value of an HTTP header", read)


class Webhook(Group):
    """Your endpoint, and how we call it. Only the answer 200 means delivered; everything else is tried again."""

    title: ClassVar = "Webhook"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME})

    url: Annotated[
        str, Option("WEBHOOK_URL", webhook_url(), "Where each event is POSTed to.", example="https://example.com/auth0-events")
    ]
    concurrent_calls: Annotated[
        int,
        Option(
            "WEBHOOK_CONCURRENT_CALLS", whole(1, 10000, "calls"), "The most calls open at any time, over all replicas together."
        ),
    ] = 5
    timeout: Annotated[float, Option("WEBHOOK_TIMEOUT", seconds(), "How long one call may take in all.")] = 30.0
    connect_timeout: Annotated[
        float, Option("WEBHOOK_CONNECT_TIMEOUT", seconds(), "How long connecting may take, TLS included.")
    ] = 5.0
    authorization: Annotated[
        str | None,
        Option(
            "AUTHORIZATION",
            _header_value(),
            "The `Authorization` header of every call.",
            secret=True,
            example="Bearer s3cr3t",
            unset="none",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        Option(
            "WEBHOOK_CA_FILE",
            readable_file(),
            "Certificate authorities to trust for the webhook, instead of the usual ones.",
            example="/etc/ssl/internal-ca.pem",
            unset="the usual ones",
        ),
    ] = None
    backoff_base: Annotated[
        float, Option("WEBHOOK_BACKOFF_BASE", seconds(), "The longest wait before the second try; it doubles with each try.")
    ] = 1.0
    backoff_cap: Annotated[float, Option("WEBHOOK_BACKOFF_CAP", seconds(), "The longest wait before any try.")] = 300.0

    def conflicts(self) -> Iterator[Conflict]:
        if self.backoff_base > self.backoff_cap:
            what = "the first wait is longer than the longest"
            yield Conflict("backoff_base", "backoff_cap", what=what, fix="lower the first or raise the second")
