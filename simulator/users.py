"""Users of a simulated tenant, and Auth0's endpoints for one of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from simulator.tokens import error
from simulator.wire import HttpRequest, HttpResponse

PATH: Final = "/api/v2/users/"
#: Method → the scope that it needs.
SCOPES: Final[Mapping[str, str]] = {"GET": "read:users", "PATCH": "update:users"}
_MERGED: Final = ("app_metadata", "user_metadata")
_WRITABLE: Final = frozenset(
    {
        *(
            "blocked",
            "email_verified",
            "email",
            "phone_number",
            "phone_verified",
            "given_name",
            "family_name",
            "name",
            "nickname",
        ),
        *("picture", "verify_email", "verify_phone_number", "password", "connection", "client_id", "username", *_MERGED),
    }
)


class Users:
    """By `user_id`. May be read at any time."""

    def __init__(self, users: Iterable[Mapping[str, Any]] = ()) -> None:
        self.by_id: dict[str, dict[str, Any]] = {str(user["user_id"]): dict(user) for user in users}

    def respond(self, request: HttpRequest, now: float) -> HttpResponse:
        """Returns the response to `GET` and `PATCH` of a user."""
        # Of the target, not of the path: an id may hold a slash, percent-encoded.
        part = request.target.partition("?")[0].removeprefix(PATH)
        user = self.by_id.get(unquote(part))
        if "/" in part:
            return error(404, "Not Found", "Not Found")
        if user is None:
            return error(404, "Not Found", "The user does not exist.", "inexistent_user")
        return HttpResponse.json(200, user) if request.method == "GET" else self._patch(user, request.body, now)

    def _patch(self, user: dict[str, Any], body: bytes, now: float) -> HttpResponse:
        try:
            changes = json.loads(body)
        except (ValueError, RecursionError):
            return _invalid("Invalid request payload JSON format")
        if problem := _problem(changes):
            return _invalid(f"Payload validation error: {problem}")
        for name, value in copy.deepcopy(changes).items():
            user[name] = _merged(user.get(name) or {}, value) if name in _MERGED else value
            if name in _MERGED and not user[name]:
                del user[name]
        user["updated_at"] = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return HttpResponse.json(200, user)


def _invalid(message: str) -> HttpResponse:
    return error(400, "Bad Request", message, "invalid_body")


def _problem(changes: object) -> str:
    if not isinstance(changes, dict):
        return "Expected type object"
    if not changes:
        return "Too few properties defined (0), minimum 1"
    if unknown := next((name for name in changes if name not in _WRITABLE), None):
        return f"Additional properties not allowed: {unknown}"
    wrong = next((name for name in _MERGED if not isinstance(changes.get(name, {}), dict)), None)
    return f"Expected type object on property {wrong}" if wrong else ""


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """By the first level; a member that is null goes, and an empty object removes all of it. So does Auth0."""
    return {name: value for name, value in {**before, **changes}.items() if value is not None} if changes else {}
