"""Reads the journal of a receiver that runs in another process."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.journal import JournalEntry, ReceivedCall


def read_journal(file: Path) -> list[JournalEntry]:
    """Returns what is written so far, without bodies and headers; an unfinished last line is left out."""
    lines = file.read_bytes().split(b"\n")[:-1]
    found = [json.loads(line) for line in lines]
    return [JournalEntry(ReceivedCall(**entry.pop("call")), **entry) for entry in found]
