"""What the journal concludes from its entries."""

from __future__ import annotations

from pathlib import Path

from simulator.journal import Disorder, Journal, ReceivedCall
from tests.support.journal import read_journal


def record(journal: Journal, log_id: str, user: str = "u", *, arrived: int, answered: int, status: int = 200) -> None:
    call = ReceivedCall(arrived, "POST", "/", None, None, log_id, user, "s", "00", 0)
    journal.append(call, answered_ns=answered, verdict="ok", status=status, whole=True)


def test_order_per_user_is_broken_by_a_step_back_or_an_overlap() -> None:
    journal = Journal()
    record(journal, "1", arrived=0, answered=10)
    record(journal, "3", arrived=11, answered=20)
    record(journal, "2", arrived=21, answered=30)
    record(journal, "4", arrived=29, answered=40)
    assert journal.disorder() == [Disorder("u", "3", "2", "out of order"), Disorder("u", "2", "4", "side by side")]


def test_other_users_failures_and_repeats_do_not_break_it() -> None:
    journal = Journal()
    record(journal, "2", "a", arrived=0, answered=10)
    record(journal, "1", "b", arrived=5, answered=11)
    record(journal, "1", "", arrived=5, answered=12)
    record(journal, "9", "a", arrived=11, answered=12, status=500)
    record(journal, "3", "a", arrived=13, answered=14)
    record(journal, "2", "a", arrived=15, answered=16)
    assert journal.disorder() == []


def test_the_expected_order_can_be_another_one() -> None:
    journal = Journal()
    record(journal, "2", arrived=0, answered=1)
    record(journal, "1", arrived=2, answered=3)
    assert journal.disorder(expected=["2", "1"]) == []
    assert [found.kind for found in journal.disorder()] == ["out of order"]


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    journal = Journal(file)
    record(journal, "1", arrived=0, answered=1)
    journal.close()
    with file.open("ab") as stream:
        stream.write(b'{"call": {"arr')
    assert read_journal(file) == list(journal.all)


def test_a_journal_that_keeps_no_entries_counts_as_one_that_does(tmp_path: Path) -> None:
    kept, counting = Journal(), Journal(tmp_path / "journal.jsonl", keep_entries=False)
    for number in range(9):
        for journal in (kept, counting):
            record(journal, str(number % 4), arrived=number, answered=number, status=200 if number % 3 else 503)
    assert (len(counting), counting.delivered, counting.again) == (9, kept.delivered, len(kept.duplicates))
    assert kept.again == counting.again > 0
    assert counting.all == ()
    counting.close()
    assert len(read_journal(tmp_path / "journal.jsonl")) == 9
