"""Auth0's token endpoint for machines, and the check of the tokens it issued. The time (seconds) is handed in."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass

from simulator.wire import HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The application that may request tokens, and what it gets."""

    client_id: str = "sim-client"
    client_secret: str = "sim-secret"  # noqa: S105
    #: None: any that ends in `/api/v2/`, for a tenant that does not know its own URL before it listens.
    audience: str | None = None
    #: False: it exists, but is not authorised for the Management API.
    authorised: bool = True
    scope: str = "read:logs"
    #: A token may be asked for with a part of its scopes; False: such a request is refused.
    grants_parts: bool = True
    #: Seconds.
    lifetime: float = 86_400.0


class Tokens:
    def __init__(self, application: Application) -> None:
        #: May be replaced at any time, for instance by one with another secret.
        self.application = application
        #: Token → when it expires, and its scopes.
        self._issued: dict[str, tuple[float, frozenset[str]]] = {}
        self._numbers = itertools.count(1)

    def issue(self, request: HttpRequest, now: float) -> HttpResponse:
        """Returns the response to a `POST /oauth/token` with a JSON body."""
        asked = _object(request.body)
        application = self.application
        if asked.get("grant_type") != "client_credentials":
            return _refusal(403, "unsupported_grant_type", f"Unsupported grant type: {asked.get('grant_type')}")
        if asked.get("client_id") != application.client_id or asked.get("client_secret") != application.client_secret:
            return _refusal(401, "access_denied", "Unauthorized")
        audience = str(asked.get("audience") or "")
        if not self._is_ours(audience):
            return _refusal(403, "access_denied", f"Service not found: {audience}")
        if not application.authorised:
            return _refusal(403, "access_denied", f'Client is not authorized to access "{audience}".')
        scopes, wanted = frozenset(application.scope.split()), frozenset(str(asked.get("scope") or "").split())
        if wanted and not application.grants_parts:
            return _refusal(403, "access_denied", "Requested scope exceeds granted scope")
        return self._grant(now, scopes & wanted if wanted else scopes)

    def problem(self, request: HttpRequest, now: float, scope: str = "read:logs") -> HttpResponse | None:
        """Returns the error if this request may not do what needs that scope; None: it may."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return error(401, "Unauthorized", "Missing authentication")
        if token not in self._issued:
            return error(401, "Unauthorized", "Invalid token", "invalid_token")
        expiry, scopes = self._issued[token]
        if now >= expiry:
            return error(401, "Unauthorized", "Expired token received for JSON Web Token validation", "invalid_token")
        if scope not in scopes & frozenset(self.application.scope.split()):
            return error(403, "Forbidden", f"Insufficient scope, expected any of: {scope}", "insufficient_scope")
        return None

    def revoke(self) -> None:
        """Reject every token issued so far."""
        self._issued.clear()

    def _grant(self, now: float, scopes: frozenset[str]) -> HttpResponse:
        token = f"simulated-token-{next(self._numbers)}"
        self._issued[token] = now + self.application.lifetime, scopes
        granted = {"access_token": token, "scope": " ".join(sorted(scopes)), "token_type": "Bearer"}
        return HttpResponse.json(200, granted | {"expires_in": int(self.application.lifetime)})

    def _is_ours(self, audience: str) -> bool:
        ours = self.application.audience
        return audience.endswith("/api/v2/") if ours is None else audience == ours


def error(status: int, name: str, message: str, code: str | None = None) -> HttpResponse:
    """Returns an error in the form of the Management API."""
    body: dict[str, object] = {"statusCode": status, "error": name, "message": message}
    return HttpResponse.json(status, body | ({"errorCode": code} if code else {}))


def _refusal(status: int, name: str, description: str) -> HttpResponse:
    return HttpResponse.json(status, {"error": name, "error_description": description})


def _object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
