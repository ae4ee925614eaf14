"""What rules do at Auth0 through the global `auth0`: they write a user's metadata, by requests that are bounded in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from rules.tenant.host import METHODS, HostCallFailed, RuleHost
from rules.tenant.ids import is_hashed, path_part
from rules.tenant.lookup import TenantApi
from rules.tenant.profiles import UserProfiles
from rules.tenant.retries import until_answered
from shared.errors import WebhooksError
from shared.logging import get_logger
from shared.masking import excerpt

#: The token goes to the rules too, as `auth0.accessToken`: these scopes, as in the rules of Auth0, and no others.
SCOPES: Final = "read:users update:users"
_ASK_AGAIN: Final = 60.0  # seconds after a token was refused

log = get_logger(__name__)


class MetadataApi(TenantApi, Protocol):
    """The Management API, with a token for `SCOPES`."""

    async def token(self) -> str:
        """Returns a token that is good now. Raises a `WebhooksError`."""

    async def close(self) -> None: ...


class ManagementHost(RuleHost):
    """`base_url` such as `https://acme.eu.auth0.com`; `profiles` hear what was written; `clock` in seconds."""

    def __init__(
        self,
        api: MetadataApi,
        *,
        base_url: str,
        profiles: UserProfiles | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._profiles = profiles
        #: One write to a user at a time: of two at once, either response may be the one that lacks what the other wrote.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._url = f"{base_url}/api/v2"
        self._domain = base_url.partition("://")[2]
        self._clock = clock
        self._ask_at = 0.0
        self._asking: asyncio.Task[str | None] | None = None

    async def facts(self, within: float) -> Mapping[str, str]:
        facts = {"domain": self._domain, "baseUrl": self._url}
        if self._clock() < self._ask_at:
            return facts
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._token())
        # What is asked for goes on: the next chain, and not another request, gets what comes of it.
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                token = await asyncio.shield(self._asking)
            return {**facts, "accessToken": token} if token else facts
        return facts

    async def _token(self) -> str | None:
        try:
            return await self._api.token()
        except WebhooksError as error:
            self._ask_at = self._clock() + _ASK_AGAIN
            log.warning("rules get no token for Auth0's Management API", error=str(error))
            return None

    async def call(self, method: str, args: Sequence[Any], timeout: float) -> Any:
        user_id, path, data = _arguments(method, args)
        turn = self._turns.setdefault(user_id, asyncio.Lock())
        try:
            async with asyncio.timeout(timeout), turn:
                return await self._write(user_id, path, {METHODS[method]: data})
        except TimeoutError:
            raise HostCallFailed(f"auth0.users.{method}: Auth0 did not serve it in the time of its chain") from None

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        await self._api.close()

    async def _write(self, user_id: str, path: str, changes: Mapping[str, Any]) -> Any:
        user: Any = None
        try:
            user = await self._patch(path, changes)
            return user
        finally:
            if self._profiles is not None:
                self._profiles.written(user_id, user)

    async def _patch(self, path: str, changes: Mapping[str, Any]) -> Any:
        """Returns the user. Tries again for as long as its caller lets it."""
        try:
            status, found = await until_answered(lambda: self._api.request("PATCH", path, changes))
        except WebhooksError as error:
            raise HostCallFailed(str(error)) from None
        return _user(status, found, path)


def _user(status: int, found: Any, path: str) -> Any:
    if status == HTTPStatus.OK:
        return found
    said = found.get("message") if isinstance(found, dict) else None
    words = f" ({excerpt(said, 200)})" if isinstance(said, str) else ""
    scope = ": the application needs the scope update:users" if status == HTTPStatus.FORBIDDEN else ""
    raise HostCallFailed(f"PATCH {path} returned {status}{words}{scope}", status)


def _arguments(method: str, args: Sequence[Any]) -> tuple[str, str, Mapping[str, Any]]:
    """Returns the user's id, its path, and what to write. What a rule process sends is a rule's: nothing of it is believed."""
    match list(args):
        case [str(user_id), dict(data)] if method in METHODS and (part := path_part(user_id)):
            if is_hashed(user_id):
                raise HostCallFailed(
                    f"auth0.users.{method}: {user_id[:8]}… is a hash, PII_MODE put it in the place of the user's id"
                )
            return user_id, f"/users/{part}", data
        case _:
            raise HostCallFailed(f"auth0.users.{method} needs a user's id and an object")
