"""Several observers as one. None of them can stop the work that it is told of: what it raises is logged, and the work goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, TypeVar

from shared.log_throttle import LogThrottle
from shared.logging import get_logger

T = TypeVar("T")

log = get_logger(__name__)


def all_of(port: type[T], *observers: T) -> T:
    """Returns an observer that tells all of these, in their order. `port`: their base, whose methods do nothing.

    Each method is bound once, to the methods of those that override it. A loop over all of them for each event would show in the
    benchmark.
    """
    combined, throttle = port(), LogThrottle()
    for name, silent in vars(port).items():
        if name.startswith("_"):
            continue
        methods = [getattr(one, name) for one in observers]
        told = [method for method in methods if getattr(method, "__func__", method) is not silent]
        if told:
            setattr(combined, name, _teller(silent, told, throttle))
    return combined


def _teller(silent: Callable[..., None], told: Sequence[Callable[..., None]], throttle: LogThrottle) -> Callable[..., None]:
    """What is told of each event has one or two arguments. Without `*` a call costs half."""
    if len(told) == 1:
        return _tell_one(told[0], throttle)
    return (_tell_two if len(signature(silent).parameters) == 3 else _tell)(told, throttle)  # 3: with `self`


def _tell_one(method: Callable[..., None], throttle: LogThrottle) -> Callable[..., None]:
    def tell(*what: Any) -> None:
        try:
            method(*what)
        except Exception as error:  # noqa: BLE001  whatever it is, delivery does not depend on it
            _failed(method, error, throttle)

    return tell


def _tell(told: Sequence[Callable[..., None]], throttle: LogThrottle) -> Callable[..., None]:
    def tell(*what: Any) -> None:
        for method in told:
            try:
                method(*what)
            except Exception as error:  # noqa: BLE001  as above
                _failed(method, error, throttle)

    return tell


def _tell_two(told: Sequence[Callable[..., None]], throttle: LogThrottle) -> Callable[..., None]:
    def tell(first: Any, second: Any) -> None:
        for method in told:
            try:
                method(first, second)
            except Exception as error:  # noqa: BLE001  as above
                _failed(method, error, throttle)

    return tell


def _failed(method: Callable[..., None], error: Exception, throttle: LogThrottle) -> None:
    """It is told again next time: one odd event must not end its counts."""
    name = getattr(method, "__qualname__", repr(method))
    if throttle.allows(name, time.monotonic()):
        log.error("an observer failed; the work goes on", observer=name, exc_info=error)
