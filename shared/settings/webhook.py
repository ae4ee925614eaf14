"""The settings of the webhook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from shared.settings.address import is_private, proxy_url, webhook_url
from shared.settings.http import header_object, header_value, signing_secret, success_statuses
from shared.settings.option import Conflict, Group, Option, Role
from shared.settings.parsers import flag, readable_file, seconds


class WebhookSettings(Group):
    """Your endpoint, and what a call to it looks like."""

    title: ClassVar = "Webhook"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME})

    url: Annotated[
        str, Option("WEBHOOK_URL", webhook_url(), "Where each event is POSTed to.", example="https://example.com/auth0-events")
    ]
    success_codes: Annotated[
        frozenset[int],
        Option(
            "WEBHOOK_SUCCESS_CODES",
            success_statuses(),
            "The answers that mean delivered; after any other the event is tried again.",
        ),
    ] = frozenset({200})
    timeout: Annotated[float, Option("WEBHOOK_TIMEOUT", seconds(), "How long one call may take in all.")] = 30.0
    connect_timeout: Annotated[
        float,
        Option(
            "WEBHOOK_CONNECT_TIMEOUT",
            seconds(),
            "How long connecting may take, TLS included, within `WEBHOOK_TIMEOUT`.",
        ),
    ] = 5.0
    secret: Annotated[
        str | None,
        Option(
            "WEBHOOK_SECRET",
            signing_secret(),
            "Signs every call as Standard Webhooks describes.",
            secret=True,
            example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            unset="none: not signed",
        ),
    ] = None
    secret_previous: Annotated[
        str | None,
        Option(
            "WEBHOOK_SECRET_PREVIOUS",
            signing_secret(),
            "Signs every call too, while receivers move to a new `WEBHOOK_SECRET`.",
            secret=True,
            example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            unset="none",
        ),
    ] = None
    authorization: Annotated[
        str | None,
        Option(
            "AUTHORIZATION",
            header_value(),
            "The `Authorization` header of every call.",
            secret=True,
            example="Bearer s3cr3t",
            unset="none",
        ),
    ] = None
    headers: Annotated[
        tuple[tuple[str, str], ...],
        Option(
            "WEBHOOK_HEADERS",
            header_object(),
            'More headers of every call, such as `{"X-Api-Key": "s3cr3t"}`.',
            secret=True,
            example='{"X-Api-Key": "s3cr3t"}',
            unset="none",
        ),
    ] = ()
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
    client_cert: Annotated[
        Path | None,
        Option(
            "WEBHOOK_CLIENT_CERT",
            readable_file(),
            "Our certificate, for a webhook that wants one.",
            example="/etc/ssl/client.pem",
            unset="none",
        ),
    ] = None
    client_key: Annotated[
        Path | None,
        Option(
            "WEBHOOK_CLIENT_KEY",
            readable_file(),
            "The key of it, without a password.",
            example="/etc/ssl/client.key",
            unset="in `WEBHOOK_CLIENT_CERT`",
        ),
    ] = None
    proxy: Annotated[
        str | None,
        Option(
            "WEBHOOK_PROXY",
            proxy_url(),
            "Proxy on the way to the webhook; `HTTPS_PROXY` and its like are not looked at.",
            example="http://proxy.internal:3128",
            unset="none",
        ),
    ] = None
    allow_private: Annotated[
        bool,
        Option(
            "WEBHOOK_ALLOW_PRIVATE",
            flag(),
            "Whether the webhook may have a private or loopback address. Link-local and cloud-metadata ones are always refused.",
        ),
    ] = True

    def conflicts(self) -> Iterator[Conflict]:
        # Whoever shortens the whole need not think of its parts: the default is no contradiction.
        if self.connect_timeout > self.timeout and "connect_timeout" in self.model_fields_set:
            what = "connecting may take longer than the whole call"
            yield Conflict("connect_timeout", "timeout", what=what, fix="lower the first or raise the second")
        if self.secret_previous is not None and self.secret is None:
            what = "the secret from before signs beside the one of today only"
            yield Conflict("secret_previous", "secret", what=what, fix="set the second, or rename the first")
        if self.client_key is not None and self.client_cert is None:
            what = "the first is the key of the second"
            yield Conflict("client_key", "client_cert", what=what, fix="set the second as well")
        if self.client_cert is not None and not self.url.lower().startswith("https:"):
            what = "a certificate is shown to an https webhook only"
            yield Conflict("client_cert", "url", what=what, fix="use https in the second, or remove the first")
        if not self.allow_private and is_private(self.url):
            what = "the address is not a public one"
            yield Conflict("url", "allow_private", what=what, fix="use a public address, or remove the second")
