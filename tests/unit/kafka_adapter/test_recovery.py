"""What is compared at a takeover: nothing is published twice, nothing is lost, and nothing holds the offsets back.

Log ids here have two digits; two partitions, by the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from shared.transport.kafka.publish.recovery import Recovery, begins
from shared.transport.kafka.topics.checkpoints import StoredCheckpoint
from shared.transport.kafka.topics.reader import Extent
from shared.transport.port import Checkpoint


def _recovery(checkpoint: str, *present: str, ends: dict[int, int] | None = None) -> Recovery:
    """In the order of `present` each id has the next offset of partition 0."""
    return Recovery(ends or {0: len(present)}, {log_id: (0, offset) for offset, log_id in enumerate(present)}, checkpoint)


def test_what_a_cut_page_left_holds_the_resume_offset_until_the_page_has_come_again() -> None:
    recovery = _recovery("10", "11", "13")
    recovery.advance(["11", "12"], "12")
    assert recovery.resume_offsets() == {0: 1}
    recovery.advance(["13"], "13")
    assert recovery.resume_offsets() == {0: 2}
    assert not recovery.present


def test_a_retried_dead_letter_is_compared_once_and_holds_nothing() -> None:
    recovery = _recovery("10", "03")
    recovery.advance(["11"], "11")
    assert recovery.resume_offsets() == {0: 1}


def test_an_entry_that_does_not_pass_the_filter_any_more_holds_the_resume_offset_for_one_page() -> None:
    recovery = _recovery("10", "11")
    recovery.advance(["12"], "12")
    assert recovery.resume_offsets() == {0: 0}
    recovery.advance(["13"], "13")
    assert recovery.resume_offsets() == {0: 1}


def test_a_page_out_of_order_that_comes_in_other_parts_is_compared_to_its_end() -> None:
    """Auth0's order is 09, 30, 11, 12: the first part ends at the largest."""
    recovery = _recovery("10", "09", "11")
    recovery.advance(["09", "30"], "30")
    assert set(recovery.present) == {"11"}
    assert recovery.resume_offsets() == {0: 1}


def test_a_page_behind_the_checkpoint_that_comes_in_other_parts_is_compared_to_its_end() -> None:
    recovery = _recovery("10", "03", "06")
    recovery.advance(["03", "04"], "04")
    assert set(recovery.present) == {"06"}
    recovery.advance(["05", "06"], "06")
    assert not recovery.present


def test_without_a_checkpoint_everything_is_compared_until_it_came() -> None:
    recovery = _recovery("", "01", "02")
    recovery.advance(["01"], "01")
    assert recovery.resume_offsets() == {0: 1}


def test_records_of_our_own_move_the_ends_and_never_back() -> None:
    recovery = Recovery({0: 5}, {})
    recovery.acknowledged([(0, 7), (0, 6), (1, 0)])
    assert recovery.resume_offsets() == {0: 8, 1: 1}


NOW = {0: Extent(5, 20), 1: Extent(0, 0)}


def test_reading_begins_at_the_resume_offsets_or_where_retention_has_left_something() -> None:
    assert begins("t", NOW, {0: 12, 1: 0}) == {0: 12, 1: 0}
    assert begins("t", NOW, {0: 3, 1: 0}) == {0: 5, 1: 0}
    assert begins("t", NOW, {1: 0}) == {0: 5, 1: 0}, "a partition that is new"


def test_without_a_checkpoint_all_of_it_is_read_and_for_one_without_resume_offsets_nothing() -> None:
    assert begins("t", NOW, None) == {0: 5, 1: 0}
    assert begins("t", NOW, {}) == {}


def test_a_partition_that_ends_before_its_resume_offset_is_read_whole_and_logged() -> None:
    with capture_logs() as lines:
        assert begins("t", NOW, {0: 21, 1: 0}) == {0: 5, 1: 0}
    assert [(line["partition"], line["recorded"], line["end"]) for line in lines] == [(0, 21, 20)]


