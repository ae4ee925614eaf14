"""The table of log event types is complete and sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.log_types import LEVELS, suggest, table

TSV = Path(__file__).parents[2] / "shared" / "log-types.tsv"


def test_every_row_of_the_file_is_a_type_with_a_level() -> None:
    assert len(table()) == len(TSV.read_text().splitlines()) - 1 == 185
    for code, row in table().items():
        assert code == row.code
        assert re.fullmatch(r"[a-z0-9_]+", code)
        assert 0 <= row.level < len(LEVELS)
        assert row.level_from in ("extension", "seed", "review")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        table()["new"] = table()["s"]  # type: ignore[index]


@pytest.mark.parametrize(("code", "level"), [("s", 1), ("f", 3), ("limit_wc", 4), ("cls", 0), ("depnote", 2)])
def test_well_known_types_have_their_level(code: str, level: int) -> None:
    assert table()[code].level == level


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("limit_w", "limit_wc"), ("LIMIT_WC", "limit_wc"), (" S ", "s"), ("failed login", "f"), ("seccft1", "seccft"), ("q", None)],
)
def test_a_wrong_code_gets_a_suggestion(wrong: str, meant: str | None) -> None:
    assert suggest(wrong) == meant
