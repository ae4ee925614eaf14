from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.text import visible

ANY = st.text(st.characters(codec=None))


@given(ANY)
def test_nothing_that_is_printed_can_move_the_cursor_or_change_the_direction_of_text(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


@given(ANY)
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    plain = "".join(filter(str.isprintable, text))
    assert visible(plain) == plain
    assert set(visible(text, keep="\n")) - {"\n"} <= set(visible(text))


def test_what_is_not_printable_is_shown_as_its_escape() -> None:
    assert visible("a\x1b[31m\u202eb\n\x9b\udc80é") == r"a\x1b[31m\u202eb\n\x9b\udc80é"
