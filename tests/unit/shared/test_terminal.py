from __future__ import annotations

import os
import pty

from hypothesis import given
from hypothesis import strategies as st

from shared.terminal import columns_of, fitted, wrapped

WORDS = st.lists(st.text("abc-", min_size=1, max_size=90), max_size=30).map(" ".join)


@given(WORDS, st.integers(20, 120))
def test_a_line_is_broken_at_blanks_alone_and_only_a_word_may_be_too_long(text: str, columns: int) -> None:
    lines = wrapped(text, columns).split("\n")
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)


@given(WORDS, WORDS, st.integers(20, 120))
def test_lines_stay_lines(first: str, second: str, columns: int) -> None:
    assert wrapped(f"{first}\n{second}", columns) == f"{wrapped(first, columns)}\n{wrapped(second, columns)}"


def test_what_is_no_terminal_gets_its_text_unbroken() -> None:
    read, write = os.pipe()
    try:
        assert fitted("word " * 100, write) == "word " * 100
    finally:
        os.close(read)
        os.close(write)


def test_a_terminal_that_was_never_told_its_size_counts_as_80_columns() -> None:
    main, side = pty.openpty()
    try:
        assert columns_of(side) == 80
    finally:
        os.close(main)
        os.close(side)
