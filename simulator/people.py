"""The people of the made-up tenant, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final
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


def ip_address(random: Random) -> str:
    """Returns an address of the ranges that are reserved for documentation."""
    if random.random() < 0.2:
        return f"2001:db8:{random.getrandbits(16):x}:{random.getrandbits(16):x}::{random.getrandbits(16):x}"
    return f"{random.choice(('203.0.113', '198.51.100', '192.0.2'))}.{random.randrange(1, 255)}"
