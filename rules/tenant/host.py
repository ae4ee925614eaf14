"""The port behind the global `auth0` of rules: what a rule process lets this one do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

#: A method of `auth0.users`, and the member of the user that it writes.
METHODS: Final = {"updateAppMetadata": "app_metadata", "updateUserMetadata": "user_metadata"}


class HostCallFailed(Exception):
    """What the rule gets as its error. `status` of the response, where there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RuleHost(Protocol):
    async def facts(self, within: float) -> Mapping[str, str]:
        """Returns `domain`, `baseUrl` and `accessToken` as they are good now; what is not known within so many seconds is left
        out. Raises nothing."""

    async def call(self, method: str, args: Sequence[Any], timeout: float) -> Any:
        """Returns what the method returns, as JSON, within `timeout` seconds. Raises `HostCallFailed`."""

    async def close(self) -> None: ...


class NoHost(RuleHost):
    """Without credentials: rules that want Auth0 get an error that says so."""

    async def facts(self, within: float) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    async def call(self, method: str, args: Sequence[Any], timeout: float) -> Any:  # noqa: ARG002
        raise HostCallFailed(f"auth0.users.{method} needs AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET")

    async def close(self) -> None:
        pass


class DryHost(RuleHost):
    """Nothing leaves: every call is answered by an empty object, and the token is made up."""

    async def facts(self, within: float) -> Mapping[str, str]:  # noqa: ARG002
        domain = "dry-run.invalid"
        return {"domain": domain, "baseUrl": f"https://{domain}/api/v2", "accessToken": "dry-run"}

    async def call(self, method: str, args: Sequence[Any], timeout: float) -> Any:  # noqa: ARG002
        return {}

    async def close(self) -> None:
        pass
