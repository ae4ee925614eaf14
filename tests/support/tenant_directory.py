"""A tenant's Management API beside the log, on the loopback: users, roles, clients, connections, by path."""

from __future__ import annotations

import json
import re
import time
from typing import Any, Final
from urllib.parse import unquote

from simulator.http import Exchange, Server
from simulator.tokens import Application, Tokens, error
from simulator.wire import HttpRequest, HttpResponse

_SCOPES: Final = (
    (re.compile(r"GET /users/[^/]+/roles"), "read:roles"),
    (re.compile(r"GET /users/[^/]+"), "read:users"),
    (re.compile(r"PATCH /users/[^/]+"), "update:users"),
    (re.compile(r"GET /clients/[^/]+"), "read:clients"),
    (re.compile(r"GET /connections/[^/]+"), "read:connections"),
    (re.compile(r"GET /organizations/[^/]+"), "read:organizations"),
)


class TenantDirectory(Server):
    """`objects` by path below `/api/v2`, percent-decoded; a PATCH merges into one, each member that is an object too."""

    def __init__(self, objects: dict[str, Any], *, scope: str, application: Application | None = None) -> None:
        super().__init__(self._handle)
        self.objects = objects
        self.scope = scope
        self.tokens = Tokens(application or Application(client_id="client", client_secret="secret"))
        #: `METHOD path`, of every request but those for a token.
        self.asked: list[str] = []
        self.tokens_asked = 0
        #: The status of every response, in place of the object.
        self.broken: int | None = None

    def _handle(self, request: HttpRequest, exchange: Exchange) -> None:
        exchange.respond(self._respond_to(request))

    def _respond_to(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/oauth/token":
            self.tokens_asked += 1
            return self.tokens.issue(request, time.time())
        raw = request.target.removeprefix("/api/v2")
        self.asked.append(f"{request.method} {raw}")
        if self.broken:
            return error(self.broken, "Broken", "Broken")
        wanted = next((scope for pattern, scope in _SCOPES if pattern.fullmatch(f"{request.method} {raw}")), "")
        if wanted not in self.scope.split():
            return error(403, "Forbidden", f"Insufficient scope, expected any of: {wanted}", "insufficient_scope")
        found = self.objects.get(unquote(raw))
        if found is None:
            return error(404, "Not Found", "It does not exist.", "inexistent")
        if request.method == "PATCH":
            for name, value in json.loads(request.body).items():
                found[name] = {**found.get(name, {}), **value} if isinstance(value, dict) else value
        return HttpResponse.json(200, found)
