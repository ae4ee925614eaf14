"""The report on one run: its figures, and what is wrong."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class RunReport:
    """A run is good if `wrong` is empty."""

    events: int = 0
    delivered: int = 0
    dead_letters: int = 0
    records: int = 0
    repeated_records: int = 0
    calls: int = 0
    failed_calls: int = 0
    duplicates: int = 0
    killed_at: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    rebalances: int = 0
    commits_seen: int = 0
    looks: int = 0
    peak_calls: int = 0
    rss: float = 0.0
    files: int = 0
    threads: int = 0
    wrong: list[str] = field(default_factory=list)

    def require(self, good: bool, words: str) -> None:
        if not good:
            self.wrong.append(words)

    def __str__(self) -> str:
        kinds = f"{len(self.kinds)} kinds of faults, {sum(self.kinds.values())} in all"
        return "\n".join(
            (
                f"events {self.events}: {self.delivered} delivered, {self.dead_letters} dead letters",
                f"{self.duplicates} delivered again; {self.calls} calls, {self.failed_calls} of them without a 200",
                f"{kinds}; {self.rebalances} rebalances; {self.commits_seen} commits seen in {self.looks} looks",
                f"at most {self.peak_calls} calls open",
                f"records {self.records}, {self.repeated_records} of them twice",
                f"at most {self.rss:.0f} MB, {self.files} files, {self.threads} threads in a process",
                f"killed at: {dict(sorted(self.killed_at.items()))}",
                *self.wrong,
            )
        )


def show(text: object) -> None:
    """Prints it; pytest shows it where a test fails."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
