from __future__ import annotations

from structlog.testing import capture_logs

from shared.observers import all_of


class _Silent:
    def told(self, what: str) -> None:
        """Does nothing."""

    def told_both(self, what: str, more: str) -> None:
        """Does nothing."""


class _Listening(_Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def told(self, what: str) -> None:
        self.heard.append(what)

    def told_both(self, what: str, more: str) -> None:
        self.heard += [what, more]


class _Failing(_Silent):
    def told(self, what: str) -> None:
        raise ZeroDivisionError(what)

    def told_both(self, what: str, more: str) -> None:
        raise ZeroDivisionError(more)


def test_several_observers_as_one_can_be_one_of_several() -> None:
    first, second, third = _Listening(), _Listening(), _Listening()
    all_of(_Silent, all_of(_Silent, first, second), _Silent(), third).told("taken")
    assert [one.heard for one in (first, second, third)] == [["taken"]] * 3


def test_an_observer_that_raises_stops_neither_the_work_nor_the_others_and_is_named_once_in_a_while() -> None:
    first, last = _Listening(), _Listening()
    alone, among = all_of(_Silent, _Failing()), all_of(_Silent, first, _Failing(), last)
    with capture_logs() as lines:
        for number in range(100):
            alone.told(str(number))
            among.told(str(number))
            among.told_both("of", "two")
    assert first.heard == last.heard == [heard for number in range(100) for heard in (str(number), "of", "two")]
    assert [(line["event"], line["observer"]) for line in lines] == [
        ("an observer failed; the work goes on", f"_Failing.{name}") for name in ("told", "told", "told_both")
    ], "one line each, not one for each event"
