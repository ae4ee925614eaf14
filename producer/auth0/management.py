"""Auth0's Management API beside the log: what is asked about a user, a client or a connection, and what is written to a user."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from producer.auth0.response import BoundedClient
from producer.auth0.token import Token
from producer.observer import Auth0Requests
from shared.errors import Auth0Unavailable

#: Seconds for one request, response included; bytes of a response.
_DEADLINE: Final = 10.0
_BODY_CAP: Final = 4 * 1024 * 1024


class ManagementApi:
    """One tenant's. `base_url` such as `https://acme.eu.auth0.com`; `deadline` in seconds, a request; `scope` as of `Token`."""

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        audience: str,
        scope: str = "",
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        deadline: float = _DEADLINE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = BoundedClient(proxy=proxy, tls=tls, deadline=deadline, body_cap=_BODY_CAP, requests=Auth0Requests())
        self._base = f"{base_url}/api/v2"
        self._token = Token(
            self._http,
            url=f"{base_url}/oauth/token",
            client_id=client_id,
            client_secret=client_secret,
            audience=audience,
            scope=scope,
            needs=scope or "the scopes that it needs",
            owner=f"the token for {scope or 'everything'}",
            clock=clock,
        )

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Returns status and JSON of the response. `path` begins with a slash, below `/api/v2`.

        Raises `CredentialsRefused`, `Auth0Unavailable` (5xx too) and `RateLimited`.
        """
        status, content = await self._authorized(method, path, body)
        if status == httpx.codes.UNAUTHORIZED:
            self._token.discard()
            status, content = await self._authorized(method, path, body)
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            raise Auth0Unavailable(f"{self._base}{path} returned {status} with something that is no JSON: a proxy?") from None

    async def token(self) -> str:
        """Returns a token that is good now. Raises as `request` does."""
        return await self._token.value()

    async def close(self) -> None:
        await self._http.close()

    async def _authorized(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {await self.token()}"}
        response, content = await self._http.request(method, f"{self._base}{path}", headers=headers, json=body)
        return response.status_code, content
