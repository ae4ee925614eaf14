"""The access token for the Management API: fetched by client credentials, reused, renewed before it expires.

Tokens are metered on some plans, so there is one request at a time and none while a token is good.
Source: Auth0's documentation of `POST /oauth/token` and of the Management API's tokens.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx

from producer.auth0.response import BoundedClient, error_text, json_object
from shared import masking
from shared.errors import Auth0Unavailable, CredentialsRefused, WebhooksError
from shared.logging import get_logger
from shared.masking import excerpt

_RENEW_AT: Final = 0.9  # of the token's life
_DEFAULT_LIFE: Final = 3600.0  # seconds, where Auth0 does not say
_SHORTEST_LIFE: Final = 10.0  # also where Auth0 says less: never a request per page
_STALE: Final = 300.0  # seconds; tokens are metered, and a person who grants a scope can wait so long
_LONGEST_LIFE: Final = 30 * 86_400.0  # what Auth0 allows
# What RFC 6750 lets a bearer token be. Anything else breaks the header, and the HTTP library's complaint would quote it.
_USABLE: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")

#: Sends a request with these headers, and returns the response and its body.
Send = Callable[[Mapping[str, str]], Awaitable[tuple[httpx.Response, bytes]]]

# `access_denied` is also said of an application that may not use the API at all: the second request tells.
_SCOPE_REFUSED: Final = ("invalid_scope", "access_denied", "invalid_request")

log = get_logger(__name__)


class Token:
    """`scope`: asked for alone, where Auth0 grants a part of what the application may; empty: everything.

    `needs`: the scopes that an error names. `owner`: whose token it is, for its masking.
    """

    def __init__(
        self,
        http: BoundedClient,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        audience: str,
        scope: str = "",
        needs: str = "read:logs",
        owner: str = "Auth0's token",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "audience": audience,
        } | ({"scope": scope} if scope else {})
        self._needs = needs
        self._owner = owner
        self._clock = clock
        self._one_request = asyncio.Lock()
        self._value = ""
        self._fetched = 0.0
        self._renew_at = 0.0
        #: The API took the token once: it is one of the right audience.
        self._accepted = False
        self._failures = 0
        self._failure: WebhooksError | None = None

    async def value(self) -> str:
        """Returns a token that is good now. Raises `CredentialsRefused`, `RateLimited` and `Auth0Unavailable`."""
        failures = self._failures
        async with self._one_request:
            if self._failure and failures != self._failures:
                raise self._failure.with_traceback(None)  # all who waited for that request share its end
            if not self._value or self._clock() >= self._renew_at:
                await self._renew()
            return self._value

    async def authorize(self, send: Send) -> tuple[httpx.Response, bytes]:
        """Returns what `send` returns, sent with the token; once more with a fresh one if the response is 401.

        Raises as `value` does, and what `send` raises.
        """
        response, body = await self._sent(send, used := await self.value())
        if response.status_code == httpx.codes.UNAUTHORIZED and self._gives_way(used):
            response, body = await self._sent(send, await self.value())
        return response, body

    def discard_stale(self, after: float = _STALE) -> None:
        """Discards one that lacks a scope, if it is `after` seconds old, so that a scope that was granted since is noticed."""
        if self._clock() >= self._fetched + after:
            self._value = ""

    async def _sent(self, send: Send, value: str) -> tuple[httpx.Response, bytes]:
        response, body = await send({"Authorization": f"Bearer {value}"})
        if response.status_code != httpx.codes.UNAUTHORIZED and value == self._value:
            self._accepted = True
        return response, body

    def _gives_way(self, refused: str) -> bool:
        """Whether there can be a better token than this one, which the API refused.

        Of several requests that it refused to at once the first one discards it; the others must not discard its successor. One
        that was never accepted is no old one, but a wrong one: the next would be the same.
        """
        if refused == self._value:
            if not self._accepted and self._clock() < self._fetched + _STALE:
                return False
            self._value = ""
        return True

    async def _renew(self) -> None:
        try:
            await self._fetch()
        except WebhooksError as error:
            self._failures += 1
            self._failure = error
            raise

    async def _fetch(self) -> None:
        response, body = await self._http.request("POST", self._url, json=self._form)
        status, fields = response.status_code, json_object(body)
        if "scope" in self._form and status in (400, 403) and (fields or {}).get("error") in _SCOPE_REFUSED:
            del self._form["scope"]  # a tenant that grants no part, or not these: what the application has must do
            await self._fetch()
            return
        what = f"{self._url} returned {status}"
        if status == httpx.codes.NOT_FOUND:
            raise CredentialsRefused(f"{what}: there is no Auth0 tenant there. Look at AUTH0_DOMAIN")
        if fields is None:
            raise Auth0Unavailable(f"{what} with something that is no JSON object: a proxy in between?")
        if status in (400, 401, 403):
            raise CredentialsRefused(f"{what}{error_text(fields)}: {self._advice(status, fields)}")
        value = fields.get("access_token")
        if status != httpx.codes.OK or not isinstance(value, str) or not _USABLE.fullmatch(value):
            raise Auth0Unavailable(f"{what} without a usable access_token")
        life = _life(fields.get("expires_in"))
        self._fetched = self._clock()
        self._renew_at = self._fetched + life * _RENEW_AT
        self._value = value
        self._accepted = False
        masking.use([value], of=self._owner)
        scope = fields.get("scope")
        log.info("token received", expires_in=life, scope=excerpt(scope, 300) if isinstance(scope, str) else "")

    def _advice(self, status: int, fields: dict[str, Any]) -> str:
        if status != httpx.codes.FORBIDDEN:
            return (
                "AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong. Both stand in the Auth0 dashboard under "
                "Applications → Applications → your application → Settings; it must be a Machine to Machine application"
            )
        if fields.get("error") == "unauthorized_client":
            return (
                "the application may not use client credentials. Allow them in the Auth0 dashboard under "
                "Applications → Applications → your application → Settings → Advanced Settings → Grant Types"
            )
        return (
            "the application may not use the Management API. Authorize it in the Auth0 dashboard under "
            "Applications → APIs → Auth0 Management API → Machine to Machine Applications, "
            f"with {self._needs}, and see that AUTH0_AUDIENCE ({self._form['audience']}) names that API"
        )


def _life(value: object) -> float:
    """Returns the seconds that a token may be used, from `expires_in`."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    return _DEFAULT_LIFE if math.isnan(seconds) else min(max(seconds, _SHORTEST_LIFE), _LONGEST_LIFE)
