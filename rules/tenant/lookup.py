"""What only the tenant knows of a login, beside its user: roles, client, connection, organization. Asked for, kept for a while.

A rule must not wait for it, nor fail without it: whatever cannot be had is unknown, which a rule sees as an empty value. What the
token may not read is asked for again after a while, and one line says which scope it lacks.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rules.context import TenantFacts
from rules.tenant.ids import path_part
from shared.errors import WebhooksError
from shared.log_throttle import LogThrottle
from shared.logging import get_logger

_KEPT: Final = 300.0  # seconds
_KEPT_UNKNOWN: Final = 10.0  # seconds, after a failure
_MOST: Final = 2000
#: Statuses by which the tenant refuses the application.
REFUSED: Final = (401, 403)
ASK_AGAIN: Final = 300.0  # seconds after that; a person who grants a scope can wait so long

log = get_logger(__name__)


class TenantApi(Protocol):
    """The Management API."""

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Returns status and JSON of a path below `/api/v2`. Raises a `WebhooksError` where there is no usable response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFacts:
    """What the rules of a chain read."""

    roles: bool = False
    client: bool = False
    connection: bool = False
    organization: bool = False


def wanted(context_reads: Iterable[str]) -> WantedFacts:
    """Returns what has to be asked for. `context_reads`: paths below `context`; empty or `*`: all of it."""
    reads = set(context_reads)
    heads = {path.partition(".")[0] for path in reads}
    everything = bool(heads & {"", "*"})
    return WantedFacts(
        roles=everything or "authorization" in heads,
        client=everything or bool(heads & {"clientMetadata", "client_metadata"}),
        connection=everything or bool(heads & {"connectionOptions", "connectionMetadata"}),
        organization=everything or any(_reads_more(path) for path in reads if path.partition(".")[0] == "organization"),
    )


def _reads_more(path: str) -> bool:
    """Whether a path of `organization` may be about something that the event does not say."""
    return path.partition(".")[2] not in ("id", "name")


class TenantLookup:
    """`kept` in seconds; `most` responses are kept; `clock` in seconds."""

    def __init__(
        self, api: TenantApi, *, kept: float = _KEPT, most: int = _MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._kept, self._most, self._clock = kept, most, clock
        #: By path: until when, and the response; one under way is a task, so that it is asked for once.
        self._known: OrderedDict[str, tuple[float, asyncio.Task[Any]]] = OrderedDict()
        #: By scope: until when it is not asked for.
        self._refused: dict[str, float] = {}
        self._throttle = LogThrottle()

    async def facts(self, entry: Mapping[str, Any], want: WantedFacts) -> TenantFacts:
        """Returns what the tenant says about the login of a log entry. Raises nothing."""
        names = ("user_id", "client_id", "connection_id", "organization_id")
        user_id, client_id, connection_id, organization_id = (path_part(entry.get(name)) for name in names)
        roles, client, connection, organization = await asyncio.gather(
            self._get(f"/users/{user_id}/roles", "read:roles") if want.roles and user_id else _nothing(),
            self._get(f"/clients/{client_id}", "read:clients") if want.client and client_id else _nothing(),
            self._get(f"/connections/{connection_id}", "read:connections") if want.connection and connection_id else _nothing(),
            self._get(f"/organizations/{organization_id}", "read:organizations")
            if want.organization and organization_id
            else _nothing(),
        )
        return TenantFacts(
            roles=_names(roles),
            client=client if isinstance(client, dict) else None,
            connection=connection if isinstance(connection, dict) else None,
            organization=organization if isinstance(organization, dict) else None,
        )

    async def _get(self, path: str, scope: str) -> Any:
        if self._clock() < self._refused.get(scope, -math.inf):
            return None
        until, task = self._known.get(path, (0.0, None))
        if task is None or self._clock() >= until:
            task = asyncio.ensure_future(self._ask(path, scope))
            self._remember(path, task)
        # A chain that is cancelled must not take the response from the others that wait for it.
        return await asyncio.shield(task)

    def _remember(self, path: str, task: asyncio.Task[Any]) -> None:
        self._known[path] = (self._clock() + self._kept, task)
        self._known.move_to_end(path)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    async def _ask(self, path: str, scope: str) -> Any:
        try:
            status, found = await self._api.request("GET", path)
        except WebhooksError as error:
            if self._throttle.allows(scope, self._clock()):
                log.warning("Auth0 could not be asked what a rule reads; it gets an empty value", reason=str(error), scope=scope)
            self._forget_soon(path)
            return None
        if status in REFUSED:
            self._refuse(scope, status)
            self._known.pop(path, None)
        return found if status == 200 else None

    def _refuse(self, scope: str, status: int) -> None:
        if scope not in self._refused:
            log.warning("the application may not read what a rule reads; it gets an empty value", scope=scope, status=status)
        self._refused[scope] = self._clock() + ASK_AGAIN

    def _forget_soon(self, path: str) -> None:
        if path in self._known:
            self._known[path] = (self._clock() + min(_KEPT_UNKNOWN, self._kept), self._known[path][1])


def _names(roles: object) -> list[str] | None:
    if not isinstance(roles, list):
        return None
    return [role["name"] for role in roles if isinstance(role, dict) and isinstance(role.get("name"), str)]


async def _nothing() -> None:
    return None
