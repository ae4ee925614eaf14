"""Made-up log entries that look like a real tenant's. Entry `i` is a pure function of (seed, i) and the moment handed in.

What comes out is the JSON's bytes, not a dict: the product promises to keep them, so they are what tests compare.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final

from simulator import catalogue
from simulator.catalogue import Kind
from simulator.edge_cases import NASTY, NASTY_WEIGHTS, deep
from simulator.people import person
from simulator.shapes import SHAPES, Fields

_POPULATION: Final = 400
#: One entry in so many reached Auth0's index late, by up to so many milliseconds: its date lies before its place in the log.
_LATE_EVERY: Final = 97
_LATE_AT_MOST: Final = 90_000
_KIND_WEIGHTS: Final = tuple(accumulate(kind.weight for kind in catalogue.KINDS))
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Entries:
    """`nasty` is the share (0 to 1) of entries that are valid and hard to swallow; `deep` lets some of them nest 1,200 levels."""

    def __init__(self, *, seed: int = 0, nasty: float = 0.05, deep: bool = False) -> None:
        self._seed = seed
        self._nasty = nasty
        self._deep = deep
        self._people = [person(Random(f"{seed}/person/{number}")) for number in range(_POPULATION)]

    def log_id(self, index: int, at: datetime) -> str:
        """`900`, the time, the index, and 20 digits of noise: 57 digits that ascend as text if `at` does."""
        return f"900{at:%Y%m%d%H%M%S}{index:020d}{self._noise(index):020d}"

    def late(self, index: int) -> int:
        """How long before its place in the log the entry is dated, in milliseconds; 0 for all but a few."""
        noise = self._noise(index)
        return noise % _LATE_AT_MOST if noise % _LATE_EVERY == 0 else 0

    def raw(self, index: int, at: datetime) -> bytes:
        """The JSON of an entry that took its place in the log at this moment (UTC)."""
        random = Random((self._seed << 64) + index)  # A number is cheap to seed with; text would be hashed first.
        kind = random.choices(catalogue.KINDS, cum_weights=_KIND_WEIGHTS)[0]
        who = self._people[int(_POPULATION * random.random() ** 2)]  # Some people are around much more than others.
        entry = self._entry(index, at, kind, SHAPES[kind.shape](kind, who, random))
        if random.random() < self._nasty:
            return self._spoil(entry, random)
        return _encode(entry).encode()

    def _entry(self, index: int, at: datetime, kind: Kind, fields: Fields) -> Fields:
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

    def _spoil(self, entry: Fields, random: Random) -> bytes:
        if self._deep and random.random() < 0.1:
            return deep(entry, random)
        return random.choices(NASTY, cum_weights=NASTY_WEIGHTS)[0](entry, random)

    def _noise(self, index: int) -> int:
        """20 digits or fewer, well mixed and cheap: ids and dates are asked for without their entries."""
        mixed = ((index + 1) * 0x9E3779B97F4A7C15 + self._seed * 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        return mixed ^ (mixed >> 27)


def index_in(log_id: str) -> int:
    """The index that `Entries.log_id` wrote into an id; -1 for an id that is none of ours."""
    return int(log_id[17:37]) if len(log_id) == 57 and log_id.isascii() and log_id.isdigit() else -1
