from __future__ import annotations

from shared.observers import all_of


class _Silent:
    def told(self, what: str) -> None:
        """Does nothing."""


class _Listening(_Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def told(self, what: str) -> None:
        self.heard.append(what)


def test_several_observers_as_one_can_be_one_of_several() -> None:
    first, second, third = _Listening(), _Listening(), _Listening()
    all_of(_Silent, all_of(_Silent, first, second), _Silent(), third).told("taken")
    assert [one.heard for one in (first, second, third)] == [["taken"]] * 3
