from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from admin.actions.looking.log_ids import SHORTEST, resolve
from shared.errors import ConfigurationError

#: Of few letters, so that they share beginnings.
IDS = st.text("01", max_size=8)
SETS = st.sets(IDS, max_size=12)


@given(SETS, IDS)
def test_a_whole_id_means_itself_whatever_else_begins_like_it(known: set[str], log_id: str) -> None:
    assert resolve(log_id, known | {log_id}) == log_id


@given(SETS, IDS)
def test_a_beginning_means_an_id_only_if_no_other_begins_like_it(known: set[str], typed: str) -> None:
    assume(typed not in known)
    alike = {log_id for log_id in known if log_id.startswith(typed) and len(typed) >= SHORTEST}
    if len(alike) > 1:
        with pytest.raises(ConfigurationError) as error:
            resolve(typed, known)
        assert sum(log_id in error.value.problems[0] for log_id in alike) >= 2
    else:
        assert resolve(typed, known) == (alike.pop() if alike else None)


@pytest.mark.parametrize("typed", ["", "9", "900"])
def test_what_an_unset_variable_leaves_means_no_id(typed: str) -> None:
    assert resolve(typed, {"90020261129183000000"}) is None


def test_at_most_five_candidates_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"9000 begins 9 log ids: 90000, .*90004 and 4 more\. Nothing was done"):
        resolve("9000", {f"9000{number}" for number in range(9)})