class Takeovers(RuleBasedStateMachine):
    """Pollers that die anywhere, one after the other, on a log and a topic that others write to as well.

    Auth0's order may be any as long as a page that was cut short comes again whole; where ids ascend, pages may be cut again.
    """

    @initialize(ascending=st.booleans(), size=st.integers(1, 5))
    def begin(self, ascending: bool, size: int) -> None:
        self.ascending, self.size = ascending, size
        #: Auth0's log, in its order.
        self.auth0: list[str] = []
        #: Entries up to here are covered by the checkpoint.
        self.read = 0
        self.topic: dict[int, list[str]] = {0: [], 1: [], 2: []}
        self.published: Counter[str] = Counter()
        self.dropped: set[str] = set()
        self.stored: StoredCheckpoint | None = None
        #: The checkpoint before that one, and where its poller knew partitions to end.
        self.former = ""
        self.ends: dict[int, int] = {}
        self.recovery: Recovery | None = None

    @rule(numbers=st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True))
    def entries_come(self, numbers: list[int]) -> None:
        decade = 1 + max((int(log_id) for log_id in self.auth0), default=0) // 10
        new = [f"{10 * decade + number:04d}" for number in (sorted(numbers) if self.ascending else numbers)]
        if not self.ascending and self.auth0:
            # One of them is late: Auth0 gives it after entries with larger ids.
            new = [*new[1:], new[0]]
        self.auth0 += new

    @rule(data=st.data())
    def a_filter_changes(self, data: st.DataObject) -> None:
        self.dropped = data.draw(st.sets(st.sampled_from(self.auth0), max_size=3)) if self.auth0 else set()

    @precondition(lambda self: self.published)
    @rule(data=st.data())
    def a_dead_letter_is_retried(self, data: st.DataObject) -> None:
        self._append(data.draw(st.sampled_from(sorted(self.published))))

    @rule()
    def the_poller_dies(self) -> None:
        self.recovery = None

    @precondition(lambda self: self.read < len(self.auth0))
    @rule(size=st.integers(1, 5))
    def a_page_is_published(self, size: int) -> None:
        page = self._page(size)
        recovery = self._lead()
        recovery.acknowledged([self._publish(log_id) for log_id in self._fresh(page, recovery)])
        recovery.advance(self._passing(page), page[-1])
        self.former = self.stored.checkpoint.log_id if self.stored else ""
        self.stored = StoredCheckpoint(Checkpoint(log_id=page[-1]), recovery.resume_offsets(), 0)
        self.ends = dict(recovery.ends)
        self.read += len(page)
        assert {*self._passing(page)} <= {*chain.from_iterable(self.topic.values())}, "lost"

    @precondition(lambda self: self.read < len(self.auth0))
    @rule(size=st.integers(1, 5), data=st.data())
    def a_page_is_cut_short(self, size: int, data: st.DataObject) -> None:
        fresh = self._fresh(self._page(size), self._lead())
        written = data.draw(st.sets(st.sampled_from(fresh))) if fresh else set()
        for log_id in fresh:
            if log_id in written:
                self._publish(log_id)
        self.recovery = None

    @invariant()
    def nothing_is_published_twice(self) -> None:
        assert not self.published or max(self.published.values()) == 1

    @invariant()
    def no_record_from_before_the_last_checkpoint_but_one_holds_a_resume_offset(self) -> None:
        if self.stored is None or not self.ascending:
            return
        for partition, resume in self.stored.ends.items():
            held = self.topic[partition][resume : self.ends[partition]]
            assert not held or held[0] > self.former, f"partition {partition} is held at {resume} by {held[0]}"

    def _page(self, size: int) -> list[str]:
        return self.auth0[self.read : self.read + (size if self.ascending else self.size)]

    def _passing(self, page: Iterable[str]) -> list[str]:
        return [log_id for log_id in page if log_id not in self.dropped]

    def _fresh(self, page: Iterable[str], recovery: Recovery) -> list[str]:
        return [log_id for log_id in self._passing(page) if log_id not in recovery.present]

    def _lead(self) -> Recovery:
        if self.recovery is None:
            now = {partition: Extent(0, len(records)) for partition, records in self.topic.items()}
            present = {
                log_id: (partition, offset)
                for partition, begin in begins("t", now, self.stored.ends if self.stored else None).items()
                for offset, log_id in enumerate(self.topic[partition])
                if offset >= begin
            }
            ends = {partition: extent.end for partition, extent in now.items()}
            self.recovery = Recovery(ends, present, self.stored.checkpoint.log_id if self.stored else "")
        return self.recovery

    def _publish(self, log_id: str) -> tuple[int, int]:
        self.published[log_id] += 1
        return self._append(log_id)

    def _append(self, log_id: str) -> tuple[int, int]:
        partition = int(log_id) % len(self.topic)
        self.topic[partition].append(log_id)
        return partition, len(self.topic[partition]) - 1


TestTakeovers = Takeovers.TestCase
