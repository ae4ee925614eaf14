"""From a log entry to what a chain is given, with the user's profile, and what the tenant says where a rule reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rules.analysis.needs import needs
from rules.context import TenantFacts, user_and_context
from rules.difference import patched
from rules.rule import Rule
from rules.tenant.lookup import TenantLookup, WantedFacts, wanted

#: Of the time that a chain has: for what is empty where it is not known in time.
_SHARE_OF_FACTS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a chain is given."""

    log_id: str
    user: Mapping[str, Any]
    context: Mapping[str, Any]


class Profiles(Protocol):
    """Where the profiles of users come from."""

    async def of(self, user_id: str, *, within: float) -> Mapping[str, Any] | None:
        """Returns the user as the Management API has it, after at most `within` seconds; None: the event's own facts have to do.

        Raises `ProfileUnavailable`.
        """


class Logins:
    """`tenant` and `profiles` of None: the entry's own facts have to do."""

    def __init__(self, rules: Iterable[Rule], *, tenant: TenantLookup | None = None, profiles: Profiles | None = None) -> None:
        self._tenant = tenant
        self._profiles = profiles
        self._reads = {rule.name: [use.name for use in needs(rule.source).context_reads] for rule in rules} if tenant else {}
        self._wanted: dict[tuple[str, ...], WantedFacts] = {}

    async def of(
        self,
        entry: Mapping[str, Any],
        log_id: str,
        chain: Sequence[Rule],
        *,
        within: float,
        profile: Mapping[str, Any] | None = None,
        over: Mapping[str, Any] | None = None,
    ) -> Login:
        """Returns the login of a log entry, after at most `within` seconds.

        `profile`: the user, where it is known; `over`: laid over the context. Raises `ProfileUnavailable`.
        """
        deadline = time.monotonic() + within
        user_id = entry.get("user_id")
        if profile is None and self._profiles and isinstance(user_id, str) and user_id:
            profile = await self._profiles.of(user_id, within=within)
        facts = await self._facts(entry, chain, (deadline - time.monotonic()) * _SHARE_OF_FACTS)
        user, context = user_and_context(entry, profile, facts)
        return Login(log_id=log_id, user=user, context=patched(context, over or {}))

    async def _facts(self, entry: Mapping[str, Any], chain: Sequence[Rule], within: float) -> TenantFacts | None:
        if self._tenant is None:
            return None
        names = tuple(rule.name for rule in chain)
        if names not in self._wanted:
            self._wanted[names] = wanted(read for name in names for read in self._reads[name])
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                return await self._tenant.facts(entry, self._wanted[names])
        return None
