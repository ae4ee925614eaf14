"""What a rule is given: `user` and `context`, made of a log entry, of the user's profile and of what the tenant said. Pure.

Auth0 made both while a person logged in; we have the log entry that was written about it. `context_properties.py` holds what
each property is made of, `docs/rules.md` shows it. What Auth0 always gave is here, empty if it is unknown; what exists in some
logins only is left out, so that a rule sees `undefined`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.context_properties import PROTOCOLS

Json = dict[str, Any]

_GEOIP: Final = (
    "country_code",
    "country_code3",
    "country_name",
    "city_name",
    "latitude",
    "longitude",
    "time_zone",
    "continent_code",
    "subdivision_code",
    "subdivision_name",
)
#: Names that `app_metadata` must not hold at Auth0, so that merged into the root they would replace a fact.
_RESERVED: Final = frozenset(
    {
        *("_id", "blocked", "clientID", "created_at", "email", "email_verified", "globalClientID", "global_client_id"),
        *("identities", "lastIP", "lastLogin", "loginsCount", "metadata", "multifactor", "multifactor_last_modified"),
        *("updated_at", "user_id", "app_metadata", "user_metadata"),
    }
)
#: `authentication.methods[].name` by the connection's strategy; every other strategy is `federated`.
_METHODS: Final = {"auth0": "pwd", "sms": "sms", "email": "email"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFacts:
    """What the Management API said about a login, where a rule reads it; None: not asked, or the token may not."""

    #: The names of the user's roles.
    roles: Sequence[str] | None = None
    #: `GET /api/v2/clients/{id}`.
    client: Mapping[str, Any] | None = None
    #: `GET /api/v2/connections/{id}`.
    connection: Mapping[str, Any] | None = None
    #: `GET /api/v2/organizations/{id}`.
    organization: Mapping[str, Any] | None = None


def user_and_context(
    entry: Mapping[str, Any], profile: Mapping[str, Any] | None = None, facts: TenantFacts | None = None
) -> tuple[Json, Json]:
    """Returns `user` and `context` of a log entry. Any member of it may be missing or of another type than it should be.

    `profile`: the user as `GET /api/v2/users/{id}` has it; without one the entry's own facts make a small user.
    The result shares nested values with the arguments.
    """
    user = merged_profile(profile) if profile is not None else event_user(entry)
    return user, _context(entry, user, facts or TenantFacts())


def merged_profile(profile: Mapping[str, Any]) -> Json:
    """Returns the user with the members of `app_metadata` beside its own, as Auth0 gave it to rules."""
    metadata = _object(profile.get("app_metadata"))
    return {**profile, **{name: value for name, value in metadata.items() if name not in _RESERVED}}


def event_user(entry: Mapping[str, Any]) -> Json:
    """Returns what an entry says about its user, in the shape of a profile."""
    user_id, name, strategy = (_text(entry, field) for field in ("user_id", "user_name", "strategy"))
    identity = {
        "connection": _text(entry, "connection"),
        "provider": strategy or user_id.partition("|")[0],
        "user_id": user_id.partition("|")[2],
        "isSocial": _text(entry, "strategy_type") == "social",
    }
    user: Json = {"user_id": user_id, "name": name, "identities": [identity] if user_id else []}
    if "@" in name:
        user |= {"email": name, "nickname": name.partition("@")[0]}
    elif name:
        user |= {"nickname": name} | ({"username": name} if strategy == "auth0" else {})
    if (count := _logins(entry)) is not None:
        user["logins_count"] = count
    return user


def _context(entry: Mapping[str, Any], user: Mapping[str, Any], facts: TenantFacts) -> Json:
    client, connection = facts.client or {}, facts.connection or {}
    count = _logins(entry)
    count = _count(user.get("logins_count")) if count is None else count
    context: Json = {
        "tenant": _text(entry, "tenant_name"),
        "clientID": _text(entry, "client_id"),
        "clientName": _text(entry, "client_name"),
        "clientMetadata": _object(client.get("client_metadata")),
        "client_metadata": _object(client.get("client_metadata")),
        "connectionID": _text(entry, "connection_id"),
        "connection": _text(entry, "connection"),
        "connectionStrategy": _text(entry, "strategy"),
        "connectionOptions": _object(connection.get("options")),
        "connectionMetadata": _object(connection.get("metadata")),
        "samlConfiguration": {},
        "jwtConfiguration": {},
        "protocol": PROTOCOLS.get(_text(entry, "type"), ""),
        "stats": {} if count is None else {"loginsCount": count},
        "sso": {"with_auth0": False, "with_dbconn": False, "current_clients": []},
        "accessToken": {},
        "idToken": {},
        "sessionID": _text(_details(entry), "session_id"),
        "request": _request(entry),
        "authentication": {"methods": list(_methods(entry))},
        "authorization": {"roles": list(facts.roles or ())},
    }
    return context | _organization(entry, facts) | _risk(entry)


def _request(entry: Mapping[str, Any]) -> Json:
    request: Json = {
        "userAgent": _text(entry, "user_agent"),
        "ip": _text(entry, "ip"),
        "hostname": _text(entry, "hostname"),
        "query": {"prompt": "none"} if entry.get("type") == "ssa" else {},
        "body": {},
    }
    place = _object(entry.get("location_info"))
    known = {name: place[name] for name in _GEOIP if place.get(name) is not None}
    return request | ({"geoip": known} if known else {})


def _organization(entry: Mapping[str, Any], facts: TenantFacts) -> Json:
    identifier = _text(entry, "organization_id")
    name = _text(entry, "organization_name")
    metadata = _object((facts.organization or {}).get("metadata"))
    return {"organization": {"id": identifier, "name": name, "metadata": metadata}} if identifier else {}


def _risk(entry: Mapping[str, Any]) -> Json:
    risk = _details(entry).get("riskAssessment")
    return {"riskAssessment": risk} if isinstance(risk, dict) else {}


def _methods(entry: Mapping[str, Any]) -> Iterator[Json]:
    """Yields what a person did to log in. `timestamp` is in milliseconds, as in Auth0's example."""
    for prompt in _prompts(entry):
        strategy, factors = _text(prompt, "strategy"), prompt.get("performed_amr")
        passed = prompt.get("name") == "mfa" or (isinstance(factors, list) and "mfa" in factors)
        name = "mfa" if passed else _METHODS.get(strategy, "federated") if strategy else ""
        completed = prompt.get("completedAt")
        if name and isinstance(completed, int | float) and math.isfinite(completed):
            yield {"name": name, "timestamp": int(completed)}


def _logins(entry: Mapping[str, Any]) -> int | None:
    """Returns how often the user had logged in, this time included; the last prompt that says so counts."""
    said = [_object(part.get("stats")).get("loginsCount") for part in (_details(entry), *_prompts(entry))]
    return next((count for count in map(_count, reversed(said)) if count is not None), None)


def _prompts(entry: Mapping[str, Any]) -> list[Json]:
    prompts = _details(entry).get("prompts")
    return [prompt for prompt in prompts if isinstance(prompt, dict)] if isinstance(prompts, list) else []


def _details(entry: Mapping[str, Any]) -> Json:
    return _object(entry.get("details"))


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
