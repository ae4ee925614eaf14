"""Which fault happens when: a list of rules, consulted once per request. The seed determines everything.

Every method may be called from any thread: a rule is added in one step, and drawn from in one step.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Generic, TypeVar

from simulator.faults import HttpFault

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule(Generic[Subject]):
    draw: Iterator[HttpFault | None]
    when: Callable[[Subject], bool] | None
    #: By the script's clock; None: no end.
    until: float | None = None
    probability: float = 1.0


class Script(Generic[Subject]):
    """The faults to come. The first rule with a draw for a request decides; without one the response is the usual one.

    `when` in every method: which requests the rule is for (default all); other requests do not use it up.
    """

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        #: How often each fault was chosen, by its name.
        self.fired: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._clock = clock
        self._rules: list[_Rule[Subject]] = []

    def in_order(self, *faults: HttpFault | None, when: Callable[[Subject], bool] | None = None) -> None:
        """One fault for each of the next requests, in this order; None means the usual response."""
        self._rules.append(_Rule(draw=iter(faults), when=when))

    def add(
        self,
        fault: HttpFault,
        *,
        times: int | None = None,
        seconds: float | None = None,
        when: Callable[[Subject], bool] | None = None,
    ) -> None:
        """The same fault for the next `times` requests (None: all), for `seconds` from now (None: no end)."""
        until = None if seconds is None else self._clock() + seconds
        draw = repeat(fault) if times is None else repeat(fault, times)
        self._rules.append(_Rule(draw=draw, when=when, until=until))

    def sometimes(self, probability: float, *faults: HttpFault, when: Callable[[Subject], bool] | None = None) -> None:
        """With this probability (0 to 1) one of the faults, each as likely as the others."""
        draw = iter(lambda: self._random.choice(faults), None)
        self._rules.append(_Rule(draw=draw, when=when, probability=probability))

    def clear(self) -> None:
        """Remove every rule."""
        self._rules.clear()

    def choose(self, subject: Subject) -> HttpFault | None:
        """Returns the fault for this request, or None for the usual response."""
        for rule in self._rules:
            if not self._applies(rule, subject):
                continue
            for fault in rule.draw:  # empty when the rule is used up; else its first draw ends the search
                if fault is not None:
                    self.fired[fault.name] += 1
                return fault
        return None

    def _applies(self, rule: _Rule[Subject], subject: Subject) -> bool:
        if rule.until is not None and self._clock() >= rule.until:
            return False
        if rule.when is not None and not rule.when(subject):
            return False
        return rule.probability >= 1.0 or self._random.random() < rule.probability
