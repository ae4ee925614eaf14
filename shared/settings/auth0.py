"""The settings of the Auth0 side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from shared.settings.address import proxy_url, tenant_domain
from shared.settings.option import Group, Option, Role
from shared.settings.parsers import line, readable_file, seconds, whole


class Auth0Settings(Group):
    """The tenant whose log is read, and the machine-to-machine application that may read it."""

    title: ClassVar = "Auth0"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE})

    domain: Annotated[str, Option("AUTH0_DOMAIN", tenant_domain(), "The tenant's domain.", example="acme.eu.auth0.com")]
    client_id: Annotated[
        str,
        Option(
            "AUTH0_CLIENT_ID",
            line(),
            "Client ID of the application; it needs the scope `read:logs` of the Auth0 Management API.",
            example="8Zr1XnKfT5cQyB0mVd3uHgWe",
            old_name="AUTH0_GLOBAL_CLIENT_ID",
        ),
    ]
    client_secret: Annotated[
        str,
        Option(
            "AUTH0_CLIENT_SECRET",
            line(),
            "Client secret of the application.",
            secret=True,
            example="…",
            old_name="AUTH0_GLOBAL_CLIENT_SECRET",
        ),
    ]
    audience_given: Annotated[
        str | None,
        Option(
            "AUTH0_AUDIENCE",
            line(),
            "Identifier of the Management API; wanted when `AUTH0_DOMAIN` is a custom domain.",
            example="https://acme.eu.auth0.com/api/v2/",
            unset="https://AUTH0_DOMAIN/api/v2/",
        ),
    ] = None
    batch_size: Annotated[int, Option("BATCH_SIZE", whole(1, 100, "entries"), "How many log entries to ask for at once.")] = 100
    poll_interval: Annotated[
        float, Option("POLL_INTERVAL", seconds(), "How long to wait after everything was read, before asking again.")
    ] = 5.0
    proxy: Annotated[
        str | None,
        Option(
            "AUTH0_PROXY",
            proxy_url(),
            "Proxy on the way to Auth0; `HTTPS_PROXY` and its like are not looked at.",
            example="http://proxy.internal:3128",
            unset="none",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        Option(
            "AUTH0_CA_FILE",
            readable_file(),
            "Certificate authorities to trust for Auth0, instead of the usual ones.",
            example="/etc/ssl/proxy-ca.pem",
            unset="the usual ones",
        ),
    ] = None

    @property
    def base_url(self) -> str:
        """Scheme and host, without a slash at the end."""
        return self.domain if "://" in self.domain else f"https://{self.domain}"

    @property
    def audience(self) -> str:
        """What a token for the Management API is asked for."""
        return self.audience_given or f"{self.base_url}/api/v2/"
