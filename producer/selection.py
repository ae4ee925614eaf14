"""Which events pass the filter. Pure: a function of the event's type and the settings.

`LOG_LEVEL` and `LOG_TYPES` must both match. Events of the Management API are left out unless `LOG_TYPES` names them. A type that
our table does not know has no level and passes the level filter, so that a type new at Auth0 is never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MANAGEMENT_API: Final = frozenset({"sapi", "fapi", "mgmt_api_read"})


class DropReason(StrEnum):
    """Why an event does not pass the filter."""

    MANAGEMENT_API = "management API"
    LEVEL = "below LOG_LEVEL"
    TYPE = "not in LOG_TYPES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    #: The level of each type code that we know, 0 (debug) to 4 (critical).
    levels: Mapping[str, int]
    #: The lowest level that passes.
    level: int = 0
    #: The type codes that pass; empty: all but those of the Management API.
    types: Set[str] = frozenset()

    def reason_to_drop(self, code: str) -> DropReason | None:
        """Returns None where events of this type pass."""
        if self.types and code not in self.types:
            return DropReason.TYPE
        if not self.types and code in MANAGEMENT_API:
            return DropReason.MANAGEMENT_API
        if code in self.levels and self.levels[code] < self.level:
            return DropReason.LEVEL
        return None

    def knows(self, code: str) -> bool:
        return code in self.levels
