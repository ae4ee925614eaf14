"""The people of the made-up tenant, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final
from unicodedata import normalize

from simulator import catalogue
from simulator.catalogue import Browser, City, IdentityConnection

#: Letters that Unicode does not decompose.
_PLAIN: Final = str.maketrans({"ø": "o", "ł": "l", "'": ""})


@dataclass(frozen=True, slots=True)
class Person:
    user_id: str
    name: str
    email: str
    city: City
    browser: Browser
    ip: str
    connection: IdentityConnection


def person(random: Random) -> Person:
    first, last = random.choice(catalogue.FIRST_NAMES), random.choice(catalogue.SURNAMES)
    connection = random.choices(catalogue.CONNECTIONS, [connection.weight for connection in catalogue.CONNECTIONS])[0]
    mail = normalize("NFKD", f"{first}.{last}".lower().translate(_PLAIN)).encode("ascii", "ignore").decode()
    return Person(
        user_id=f"{connection.prefix}|{random.getrandbits(96):024x}",
        name=f"{first} {last}",
        email=f"{mail}{random.randrange(100)}@example.com",
        city=random.choice(catalogue.CITIES),
        browser=random.choice(catalogue.BROWSERS),
        ip=ip_address(random),
        connection=connection,
    )


def profile(one: Person) -> dict[str, Any]:
    """Returns the person as `GET /api/v2/users/{id}` does."""
    provider, _, number = one.user_id.partition("|")
    identity = {
        "connection": one.connection.name,
        "provider": provider,
        "user_id": number,
        "isSocial": one.connection.strategy_type == "social",
    }
    return {
        "user_id": one.user_id,
        "name": one.name,
        "nickname": one.email.partition("@")[0],
        "email": one.email,
        "email_verified": True,
        "created_at": "2024-03-01T08:00:00.000Z",
        "identities": [identity],
        "app_metadata": {},
        "user_metadata": {},
    }


def ip_address(random: Random) -> str:
    """Returns an address of the ranges that are reserved for documentation."""
    if random.random() < 0.2:
        return f"2001:db8:{random.getrandbits(16):x}:{random.getrandbits(16):x}::{random.getrandbits(16):x}"
    return f"{random.choice(('203.0.113', '198.51.100', '192.0.2'))}.{random.randrange(1, 255)}"
