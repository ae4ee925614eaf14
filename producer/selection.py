"""Which events pass the filter. Pure: a function of the event's type and the settings.

`LOG_LEVEL` and `LOG_TYPES` must both match. Events of the Management API are left out unless `LOG_TYPES` names them. A type that
our table does not know has no level and passes the level filter, so that a type new at Auth0 is never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

MANAGEMENT_API: Final = frozenset({"sapi", "fapi", "mgmt_api_read"})


class DropReason(StrEnum):
    """Why an event does not pass the filter."""

    MANAGEMENT_API = "management API"
    LEVEL = "below LOG_LEVEL"
    TYPE = "not in LOG_TYPES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the filter says of a type, for people."""

    #: None: its events pass.
    reason: DropReason | None
    #: The variable that decided; empty: none is set that could leave it out.
    setting: str
    why: str


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

    def explain(self, code: str) -> Decision:
        """Returns the same decision with the setting that took it, and why in a sentence."""
        reason = self.reason_to_drop(code)
        match reason:
            case DropReason.TYPE:
                return Decision(reason=reason, setting="LOG_TYPES", why=f"LOG_TYPES does not name {_shown(code)}")
            case DropReason.MANAGEMENT_API:
                why = f"{code} is an event of the Management API, and those pass only where LOG_TYPES names them"
                return Decision(reason=reason, setting="LOG_TYPES", why=why)
            case DropReason.LEVEL:
                why = f"{code} has level {self.levels[code]}, which is below LOG_LEVEL={self.level}"
                return Decision(reason=reason, setting="LOG_LEVEL", why=why)
            case None:
                return self._explain_pass(code)
            case _:
                assert_never(reason)

    def _explain_pass(self, code: str) -> Decision:
        by_type = [f"LOG_TYPES names {_shown(code)}"] if self.types else []
        by_level = [self._level_passes(code)] if self.level else []
        why = " and ".join([*by_type, *by_level]) or "neither LOG_TYPES nor LOG_LEVEL leaves anything of this type out"
        return Decision(reason=None, setting="LOG_TYPES" if by_type else "LOG_LEVEL" if by_level else "", why=why)

    def _level_passes(self, code: str) -> str:
        if code not in self.levels:
            return f"{_shown(code)} is in no table of ours, and an unknown type passes every LOG_LEVEL"
        return f"{code} has level {self.levels[code]}, which is not below LOG_LEVEL={self.level}"

    def knows(self, code: str) -> bool:
        return code in self.levels


def _shown(code: str) -> str:
    return code or "an entry without a type"
