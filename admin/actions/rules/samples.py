"""Made-up log entries of logins, and the profile of the person who logs in: for `rules test` without a file."""

from __future__ import annotations

from typing import Any, Final

from rules.rule import DEFAULT_EVENTS

_USER_ID: Final = "auth0|5f7c8ec7c33c6c004bbafe82"
_PROMPTS: Final = [
    {
        "name": "lock-password-authenticate",
        "initiatedAt": 1795168797000,
        "completedAt": 1795168799321,
        "connection": "Username-Password-Authentication",
        "connection_id": "con_9Vt2KxQm7RzWnBc4",
        "strategy": "auth0",
        "identity": "5f7c8ec7c33c6c004bbafe82",
        "stats": {"loginsCount": 7},
        "elapsedTime": 2321,
    },
    {
        "name": "login",
        "flow": "login",
        "initiatedAt": 1795168796000,
        "completedAt": 1795168799900,
        "user_id": _USER_ID,
        "user_name": "ada.lovelace@example.com",
        "elapsedTime": 3900,
    },
]
#: By the event's type: what stands in `details`.
_DETAILS: Final[dict[str, dict[str, Any]]] = {
    "s": {"prompts": _PROMPTS, "session_id": "J8Vr2mXqT5wNc7yZ", "stats": {"loginsCount": 7}},
    "ssa": {"prompts": [], "session_id": "J8Vr2mXqT5wNc7yZ"},
    "sens": {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"},
    "sertft": {"grant_type": "refresh_token"},
}
_PASSWORD: Final = {"grant_type": "http://auth0.com/oauth/grant-type/password-realm"}


def sample_entry(kind: str) -> dict[str, Any]:
    """Returns a log entry of that type; one that is no login has a login's fields all the same."""
    log_id = "90020261120095959900000000000000000000000000000000000001"
    return {
        "date": "2026-11-20T09:59:59.900Z",
        "type": kind,
        "connection": "Username-Password-Authentication",
        "connection_id": "con_9Vt2KxQm7RzWnBc4",
        "client_id": "Qx7mTz2LkV9bRf4nWc8sYp1dHg6jUe3a",
        "client_name": "Acme Shop",
        "ip": "203.0.113.7",
        "user_agent": "Chrome 142.0.0 / Mac OS X 10.15.7",
        "details": _DETAILS.get(kind, _PASSWORD if kind in DEFAULT_EVENTS else {}),
        "hostname": "acme.eu.auth0.com",
        "user_id": _USER_ID,
        "user_name": "ada.lovelace@example.com",
        "strategy": "auth0",
        "strategy_type": "database",
        "location_info": {
            "country_code": "GB",
            "country_code3": "GBR",
            "country_name": "United Kingdom",
            "city_name": "London",
            "latitude": 51.5085,
            "longitude": -0.1257,
            "time_zone": "Europe/London",
            "continent_code": "EU",
        },
        "tenant_name": "acme",
        "log_id": log_id,
        "_id": log_id,
        "isMobile": False,
    }


def sample_profile() -> dict[str, Any]:
    """Returns the user of every sample entry, as `GET /api/v2/users/{id}` has one."""
    return {
        "user_id": _USER_ID,
        "email": "ada.lovelace@example.com",
        "email_verified": True,
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "nickname": "ada.lovelace",
        "picture": "https://acme.example/avatars/ada.png",
        "identities": [
            {
                "connection": "Username-Password-Authentication",
                "provider": "auth0",
                "user_id": "5f7c8ec7c33c6c004bbafe82",
                "isSocial": False,
            }
        ],
        "user_metadata": {"color": "blue"},
        "app_metadata": {"plan": "gold"},
        "created_at": "2026-03-02T08:15:30.000Z",
        "updated_at": "2026-11-20T09:59:59.900Z",
        "last_login": "2026-11-20T09:59:59.900Z",
        "last_ip": "203.0.113.7",
        "logins_count": 7,
    }
