"""The user of an event as the tenant has it: fetched where a rule is to see it, kept for a while, changed by rules' own writes.

Rules remember in a user's metadata what they did: one that sends the mail of a sign-up sets a flag, and looks for it next time.
So what a rule wrote is in the user before the next event of that user runs, also where a fetch was under way meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeGuard

from rules.tenant.host import METHODS
from rules.tenant.ids import is_hashed, path_part
from rules.tenant.kept_users import KeptUser, KeptUsers
from rules.tenant.lookup import ASK_AGAIN, REFUSED, TenantApi
from rules.tenant.retries import until_answered
from shared.errors import Auth0Unavailable, Transient, WebhooksError
from shared.logging import get_logger

_KEPT: Final = 60.0  # seconds: a burst of events of one user; what others change is seen after it
_MOST: Final = 10_000
_MOST_BYTES: Final = 32 * 1024 * 1024
_SILENCE: Final = "no response yet, or no room beside the half of its rate limit that is left to others"

log = get_logger(__name__)


class ProfileUnavailable(Exception):
    """The tenant did not say in time who the user is."""


@dataclass(slots=True)
class _Fetch:
    """One request for a user, which several chains may wait for."""

    task: asyncio.Task[KeptUser | None] = field(init=False)
    waiting: int = 0
    #: The user after what a rule wrote last since it began: the response may be of before.
    written: dict[str, Any] | None = None
    #: A write that ended in an unknown state was under way since: what comes is not kept.
    unsure: bool = False


class UserProfiles:
    """`api`: None where no user is to be fetched. `kept` in seconds; at most `most` users and `most_bytes` of JSON are kept;
    `clock` in seconds. Everything happens in one event loop."""

    def __init__(
        self,
        api: TenantApi | None,
        *,
        kept: float = _KEPT,
        most: int = _MOST,
        most_bytes: int = _MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._kept_for, self._clock = kept, clock
        self._kept = KeptUsers(most=most, most_bytes=most_bytes)
        self._fetches: dict[str, _Fetch] = {}
        #: Until when the tenant is not asked, since it refused the application; None: it did not.
        self._refused: float | None = None
        self._told_of_hashes = False

    async def of(self, user_id: str, *, within: float) -> dict[str, Any] | None:
        """Returns the user as `GET /api/v2/users/{id}` has it, to be changed at will. None: the event's own facts have to do,
        because the tenant knows no such user, refuses the application (logged), or is not to be asked.

        Raises `ProfileUnavailable` where `within` seconds of trying gave neither.
        """
        api, path = self._api, path_part(user_id)
        if api is None or path is None or self._is_hashed(user_id):
            return None
        heard: list[Transient] = []
        try:
            async with asyncio.timeout(within):
                return await until_answered(lambda: self._once(api, user_id, f"/users/{path}"), heard.append)
        except TimeoutError:
            why = str(heard[-1] if heard else _SILENCE).replace(f"/users/{path}", "/users/…")  # no log line has the id of a user
            raise ProfileUnavailable(f"Auth0 did not give the user within {within:.1f} s: {why}") from None

    def written(self, user_id: str, user: object) -> None:
        """A rule wrote to a user, and Auth0 responded with `user`: the next event of it sees that."""
        if not _is_user(user):
            self.forget(user_id)
            return
        if (fetch := self._fetches.get(user_id)) is not None:
            fetch.written = user
        kept = self._kept.get(user_id, self._clock())
        self._kept.forget(user_id)
        if kept is not None and kept.body is not None:
            with suppress(Auth0Unavailable):
                self._keep(user_id, _changed(json.loads(kept.body), user), until=kept.until)

    def forget(self, user_id: str) -> None:
        """A write ended in an unknown state: the next event of this user asks the tenant."""
        self._kept.forget(user_id)
        if (fetch := self._fetches.get(user_id)) is not None:
            fetch.unsure = True

    def _is_hashed(self, user_id: str) -> bool:
        hashed = is_hashed(user_id)
        if hashed and not self._told_of_hashes:
            self._told_of_hashes = True
            log.warning("rules get what events say of their users: PII_MODE put hashes in the place of user ids")
        return hashed

    async def _once(self, api: TenantApi, user_id: str, path: str) -> dict[str, Any] | None:
        found = self._kept.get(user_id, self._clock())
        if found is None and self._refused is not None and self._clock() < self._refused:
            return None
        found = found or await self._fetched(api, user_id, path)
        return json.loads(found.body) if found and found.body is not None else None

    async def _fetched(self, api: TenantApi, user_id: str, path: str) -> KeptUser | None:
        """One request, however many wait for it; it ends with the last of them."""
        fetch = self._fetches.get(user_id)
        if fetch is None:
            fetch = self._fetches[user_id] = _Fetch()
            fetch.task = asyncio.ensure_future(self._fetch(api, user_id, path, fetch))
        fetch.waiting += 1
        try:
            return await asyncio.shield(fetch.task)
        finally:
            fetch.waiting -= 1
            if not fetch.waiting:
                # Here, not in the task: one that is cancelled before its first step runs nothing of itself.
                del self._fetches[user_id]
                fetch.task.cancel()

    async def _fetch(self, api: TenantApi, user_id: str, path: str, fetch: _Fetch) -> KeptUser | None:
        try:
            status, found = await api.request("GET", path)
        except Transient:
            raise
        except WebhooksError as error:
            self._refuse(str(error))
            return None
        if status in REFUSED:
            self._refuse(f"GET /api/v2/users/… returned {status}: the application needs the scope read:users")
            return None
        self._refused = None
        if status == HTTPStatus.OK and _is_user(found):
            return self._keep(user_id, _changed(found, fetch.written or found), until=0.0 if fetch.unsure else None)
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
            return self._keep(user_id, None)
        raise Auth0Unavailable(f"GET /api/v2/users/… returned {status} with something that is no user: a proxy?")

    def _keep(self, user_id: str, user: Mapping[str, Any] | None, *, until: float | None = None) -> KeptUser:
        body = None if user is None else _encoded(user)
        kept = KeptUser(self._clock() + self._kept_for if until is None else until, body)
        self._kept.keep(user_id, kept)
        return kept

    def _refuse(self, reason: str) -> None:
        if self._refused is None:
            log.error("rules get no profiles of users, only what events say of them", reason=reason, asked_again_in=ASK_AGAIN)
        self._refused = self._clock() + ASK_AGAIN


def _encoded(user: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(user).encode()
    except RecursionError:
        raise Auth0Unavailable("the user is nested too deeply") from None


def _is_user(found: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict) and isinstance(found.get("user_id"), str)


def _changed(user: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the user with what came back from a write. Metadata that is not in it is gone: an empty object removes it."""
    return {name: value for name, value in user.items() if name not in METHODS.values()} | dict(written)
