"""Made-up log entries that look like a real tenant's. Entry `i` is a pure function of (seed, i) and the moment handed in.

The result is the JSON's bytes, not a dict: the product promises to keep them, and tests compare them.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Final

from simulator import catalogue
from simulator.catalogue import EntryKind
from simulator.edge_cases import EDGE_CASE_WEIGHTS, EDGE_CASES
from simulator.kinds import kind_of
from simulator.people import person, profile
from simulator.shapes import SHAPES, Fields

_POPULATION: Final = 400
#: One entry in 97 reached Auth0's index late, by up to 90,000 ms: its date is earlier than its place in the log.
_LATE_EVERY: Final = 97
_LATE_AT_MOST: Final = 90_000
_KIND_WEIGHTS: Final = tuple(accumulate(kind.weight for kind in catalogue.KINDS))
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Entries:
    """`edge_cases` is the share (0 to 1) of entries that are valid JSON and hard to process."""

    def __init__(self, *, seed: int = 0, edge_cases: float = 0.05) -> None:
        self._seed = seed
        self._edge_cases = edge_cases
        self._people = [person(Random(f"{seed}/person/{number}")) for number in range(_POPULATION)]

    def profiles(self) -> list[dict[str, Any]]:
        """Returns the people as the Management API has its users."""
        return [profile(one) for one in self._people]

    def log_id(self, index: int, at: datetime) -> str:
        """`900`, the time, the index, and 20 digits of noise: 57 digits that ascend as text if `at` does."""
        return f"900{at:%Y%m%d%H%M%S}{index:020d}{self._noise(index):020d}"

    def late(self, index: int) -> int:
        """Returns how long before its place in the log the entry is dated, in milliseconds; 0 for all but a few."""
        noise = self._noise(index)
        return noise % _LATE_AT_MOST if noise % _LATE_EVERY == 0 else 0

    def raw(self, index: int, at: datetime) -> bytes:
        """Returns the JSON of an entry that took its place in the log at this moment (UTC)."""
        random = Random((self._seed << 64) + index)  # a number is cheap to seed with: text is hashed first
        kind = random.choices(catalogue.KINDS, cum_weights=_KIND_WEIGHTS)[0]
        who = self._people[int(_POPULATION * random.random() ** 2)]  # some people sign in much more often than others
        entry = self._entry(index, at, kind, SHAPES[kind.shape](kind, who, random))
        if random.random() < self._edge_cases:
            return random.choices(EDGE_CASES, cum_weights=EDGE_CASE_WEIGHTS)[0](entry, random)
        return _encode(entry).encode()

    def of_type(self, code: str, index: int, at: datetime, *, user_id: str = "") -> bytes:
        """Returns the JSON of an entry of a known type; `user_id` instead of a made-up one. Raises `KeyError`."""
        random = Random((self._seed << 64) + index)
        kind = kind_of(code)
        fields = SHAPES[kind.shape](kind, random.choice(self._people), random)
        return _encode(self._entry(index, at, kind, fields | ({"user_id": user_id} if user_id else {}))).encode()

    def _entry(self, index: int, at: datetime, kind: EntryKind, fields: Fields) -> Fields:
        log_id = self.log_id(index, at)
        date = (at - timedelta(milliseconds=self.late(index))).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"date": date, "type": kind.type} | ({"description": kind.description} if kind.description else {})
        tail = {
            "hostname": catalogue.HOST,
            "tenant_name": catalogue.TENANT,
            "environment_name": "prod-eu-1",
            "log_id": log_id,
            "_id": log_id,
        }
        return {**head, **fields, **tail, "isMobile": fields.get("isMobile", False)}

    def _noise(self, index: int) -> int:
        """Returns at most 20 digits, well mixed. It must be cheap: ids and dates are needed without their entries."""
        mixed = ((index + 1) * 0x9E3779B97F4A7C15 + self._seed * 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        return mixed ^ (mixed >> 27)


def index_in(log_id: str) -> int:
    """Returns the index that `Entries.log_id` wrote into an id; -1 for any other id."""
    return int(log_id[17:37]) if len(log_id) == 57 and log_id.isascii() and log_id.isdigit() else -1
