"""Wires what asks Auth0, from the settings of the tenant."""

from __future__ import annotations

import ssl
from pathlib import Path

from producer.auth0.budget import RequestBudget
from producer.auth0.client import Auth0Logs
from producer.auth0.management import ManagementApi
from producer.observer import Auth0Requests
from shared.settings import Auth0Settings, Settings


def auth0_logs(settings: Settings, requests: Auth0Requests | None = None) -> Auth0Logs:
    """`requests` counts them."""
    auth0 = settings.auth0
    return Auth0Logs(
        base_url=auth0.base_url,
        client_id=auth0.client_id,
        client_secret=auth0.client_secret,
        audience=auth0.audience,
        batch_size=settings.polling.batch_size,
        rate_share=settings.polling.rate_share,
        proxy=auth0.proxy,
        tls=trust(auth0.ca_file),
        requests=requests,
    )


def management_api(auth0: Auth0Settings, scope: str = "", budget: RequestBudget | None = None) -> ManagementApi:
    """`scope`: what its token is good for; empty: all that the application may. `budget`: shared with others of this tenant."""
    return ManagementApi(
        base_url=auth0.base_url,
        client_id=auth0.client_id,
        client_secret=auth0.client_secret,
        audience=auth0.audience,
        scope=scope,
        budget=budget,
        proxy=auth0.proxy,
        tls=trust(auth0.ca_file),
    )


def trust(ca_file: Path | None) -> ssl.SSLContext | None:
    """Returns a context that trusts `ca_file` instead of the system's authorities; None: the library's default."""
    return ssl.create_default_context(cafile=ca_file) if ca_file else None
