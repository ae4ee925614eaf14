from __future__ import annotations

from shared.observers import all_of


class _Port:
    def told(self, what: str) -> None:
        """Does nothing."""


class _Heard(_Port):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def told(self, what: str) -> None:
        self.heard.append(what)


def test_several_observers_as_one_can_be_one_of_several() -> None:
    first, second, third = _Heard(), _Heard(), _Heard()
    all_of(_Port, all_of(_Port, first, second), _Port(), third).told("taken")
    assert [one.heard for one in (first, second, third)] == [["taken"]] * 3
