"""Which rules are switched off: those that took their process down on several events. Pure: the time is handed in."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

#: Different events on which a rule crashed or hung, and the seconds in which they lie, for it to be switched off.
EVENTS: Final = 3
WITHIN: Final = 600.0


class Strikes:
    """One event counts once, however often it is tried: it may be the event. Several are the rule."""

    def __init__(self) -> None:
        self._events: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._off: set[str] = set()

    @property
    def switched_off(self) -> frozenset[str]:
        """Until the next start."""
        return frozenset(self._off)

    def add(self, rule: str, event: str, now: float) -> bool:
        """Returns whether that switches the rule off. `now` in seconds."""
        events = self._events[rule]
        events[event] = now
        self._events[rule] = recent = {event: at for event, at in events.items() if now - at < WITHIN}
        if len(recent) < EVENTS or rule in self._off:
            return False
        self._off.add(rule)
        return True
