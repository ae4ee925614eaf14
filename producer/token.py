"""The access token for the Management API: fetched by client credentials, kept, renewed before it expires.

Tokens are metered on some plans, so there is one request at a time and none while a token is good.
Source: Auth0's documentation of `POST /oauth/token` and of the Management API's tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import httpx

from producer.answer import Ask, expect_object
from shared.errors import Auth0Unavailable, CredentialsRefused
from shared.log import get_logger

_RENEW_AT: Final = 0.9  # of the token's life
_DEFAULT_LIFE: Final = 3600.0  # seconds, where Auth0 does not say
_SHORTEST_LIFE: Final = 10.0  # however short Auth0 says: never a request per page

log = get_logger(__name__)


class Token:
    def __init__(
        self,
        ask: Ask,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        audience: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._url = url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "audience": audience,
        }
        self._clock = clock
        self._value = ""
        self._renew_at = 0.0

    async def value(self) -> str:
        """A token that is good now. Raises `CredentialsRefused`, `RateLimited` and `Auth0Unavailable`."""
        if not self._value or self._clock() >= self._renew_at:
            await self._fetch()
        return self._value

    def refuse(self) -> None:
        """The API did not accept the token: the next call fetches another."""
        self._value = ""

    async def _fetch(self) -> None:
        answer, body = await self._ask("POST", self._url, json=self._form)
        if answer.status_code in (400, 401, 403, 404):
            raise CredentialsRefused(self._refusal(answer, body))
        fields = expect_object(body, self._url)
        value, life = fields.get("access_token"), fields.get("expires_in")
        if answer.status_code != httpx.codes.OK or not isinstance(value, str) or not value:
            raise Auth0Unavailable(f"{self._url} answered {answer.status_code} without a usable access_token")
        seconds = float(life) if isinstance(life, int | float) else _DEFAULT_LIFE
        self._renew_at = self._clock() + max(seconds, _SHORTEST_LIFE) * _RENEW_AT
        self._value = value
        log.info("token received", expires_in=seconds, scope=fields.get("scope", ""))

    def _refusal(self, answer: httpx.Response, body: bytes) -> str:
        try:
            said = str(expect_object(body, self._url).get("error_description", ""))[:200]
        except Auth0Unavailable:
            said = ""
        heard = f"{self._url} answered {answer.status_code}" + (f" ({said})" if said else "")
        match answer.status_code:
            case 403:
                return (
                    f"{heard}: the application may not use the Management API. Authorize it in the Auth0 dashboard under "
                    "Applications → APIs → Auth0 Management API → Machine to Machine Applications, with read:logs, "
                    f"and see that AUTH0_AUDIENCE ({self._form['audience']}) names that API"
                )
            case 404:
                return f"{heard}: no Auth0 tenant answers there. Look at AUTH0_DOMAIN"
            case _:
                return (
                    f"{heard}: AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is wrong. Both stand in the Auth0 dashboard under "
                    "Applications → Applications → your application → Settings; it must be a Machine to Machine application"
                )
