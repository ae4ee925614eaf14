"""Auth0's Management API beside the log: what is asked about a user, a client or a connection, and what is written to a user."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from producer.auth0.budget import RequestBudget
from producer.auth0.response import BoundedClient, rate_limit_of
from producer.auth0.token import Token
from producer.observer import Auth0Requests
from shared.errors import Auth0Unavailable, RateLimited

#: Seconds for one request, response included; bytes of a response.
_DEADLINE: Final = 10.0
_BODY_CAP: Final = 4 * 1024 * 1024
#: Seconds until a missing scope costs another token: rules do without what they may not read, maybe for good.
_STALE: Final = 3600.0


class ManagementApi:
    """One tenant's. `base_url` such as `https://acme.eu.auth0.com`; `deadline` in seconds, a request; `scope` as of `Token`;
    `budget`: of this tenant's requests, shared by all that are made beside the poller."""

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
        budget: RequestBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = BoundedClient(proxy=proxy, tls=tls, deadline=deadline, body_cap=_BODY_CAP, requests=Auth0Requests())
        self._budget = budget or RequestBudget()
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
        url = f"{self._base}{path}"
        response, content = await self._token.authorize(lambda headers: self._within_budget(method, url, headers, body))
        status = response.status_code
        if status == httpx.codes.FORBIDDEN:
            self._token.discard_stale(_STALE)
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            raise Auth0Unavailable(f"{self._base}{path} returned {status} with something that is no JSON: a proxy?") from None

    async def token(self) -> str:
        """Returns a token that is good now. Raises as `request` does."""
        return await self._token.value()

    async def close(self) -> None:
        await self._http.close()

    async def _within_budget(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> tuple[httpx.Response, bytes]:
        """A write is in more of a hurry than what is only asked for: the rule that makes it waits already."""
        turn = await self._budget.turn(hurry=method != "GET")
        try:
            response, content = await self._http.request(method, url, headers=headers, json=body)
        except RateLimited as error:
            self._budget.refused(error.wait)
            raise
        except BaseException:
            self._budget.lost()
            raise
        self._budget.responded(turn, rate_limit_of(response.headers, time.time()))
        return response, content
