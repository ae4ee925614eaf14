"""Users of a simulated tenant, and Auth0's endpoints for one of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from simulator.tokens import error
from simulator.wire import HttpRequest, HttpResponse

PATH: Final = "/api/v2/users/"
#: Method → the scope that it needs.
SCOPES: Final[Mapping[str, str]] = {"GET": "read:users", "PATCH": "update:users"}
_MERGED: Final = ("app_metadata", "user_metadata")


class Users:
    """By `user_id`. May be read at any time."""

    def __init__(self, users: Iterable[Mapping[str, Any]] = ()) -> None:
        self.by_id: dict[str, dict[str, Any]] = {str(user["user_id"]): dict(user) for user in users}

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Returns the response to `GET` and `PATCH` of a user."""
        # Of the target, not of the path: an id may hold a slash, percent-encoded.
        user = self.by_id.get(unquote(request.target.partition("?")[0].removeprefix(PATH)))
        if user is None:
            return error(404, "Not Found", "The user does not exist.", "inexistent_user")
        return HttpResponse.json(200, user) if request.method == "GET" else self._patch(user, request.body)

    def _patch(self, user: dict[str, Any], body: bytes) -> HttpResponse:
        """Metadata is merged by its first level, and a member that is null goes; so does Auth0."""
        try:
            changes = json.loads(body)
        except ValueError:
            return error(400, "Bad Request", "Invalid request payload JSON format", "invalid_body")
        if not isinstance(changes, dict) or not changes:
            return error(400, "Bad Request", "Payload validation error: Too few properties defined", "invalid_body")
        if wrong := next((name for name in _MERGED if not isinstance(changes.get(name, {}), dict)), None):
            return error(
                400, "Bad Request", f"Payload validation error: Expected type object on property {wrong}", "invalid_body"
            )
        for name, value in copy.deepcopy(changes).items():
            user[name] = _merged(user.get(name) or {}, value) if name in _MERGED else value
        return HttpResponse.json(200, user)


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**before, **changes}.items() if value is not None}
